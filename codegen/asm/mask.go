package asm

// A Mask is a vector register of all-ones and all-zeros lanes on AVX2, one of
// K1 to K7 on AVX-512.

// Pred compares lanes. With a NaN all are false but NeP, which is true.
type Pred uint8

const (
	EqP Pred = iota
	LtP
	LeP
	NeP
	GeP
	GtP
)

// floatPreds are the immediate operands of VCMPPS: ordered and quiet.
var floatPreds = [...]int{EqP: 0x00, LtP: 0x11, LeP: 0x12, NeP: 0x04, GeP: 0x1d, GtP: 0x1e}

// intPreds are the immediate operands of VPCMPD.
var intPreds = [...]int{EqP: 0, LtP: 1, LeP: 2, NeP: 4, GeP: 5, GtP: 6}

func (f *Func) newMask() Reg { return f.newReg(Mask) }

// Cmp compares floats: a p b in a new mask.
func (f *Func) Cmp(p Pred, a, b Reg) Reg {
	f.want(Vec, "Cmp", a, b)
	r := f.newMask()
	f.emit("VCMPPS", imm(floatPreds[p]), fold(b), use(a), def(r))
	return r
}

// CmpInt compares signed int32 lanes: a p b in a new mask.
func (f *Func) CmpInt(p Pred, a, b Reg) Reg {
	f.want(Vec, "CmpInt", a, b)
	r := f.newMask()
	if f.isa == AVX512 {
		f.emit("VPCMPD", imm(intPreds[p]), fold(b), use(a), def(r))
		return r
	}
	switch p {
	case EqP, NeP:
		f.emit("VPCMPEQD", fold(b), use(a), def(r))
	case GtP, LeP:
		f.emit("VPCMPGTD", fold(b), use(a), def(r))
	default: // LtP, GeP
		f.emit("VPCMPGTD", fold(a), use(b), def(r))
	}
	if p == NeP || p == LeP || p == GeP {
		return f.MaskNot(r)
	}
	return r
}

// Select is a where mask is set, else b, in a new register.
func (f *Func) Select(mask, a, b Reg) Reg {
	f.want(Mask, "Select", mask)
	f.want(Vec, "Select", a, b)
	r := f.NewVec()
	if f.isa == AVX512 {
		f.emit("VBLENDMPS", fold(a), use(b), use(mask), def(r))
	} else {
		f.emit("VBLENDVPS", use(mask), fold(a), use(b), def(r))
	}
	return r
}

// Keep is a where mask is set, else 0, in a new register.
func (f *Func) Keep(mask, a Reg) Reg {
	f.want(Mask, "Keep", mask)
	f.want(Vec, "Keep", a)
	r := f.NewVec()
	if f.isa == AVX512 {
		f.emit("VMOVAPS.Z", use(a), use(mask), def(r))
	} else {
		f.emit("VANDPS", fold(a), use(mask), def(r))
	}
	return r
}

// MaskAnd is a and b in a new mask.
func (f *Func) MaskAnd(a, b Reg) Reg { return f.maskOp("VANDPS", "KANDW", a, b) }

// MaskOr is a or b in a new mask.
func (f *Func) MaskOr(a, b Reg) Reg { return f.maskOp("VORPS", "KORW", a, b) }

func (f *Func) maskOp(avx2, avx512 string, a, b Reg) Reg {
	f.want(Mask, avx512, a, b)
	r := f.newMask()
	f.emit(f.byISA(avx2, avx512), use(b), use(a), def(r))
	return r
}

// MaskNot is the lanes that a has not set, in a new mask.
func (f *Func) MaskNot(a Reg) Reg {
	f.want(Mask, "MaskNot", a)
	r := f.newMask()
	if f.isa == AVX512 {
		f.emit("KNOTW", use(a), def(r))
		return r
	}
	ones := f.newMask()
	f.emit("VPCMPEQD", same(ones), same(ones), def(ones))
	f.emit("VXORPS", use(ones), use(a), def(r))
	return r
}

// FirstLanes is a new mask of the first n lanes, 0 <= n <= Lanes.
func (f *Func) FirstLanes(n int) Reg {
	r := f.newMask()
	switch {
	case n < 0 || n > f.isa.Lanes():
		f.fail("FirstLanes of %d", n)
	case f.isa == AVX512:
		f.laneBits(r, 1<<n-1)
	default:
		f.emit("VMOVUPS", f.constant(f.firstLanesTable(), 4*(f.isa.Lanes()-n)), def(r))
	}
	return r
}

// laneBits sets an AVX-512 mask to the bits.
func (f *Func) laneBits(dst Reg, bits int) {
	t := f.Int(bits)
	f.emit("KMOVW", use(t), def(dst))
}

// MaskBits is a new integer with bit i set where lane i of the mask is.
func (f *Func) MaskBits(mask Reg) Reg {
	f.want(Mask, "MaskBits", mask)
	r := f.NewGP()
	f.emit(f.byISA("VMOVMSKPS", "KMOVW"), use(mask), def(r))
	return r
}
