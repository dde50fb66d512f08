//go:build linux

package vector

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"testing"

	"netc/codegen/asm"
	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
	"netc/runtime"
)

// everyFloat is the environment variable that asks for all 2^32 arguments.
const everyFloat = "NETC_EVERY_FLOAT"

// mathKernel is a function of vectors to run on whole arrays.
type mathKernel struct {
	name   string
	emit   func(f *asm.Func, args []asm.Reg) asm.Reg
	inputs [][]float32 // one array an argument, equally long
}

// unary is a function of one argument and the float64 function it rounds.
type unary struct {
	name  string
	emit  func(f *asm.Func, x asm.Reg) asm.Reg
	exact func(x float64) float64
	bound float64 // ULP
	// flushes says that denormal results may be 0.
	flushes bool
}

func exactSigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// pointwise is what the emitter makes of an operator's formula.
func pointwise(name string) func(f *asm.Func, x asm.Reg) asm.Reg {
	return func(f *asm.Func, x asm.Reg) asm.Reg {
		a := &loop.Var{Name: "a", Kind: loop.Float}
		load := func(int, []*loop.Expr) *loop.Expr { return loop.R(a) }
		e := &emitter{f: f, vals: map[*loop.Var]value{a: {vec: x}}}
		e.push(nil, -1)
		return e.float(op.Point(name).Element(&ir.Node{In: []*ir.Value{nil}}, nil, load))
	}
}

var unaries = []unary{
	{"exp", exp, math.Exp, 1.6, true},
	{"sigmoid", pointwise("sigmoid"), exactSigmoid, 2.6, true},
	{"log", log, math.Log, 1, false},
	{"log1p", log1p, math.Log1p, 1.5, false},
	{"tanh", tanh, math.Tanh, 2.6, false},
	{"sqrt", sqrt, math.Sqrt, 0.5, false},
	{"abs", abs, math.Abs, 0, false},
}

// powers are exponents with their bound in ULP.
var powers = []struct{ exponent, bound float64 }{
	{0, 0}, {1, 0}, {2, 0.5}, {3, 1.5}, {4, 2}, {5, 3}, {6, 3}, {-1, 0.5}, {-2, 1.5}, {-3, 2.5}, {-5, 4},
	{0.5, 0.5}, {-0.5, 1.5}, {0.25, 1}, {-0.25, 2}, {0.75, 2.5}, {-0.75, 3}, {1.5, 2}, {-1.25, 3}, {2.75, 3.5}, {-2.75, 4},
	{9, 3}, {10, 3}, {-17, 3}, {0.1, 3}, {-0.1, 3}, {1.0 / 3, 3}, {2.4, 3}, {-2.4, 3}, {1e-8, 3},
	{300, 3}, {-300.7, 3}, {4.25, 3}, {123456789, 3}, {math.Inf(1), 0}, {math.Inf(-1), 0},
}

func powerOf(exponent, bound float64) unary {
	return unary{
		name:    fmt.Sprintf("pow %v", exponent),
		emit:    func(f *asm.Func, x asm.Reg) asm.Reg { return powConst(f, x, exponent) },
		exact:   func(x float64) float64 { return math.Pow(x, exponent) },
		bound:   bound,
		flushes: true,
	}
}

// edges are values around which the functions change their ways.
var edges = []float64{
	0, 0x1p-149, 0x1p-126, 0x1p-64, 0x1p-25, 0x1p-24, 0x1p-12, math.Ln2 / 4, math.Ln2 / 2, math.Ln2, math.Sqrt2 / 2, 0.5, 1,
	math.Sqrt2, 2, 3, 9.02, 10, 87.33655, 87.7, 88.72284, 88.9, 104, 0x1p23, 0x1p24, 0x1p31, 0x1p64, 0x1p127, math.MaxFloat32, math.Inf(1),
}

// floats gives every stride-th float32 of all signs and exponents, and the edges
// with their neighbours and some NaNs.
func floats(stride uint64) []float32 {
	var xs []float32
	for u := uint64(0); u < 1<<32; u += stride {
		xs = append(xs, math.Float32frombits(uint32(u)))
	}
	for _, edge := range edges {
		middle := math.Float32bits(float32(edge))
		for _, sign := range []uint32{0, 1 << 31} {
			for i := uint32(0); i < 17; i++ {
				xs = append(xs, math.Float32frombits((middle+i-8)&math.MaxInt32|sign))
			}
		}
	}
	for _, nan := range []uint32{0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffc12345} {
		xs = append(xs, math.Float32frombits(nan))
	}
	return xs
}

