package vector

import (
	"math"
	"slices"

	"netc/codegen/asm"
)

// The functions here and in the other math files print no call: their
// instructions go straight into the kernel, all lanes at once and without
// branches. Every one leaves its arguments as they are and gives a register of
// its own.
//
// They share one recipe: take the argument apart exactly (an exponent and a
// remainder), evaluate a polynomial of the remainder by Horner's rule with
// fused multiply-adds, put the parts together with as few roundings as
// possible. The polynomials have the smallest greatest error (Remez), but for
// the rounding of their coefficients to float32; math_fit_test.go computes them
// again. ULP in the comments is one unit in the last place of the exact result.
// The bounds of functions of one argument hold for every float32 in the ranges
// where rounding matters, from 2^-12 to where the function is flat, or for log
// in the middle six powers of two; math_test.go checks a sample of all floats.
//
// A constant is loaded where it is used, since AVX2 has only 16 registers and
// the loops around want them; a load costs less than a spill.

var infinity = float32(math.Inf(1))

const signBit = math.MinInt32

// roundingBias makes a float of small magnitude an integer: a sum with it has
// ulp 1, so it is rounded to even, and the integer + 127 stands in the low bits
// of the sum: 127 + n in bits 0-8, and shifted left by 23, the float 2^n.
const roundingBias = 0x1.8p23 + 127

// horner evaluates the polynomial with these coefficients and the last ones
// after them, the highest power first.
func horner(f *asm.Func, x asm.Reg, highestFirst []float32, last ...float32) asm.Reg {
	sum := f.Const(highestFirst[0])
	for _, c := range slices.Concat(highestFirst[1:], last) {
		next := f.Const(c)
		f.FMA(next, sum, x)
		sum = next
	}
	return sum
}

// fma gives a*b + c in a new register.
func fma(f *asm.Func, a, b, c asm.Reg) asm.Reg {
	sum := f.NewVec()
	f.Move(sum, c)
	f.FMA(sum, a, b)
	return sum
}

// fnma gives c - a*b in a new register.
func fnma(f *asm.Func, a, b, c asm.Reg) asm.Reg {
	sum := f.NewVec()
	f.Move(sum, c)
	f.FNMA(sum, a, b)
	return sum
}

// clamp limits x from both sides; NaN stays NaN, because VMAXPS and VMINPS give
// their second operand where one is NaN.
func clamp(f *asm.Func, x asm.Reg, least, most float32) asm.Reg {
	x = f.Op(asm.Max, f.Const(least), x)
	return f.Op(asm.Min, f.Const(most), x)
}

// abs clears the sign, of NaN too.
func abs(f *asm.Func, x asm.Reg) asm.Reg {
	return f.Op(asm.And, x, f.ConstInt(math.MaxInt32))
}

// sqrt is the correctly rounded square root.
func sqrt(f *asm.Func, x asm.Reg) asm.Reg { return f.Un(asm.Sqrt, x) }
