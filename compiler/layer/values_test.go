package layer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"netc/compiler/layer"
	"netc/compiler/pass"
	"netc/ir"
	"netc/ir/eval"
)

// evaluate lowers a net (without its first line) and computes its values from
// the given feeds; parameters and states that are not given are zero.
func evaluate(t *testing.T, source string, options layer.Options, feeds map[string]*eval.Tensor) (values, stored map[string]*eval.Tensor) {
	t.Helper()
	g := lower(t, "values.net", "net values\n"+source, options).Graph
	for _, v := range append(append([]*ir.Value{}, g.Params...), g.States...) {
		if feeds[v.Name] == nil {
			feeds[v.Name] = eval.Zeros(v.Type)
		}
	}
	values, stored, err := eval.Step(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	return values, stored
}

// near fails the test unless got is the wanted list, to 1e-12.
func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	good := len(got) == len(want)
	for i := range got {
		good = good && math.Abs(got[i]-want[i]) <= 1e-12*max(1, math.Abs(want[i]))
	}
	if !good {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// random gives numbers of about unit size that keep away from the kinks of the
// layers and from each other.
func random(r *rand.Rand, shape ...int) *eval.Tensor {
	x := eval.Zeros(ir.Float(shape...))
	order := r.Perm(len(x.Data))
	for i := range x.Data {
		x.Data[i] = (float64(order[i])+0.5)*3/float64(len(x.Data)) - 1.5 + 0.01*r.Float64()
	}
	return x
}

// TestElementwiseValues compares layers that treat each element by itself with
// Caffe's formulas.
func TestElementwiseValues(t *testing.T) {
	x := []float64{-2, -0.5, 0, 0.5, 2, 3}
	tests := []struct {
		call string
		f    func(x float64) float64
	}{
		{"ReLU(x)", func(x float64) float64 { return max(x, 0) }},
		{"ReLU(x) { negative_slope: 0.1 }", func(x float64) float64 { return max(x, 0) + 0.1*min(x, 0) }},
		{"ELU(x) { alpha: 2 }", func(x float64) float64 {
			if x > 0 {
				return x
			}
			return 2 * (math.Exp(x) - 1)
		}},
		{"Sigmoid(x)", func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{"TanH(x)", math.Tanh},
		{"AbsVal(x)", math.Abs},
		{"BNLL(x)", func(x float64) float64 { return math.Log(1 + math.Exp(x)) }},
		{"Power(x)", func(x float64) float64 { return x }},
		{"Power(x) { power: 0 }", func(x float64) float64 { return 1 }},
		{"Power(x) { power: 2 scale: 3 shift: 1 }", func(x float64) float64 { return (1 + 3*x) * (1 + 3*x) }},
		{"Power(x) { power: 3 scale: 0.5 shift: 2 }", func(x float64) float64 { return math.Pow(2+0.5*x, 3) }},
		{"Power(x) { power: 3 scale: 0 shift: 2 }", func(x float64) float64 { return 8 }},
		{"Exp(x)", math.Exp},
		{"Exp(x) { base: 2 scale: 3 shift: 1 }", func(x float64) float64 { return math.Pow(2, 1+3*x) }},
		{"Log(x) { shift: 3 }", func(x float64) float64 { return math.Log(3 + x) }},
		{"Log(x) { base: 10 scale: 2 shift: 5 }", func(x float64) float64 { return math.Log10(5 + 2*x) }},
		{"Eltwise(x, x, x) { coeff: [2, -1, 0.5] }", func(x float64) float64 { return 1.5 * x }},
		{"Eltwise(x, x, x) { operation: prod }", func(x float64) float64 { return x * x * x }},
		{"Dropout(x)", func(x float64) float64 { return x }},
	}
	for _, test := range tests {
		feeds := map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{1, 6}, x...)}
		values, _ := evaluate(t, "x = input [6]\ny = "+test.call+"\n", layer.Options{Phase: "test", Batch: 1}, feeds)
		var want []float64
		for _, v := range x {
			want = append(want, test.f(v))
		}
		near(t, test.call, values["y"].Data, want)
	}
}

// TestKnownValues compares whole layers with results computed by hand from
// Caffe's definitions, or taken from Caffe's own tests.
func TestKnownValues(t *testing.T) {
	tests := []struct {
		name, net string
		batch     int
		feeds     map[string]*eval.Tensor
		want      map[string][]float64
	}{
		{
			"max pooling with its mask", "x = input [1, 3, 5]\ny, mask = Pooling(x) { kernel_size: 2 }", 1,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{1, 1, 3, 5}, 1, 2, 5, 2, 3, 9, 4, 1, 4, 8, 1, 2, 5, 2, 3)},
			map[string][]float64{"y": {9, 5, 5, 8, 9, 5, 5, 8}, "mask": {5, 2, 2, 9, 5, 12, 12, 9}},
		},
		{
			"a mean counts the padding", "x = input [1, 3, 3]\ny = Pooling(x) { pool: ave kernel_size: 3 pad: 1 }", 1,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{1, 1, 3, 3}, 2, 2, 2, 2, 2, 2, 2, 2, 2)},
			map[string][]float64{"y": {8. / 9, 4. / 3, 8. / 9, 4. / 3, 2, 4. / 3, 8. / 9, 4. / 3, 8. / 9}},
		},
		{
			"the weights' two orders", "x = input [2]\na = InnerProduct(x) { num_output: 3 }\nb = InnerProduct(x) { num_output: 3 transpose: true bias_term: false }", 2,
			map[string]*eval.Tensor{
				"x":        eval.Floats(ir.Shape{2, 2}, 1, 2, 3, 4),
				"a.weight": eval.Floats(ir.Shape{3, 2}, 1, 2, 3, 4, 5, 6),
				"a.bias":   eval.Floats(ir.Shape{3}, 100, 200, 300),
				"b.weight": eval.Floats(ir.Shape{2, 3}, 1, 3, 5, 2, 4, 6),
			},
			map[string][]float64{"a": {105, 211, 317, 111, 225, 339}, "b": {5, 11, 17, 11, 25, 39}},
		},
		{
			"a deconvolution adds windows", "x = input [1, 2, 1]\ny = Deconvolution(x) { num_output: 1 kernel_h: 3 kernel_w: 1 stride: 2 }", 1,
			map[string]*eval.Tensor{
				"x":        eval.Floats(ir.Shape{1, 1, 2, 1}, 1, 10),
				"y.weight": eval.Floats(ir.Shape{1, 1, 3, 1}, 1, 2, 3),
				"y.bias":   eval.Floats(ir.Shape{1}, 0.5),
			},
			map[string][]float64{"y": {1.5, 2.5, 13.5, 20.5, 30.5}},
		},
		{
			"scale and bias over channels", "x = input [2, 2]\ny = Scale(x) { bias_term: true }\nz = Bias(y)\nw = PReLU(z)", 1,
			map[string]*eval.Tensor{
				"x":        eval.Floats(ir.Shape{1, 2, 2}, 1, 2, 3, 4),
				"y.weight": eval.Floats(ir.Shape{2}, 10, -1),
				"y.bias":   eval.Floats(ir.Shape{2}, 1, 2),
				"z.bias":   eval.Floats(ir.Shape{2}, 0, -1),
				"w.slope":  eval.Floats(ir.Shape{2}, 7, 0.5),
			},
			map[string][]float64{"y": {11, 21, -1, -2}, "z": {11, 21, -2, -3}, "w": {11, 21, -1, -1.5}},
		},
		{
			"reductions", "x = input [2]\na = Reduction(x) { coeff: 2 }\nb = Reduction(x) { operation: asum axis: 1 }\nc = Reduction(x) { operation: sumsq axis: 1 }\nd = Reduction(x) { operation: mean axis: 1 coeff: 3 }", 2,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{2, 2}, 1, -2, 3, 4)},
			map[string][]float64{"a": {12}, "b": {3, 7}, "c": {5, 25}, "d": {-1.5, 10.5}},
		},
		{
			"pieces and their order", "x = input [3]\na, b = Slice(x) { slice_point: 1 }\ny = Concat(b, a)\nz = Reshape(y) { shape: [-1, 2] }", 2,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{2, 3}, 1, 2, 3, 4, 5, 6)},
			map[string][]float64{"a": {1, 4}, "b": {2, 3, 5, 6}, "y": {2, 3, 1, 5, 6, 4}, "z": {2, 3, 1, 5, 6, 4}},
		},
		{
			"half the mean squared distance", "x = input [2]\ny = input [2]\nloss = EuclideanLoss(x, y)", 2,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{2, 2}, 1, 2, 3, 4), "y": eval.Floats(ir.Shape{2, 2}, 0, 0, 5, 4)},
			map[string][]float64{"loss": {(1. + 4 + 4) / 4}},
		},
		{
			"margins", "x = input [3]\nlabel = input [] i32\na = HingeLoss(x, label)\nb = HingeLoss(x, label) { norm: l2 }", 2,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{2, 3}, 0.5, -2, 0, 1, 2, 3), "label": eval.Ints(ir.Shape{2}, 0, 1)},
			map[string][]float64{"a": {(0.5 + 0 + 1 + 2 + 0 + 4) / 2}, "b": {(0.25 + 0 + 1 + 4 + 0 + 16) / 2}},
		},
		{
			"likelihood", "x = input [2]\nlabel = input [] i32\nloss = MultinomialLogisticLoss(x, label)", 2,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{2, 2}, 0.25, 0.75, 0, 1), "label": eval.Ints(ir.Shape{2}, 1, 0)},
			map[string][]float64{"loss": {-(math.Log(0.75) + math.Log(1e-20)) / 2}},
		},
		{
			"pairs", "a = input [2]\nb = input [2]\ns = input [] i32\nnow = ContrastiveLoss(a, b, s) { margin: 6 }\nold = ContrastiveLoss(a, b, s) { margin: 26 legacy_version: true }", 3,
			map[string]*eval.Tensor{
				"a": eval.Floats(ir.Shape{3, 2}, 1, 1, 3, 4, 9, 9),
				"b": eval.Floats(ir.Shape{3, 2}, 0, 3, 0, 0, 0, 0),
				"s": eval.Ints(ir.Shape{3}, 1, 0, 0),
			},
			map[string][]float64{"now": {(5. + 1 + 0) / 6}, "old": {(5. + 1 + 0) / 6}},
		},
		{
			"targets that do not count",
			"x = input [2]\ny = input [2]\na = SigmoidCrossEntropyLoss(x, y)\nb = SigmoidCrossEntropyLoss(x, y) { ignore_label: -1 normalization: valid }\nc = SigmoidCrossEntropyLoss(x, y) { ignore_label: -1 normalization: none }\nd = SigmoidCrossEntropyLoss(x, y) { normalization: full }", 2,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{2, 2}, 0, 0, 0, 2), "y": eval.Floats(ir.Shape{2, 2}, 1, 0, 0.5, -1)},
			map[string][]float64{
				"a": {(3*math.Ln2 + 4 + math.Log1p(math.Exp(-2))) / 2},
				"b": {math.Ln2}, "c": {3 * math.Ln2},
				"d": {(3*math.Ln2 + 4 + math.Log1p(math.Exp(-2))) / 4},
			},
		},
		{
			"a label that does not count", "x = input [2]\nlabel = input [] i32\nloss, prob = SoftmaxWithLoss(x, label) { ignore_label: 7 }\na, each = Accuracy(x, label) { ignore_label: 7 }", 3,
			map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{3, 2}, 0, 0, 0, math.Log(3), 1, 1), "label": eval.Ints(ir.Shape{3}, 0, 1, 7)},
			map[string][]float64{
				"loss": {(math.Ln2 + math.Log(4./3)) / 2}, "prob": {0.5, 0.5, 0.25, 0.75, 0.5, 0.5},
				"a": {0.5}, "each": {0, 1},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values, _ := evaluate(t, test.net+"\n", layer.Options{Phase: "test", Batch: test.batch}, test.feeds)
			for name, want := range test.want {
				near(t, name, values[name].Data, want)
			}
		})
	}
}

