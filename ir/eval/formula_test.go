package eval_test

import (
	"math"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/loop"
	"netc/ir/op"
)

// TestFormulas covers every function and operator that a formula can have.
func TestFormulas(t *testing.T) {
	a, b := 0.75, -2.0
	for formula, want := range map[string]float64{
		"a + b": -1.25, "a - b": 2.75, "a*b": -1.5, "b/a": -8. / 3, "-b": 2, "--b": -2,
		"min(a, b)": -2, "max(a, b)": 0.75,
		"a < b ? 1 : 2": 2, "a <= 0.75 ? 1 : 2": 1, "a > b ? 1 : 2": 1, "a >= 1 ? 1 : 2": 2,
		"a == b ? 1 : 2": 2, "a != b ? 1 : 2": 1, "!(a < b) ? 1 : 2": 1,
		"a > 0 && b > 0 ? 1 : 2": 2, "a > 0 || b > 0 ? 1 : 2": 1,
		"a > b ? a > 1 ? 1 : 2 : 3": 2, "(a > b ? a > 1 : b > 1) ? 1 : 2": 2,
		"exp(a)": math.Exp(a), "log(a)": math.Log(a), "log1p(a)": math.Log1p(a), "tanh(a)": math.Tanh(a),
		"sqrt(a)": math.Sqrt(a), "abs(b)": 2, "pow(b, 3)": -8, "uniform(1, 2, 3, 4)": eval.Uniform(1, 2, 3, 4),
		"1e-3*a": 0.75e-3, "7": 7,
	} {
		g := ir.New("formula", "test")
		in := []*ir.Value{g.AddInput("a", ir.Float()), g.AddInput("b", ir.Float())}
		if _, err := g.Add(&op.Map{Formula: formula}, "y", nil, in...); err != nil {
			t.Errorf("%s: %v", formula, err)
			continue
		}
		values, err := eval.Run(g, map[string]*eval.Tensor{"a": eval.Floats(nil, a), "b": eval.Floats(nil, b)})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, formula, values["y"].Data, []float64{want})
	}
	for name := range loop.Functions {
		args := "(a"
		for range loop.Functions[name] - 1 {
			args += ", a"
		}
		g := ir.New("function", "test")
		g.Must(&op.Map{Formula: name + args + ")"}, "y", nil, g.AddInput("a", ir.Float()))
		if _, err := eval.Run(g, map[string]*eval.Tensor{"a": eval.Floats(nil, 0.5)}); err != nil {
			t.Error(err)
		}
	}
}
