package asm

import "fmt"

// An inst is one instruction, its operands in the order of Go's assembler:
// sources first, the destination last. A label is an inst without a mnemonic.
type inst struct {
	op      string
	args    []operand
	comment []string
	depth   uint8 // loops around it
	align   bool  // a label that begins a hot loop
}

func (in *inst) isLabel() bool { return in.op == "" }

type operandKind uint8

const (
	isReg       operandKind = iota
	isMem                   // memory at mem
	isImmediate             // n
	isSymbol                // constant symbol n, mem.Disp bytes into it
	isParameter             // the parameter at offset n of the arguments
	isSlot                  // the spill slot n bytes into the frame
	isLabelRef              // label n
)

// access says what an instruction does to an operand. Neither bit set is an
// operand whose old value does not matter, as in x XOR x.
type access uint8

const (
	reads access = 1 << iota
	writes
	folds // may be memory instead: a spilled register is used in its slot
)

type operand struct {
	kind   operandKind
	access access
	width  byte // of a register: 'R' general, 'X', 'Y', 'Z' vector, 'K' mask; 0 the whole of its class
	reg    Reg
	mem    Mem
	n      int64
}

func use(r Reg) operand  { return operand{reg: r, access: reads} }
func def(r Reg) operand  { return operand{reg: r, access: writes} }
func mod(r Reg) operand  { return operand{reg: r, access: reads | writes} }
func same(r Reg) operand { return operand{reg: r} }
func fold(r Reg) operand { return operand{reg: r, access: reads | folds} }

// modFold is an integer that may be changed in memory.
func modFold(r Reg) operand { return operand{reg: r, access: reads | writes | folds} }

func from(m Mem) operand { return operand{kind: isMem, mem: m, access: reads} }
func into(m Mem) operand { return operand{kind: isMem, mem: m, access: writes} }

func imm(n int) operand         { return operand{kind: isImmediate, n: int64(n)} }
func parameter(off int) operand { return operand{kind: isParameter, n: int64(off), access: reads} }
func label(n int) operand       { return operand{kind: isLabelRef, n: int64(n)} }

// low is the operand's lowest 128 bits, half its lowest 256.
func (o operand) low() operand  { o.width = 'X'; return o }
func (o operand) half() operand { o.width = 'Y'; return o }

func (f *Func) constant(symbol, disp int) operand {
	return operand{kind: isSymbol, n: int64(symbol), mem: Mem{Disp: disp}, access: reads}
}

// emit appends an instruction.
func (f *Func) emit(op string, args ...operand) {
	for i := range args {
		f.check(op, &args[i])
	}
	f.code = append(f.code, inst{op: op, args: args, comment: f.comment, depth: uint8(min(f.loops, 255))})
	f.comment = nil
}

// check finds faults where they are made.
func (f *Func) check(op string, o *operand) {
	if f.finished {
		f.fail("%s after Finish", op)
	}
	switch o.kind {
	case isReg:
		if o.reg.Class() == 0 || o.reg.number() == 0 || o.reg.number() > f.regs {
			f.fail("%s of a register that was never made", op)
		}
	case isMem:
		m := &o.mem
		if m.Base.Class() != GP || m.Base.number() > f.regs {
			f.fail("%s at an address without a base", op)
		}
		switch {
		case m.Index == 0:
			if m.Scale != 0 {
				f.fail("%s at an address with a scale and no index", op)
			}
		case m.Index.number() > f.regs || m.Index.Class() == Mask:
			f.fail("%s at an address with an index that was never made", op)
		case m.Scale != 1 && m.Scale != 2 && m.Scale != 4 && m.Scale != 8:
			f.fail("%s at an address with scale %d", op, m.Scale)
		}
		if int(int32(m.Disp)) != m.Disp {
			f.fail("%s at displacement %d", op, m.Disp)
		}
	}
}

// want reports a register of the wrong class.
func (f *Func) want(c Class, what string, regs ...Reg) {
	for _, r := range regs {
		if r.Class() != c {
			f.fail("%s of a %v register, want %v", what, r.Class(), c)
		}
	}
}

func (f *Func) newLabel(kind string) int {
	f.labels = append(f.labels, fmt.Sprintf("%s%d", kind, len(f.labels)))
	return len(f.labels) - 1
}

func (f *Func) place(n int, align bool) {
	f.code = append(f.code, inst{args: []operand{label(n)}, comment: f.comment, align: align, depth: uint8(min(f.loops, 255))})
	f.comment = nil
}

// full is the width of a whole vector.
func (f *Func) full() byte {
	if f.isa == AVX512 {
		return 'Z'
	}
	return 'Y'
}

// registers calls visit for each register of an instruction: those of an
// address are read.
func (in *inst) registers(visit func(r Reg, a access)) {
	for i := range in.args {
		switch o := &in.args[i]; o.kind {
		case isReg:
			visit(o.reg, o.access)
		case isMem:
			visit(o.mem.Base, reads)
			if o.mem.Index != 0 {
				visit(o.mem.Index, reads)
			}
		}
	}
}

// jumpTarget is the label an instruction may go to, 0 for none.
func (in *inst) jumpTarget() int {
	if !in.isLabel() && len(in.args) == 1 && in.args[0].kind == isLabelRef {
		return int(in.args[0].n)
	}
	return 0
}

// isPure reports that an instruction does nothing but set registers.
func (in *inst) isPure() bool {
	pure := false
	for i := range in.args {
		o := &in.args[i]
		if o.access&writes == 0 {
			continue
		}
		if o.kind != isReg {
			return false
		}
		pure = true
	}
	return pure && in.op != "DECQ" // whose flags end a loop
}