// TestLRNWithinChannel compares with the definition: Caffe's k does not count,
// and the padding counts in the mean.
func TestLRNWithinChannel(t *testing.T) {
	const size = 4
	x := random(rand.New(rand.NewPCG(1, 2)), 1, 1, size, size)
	values, _ := evaluate(t, "x = input [1, 4, 4]\ny = LRN(x) { norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.5 beta: 0.6 k: 9 }\n",
		layer.Options{Phase: "train", Batch: 1}, map[string]*eval.Tensor{"x": x})
	var want []float64
	for i := range size {
		for j := range size {
			squares := 0.0
			for r := max(i-1, 0); r <= min(i+1, size-1); r++ {
				for s := max(j-1, 0); s <= min(j+1, size-1); s++ {
					squares += x.Data[r*size+s] * x.Data[r*size+s]
				}
			}
			want = append(want, x.Data[i*size+j]*math.Pow(1+0.5*squares/9, -0.6))
		}
	}
	near(t, "y", values["y"].Data, want)
}

// TestBatchNormStatistics trains two steps and tests, and compares the running
// sums and what becomes of them with Caffe's definition.
func TestBatchNormStatistics(t *testing.T) {
	const source = "x = input [1, 2]\ny = BatchNorm(x) { moving_average_fraction: 0.9 eps: 0.01 }\n"
	train, test := layer.Options{Phase: "train", Batch: 2}, layer.Options{Phase: "test", Batch: 2}
	x := eval.Floats(ir.Shape{2, 1, 2}, 1, 2, 3, 6) // mean 3, variance 3.5, unbiased 14/3

	values, _ := evaluate(t, source, test, map[string]*eval.Tensor{"x": x})
	near(t, "y before any step", values["y"].Data, []float64{10, 20, 30, 60}) // 0 / 0 counts as 0

	values, stored := evaluate(t, source, train, map[string]*eval.Tensor{"x": x})
	root := math.Sqrt(3.5 + 0.01)
	near(t, "y in training", values["y"].Data, []float64{-2 / root, -1 / root, 0, 3 / root})
	stored["x"] = eval.Floats(ir.Shape{2, 1, 2}, 5, 5, 5, 5)
	_, stored = evaluate(t, source, train, stored)
	near(t, "the mean's sum", stored["y.mean"].Data, []float64{0.9*3 + 5})
	near(t, "the variance's sum", stored["y.variance"].Data, []float64{0.9 * 14. / 3})
	near(t, "the factor", stored["y.factor"].Data, []float64{1.9})

	stored["x"] = x
	values, _ = evaluate(t, source, test, stored)
	mean, deviation := 7.7/1.9, math.Sqrt(0.9*14/3/1.9+0.01)
	near(t, "y in testing", values["y"].Data,
		[]float64{(1 - mean) / deviation, (2 - mean) / deviation, (3 - mean) / deviation, (6 - mean) / deviation})
}

