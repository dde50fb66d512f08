package vector

import (
	"math"

	"netc/codegen/asm"
)

// tanhPolynomial is q in (exp(2r) - 1)/2 = r + r^2 q(r) for |r| <= ln(2)/4, the
// highest power first: relative error 1.5e-8.
var tanhPolynomial = []float32{0.044274054, 0.13387398, 0.33334205, 0.66666156, 0.99999994}

// tanh is within 2.6 ULP, has the sign of its argument, of zero too, and is 1
// exactly from 9.02 on.
//
// It is h / (h+1) of h = (exp(2|x|) - 1)/2. With 2|x| = n ln 2 + 2r, n to the
// nearest, h is 2^n (exp(2r)-1)/2 + (2^n-1)/2: for small |x| n is 0 and
// nothing cancels; for large |x| the errors of h vanish in the quotient, and
// what one part of ln 2 leaves of r is too small to matter. A quotient of two
// polynomials would take fewer instructions, but five ULP.
func tanh(f *asm.Func, x asm.Reg) asm.Reg {
	const most = 10 // exp(20) + 1 rounds to exp(20)
	a := f.Op(asm.Min, f.Const(most), abs(f, x))
	bias := f.Const(roundingBias)
	biased := fma(f, a, f.Const(2*math.Log2E), bias)
	power := f.Shift(asm.ShiftLeft, biased, 23)
	n := f.Op(asm.Sub, biased, bias)
	r := fnma(f, n, f.Const(math.Ln2/2), a)
	q := horner(f, r, tanhPolynomial)
	r2 := f.Op(asm.Mul, r, r)
	f.FMA(r, q, r2)
	h := f.Const(-0.5)
	f.FMA(h, power, f.Const(0.5))
	f.FMA(h, power, r)
	quotient := f.Op(asm.Div, h, f.Op(asm.Add, h, f.Const(1)))
	return withSignOf(f, quotient, x)
}

// withSignOf gives the nonnegative y the sign of x; where y is negative it
// stays so.
func withSignOf(f *asm.Func, y, x asm.Reg) asm.Reg {
	return f.Op(asm.Or, y, f.Op(asm.And, x, f.ConstInt(signBit)))
}
