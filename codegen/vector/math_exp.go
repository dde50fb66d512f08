package vector

import (
	"math"
	"slices"

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
	mantissa, power := expParts(f, x, false)
	return f.Op(asm.Mul, mantissa, power)
}

// sigmoid gives 1 / (1 + e^-x) within 2.6 ULP at both ends: it becomes e^x for
// x far below 0, down to the smallest normal number, and 0 below that
// (x < -88.72284), and 1 far above.
func sigmoid(f *asm.Func, x asm.Reg) asm.Reg {
	mantissa, power := expParts(f, x, true)
	one := f.Const(1)
	return f.Op(asm.Div, one, fma(f, mantissa, power, one))
}

// expParts gives two factors of e^x, or of e^-x if negative: exp(r) and 2^n.
func expParts(f *asm.Func, x asm.Reg, negative bool) (mantissa, power asm.Reg) {
	// At the limits n is -127 and 128, whose powers are 0 and +Inf.
	const least, most = -87.7, 88.9
	half := f.Const(-0.5) // rounding x/ln2 - 1/2 to the nearest rounds x/ln2 down
	if negative {
		x = clamp(f, x, -most, -least)
		f.FNMA(half, x, f.Const(math.Log2E))
	} else {
		x = clamp(f, x, least, most)
		f.FMA(half, x, f.Const(math.Log2E))
	}
	bias := f.Const(roundingBias)
	biased := f.Op(asm.Add, half, bias)
	power = f.Shift(asm.ShiftLeft, biased, 23)
	n := f.Op(asm.Sub, biased, bias)
	if !negative {
		r := fnma(f, n, f.Const(ln2High), x)
		f.FNMA(r, n, f.Const(ln2Low))
		return horner(f, r, expPolynomial, 1, 1), power
	}
	// r has the other sign here, and so have the coefficients of odd powers.
	r := fma(f, n, f.Const(ln2High), x)
	f.FMA(r, n, f.Const(ln2Low))
	mirrored := slices.Clone(expPolynomial)
	for i := len(mirrored) - 2; i >= 0; i -= 2 {
		mirrored[i] = -mirrored[i]
	}
	return horner(f, r, mirrored, -1, 1), power
}