// gradientCases holds, for each layer type, a net with a loss. Types that no
// gradient passes are left out with the reason.
var gradientCases = map[string]string{
	"AbsVal":                  "y = AbsVal(flat)",
	"BNLL":                    "y = BNLL(flat)",
	"BatchNorm":               "y = BatchNorm(x)\nz = BatchNorm(x) { use_global_stats: true }",
	"Bias":                    "y = Bias(x, flat) { axis: 0 }",
	"Concat":                  "y = Concat(x, x)",
	"ContrastiveLoss":         "a, b = Slice(flat)\ny = ContrastiveLoss(a, b, flag) { margin: 4 }",
	"Convolution":             "y = Convolution(x) { num_output: 4 kernel_size: 3 group: 2 pad: 1 stride: 2 }",
	"Deconvolution":           "y = Deconvolution(x) { num_output: 2 kernel_size: 3 stride: 2 pad: 1 }",
	"Dropout":                 "y = Dropout(x) { dropout_ratio: 0.3 }",
	"ELU":                     "y = ELU(flat) { alpha: 0.5 }",
	"Eltwise":                 "y = Eltwise(flat, flat, flat) { coeff: [2, -1, 0.5] }\na, b = Slice(flat)\nz = Eltwise(a, b) { operation: max }\nw = Eltwise(a, b) { operation: prod }",
	"EuclideanLoss":           "a, b = Slice(flat)\ny = EuclideanLoss(a, b)",
	"Exp":                     "y = Exp(flat) { base: 2 scale: 0.5 shift: 1 }",
	"Flatten":                 "y = Flatten(x)",
	"HingeLoss":               "y = HingeLoss(flat, label)\nz = HingeLoss(flat, label) { norm: l2 }",
	"InnerProduct":            "y = InnerProduct(x) { num_output: 3 axis: 2 }",
	"LRN":                     "y = LRN(x) { local_size: 3 }\nz = LRN(x) { local_size: 3 norm_region: within_channel }",
	"Log":                     "y = Log(flat) { base: 2 shift: 2 }",
	"MultinomialLogisticLoss": "p = Softmax(flat)\ny = MultinomialLogisticLoss(p, label)",
	"PReLU":                   "y = PReLU(x)",
	"Pooling":                 "y = Pooling(x) { kernel_size: 2 }\nz = Pooling(x) { kernel_size: 3 stride: 2 pad: 1 pool: ave }",
	"Power":                   "y = Power(flat) { power: 1.5 scale: 0.5 shift: 2 }\nz = Power(flat) { power: 2 scale: 3 shift: 1 }",
	"ReLU":                    "y = ReLU(flat) { negative_slope: 0.1 }",
	"Reduction":               "y = Reduction(x) { operation: sumsq axis: 2 }\nz = Reduction(x) { operation: asum axis: 1 }",
	"Reshape":                 "y = Reshape(x) { shape: [0, -1, 2] }",
	"Scale":                   "y = Scale(x) { bias_term: true }\nz = Scale(x, flat) { axis: 0 }",
	"Sigmoid":                 "y = Sigmoid(flat)",
	"SigmoidCrossEntropyLoss": "y = SigmoidCrossEntropyLoss(flat, target)",
	"Slice":                   "y, z = Slice(x) { axis: 2 slice_point: 1 }",
	"Softmax":                 "y = Softmax(x)",
	"SoftmaxWithLoss":         "y = SoftmaxWithLoss(flat, label)",
	"Split":                   "y, z = Split(x)",
	"TanH":                    "y = TanH(flat)",

	"Accuracy": "", // counts, so its gradient is zero or none
	"Silence":  "", // has no result
}