// errorInULP says how far got is from the exact result, in units of the last
// place a float32 has there; 0 where both are NaN, and +Inf where one is NaN, a
// zero has the wrong sign or a result is infinite that is far from it.
func errorInULP(got float32, exact float64, flushes bool) float64 {
	wrong := math.Inf(1)
	g := float64(got)
	switch {
	case math.IsNaN(exact) || math.IsNaN(g):
		if math.IsNaN(exact) && math.IsNaN(g) {
			return 0
		}
		return wrong
	case flushes && math.Abs(exact) < 0x1p-126 && g == 0:
		return 0
	case exact == 0 && g == 0 && math.Signbit(exact) != math.Signbit(g):
		return wrong
	}
	// Infinity is where the next float32 after the largest would be.
	g = math.Copysign(min(math.Abs(g), 0x1p128), g)
	exact = math.Copysign(min(math.Abs(exact), 0x1p128), exact)
	_, exponent := math.Frexp(exact)
	return math.Abs(g-exact) / math.Ldexp(1, min(max(exponent, -125), 128)-24)
}

// worst is the largest error found so far of a function.
type worst struct {
	ulp float64
	at  float32
}

// check compares results with the exact function.
func (w *worst) check(t *testing.T, u unary, xs, got []float32) {
	t.Helper()
	wrong := 0
	for i, x := range xs {
		e := errorInULP(got[i], u.exact(float64(x)), u.flushes)
		if e > w.ulp {
			w.ulp, w.at = e, x
		}
		if e > u.bound {
			if wrong++; wrong <= 5 {
				t.Errorf("%s of %v (%#08x) = %v, exactly %v: %.3f ULP, want at most %v", u.name, x, math.Float32bits(x), got[i], u.exact(float64(x)), e, u.bound)
			}
		}
	}
	if wrong > 5 {
		t.Errorf("%s: %d of %d results are wrong", u.name, wrong, len(xs))
	}
}

func (w *worst) log(t *testing.T, u unary) {
	t.Helper()
	t.Logf("%s: %.3f ULP at %v, bound %v", u.name, w.ulp, w.at, u.bound)
}

// domain is where a power of this exponent promises something: all of the
// numbers for whole exponents, with a result below 2^126 where a power is
// inverted, and numbers from 0 on otherwise.
func domain(exponent float64, xs []float32) []float32 {
	var in []float32
	for _, x := range xs {
		size := math.Abs(exponent * math.Log2(math.Abs(float64(x))))
		ends := x == 0 || math.IsInf(float64(x), 0) || math.IsNaN(float64(x))
		whole := exponent == math.Trunc(exponent)
		switch {
		case !whole && (x == 0 && math.Signbit(float64(x)) && exponent > 0 || math.IsInf(float64(x), -1)):
		case !ends && exponent < 0 && size > 126 && size < 150:
		default:
			in = append(in, x)
		}
	}
	return in
}

func unaryKernel(u unary, xs []float32) mathKernel {
	emit := func(f *asm.Func, args []asm.Reg) asm.Reg { return u.emit(f, args[0]) }
	return mathKernel{u.name, emit, [][]float32{xs}}
}

// Every function keeps its bound, on a sample of all floats.
func TestMathFunctions(t *testing.T) {
	eachMathISA(t, func(t *testing.T, isa asm.ISA, run mathRunner, factor uint64) {
		var kernels []mathKernel
		checks := append([]unary(nil), unaries...)
		for _, u := range unaries {
			kernels = append(kernels, unaryKernel(u, floats(4099*factor)))
		}
		for _, p := range powers {
			u := powerOf(p.exponent, p.bound)
			checks = append(checks, u)
			kernels = append(kernels, unaryKernel(u, domain(p.exponent, floats(65521*factor))))
		}
		results := run(t, isa, kernels)
		for i, u := range checks {
			var w worst
			w.check(t, u, kernels[i].inputs[0], results[i])
			w.log(t, u)
		}
	})
}

// From 9.02 on tanh is 1 and not a float next to it.
func TestTanhSaturates(t *testing.T) {
	eachMathISA(t, func(t *testing.T, isa asm.ISA, run mathRunner, factor uint64) {
		var xs []float32
		for u := math.Float32bits(9.02); u < math.Float32bits(10.01); u += uint32(3 * factor) {
			xs = append(xs, math.Float32frombits(u))
		}
		for i, y := range run(t, isa, []mathKernel{unaryKernel(unary{name: "tanh", emit: tanh}, xs)})[0] {
			if y != 1 {
				t.Fatalf("tanh(%v) = %v", xs[i], y)
			}
		}
	})
}

