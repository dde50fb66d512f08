package vector

import (
	"math"

	"netc/codegen/asm"
)

// logPolynomial is q in log(1+t) = t - t^2/2 + t^3 q(t) for 1+t between the
// square roots of 1/2 and 2, the highest power first: relative error 6e-9.
var logPolynomial = []float32{-0.07641166, 0.12765716, -0.13159546, 0.14201072, -0.16623345, 0.2000126, -0.25000823, 0.3333333}

// log is the natural logarithm within 1 ULP, for denormal numbers too. It gives
// -Inf for zero of either sign, NaN below, +Inf for +Inf.
func log(f *asm.Func, x asm.Reg) asm.Reg {
	e, t := logParts(f, x)
	y := logOfParts(f, e, t)
	return logEnds(f, y, x, f.Zero())
}

// logParts gives e and t with x = 2^e (1+t) exactly and 1+t between the square
// roots of 1/2 and 2, for finite x > 0.
func logParts(f *asm.Func, x asm.Reg) (e, t asm.Reg) {
	small := f.Cmp(asm.LtP, x, f.Const(0x1p-126))
	shift := f.Keep(small, f.Const(-24))
	x = f.Select(small, f.Op(asm.Mul, x, f.Const(0x1p24)), x)
	whole, mantissa, _ := splitExponent(f, x)
	return f.Op(asm.Add, f.Un(asm.ToFloat, whole), shift), f.Op(asm.Sub, mantissa, f.Const(1))
}

// splitExponent gives the integer e and m with x = 2^e m and m between the
// square roots of 1/2 and 2, for normal x > 0, and e shifted to where a float
// has its exponent.
func splitExponent(f *asm.Func, x asm.Reg) (e, m, shifted asm.Reg) {
	least := int32(math.Float32bits(math.Sqrt2 / 2))
	e = f.Shift(asm.ShiftRightSigned, f.Op(asm.SubInt32, x, f.ConstInt(least)), 23)
	shifted = f.Shift(asm.ShiftLeft, e, 23)
	return e, f.Op(asm.SubInt32, x, shifted), shifted
}

// logOfParts gives e ln 2 + log(1+t). Where e is not 0 the sum is at least
// ln(2)/2, so the terms are added from the smallest up.
func logOfParts(f *asm.Func, e, t asm.Reg) asm.Reg {
	p := horner(f, t, logPolynomial, -0.5)
	y := f.Op(asm.Mul, e, f.Const(ln2Low))
	f.FMA(y, p, f.Op(asm.Mul, t, t))
	y = f.Op(asm.Add, y, t)
	f.FMA(y, e, f.Const(ln2High))
	return y
}

// logEnds puts the values at and past the ends of a logarithm's domain in the
// place of y: x itself where it is +Inf or NaN, -Inf at the pole, NaN below it.
func logEnds(f *asm.Func, y, x, pole asm.Reg) asm.Reg {
	y = f.Select(f.Cmp(asm.LtP, x, f.Const(infinity)), y, x)
	y = f.Select(f.Cmp(asm.EqP, x, pole), f.Const(-infinity), y)
	return f.Select(f.Cmp(asm.LtP, x, pole), f.Const(float32(math.NaN())), y)
}

// log1p gives log(1+x) within 1.5 ULP, near 0 too, where it has the sign of its
// argument, of zero too. It gives -Inf for -1, NaN below, +Inf for +Inf.
//
// What rounding 1+x loses is known exactly (Knuth's two-sum) and added to the
// remainder of the logarithm's argument.
func log1p(f *asm.Func, x asm.Reg) asm.Reg {
	one := f.Const(1)
	sum := f.Op(asm.Add, one, x)
	added := f.Op(asm.Sub, sum, one)
	lost := f.Op(asm.Sub, one, f.Op(asm.Sub, sum, added))
	lost = f.Op(asm.Add, lost, f.Op(asm.Sub, x, added))

	e, m, shifted := splitExponent(f, sum)
	// 2^-e, or 0 for e > 126, where there is nothing lost worth adding.
	inverse := f.Op(asm.SubInt32, f.ConstInt(int32(math.Float32bits(1))), shifted)
	inverse = f.Op(asm.MaxInt32, inverse, f.Zero())
	t := f.Op(asm.Sub, m, f.Const(1))
	f.FMA(t, lost, inverse)

	y := logOfParts(f, f.Un(asm.ToFloat, e), t)
	y = withSignOf(f, y, x)
	return logEnds(f, y, x, f.Const(-1))
}