// TestGradients checks the gradient of every layer's lowering with respect to
// its inputs and parameters against central differences.
func TestGradients(t *testing.T) {
	for _, name := range layer.Types() {
		net, ok := gradientCases[name]
		if !ok {
			t.Errorf("%s has no gradient case", name)
		}
		if net != "" {
			t.Run(name, func(t *testing.T) { testGradient(t, net) })
		}
	}
}

func testGradient(t *testing.T, net string) {
	source := "net gradient\nx = input [2, 4, 4]\nflat = input [2]\ntarget = input [2]\nlabel = input [] i32\nflag = input [] i32\n" + net + "\n"
	for _, name := range []string{"y", "z", "w"} { // squares, so that no sum of results is constant
		if strings.Contains(net, name+" = ") || strings.Contains(net, name+", ") || strings.Contains(net, ", "+name+" ") {
			source += fmt.Sprintf("%[1]s_loss = Power(%[1]s) { power: 2 shift: 0.3 loss_weight: 1 }\n", name)
		}
	}
	g := lower(t, "gradient.net", source, layer.Options{Phase: "train", Batch: 2}).Graph
	r := rand.New(rand.NewPCG(3, 4))
	feeds := map[string]*eval.Tensor{
		"x": random(r, 2, 2, 4, 4), "flat": random(r, 2, 2), "target": eval.Floats(ir.Shape{2, 2}, 0, 1, 0.5, 1),
		"label": eval.Ints(ir.Shape{2}, 1, 0), "flag": eval.Ints(ir.Shape{2}, 1, 0),
		"solver.seed": eval.Ints(nil, 1), "solver.iteration": eval.Ints(nil, 5),
	}
	wanted := []*ir.Value{g.Lookup("x"), g.Lookup("flat")}
	for _, p := range g.Params {
		feeds[p.Name] = random(r, p.Type.Shape...)
		wanted = append(wanted, p)
	}
	for _, s := range g.States {
		feeds[s.Name] = eval.Zeros(s.Type)
		for i := range feeds[s.Name].Data {
			feeds[s.Name].Data[i] = 0.5 + r.Float64()
		}
	}
	forward := lower(t, "gradient.net", source, layer.Options{Phase: "train", Batch: 2}).Graph
	gradients, err := pass.Differentiate(g, wanted)
	if err != nil {
		t.Fatal(err)
	}
	values, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range wanted {
		if gradients[v] == nil {
			if v.Kind == ir.Param {
				t.Errorf("%s has no gradient", v.Name)
			}
			continue
		}
		slopes, err := eval.Slopes(forward, feeds, forward.Loss.Name, v.Name, nil, 1e-4)
		if err != nil {
			t.Fatal(err)
		}
		judged := 0
		for _, s := range slopes {
			if s.Kink {
				continue
			}
			judged++
			if got := values[gradients[v].Name].Data[s.Element]; math.Abs(got-s.Value) > 1e-6*max(1, math.Abs(s.Value)) {
				t.Errorf("the gradient of %s[%d] is %g, central differences give %g", v.Name, s.Element, got, s.Value)
			}
		}
		if judged*2 < len(slopes) {
			t.Errorf("only %d of %d elements of %s are away from kinks", judged, len(slopes), v.Name)
		}
	}
}
