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
	// A load that is to be repeated needs its address: where that is to be
	// spilled too, the load waits for the next round.
	s.spilled = slices.DeleteFunc(s.spilled, func(v interval) bool {
		waits := false
		if v.again != nil {
			v.again.registers(func(r Reg, a access) {
				waits = waits || a&reads != 0 && s.isSpilled(r)
			})
		}
		return waits
	})
	s.homes = make(map[Reg]*home, len(s.spilled))
	for _, v := range s.spilled {
		h := &home{}
		s.homes[v.reg] = h
		if v.again != nil {
			in := *v.again
			h.again = &in
			continue
		}
		size := f.slotBytes(v.reg)
		f.frame = (f.frame + size - 1) / size * size
		h.slot = operand{kind: isSlot, n: int64(f.frame)}
		f.frame += size
	}
	code := make([]inst, 0, len(f.code)+4*len(s.spilled))
	for i, in := range f.code {
		code = s.rewriteOne(code, in, i)
	}
	f.code = code
}

// home is where a spilled register's value is.
type home struct {
	again *inst   // makes the value again
	slot  operand // holds it otherwise
	copy  Reg     // has the value too, after instruction last
	last  int
}

// rewriteOne appends instruction i of the code with spilled registers replaced:
// by their place in memory where the instruction can take it, else by registers
// of which each lives from one instruction to the next. Where that also reads
// the value, it reads the same register.
func (s *spiller) rewriteOne(code []inst, in inst, i int) []inst {
	f := s.f
	var found []Reg
	uses := map[Reg]int{}
	in.registers(func(r Reg, a access) {
		if s.homes[r] != nil {
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
		h := s.homes[r]
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
		t := h.copy
		if t == 0 || h.last != i-1 {
			if uses[r] == 1 && a&folds != 0 && s.foldInto(&in, r, h) {
				continue
			}
			t = f.newReg(r.Class())
			s.fixed[t] = true
			if a&reads != 0 {
				load := inst{op: f.slotMove(r), args: []operand{h.read(), def(t)}}
				if h.again != nil {
					load = *h.again
					load.args = slices.Clone(load.args)
					f.rename(&load, r, t)
				}
				load.depth = in.depth
				load.comment, in.comment = in.comment, nil
				code = append(code, load)
			}
		}
		h.copy, h.last = t, i
		f.rename(&in, r, t)
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
		case again.op == "VBROADCASTSS" && s.f.isa == AVX512:
			*o = again.args[0]
			in.op += ".BCST"
			return true
		case again.op == "VBROADCASTSS" && again.args[0].kind == isSymbol, // a whole vector of the constant
			again.op == "VMOVUPS" && again.args[1].width == 0,
			again.op == "MOVQ" && again.args[0].kind == isMem:
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