// All 2^32 arguments, if the environment asks; it takes most of an hour.
func TestMathFunctionsEverywhere(t *testing.T) {
	if os.Getenv(everyFloat) == "" {
		t.Skipf("%s is not set", everyFloat)
	}
	const chunk = 1 << 22 // memory for the arrays of all functions, several times
	xs := make([]float32, chunk)
	functions := unaries[:5] // the others are single instructions
	found := make([]worst, len(functions))
	for start := uint64(0); start < 1<<32; start += chunk {
		for i := range xs {
			xs[i] = math.Float32frombits(uint32(start + uint64(i)))
		}
		var kernels []mathKernel
		for _, u := range functions {
			kernels = append(kernels, unaryKernel(u, xs))
		}
		for i, got := range runNative(t, asm.AVX2, kernels) {
			found[i].check(t, functions[i], xs, got)
		}
	}
	for i, u := range functions {
		found[i].log(t, u)
	}
}

// Powers of two arguments keep their bound where the result is a normal number,
// and are math.Pow's at the ends. A negative base gives NaN.
func TestPow(t *testing.T) {
	eachMathISA(t, func(t *testing.T, isa asm.ISA, run mathRunner, factor uint64) {
		random := rand.New(rand.NewSource(1))
		var xs, ys []float32
		for range 400_000 / factor {
			x := float32(math.Exp2(random.Float64()*276 - 148.5))
			if random.Intn(2) == 0 {
				x = float32(math.Exp2(random.NormFloat64() * math.Exp2(-30*random.Float64())))
			}
			y := float32((random.Float64()*2 - 1) * 129 / math.Log2(float64(x)))
			if random.Intn(4) == 0 {
				y = float32(random.NormFloat64() * 4)
			}
			xs, ys = append(xs, x), append(ys, y)
		}
		ends := []float64{0, 0x1p-149, 0x1p-140, 1e-30, 0.3, 1 - 0x1p-24, 1, 1 + 0x1p-23, 1.5, 2, 100, 1e30, math.MaxFloat32, math.Inf(1)}
		for _, x := range append(ends, math.NaN()) {
			for _, y := range append(ends, math.NaN()) {
				xs, ys = append(xs, float32(x), float32(x)), append(ys, float32(y), -float32(y))
			}
		}
		nonnegative := len(xs)
		for _, x := range []float64{-1, -0x1p-149, -3.5, -math.MaxFloat32, math.Inf(-1)} {
			for _, y := range []float32{2, 0.5, -1, 3, 1} {
				xs, ys = append(xs, float32(x)), append(ys, y)
			}
		}
		emit := func(f *asm.Func, args []asm.Reg) asm.Reg { return pow(f, args[0], args[1]) }
		got := run(t, isa, []mathKernel{{"pow", emit, [][]float32{xs, ys}}})[0]
		most, at := 0.0, 0
		for i := range xs {
			want := math.Pow(float64(xs[i]), float64(ys[i]))
			if i >= nonnegative {
				want = math.NaN()
			}
			e := errorInULP(got[i], want, true)
			if e > most {
				most, at = e, i
			}
			if e > 3 {
				t.Errorf("pow(%v, %v) = %v, want %v", xs[i], ys[i], got[i], want)
			}
		}
		t.Logf("pow: %.3f ULP at %v, %v", most, xs[at], ys[at])
	})
}

// Random numbers are the runtime's.
func TestUniform(t *testing.T) {
	eachMathISA(t, func(t *testing.T, isa asm.ISA, run mathRunner, _ uint64) {
		random := rand.New(rand.NewSource(2))
		var whiten, offset, index, want []float32
		for i := range 5000 {
			s := runtime.Stream(int32(random.Uint32()), int32(random.Uint32()), random.Uint32())
			at := random.Uint32()
			if i < 100 {
				at = uint32(i)
			}
			whiten = append(whiten, math.Float32frombits(s.Whiten))
			offset = append(offset, math.Float32frombits(s.Offset))
			index = append(index, math.Float32frombits(at))
			want = append(want, s.At(int(at)))
		}
		emit := func(f *asm.Func, args []asm.Reg) asm.Reg { return uniform(f, args[0], args[1], args[2]) }
		got := run(t, isa, []mathKernel{{"uniform", emit, [][]float32{whiten, offset, index}}})[0]
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("number %d: %v, want %v", i, got[i], want[i])
			}
		}
	})
}
