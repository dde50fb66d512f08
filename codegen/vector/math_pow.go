package vector

import (
	"math"

	"netc/codegen/asm"
)

// exp2Polynomial is q in 2^r = 1 + r q(r) for 0 <= r <= 1, the highest power
// first: relative error 2.2e-9.
var exp2Polynomial = []float32{0.00021565985, 0.0012482288, 0.009673775, 0.055486184, 0.24022909, 0.69314706}

// log2Polynomial is q in log2((1+s)/(1-s)) = s (2/ln 2 + s^2 q(s^2)) for
// |s| <= 0.1716, the highest power first: relative error 1.2e-11.
var log2Polynomial = []float32{0.33662862, 0.41192138, 0.5770789, 0.9617967}

// pow gives x^y for x >= 0, and NaN for x < 0, within 3 ULP where the result is
// a normal number; it is 0 below 2^-126. At the ends it is what math.Pow gives:
// 1 for y = 0 and for x = 1, with NaN too; otherwise NaN if one is NaN; for
// zero, infinity and infinite y their limits.
func pow(f *asm.Func, x, y asm.Reg) asm.Reg {
	z := positivePower(f, x, y, 0)
	one := f.Const(1)
	z = f.Select(f.Cmp(asm.EqP, x, one), one, z)
	return f.Select(f.Cmp(asm.EqP, y, f.Zero()), one, z)
}

// powConst gives x^exponent. Multiples of one quarter up to 3 and whole numbers
// up to 5, of either sign, are products of x and its square roots: within 4 ULP
// where the result is between 2^-126 and 2^126. Others are powers of 2 and have
// the bound of pow. Ends and negative x are as in math.Pow, except that a power
// of -0 may be -0 where math.Pow says 0, and that a fractional power of -Inf is
// NaN.
func powConst(f *asm.Func, x asm.Reg, exponent float64) asm.Reg {
	size := math.Abs(exponent)
	if size <= 5 && size == math.Trunc(size) || size <= 3 && 4*size == math.Trunc(4*size) {
		return rootPower(f, x, exponent)
	}
	high := float32(exponent)
	finite := math.Abs(float64(high)) <= math.MaxFloat32
	var low asm.Reg
	if rest := float32(exponent - float64(high)); finite && rest != 0 {
		low = f.Const(rest)
	}
	base := x
	whole := exponent == math.Trunc(exponent)
	if whole {
		base = abs(f, x)
	}
	y := positivePower(f, base, f.Const(high), low)
	if !finite {
		one := f.Const(1)
		return f.Select(f.Cmp(asm.EqP, base, one), one, y)
	}
	if whole && math.Mod(exponent, 2) != 0 {
		return withSignOf(f, y, x)
	}
	return y
}

// rootPower gives the power of a multiple of one quarter as a product of
// squares and square roots.
func rootPower(f *asm.Func, x asm.Reg, exponent float64) asm.Reg {
	quarters := int(math.Abs(exponent) * 4)
	if exponent < 0 && quarters%4 != 0 {
		x = f.Op(asm.Add, x, f.Zero()) // -0 becomes 0, or the result was -Inf
	}
	var product asm.Reg
	times := func(r asm.Reg) {
		if product == 0 {
			product = r
			return
		}
		product = f.Op(asm.Mul, product, r)
	}
	if quarters%4 != 0 {
		root := f.Un(asm.Sqrt, x)
		if quarters&2 != 0 {
			times(root)
		}
		if quarters&1 != 0 {
			times(f.Un(asm.Sqrt, root))
		}
	}
	square := x
	for n := quarters / 4; n > 0; n /= 2 {
		if n&1 != 0 {
			times(square)
		}
		if n > 1 {
			square = f.Op(asm.Mul, square, square)
		}
	}
	switch {
	case product == 0: // exponent 0
		return f.Const(1)
	case exponent < 0:
		return f.Op(asm.Div, f.Const(1), product)
	case product == x:
		copied := f.NewVec()
		f.Move(copied, x)
		return copied
	}
	return product
}

