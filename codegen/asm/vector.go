package asm

// NewVec makes a vector register without a value.
func (f *Func) NewVec() Reg { return f.newReg(Vec) }

// Zero is 0 in all lanes of a new register.
func (f *Func) Zero() Reg {
	r := f.NewVec()
	f.SetZero(r)
	return r
}

// SetZero sets all lanes of dst to 0.
func (f *Func) SetZero(dst Reg) {
	f.want(Vec, "SetZero", dst)
	f.emit(f.byISA("VXORPS", "VPXORD"), same(dst), same(dst), def(dst))
}

func (f *Func) byISA(avx2, avx512 string) string {
	if f.isa == AVX512 {
		return avx512
	}
	return avx2
}

// BroadcastGP is the low 32 bits of src in all lanes of a new register.
func (f *Func) BroadcastGP(src Reg) Reg {
	f.want(GP, "BroadcastGP", src)
	r := f.NewVec()
	if f.isa == AVX512 {
		f.emit("VPBROADCASTD", use(src), def(r))
		return r
	}
	f.emit("VMOVD", use(src), def(r).low())
	f.emit("VPBROADCASTD", use(r).low(), def(r))
	return r
}

// VecOp is an operation on the lanes of two vectors.
type VecOp uint8

const (
	Add VecOp = iota // of floats
	Sub
	Mul
	Div
	Min // the second where either is NaN or both are 0
	Max // the second where either is NaN or both are 0
	And // of bits
	Or
	Xor
	AndNot   // ^a & b
	AddInt32 // of integers
	SubInt32
	MulInt32 // the low 32 bits
	MinInt32 // signed
	MaxInt32 // signed
)

var vecOps = [...]string{
	Add: "VADDPS", Sub: "VSUBPS", Mul: "VMULPS", Div: "VDIVPS", Min: "VMINPS", Max: "VMAXPS",
	And: "VANDPS", Or: "VORPS", Xor: "VXORPS", AndNot: "VANDNPS",
	AddInt32: "VPADDD", SubInt32: "VPSUBD", MulInt32: "VPMULLD", MinInt32: "VPMINSD", MaxInt32: "VPMAXSD",
}

// Op is a op b in a new register.
func (f *Func) Op(op VecOp, a, b Reg) Reg {
	r := f.NewVec()
	f.OpTo(r, op, a, b)
	return r
}

// OpTo sets dst = a op b.
func (f *Func) OpTo(dst Reg, op VecOp, a, b Reg) {
	f.want(Vec, vecOps[op], dst, a, b)
	f.emit(vecOps[op], fold(b), use(a), def(dst))
}

// OpMem is a op b in a new register, b a whole vector in memory.
func (f *Func) OpMem(op VecOp, a Reg, b Mem) Reg {
	f.want(Vec, vecOps[op], a)
	r := f.NewVec()
	f.emit(vecOps[op], from(b), use(a), def(r))
	return r
}

// UnOp is an operation on the lanes of one vector.
type UnOp uint8

const (
	Sqrt      UnOp = iota
	RoundEven      // to an integer, halves to even, as a float
	Floor          // as a float
	Ceil           // as a float
	ToInt          // float to int32, towards 0; -2^31 where it does not fit
	ToIntEven      // float to int32, halves to even; -2^31 where it does not fit
	ToFloat        // int32 to float, halves to even
)

// Un is op(a) in a new register.
func (f *Func) Un(op UnOp, a Reg) Reg {
	f.want(Vec, "Un", a)
	r := f.NewVec()
	switch op {
	case Sqrt:
		f.emit("VSQRTPS", fold(a), def(r))
	case ToInt:
		f.emit("VCVTTPS2DQ", fold(a), def(r))
	case ToIntEven:
		f.emit("VCVTPS2DQ", fold(a), def(r))
	case ToFloat:
		f.emit("VCVTDQ2PS", fold(a), def(r))
	default: // bit 3: no exception for a result that differs from a
		mode := map[UnOp]int{RoundEven: 8, Floor: 9, Ceil: 10}[op]
		f.emit(f.byISA("VROUNDPS", "VRNDSCALEPS"), imm(mode), fold(a), def(r))
	}
	return r
}

// ShiftOp is a shift of int32 lanes.
type ShiftOp uint8

const (
	ShiftLeft ShiftOp = iota
	ShiftRight
	ShiftRightSigned
)

var shiftOps = [...]string{ShiftLeft: "VPSLLD", ShiftRight: "VPSRLD", ShiftRightSigned: "VPSRAD"}

// Shift is a shifted by n bits, 0 to 31, in a new register.
func (f *Func) Shift(op ShiftOp, a Reg, n int) Reg {
	f.want(Vec, shiftOps[op], a)
	if n < 0 || n > 31 {
		f.fail("%s by %d", shiftOps[op], n)
	}
	r := f.NewVec()
	f.emit(shiftOps[op], imm(n), use(a), def(r))
	return r
}

// FMA sets acc = a*b + acc, rounded once.
func (f *Func) FMA(acc, a, b Reg) {
	f.want(Vec, "FMA", acc, a, b)
	f.emit("VFMADD231PS", fold(b), use(a), mod(acc))
}

// FMAMem sets acc = a*b + acc, b a whole vector in memory.
func (f *Func) FMAMem(acc, a Reg, b Mem) {
	f.want(Vec, "FMAMem", acc, a)
	f.emit("VFMADD231PS", from(b), use(a), mod(acc))
}

// FMABroadcast sets acc = a*b + acc, b one float in memory for all lanes.
func (f *Func) FMABroadcast(acc, a Reg, b Mem) {
	f.want(Vec, "FMABroadcast", acc, a)
	if f.isa == AVX512 {
		f.emit("VFMADD231PS.BCST", from(b), use(a), mod(acc))
		return
	}
	f.FMA(acc, a, f.Broadcast(b))
}

// FNMA sets acc = -(a*b) + acc, rounded once.
func (f *Func) FNMA(acc, a, b Reg) {
	f.want(Vec, "FNMA", acc, a, b)
	f.emit("VFNMADD231PS", fold(b), use(a), mod(acc))
}
