package eval_test

import (
	"math"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/eval"
)

const bent = `graph bent test

input x : f32[6]
input other : f32[6]

y = relu x {slope: 0.25} : f32[6]
z = map y {formula: "a + a * a * a"} : f32[6]
loss = sum z {axes: [0]} : f32[]
unrelated = exp other : f32[6]
loss loss
`

// TestKinks places a ReLU's bend at, near and away from the point: at every
// distance within the step it is found, and beyond it is not.
func TestKinks(t *testing.T) {
	g := parse(t, bent)
	const h = 1e-4
	feeds := map[string]*eval.Tensor{
		"x":     eval.Floats(ir.Shape{6}, 0, h/3, -0.5*h, 0.9*h, 1.1*h, -0.5),
		"other": eval.Floats(ir.Shape{6}, 0, 0, 0, 0, 0, 0),
	}
	slopes, err := eval.Slopes(g, feeds, "loss", "x", nil, h)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, true, true, false, false} {
		if slopes[i].Kink != want {
			t.Errorf("x[%d]: kink %v, want %v", i, slopes[i].Kink, want)
		}
	}
	for _, c := range []struct {
		element int
		want    float64
	}{{0, 0.625}, {4, 1}, {5, 0.25 * (1 + 3*0.125*0.125)}} {
		if got := slopes[c.element].Value; math.Abs(got-c.want) > 1e-7 {
			t.Errorf("slope at x[%d] is %v, want %v", c.element, got, c.want)
		}
	}
	if x := feeds["x"].Data; x[0] != 0 || x[5] != -0.5 {
		t.Errorf("the feeds were changed: %v", x)
	}
	flat, err := eval.Slopes(g, feeds, "loss", "other", []int{3}, h)
	if err != nil {
		t.Fatal(err)
	}
	if flat[0] != (eval.Slope{Element: 3}) {
		t.Errorf("slope of what does not matter: %v", flat)
	}
}

// TestSmoothIsNoKink walks a strongly curved smooth function through slopes of
// all sizes, zero among them.
func TestSmoothIsNoKink(t *testing.T) {
	g := parse(t, `graph smooth test

input x : f32[64]

y = map x {formula: "tanh(4 * a) * a + 10 * exp(-3 * a * a)"} : f32[64]
loss = sum y {axes: [0]} : f32[]
loss loss
`)
	x := eval.Zeros(ir.Float(64))
	for i := range x.Data {
		x.Data[i] = float64(i-32) / 16
	}
	for _, step := range []float64{1e-3, 1e-4, 1e-5} {
		slopes, err := eval.Slopes(g, map[string]*eval.Tensor{"x": x}, "loss", "x", nil, step)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range slopes {
			a := x.Data[i]
			th := math.Tanh(4 * a)
			want := th + 4*a*(1-th*th) - 60*a*math.Exp(-3*a*a)
			if s.Kink || math.Abs(s.Value-want) > 100*step*step+1e-12/step {
				t.Errorf("step %g at %g: %+v, want %v", step, a, s, want)
			}
		}
	}
}

func TestBadGradientRequests(t *testing.T) {
	g := parse(t, bent)
	feeds := map[string]*eval.Tensor{"x": eval.Zeros(ir.Float(6)), "other": eval.Zeros(ir.Float(6))}
	for _, c := range []struct {
		of, wrt  string
		elements []int
		step     float64
		want     string
	}{
		{"y", "x", nil, 1e-4, `"y" is no f32[]`},
		{"nothing", "x", nil, 1e-4, `"nothing" is no f32[]`},
		{"loss", "y", nil, 1e-4, `"y" is no f32 input, parameter or state`},
		{"loss", "nothing", nil, 1e-4, `"nothing" is no f32 input`},
		{"loss", "x", []int{6}, 1e-4, "x f32[6] has no element 6"},
		{"loss", "x", []int{-1}, 1e-4, "x f32[6] has no element -1"},
		{"loss", "x", nil, 0, "the step 0 is not"},
		{"loss", "x", nil, math.NaN(), "the step NaN is not"},
	} {
		_, err := eval.Slopes(g, feeds, c.of, c.wrt, c.elements, c.step)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	g.Loss = nil
	if _, err := eval.NumericGradient(g, feeds, "x", nil, 1e-4); err == nil || !strings.Contains(err.Error(), "bent has no loss") {
		t.Errorf("error %v", err)
	}
	delete(feeds, "x")
	if _, err := eval.Slopes(g, feeds, "loss", "x", nil, 1e-4); err == nil {
		t.Error("a missing feed is no error")
	}
}
