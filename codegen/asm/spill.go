package asm

import "slices"

// rewrite puts the spilled registers into memory. Constants are not stored:
// they are made again, or read where they are.
func (s *spiller) rewrite() {
	f := s.f
	if s.rounds > 200 {
		f.fail("no allocation after %d rounds", s.rounds)
		return
	}
	homes := make(map[Reg]*home, len(s.spilled))
	for _, r := range s.spilled {
		homes[r] = &home{}
	}
	for i := range f.code {
		in := &f.code[i]
		in.registers(func(r Reg, a access) {
			if h := homes[r]; h != nil && a&writes != 0 {
				h.defs++
				h.made = in
			}
		})
	}
	for _, r := range s.spilled {
		h := homes[r]
		if h.defs == 1 && h.made.isRemade() {
			in := *h.made
			h.again = &in
			continue
		}
		size := f.slotBytes(r)
		f.frame = (f.frame + size - 1) / size * size
		h.slot = operand{kind: isSlot, n: int64(f.frame)}
		f.frame += size
	}
	code := make([]inst, 0, len(f.code)+4*len(s.spilled))
	for _, in := range f.code {
		code = s.rewriteOne(code, in, homes)
	}
	f.code = code
}

// home is where a spilled register's value is.
type home struct {
	defs  int
	made  *inst
	again *inst   // makes the value again
	slot  operand // holds it otherwise
}

// isRemade reports that an instruction can be repeated anywhere: its sources
// are constants and parameters. The assembler makes 0 with an instruction that
// changes the flags, so an integer 0 is not repeated.
func (in *inst) isRemade() bool {
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

func (s *spiller) rewriteOne(code []inst, in inst, homes map[Reg]*home) []inst {
	f := s.f
	var found []Reg
	uses := map[Reg]int{}
	in.registers(func(r Reg, a access) {
		if homes[r] != nil {
			if uses[r]++; uses[r] == 1 {
				found = append(found, r)
			}
		}
	})
	if s.comment != nil {
		in.comment, s.comment = append(s.comment, in.comment...), nil
	}
	if found == nil {
		return append(code, in)
	}
	in.args = slices.Clone(in.args)
	var after []inst
	for _, r := range found {
		h := homes[r]
		var a access
		in.registers(func(q Reg, b access) {
			if q == r {
				a |= b
			}
		})
		if h.again != nil && a&writes != 0 {
			s.comment = in.comment
			return code // the one place that makes it; it is made where it is read
		}
		if uses[r] == 1 && a&folds != 0 && s.foldInto(&in, r, h) {
			continue
		}
		t := f.newReg(r.Class())
		s.fixed[t] = true
		f.rename(&in, r, t)
		if a&reads != 0 {
			load := inst{op: f.slotMove(r), args: []operand{h.read(), def(t)}, depth: in.depth}
			if h.again != nil {
				load = *h.again
				load.args = slices.Clone(load.args)
				load.depth = in.depth
				load.comment = nil
				f.rename(&load, r, t)
			}
			load.comment, in.comment = in.comment, nil
			code = append(code, load)
		}
		if a&writes != 0 {
			to := h.slot
			to.access = writes
			after = append(after, inst{op: f.slotMove(r), args: []operand{use(t), to}, depth: in.depth})
		}
	}
	return append(append(code, in), after...)
}

func (h *home) read() operand {
	o := h.slot
	o.access = reads
	return o
}

// foldInto makes the one operand that is r an operand in memory.
func (s *spiller) foldInto(in *inst, r Reg, h *home) bool {
	for i := range in.args {
		o := &in.args[i]
		if o.kind != isReg || o.reg != r {
			continue
		}
		if h.again == nil {
			a := o.access
			*o = h.slot
			o.access = a &^ folds
			return true
		}
		switch again := h.again; {
		case again.args[0].kind == isParameter && o.access&writes == 0:
			*o = again.args[0]
			return true
		case again.op == "VBROADCASTSS":
			*o = again.args[0]
			if s.f.isa == AVX512 {
				in.op += ".BCST"
			}
			return true
		case again.op == "VMOVUPS" && s.f.isa == AVX512: // a whole vector of the constants
			*o = again.args[0]
			return true
		}
	}
	return false
}

func (f *Func) rename(in *inst, from, to Reg) {
	for i := range in.args {
		o := &in.args[i]
		switch o.kind {
		case isReg:
			if o.reg == from {
				o.reg = to
			}
		case isMem:
			if o.mem.Base == from {
				o.mem.Base = to
			}
			if o.mem.Index == from {
				o.mem.Index = to
			}
		}
	}
}

func (f *Func) slotBytes(r Reg) int {
	if f.bank(r) == bankVec {
		return 4 * f.isa.Lanes()
	}
	return 8
}

func (f *Func) slotMove(r Reg) string {
	switch f.bank(r) {
	case bankGP:
		return "MOVQ"
	case bankMask:
		return "KMOVW"
	}
	return "VMOVUPS"
}