// positivePower gives x^(y+yLow) for x >= 0, where a yLow of 0 is none and not
// a register. Its value is wrong for x = 1 with an infinite y or NaN, and for
// y = 0 with an infinite or zero x or NaN.
//
// It is 2^(y log2 x). The exponent is up to 128 and its absolute error becomes
// a relative one, so log2 x is a sum of two floats and so is the product with y.
func positivePower(f *asm.Func, x, y, yLow asm.Reg) asm.Reg {
	high, low := log2Parts(f, x)
	product := f.Op(asm.Mul, y, high)
	// What the product lacks, negated. Where the product is infinite, or so
	// large that its rest does not matter, the rest would be NaN, and is 0.
	const large = 1e5
	finite := f.Cmp(asm.LtP, abs(f, product), f.Const(large))
	excess := fnma(f, y, high, product)
	f.FNMA(excess, y, low)
	if yLow != 0 {
		f.FNMA(excess, yLow, high)
	}
	excess = f.Keep(finite, excess)
	sum := f.Op(asm.Sub, product, excess)
	rest := f.Op(asm.Sub, f.Op(asm.Sub, product, sum), excess)
	rest = f.Keep(finite, rest)

	// 2^(sum+rest), as in exp: at the limits the power is 0 or +Inf.
	sum = clamp(f, sum, -126.6, 128.6)
	bias := f.Const(roundingBias)
	biased := f.Op(asm.Add, f.Op(asm.Sub, sum, f.Const(0.5)), bias)
	power := f.Shift(asm.ShiftLeft, biased, 23)
	r := f.Op(asm.Sub, sum, f.Op(asm.Sub, biased, bias))
	r = f.Op(asm.Add, r, rest)
	p := horner(f, r, exp2Polynomial, 1)
	return f.Op(asm.Mul, p, power)
}

// log2Parts gives log2 x as a sum high + low with relative error 2^-31, where
// |low| is at most a few ULP of high or of 1. At the ends high is -Inf, +Inf or
// NaN.
//
// With x = 2^e m it is e + log2 m, and m = (1+s)/(1-s) for s = (m-1)/(m+1). The
// series of log2 m in s has no even powers and its second term is less than a
// hundredth of the first, so that rounding s^2 in it is no harm; the quotient s
// and the factor of the first s are a float and a rest.
func log2Parts(f *asm.Func, x asm.Reg) (high, low asm.Reg) {
	e, t := logParts(f, x)
	// m+1 = t+2, exactly the sum of a float and a rest.
	two := f.Const(2)
	below := f.Op(asm.Add, t, two)
	belowRest := f.Op(asm.Sub, t, f.Op(asm.Sub, below, two))
	inverse := f.Op(asm.Div, f.Const(1), below)
	s := f.Op(asm.Mul, t, inverse)
	sRest := fnma(f, s, below, t)
	f.FNMA(sRest, s, belowRest)
	sRest = f.Op(asm.Mul, sRest, inverse)

	// factor + factorRest = 2/ln 2 + s^2 q(s^2)
	const scale = 2 / math.Ln2
	s2 := f.Op(asm.Mul, s, s)
	second := f.Const(log2Polynomial[len(log2Polynomial)-1])
	scaleHigh := f.Const(scale)
	factor := fma(f, second, s2, scaleHigh)
	factorRest := f.Op(asm.Sub, scaleHigh, factor)
	f.FMA(factorRest, second, s2)
	further := f.Op(asm.Mul, s2, horner(f, s2, log2Polynomial[:len(log2Polynomial)-1]))
	f.FMA(factorRest, further, s2)
	factorRest = f.Op(asm.Add, factorRest, f.Const(float32(scale-float64(float32(scale)))))

	first := f.Op(asm.Mul, s, factor)
	excess := fnma(f, s, factor, first) // first less the exact product
	f.FNMA(excess, s, factorRest)
	f.FNMA(excess, sRest, factor)

	high = f.Op(asm.Add, e, first)
	low = f.Op(asm.Sub, f.Op(asm.Sub, first, f.Op(asm.Sub, high, e)), excess)
	return logEnds(f, high, x, f.Zero()), low
}
