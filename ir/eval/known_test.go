package eval_test

import (
	"fmt"
	"math"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/op"
)

// known is an operator's results on given operands, worked out by hand or
// published.
type known struct {
	name string
	op   ir.Op
	in   []*eval.Tensor
	want [][]float64
}

func floats(shape ir.Shape, elements ...float64) *eval.Tensor { return eval.Floats(shape, elements...) }
func ints(shape ir.Shape, elements ...int) *eval.Tensor       { return eval.Ints(shape, elements...) }

func repeat(count int, x float64) []float64 {
	list := make([]float64, count)
	for i := range list {
		list[i] = x
	}
	return list
}

func with(name string, set func(p *op.Pointwise)) *op.Pointwise {
	p := op.Point(name)
	set(p)
	return p
}

func knownResults() []known {
	vector := func(elements ...float64) []*eval.Tensor {
		return []*eval.Tensor{floats(ir.Shape{len(elements)}, elements...)}
	}
	pair := func(a, b []float64) []*eval.Tensor {
		return []*eval.Tensor{floats(ir.Shape{len(a)}, a...), floats(ir.Shape{len(b)}, b...)}
	}
	one := func(elements ...float64) [][]float64 { return [][]float64{elements} }
	e := math.E
	ones, zeros := []int{1, 1}, []int{0, 0}
	// Caffe's own pooling test image (test_pooling_layer.cpp), 3 x 5.
	caffeImage := floats(ir.Shape{1, 1, 3, 5}, 1, 2, 5, 2, 3, 9, 4, 1, 4, 8, 1, 2, 5, 2, 3)
	// Scores whose softmax is 1/2, 1/4, 1/4.
	halves := []float64{math.Log(2), 0, 0}
	return []known{
		{"", &op.Subsample{Stride: []int{2, 2}}, []*eval.Tensor{floats(ir.Shape{1, 1, 3, 4}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)}, one(1, 3, 9, 11)},
		{"", &op.Relayout{Lanes: 1}, vector(1, -2), one(1, -2)},
		{"", op.Point("add"), pair([]float64{1, 2}, []float64{3, -5}), one(4, -3)},
		{"", op.Point("sub"), pair([]float64{1, 2}, []float64{3, -5}), one(-2, 7)},
		{"", op.Point("mul"), pair([]float64{1, 2}, []float64{3, -5}), one(3, -10)},
		{"", op.Point("div"), pair([]float64{1, 3}, []float64{4, -2}), one(0.25, -1.5)},
		{"", op.Point("max"), pair([]float64{1, 3}, []float64{4, -2}), one(4, 3)},
		{"", op.Point("neg"), vector(1, -2), one(-1, 2)},
		{"", with("scale", func(p *op.Pointwise) { p.By = 3 }), vector(1, -2), one(3, -6)},
		{"", with("offset", func(p *op.Pointwise) { p.By = 3 }), vector(1, -2), one(4, 1)},
		{"", op.Point("square"), vector(1, -2), one(1, 4)},
		{"", op.Point("sqrt"), vector(9, 0.25), one(3, 0.5)},
		{"", op.Point("abs"), vector(9, -0.25, 0), one(9, 0.25, 0)},
		{"", op.Point("exp"), vector(0, 1, -1), one(1, e, 1/e)},
		{"", op.Point("log"), vector(1, e, 1/e), one(0, 1, -1)},
		{"", op.Point("relu"), vector(-2, 0, 3), one(0, 0, 3)},
		{"leaky", with("relu", func(p *op.Pointwise) { p.Slope = 0.5 }), vector(-2, 0, 3), one(-1, 0, 3)},
		{"", op.Point("prelu"), pair([]float64{-2, -2, 3}, []float64{0.25, -1, 5}), one(-0.5, 2, 3)},
		{"", with("elu", func(p *op.Pointwise) { p.Alpha = 2 }), vector(-1, 0, 3), one(2/e-2, 0, 3)},
		{"", op.Point("sigmoid"), vector(0, math.Log(3), -800), one(0.5, 0.75, 0)},
		{"", op.Point("tanh"), vector(0, math.Log(2), 800), one(0, 0.6, 1)},
		{"", op.Point("softplus"), vector(0, math.Log(3), 800, -800), one(math.Ln2, math.Log(4), 800, 0)},
		{"", with("power", func(p *op.Pointwise) { p.Power = 3 }), vector(2, -1), one(8, -1)},
		{"", op.Point("logistic_loss"), pair([]float64{0, math.Log(3), 800, -800}, []float64{0.3, 1, 1, 1}),
			one(math.Ln2, math.Log(4.0/3), 0, 800)},
		{"", op.Point("detach"), vector(0, 0.5, 2), one(0, 0.5, 2)},
		{"", with("clip_below", func(p *op.Pointwise) { p.By = 0.5 }), vector(0, 0.5, 2), one(0.5, 0.5, 2)},
		{"", &op.Map{Formula: "a > b ? a - 2*b : sqrt(c)"},
			[]*eval.Tensor{floats(ir.Shape{2}, 5, 1), floats(ir.Shape{2}, 2, 2), floats(ir.Shape{2}, 9, 9)}, one(1, 3)},

		{"rows", &op.Broadcast{Shape: []int{2, 3}, Axes: []int{1}}, vector(1, 2, 3), one(1, 2, 3, 1, 2, 3)},
		{"columns", &op.Broadcast{Shape: []int{2, 3}, Axes: []int{0}}, vector(1, 2), one(1, 1, 1, 2, 2, 2)},
		{"rows", &op.Sum{Axes: []int{0}}, []*eval.Tensor{floats(ir.Shape{2, 3}, 1, 2, 3, 4, 5, 6)}, one(5, 7, 9)},
		{"columns", &op.Sum{Axes: []int{1}}, []*eval.Tensor{floats(ir.Shape{2, 3}, 1, 2, 3, 4, 5, 6)}, one(6, 15)},
		{"", &op.Reshape{Shape: []int{3, 2}}, []*eval.Tensor{floats(ir.Shape{2, 3}, 1, 2, 3, 4, 5, 6)}, one(1, 2, 3, 4, 5, 6)},
		{"", &op.Transpose{Perm: []int{1, 0}}, []*eval.Tensor{floats(ir.Shape{2, 3}, 1, 2, 3, 4, 5, 6)}, one(1, 4, 2, 5, 3, 6)},
		// Result axis 0 is operand axis 2, 1 is 0, 2 is 1.
		{"three axes", &op.Transpose{Perm: []int{2, 0, 1}}, []*eval.Tensor{floats(ir.Shape{2, 1, 3}, 1, 2, 3, 4, 5, 6)}, one(1, 4, 2, 5, 3, 6)},
		{"", &op.Concat{Axis: 1}, []*eval.Tensor{floats(ir.Shape{2, 1}, 1, 2), floats(ir.Shape{2, 2}, 3, 4, 5, 6)}, one(1, 3, 4, 2, 5, 6)},
		{"", &op.Split{Axis: 1, Sizes: []int{1, 2}}, []*eval.Tensor{floats(ir.Shape{2, 3}, 1, 3, 4, 2, 5, 6)}, [][]float64{{1, 2}, {3, 4, 5, 6}}},
		{"", &op.Constant{Value: 1.5, Shape: []int{2}}, nil, one(1.5, 1.5)},
		{"", &op.ToFloat{}, []*eval.Tensor{ints(ir.Shape{2}, 7, -3)}, one(7, -3)},
		{"", &op.OneHot{Classes: 2}, []*eval.Tensor{ints(ir.Shape{4}, 1, 0, 2, -1)}, one(0, 1, 1, 0, 0, 0, 0, 0)},
		{"", &op.MatMul{}, []*eval.Tensor{floats(ir.Shape{2, 2}, 1, 2, 3, 4), floats(ir.Shape{2, 1}, 5, 6)}, one(17, 39)},
		{"transposed", &op.MatMul{TransA: true, TransB: true},
			[]*eval.Tensor{floats(ir.Shape{2, 2}, 1, 2, 3, 4), floats(ir.Shape{1, 2}, 5, 6)}, one(23, 34)},

		// Caffe's separable test (test_convolution_layer.cpp): the Sobel filter is
		// the column [1 2 1] times the row [-1 0 1]; here on a ramp and its edge.
		{"sobel", &op.Conv{Stride: ones, Pad: zeros, Dilation: ones, Group: 1},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 3, 4}, 0, 1, 3, 3, 0, 1, 3, 3, 0, 1, 3, 3),
				floats(ir.Shape{1, 1, 3, 3}, -1, 0, 1, -2, 0, 2, -1, 0, 1)}, one(12, 8)},
		{"padded and strided", &op.Conv{Stride: []int{2, 2}, Pad: ones, Dilation: ones, Group: 1},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9), floats(ir.Shape{1, 1, 3, 3}, repeat(9, 1)...)},
			one(1+2+4+5, 2+3+5+6, 4+5+7+8, 5+6+8+9)},
		{"dilated", &op.Conv{Stride: ones, Pad: zeros, Dilation: []int{2, 2}, Group: 1},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9), floats(ir.Shape{1, 1, 2, 2}, 1, 10, 100, 1000)},
			one(1 + 30 + 700 + 9000)},
		{"groups", &op.Conv{Stride: ones, Pad: zeros, Dilation: ones, Group: 2},
			[]*eval.Tensor{floats(ir.Shape{1, 2, 1, 1}, 3, 5), floats(ir.Shape{4, 1, 1, 1}, 1, 2, 3, 4)}, one(3, 6, 15, 20)},
		{"overlap-add", &op.ConvGradData{Stride: ones, Pad: zeros, Dilation: ones, Group: 1, Size: []int{1, 3}},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 1, 2}, 1, 10), floats(ir.Shape{1, 1, 1, 2}, 2, 3)}, one(2, 3+20, 30)},
		{"", &op.ConvGradWeight{Stride: ones, Pad: zeros, Dilation: ones, Group: 1, Kernel: []int{1, 2}},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 1, 3}, 1, 2, 3), floats(ir.Shape{1, 1, 1, 2}, 10, 100)}, one(210, 320)},

		{"Caffe's image and mask", &op.MaxPool{Kernel: []int{2, 2}, Stride: ones, Pad: zeros, Plane: true}, []*eval.Tensor{caffeImage},
			[][]float64{{9, 5, 5, 8, 9, 5, 5, 8}, {5, 2, 2, 9, 5, 12, 12, 9}}},
		{"Caffe's image and places in the window", &op.MaxPool{Kernel: []int{2, 2}, Stride: ones, Pad: zeros}, []*eval.Tensor{caffeImage},
			[][]float64{{9, 5, 5, 8, 9, 5, 5, 8}, {2, 1, 0, 3, 0, 3, 2, 1}}},
		{"negative values beat padding", &op.MaxPool{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: ones},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 2, 2}, -1, -2, -3, -4)}, [][]float64{{-1, -2, -3, -4}, {3, 2, 1, 0}}},
		{"to places in the window", &op.MaxPoolGrad{Kernel: []int{2, 2}, Stride: ones, Pad: zeros, Size: []int{3, 5}},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 2, 4}, 1, 2, 3, 4, 5, 6, 7, 8), {Type: ir.Byte(1, 1, 2, 4), Data: []float64{2, 1, 0, 3, 0, 3, 2, 1}}},
			one(0, 0, 2+3, 0, 0, 1+5, 0, 0, 0, 4+8, 0, 0, 6+7, 0, 0)},
		{"to Caffe's mask", &op.MaxPoolGrad{Kernel: []int{2, 2}, Stride: ones, Pad: zeros, Plane: true, Size: []int{3, 5}},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 2, 4}, 1, 2, 3, 4, 5, 6, 7, 8), ints(ir.Shape{1, 1, 2, 4}, 5, 2, 2, 9, 5, 12, 12, 9)},
			one(0, 0, 2+3, 0, 0, 1+5, 0, 0, 0, 4+8, 0, 0, 6+7, 0, 0)},
		{"Caffe's borders", &op.AvgPool{Kernel: []int{3, 3}, Stride: ones, Pad: ones}, []*eval.Tensor{floats(ir.Shape{1, 1, 3, 3}, repeat(9, 2)...)},
			one(8./9, 4./3, 8./9, 4./3, 2, 4./3, 8./9, 4./3, 8./9)},
		// Pixels beyond the padded image are not counted: the last window has 2 x 2.
		{"overhang", &op.AvgPool{Kernel: []int{3, 3}, Stride: []int{2, 2}, Pad: zeros}, []*eval.Tensor{floats(ir.Shape{1, 1, 4, 4}, repeat(16, 6)...)},
			one(6, 6, 6, 6)},
		{"", &op.AvgPoolGrad{Kernel: []int{2, 2}, Stride: ones, Pad: zeros, Size: []int{2, 3}},
			[]*eval.Tensor{floats(ir.Shape{1, 1, 1, 2}, 4, 8)}, one(1, 3, 2, 1, 3, 2)},

		{"", &op.LRN{Size: 3, Alpha: 3, Beta: 0.5, K: 4}, []*eval.Tensor{floats(ir.Shape{1, 3, 1, 1}, 1, 2, 4)},
			one(1/math.Sqrt(4+1+4), 2/math.Sqrt(4+1+4+16), 4/math.Sqrt(4+4+16))},
		// One channel: y = x / (k + alpha x^2)^1, dy/dx = (k - alpha x^2) / (k + alpha x^2)^2.
		{"", &op.LRNGrad{Size: 1, Alpha: 1, Beta: 1, K: 5}, []*eval.Tensor{floats(ir.Shape{1, 1, 1, 1}, 2), floats(ir.Shape{1, 1, 1, 1}, 81)},
			one(81 * (5 - 4) / 81.)},
		{"", &op.BatchNorm{Eps: 3}, []*eval.Tensor{floats(ir.Shape{2, 2}, 1, 5, 3, 5)},
			[][]float64{{-0.5, 0, 0.5, 0}, {2, 5}, {1, 0}}},
		{"", &op.Moments{}, []*eval.Tensor{floats(ir.Shape{2, 2, 2}, 1, 3, 2, 2, 0, 4, 5, 1)},
			[][]float64{{2, 2, 2, 3}, {2, 0, 8, 8}}},
		// The channels are 1, 3, 3, 5 and 2, 2, 6, 6.
		{"", &op.MergeMoments{Of: 2}, []*eval.Tensor{floats(ir.Shape{2, 2}, 2, 2, 4, 6), floats(ir.Shape{2, 2}, 2, 0, 2, 0)},
			[][]float64{{3, 4}, {2, 4}}},
		{"", &op.Normalize{Eps: 3}, []*eval.Tensor{floats(ir.Shape{2, 2}, 1, 5, 3, 5), floats(ir.Shape{2}, 1, 3), floats(ir.Shape{2}, 1, 13)},
			one(0, 0.5, 1, 0.5)},

		{"", &op.Softmax{Axis: 1}, []*eval.Tensor{floats(ir.Shape{2, 3}, append([]float64{1000 + math.Ln2, 1000, 1000}, halves...)...)},
			one(0.5, 0.25, 0.25, 0.5, 0.25, 0.25)},
		{"over rows", &op.Softmax{Axis: 0}, []*eval.Tensor{floats(ir.Shape{2, 2}, 0, math.Log(3), 0, 0)}, one(0.5, 0.75, 0.5, 0.25)},
		{"", &op.SoftmaxGrad{Axis: 1}, []*eval.Tensor{floats(ir.Shape{1, 2}, 0.25, 0.75), floats(ir.Shape{1, 2}, 1, 0)}, one(0.1875, -0.1875)},
		{"", &op.SoftmaxLoss{Axis: 1, Normalization: "valid"}, []*eval.Tensor{floats(ir.Shape{2, 3}, append(halves, halves...)...), ints(ir.Shape{2}, 0, 1)},
			[][]float64{{(math.Log(2) + math.Log(4)) / 2}, {0.5, 0.25, 0.25, 0.5, 0.25, 0.25}}},
		{"ignored", &op.SoftmaxLoss{Axis: 1, Normalization: "valid", HasIgnore: true, Ignore: 1},
			[]*eval.Tensor{floats(ir.Shape{2, 3}, append(halves, halves...)...), ints(ir.Shape{2}, 0, 1)},
			[][]float64{{math.Log(2)}, {0.5, 0.25, 0.25, 0.5, 0.25, 0.25}}},
		{"all ignored", &op.SoftmaxLoss{Axis: 1, Normalization: "valid", HasIgnore: true, Ignore: 1},
			[]*eval.Tensor{floats(ir.Shape{1, 3}, halves...), ints(ir.Shape{1}, 1)}, [][]float64{{0}, {0.5, 0.25, 0.25}}},
		{"ignored but full", &op.SoftmaxLoss{Axis: 1, Normalization: "full", HasIgnore: true, Ignore: 1},
			[]*eval.Tensor{floats(ir.Shape{2, 3}, append(halves, halves...)...), ints(ir.Shape{2}, 0, 1)},
			[][]float64{{math.Log(2) / 2}, {0.5, 0.25, 0.25, 0.5, 0.25, 0.25}}},
		{"spatial by batch", &op.SoftmaxLoss{Axis: 1, Normalization: "batch_size"},
			[]*eval.Tensor{floats(ir.Shape{1, 2, 3}, repeat(6, 0)...), ints(ir.Shape{1, 3}, 0, 1, 1)}, [][]float64{{3 * math.Ln2}, repeat(6, 0.5)}},
		{"none", &op.SoftmaxLoss{Axis: 1, Normalization: "none"},
			[]*eval.Tensor{floats(ir.Shape{2, 2}, repeat(4, 0)...), ints(ir.Shape{2}, 0, 1)}, [][]float64{{2 * math.Ln2}, repeat(4, 0.5)}},
		// Caffe's worst value, the one that users meet as "loss = 87.3365".
		{"worst", &op.SoftmaxLoss{Axis: 1, Normalization: "valid"},
			[]*eval.Tensor{floats(ir.Shape{1, 2}, 0, 1000), ints(ir.Shape{1}, 0)}, [][]float64{{126 * math.Ln2}, {0, 1}}},
		{"no such class", &op.SoftmaxLoss{Axis: 1, Normalization: "valid"},
			[]*eval.Tensor{floats(ir.Shape{1, 2}, 0, 0), ints(ir.Shape{1}, 2)}, [][]float64{{126 * math.Ln2}, {0.5, 0.5}}},
		{"", &op.SoftmaxLossGrad{Axis: 1, HasIgnore: true, Ignore: 2},
			[]*eval.Tensor{floats(ir.Shape{3, 2}, 0.25, 0.75, 0.5, 0.5, 0.5, 0.5), ints(ir.Shape{3}, 1, 0, 2), floats(ir.Shape{}, 2)},
			one(0.5, -0.5, -1, 1, 0, 0)},
		{"", &op.CountLabels{Ignore: 2}, []*eval.Tensor{ints(ir.Shape{2, 2}, 1, 2, 0, 2)}, one(2)},
		{"none", &op.CountLabels{Ignore: 2}, []*eval.Tensor{ints(ir.Shape{2}, 2, 2)}, one(1)},

		{"", &op.Accuracy{Axis: 1, TopK: 1}, []*eval.Tensor{floats(ir.Shape{4, 2}, 1, 2, 1, 2, 3, 3, 2, 1), ints(ir.Shape{4}, 1, 0, 0, 0)},
			one(2. / 4)}, // the third is a tie, which counts against
		{"top 2", &op.Accuracy{Axis: 1, TopK: 2}, []*eval.Tensor{floats(ir.Shape{2, 3}, 1, 2, 3, 3, 2, 1), ints(ir.Shape{2}, 1, 2)}, one(0.5)},
		{"ignored", &op.Accuracy{Axis: 1, TopK: 1, HasIgnore: true, Ignore: 0},
			[]*eval.Tensor{floats(ir.Shape{3, 2}, 1, 2, 1, 2, 2, 1), ints(ir.Shape{3}, 1, 0, 1)}, one(0.5)},
		{"empty", &op.Accuracy{Axis: 1, TopK: 1, HasIgnore: true, Ignore: 0}, []*eval.Tensor{floats(ir.Shape{1, 2}, 1, 2), ints(ir.Shape{1}, 0)}, one(0)},
		{"spatial", &op.Accuracy{Axis: 1, TopK: 1}, []*eval.Tensor{floats(ir.Shape{1, 2, 2}, 1, 4, 2, 3), ints(ir.Shape{1, 2}, 1, 1)}, one(0.5)},
		{"", &op.AccuracyPerClass{Axis: 1, TopK: 1},
			[]*eval.Tensor{floats(ir.Shape{3, 3}, 1, 2, 3, 3, 2, 1, 3, 2, 1), ints(ir.Shape{3}, 2, 2, 0)}, one(1, 0, 0.5)},
		{"keeps all", &op.Dropout{Ratio: 0}, []*eval.Tensor{floats(ir.Shape{2}, 3, 4), ints(ir.Shape{}, 1), ints(ir.Shape{}, 1)}, one(3, 4)},
	}
}

