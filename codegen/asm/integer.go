package asm

import "math/bits"

// Byte offsets of the parameters in the caller's frame, and their size.
const (
	argsOffset    = 0
	scratchOffset = 8
	taskOffset    = 16
	argumentBytes = 24
)

// Arg is the address of the i-th tensor, in a new register.
func (f *Func) Arg(i int) Reg {
	r := f.NewGP()
	f.emit("MOVQ", parameter(argsOffset), def(r))
	f.emit("MOVQ", from(Mem{Base: r, Disp: 8 * i}), def(r))
	return r
}

// Scratch is the address of the worker's scratch memory, in a new register.
func (f *Func) Scratch() Reg {
	r := f.NewGP()
	f.emit("MOVQ", parameter(scratchOffset), def(r))
	return r
}

// Task is the number of the task to compute, in a new register.
func (f *Func) Task() Reg {
	r := f.NewGP()
	f.emit("MOVQ", parameter(taskOffset), def(r))
	return r
}

// NewGP makes a register without a value.
func (f *Func) NewGP() Reg { return f.newReg(GP) }

// Int makes a register that holds n.
func (f *Func) Int(n int) Reg {
	r := f.NewGP()
	f.SetInt(r, n)
	return r
}

// SetInt sets dst = n.
func (f *Func) SetInt(dst Reg, n int) {
	f.want(GP, "SetInt", dst)
	f.emit("MOVQ", imm(n), def(dst))
}

// Move sets dst = src, of one class.
func (f *Func) Move(dst, src Reg) {
	f.want(dst.Class(), "Move", src)
	f.emit(f.moveOp(dst.Class()), use(src), def(dst))
}

func (f *Func) moveOp(c Class) string {
	switch {
	case c == GP:
		return "MOVQ"
	case c == Mask && f.isa == AVX512:
		return "KMOVW"
	}
	return "VMOVAPS"
}

// AddInt adds n to dst.
func (f *Func) AddInt(dst Reg, n int) {
	f.want(GP, "AddInt", dst)
	switch {
	case n == 0:
	case int(int32(n)) == n:
		f.emit("ADDQ", imm(n), modFold(dst))
	default:
		f.AddGP(dst, f.Int(n))
	}
}

// AddGP adds src to dst.
func (f *Func) AddGP(dst, src Reg) {
	f.want(GP, "AddGP", dst, src)
	f.emit("ADDQ", fold(src), mod(dst))
}

// SubGP subtracts src from dst.
func (f *Func) SubGP(dst, src Reg) {
	f.want(GP, "SubGP", dst, src)
	f.emit("SUBQ", fold(src), mod(dst))
}

// MulInt is src*n in a new register.
func (f *Func) MulInt(src Reg, n int) Reg {
	f.want(GP, "MulInt", src)
	r := f.NewGP()
	switch {
	case n == 0:
		f.SetInt(r, 0)
	case n == 1:
		f.Move(r, src)
	case n == 3 || n == 5 || n == 9:
		f.emit("LEAQ", from(Mem{Base: src, Index: src, Scale: n - 1}), def(r))
	case n > 0 && n&(n-1) == 0:
		f.Move(r, src)
		f.emit("SHLQ", imm(bits.TrailingZeros(uint(n))), mod(r))
	case int(int32(n)) == n:
		f.emit("IMUL3Q", imm(n), use(src), def(r))
	default:
		f.SetInt(r, n)
		f.emit("IMULQ", fold(src), mod(r))
	}
	return r
}

// Lea is the address m in a new register.
func (f *Func) Lea(m Mem) Reg {
	r := f.NewGP()
	f.emit("LEAQ", from(m), def(r))
	return r
}

// DivInt is src / n in a new register, for 0 <= src < 2^31 and n >= 1.
//
// With 2^(l-1) < n <= 2^l and m = floor(2^(31+l)/n) + 1, m*n exceeds 2^(31+l)
// by at most 2^l; so src*m / 2^(31+l) exceeds src/n by less than 1/n, and its
// floor is the quotient.
func (f *Func) DivInt(src Reg, n int) Reg {
	f.want(GP, "DivInt", src)
	r := f.NewGP()
	switch {
	case n < 1:
		f.fail("DivInt by %d", n)
	case n >= 1<<31:
		f.SetInt(r, 0)
	case n&(n-1) == 0:
		f.Move(r, src)
		if n > 1 {
			f.emit("SHRQ", imm(bits.TrailingZeros(uint(n))), mod(r))
		}
	default:
		l := bits.Len(uint(n - 1))
		f.SetInt(r, (1<<(31+l))/n+1)
		f.emit("IMULQ", fold(src), mod(r))
		f.emit("SHRQ", imm(31+l), mod(r))
	}
	return r
}

// ModInt is src mod n in a new register, for 0 <= src < 2^31 and n >= 1.
func (f *Func) ModInt(src Reg, n int) Reg {
	f.want(GP, "ModInt", src)
	if n >= 1 && n&(n-1) == 0 && n <= 1<<31 {
		r := f.NewGP()
		f.Move(r, src)
		f.emit("ANDQ", imm(n-1), mod(r))
		return r
	}
	q := f.MulInt(f.DivInt(src, n), n)
	r := f.NewGP()
	f.Move(r, src)
	f.SubGP(r, q)
	return r
}

// MinGP sets dst to the smaller of dst and src, signed.
func (f *Func) MinGP(dst, src Reg) {
	f.want(GP, "MinGP", dst, src)
	f.emit("CMPQ", use(src), use(dst))
	f.emit("CMOVQLT", use(src), mod(dst))
}

// MaxGP sets dst to the larger of dst and src, signed.
func (f *Func) MaxGP(dst, src Reg) {
	f.want(GP, "MaxGP", dst, src)
	f.emit("CMPQ", use(src), use(dst))
	f.emit("CMOVQGT", use(src), mod(dst))
}

// LoadInt32 loads an int32, sign-extended, into a new register.
func (f *Func) LoadInt32(m Mem) Reg {
	r := f.NewGP()
	f.emit("MOVLQSX", from(m), def(r))
	return r
}

// StoreInt32 stores the low 32 bits of src.
func (f *Func) StoreInt32(m Mem, src Reg) {
	f.want(GP, "StoreInt32", src)
	f.emit("MOVL", use(src), into(m))
}

// LoadByte loads a byte, zero-extended, into a new register.
func (f *Func) LoadByte(m Mem) Reg {
	r := f.NewGP()
	f.emit("MOVBQZX", from(m), def(r))
	return r
}

// StoreByte stores the low 8 bits of src.
func (f *Func) StoreByte(m Mem, src Reg) {
	f.want(GP, "StoreByte", src)
	f.emit("MOVB", use(src), into(m))
}
