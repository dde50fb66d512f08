package asm

// isMove reports a copy between registers of one class.
func (in *inst) isMove() bool {
	switch in.op {
	case "MOVQ", "VMOVAPS", "KMOVW":
		a, b := &in.args[0], &in.args[1]
		return len(in.args) == 2 && a.kind == isReg && b.kind == isReg && a.reg.Class() == b.reg.Class()
	}
	return false
}

// joinMoves lets an instruction write where its result is copied to next, if
// nothing else reads the result:
//
//	VADDPS Y0, Y1, t
//	VMOVAPS t, Y1      =>      VADDPS Y0, Y1, Y1
func (f *Func) joinMoves() {
	touched := make([]int, f.regs+1)
	for i := range f.code {
		f.code[i].registers(func(r Reg, a access) {
			if a != 0 {
				touched[r.number()]++
			}
		})
	}
	kept := f.code[:0]
	for _, in := range f.code {
		if in.isMove() && len(kept) > 0 {
			t, last := in.args[0].reg, &kept[len(kept)-1]
			makes := false
			for _, o := range last.args {
				makes = makes || o.kind == isReg && o.reg == t && o.access == def(t).access
			}
			if makes && touched[t.number()] == 2 {
				f.rename(last, t, in.args[1].reg)
				last.comment = append(last.comment, in.comment...)
				continue
			}
		}
		kept = append(kept, in)
	}
	f.code = kept
}

// dropMoves removes copies of a register to itself.
func (f *Func) dropMoves() {
	if f.fault != nil {
		return
	}
	kept := f.code[:0]
	var comment []string
	for _, in := range f.code {
		if in.isMove() && f.physical(in.args[0].reg) == f.physical(in.args[1].reg) {
			comment = append(comment, in.comment...)
			continue
		}
		if comment != nil {
			in.comment, comment = append(comment, in.comment...), nil
		}
		kept = append(kept, in)
	}
	f.code = kept
}