func TestKnownResults(t *testing.T) {
	shown := map[string]bool{}
	for i, k := range knownResults() {
		shown[k.op.Mnemonic()] = true
		t.Run(fmt.Sprintf("%d %s %s", i, k.op.Mnemonic(), k.name), func(t *testing.T) {
			g := ir.New("known", "test")
			feeds := map[string]*eval.Tensor{}
			var in []*ir.Value
			for i, tensor := range k.in {
				v := g.AddInput(string(rune('a'+i)), tensor.Type)
				feeds[v.Name] = tensor
				in = append(in, v)
			}
			out, err := g.Add(k.op, "out", nil, in...)
			if err != nil {
				t.Fatal(err)
			}
			values, err := eval.Run(g, feeds)
			if err != nil {
				t.Fatal(err)
			}
			if len(out) != len(k.want) {
				t.Fatalf("%d results, want %d", len(out), len(k.want))
			}
			for i, v := range out {
				compare(t, v.Name, values[v.Name].Data, k.want[i])
			}
		})
	}
	for _, name := range ir.Mnemonics() {
		if !shown[name] {
			t.Errorf("%s has no known result", name)
		}
	}
}

func compare(t *testing.T, name string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", name, len(got), len(want))
	}
	for i, w := range want {
		if !(math.Abs(got[i]-w) <= 1e-12*math.Max(1, math.Abs(w))) {
			t.Fatalf("%s is %v, want %v", name, got, want)
		}
	}
}
