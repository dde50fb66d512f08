package vector

import (
	"math"

	"netc/codegen/asm"
)

// ln2 in two parts. Products with the first, and integers below 2^8, are
// subtracted without an error by a fused multiply-add, because x - n*ln2High
// needs no more than 24 bits.
const ln2High = float32(math.Ln2)

var ln2Low = float32(math.Ln2 - float64(ln2High))

// expPolynomial is q in exp(r) = 1 + r + r^2 q(r) for 0 <= r <= ln 2, the
// highest power first: relative error 3e-9.
var expPolynomial = []float32{0.0019120649, 0.007869273, 0.04185437, 0.1666321, 0.50000226}

// exp gives e^x within 1.6 ULP. Above 88.72284 it is +Inf. A result below
// 2^-126 (x < -87.33655) is 0: denormal numbers are not made, which spares the
// kernels around the processor's slow path for them.
//
// x = n ln 2 + r with n rounded down, so exp(r) is in [1, 2) and n runs from
// -126 to 127 where the result is a normal number: 2^n is one shift, and its
// two next values are the 0 and +Inf of the ends.
func exp(f *asm.Func, x asm.Reg) asm.Reg {
	// At the limits n is -127 and 128, whose powers are 0 and +Inf.
	const least, most = -87.7, 88.9
	x = clamp(f, x, least, most)
	half := f.Const(-0.5) // rounding x/ln2 - 1/2 to the nearest rounds x/ln2 down
	f.FMA(half, x, f.Const(math.Log2E))
	bias := f.Const(roundingBias)
	biased := f.Op(asm.Add, half, bias)
	power := f.Shift(asm.ShiftLeft, biased, 23)
	n := f.Op(asm.Sub, biased, bias)
	r := fnma(f, n, f.Const(ln2High), x)
	f.FNMA(r, n, f.Const(ln2Low))
	return f.Op(asm.Mul, horner(f, r, expPolynomial, 1, 1), power)
}
