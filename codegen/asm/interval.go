package asm

// An interval is where a register holds a value: from one position to another,
// both included. Instruction i reads at position 2i and writes at 2i+1.
type interval struct {
	reg        Reg
	start, end int
	hint       Reg   // a register to share with, where it ends as this starts
	again      *inst // makes the value again at any place of the interval, or nil

	// How often it is read and written, with instructions in loops counted
	// ten times for each loop.
	read, written float64
}

// cost is what it costs to have the value in memory: loads and stores.
func (v *interval) cost() float64 {
	switch {
	case v.again == nil:
		return v.read + v.written
	case v.again.args[0].kind == isMem: // a load more often, instead of once
		return max(v.read-v.written, v.read/10)
	}
	return v.read / 4 // constants are operands of the instructions that read them
}

// intervals finds each register's interval, in the order of their numbers.
// Registers that are fixed are not to be read at more places than they are.
func (f *Func) intervals(fixed map[Reg]bool) []interval {
	of := make([]interval, f.regs+1)
	defs := make([][]int, f.regs+1) // instructions that write a register
	for i := range of {
		of[i].start = -1
	}
	touch := func(n, at int) {
		v := &of[n]
		if v.start < 0 {
			v.start, v.end = at, at
		}
		v.start, v.end = min(v.start, at), max(v.end, at)
	}
	for _, b := range f.blocks() {
		b.in.each(func(n int) { touch(n, 2*b.start) })
		b.out.each(func(n int) { touch(n, 2*b.end-1) })
		for k := b.start; k < b.end; k++ {
			in := &f.code[k]
			cost := 1.0
			for range in.depth {
				cost *= 10
			}
			in.registers(func(r Reg, a access) {
				n := r.number()
				if a&reads != 0 {
					touch(n, 2*k)
					if a&folds != 0 {
						of[n].read += cost / 2 // the instruction itself reads memory
					} else {
						of[n].read += cost
					}
				}
				if a&writes != 0 {
					touch(n, 2*k+1)
					of[n].written += cost
					defs[n] = append(defs[n], k)
				}
			})
			if in.isMove() {
				of[in.args[1].reg.number()].hint = in.args[0].reg
			}
		}
	}
	nextStore := f.nextStores()
	var list []interval
	for n, v := range of {
		if v.start < 0 {
			continue
		}
		v.reg = f.made[n]
		if len(defs[n]) == 1 && v.start == 2*defs[n][0]+1 {
			made := defs[n][0]
			in := &f.code[made]
			if in.isConstant() || in.isLoad() && nextStore[made] >= v.end/2 && f.keeps(&in.args[0].mem, defs, made, v.end/2, fixed) {
				v.again = in
			}
		}
		list = append(list, v)
	}
	return list
}

// nextStores gives for each instruction the next that stores to a tensor.
func (f *Func) nextStores() []int {
	next := make([]int, len(f.code))
	at := len(f.code)
	for i := len(f.code) - 1; i >= 0; i-- {
		for _, o := range f.code[i].args {
			if o.kind == isMem && o.access&writes != 0 {
				at = i
			}
		}
		next[i] = at
	}
	return next
}

// keeps reports that the registers of an address are not written after one
// instruction up to another.
func (f *Func) keeps(m *Mem, defs [][]int, after, last int, fixed map[Reg]bool) bool {
	for _, r := range []Reg{m.Base, m.Index} {
		if r == 0 {
			continue
		}
		if fixed[r] {
			return false
		}
		for _, d := range defs[r.number()] {
			if d > after && d <= last {
				return false
			}
		}
	}
	return true
}

// isConstant reports that an instruction can be repeated anywhere: its sources
// are constants and parameters. The assembler makes 0 with an instruction that
// changes the flags, so an integer 0 is not repeated.
func (in *inst) isConstant() bool {
	for _, o := range in.args {
		switch o.kind {
		case isReg:
			if o.access&reads != 0 {
				return false
			}
		case isImmediate:
			if o.n == 0 && in.op == "MOVQ" {
				return false
			}
		case isMem, isSlot, isLabelRef:
			return false
		}
	}
	return in.isPure()
}

// isLoad reports an instruction that only loads a register from a tensor.
func (in *inst) isLoad() bool {
	return len(in.args) == 2 && in.args[0].kind == isMem && in.op != "LEAQ" && in.isPure()
}
