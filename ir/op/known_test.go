package op_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// given makes operands of fixed elements.
func given(lists ...[]float64) map[int]func(*rand.Rand, ir.Type) []float64 {
	fill := map[int]func(*rand.Rand, ir.Type) []float64{}
	for i, list := range lists {
		fill[i] = func(*rand.Rand, ir.Type) []float64 { return list }
	}
	return fill
}

func repeated(x float64, count int) []float64 {
	list := make([]float64, count)
	for i := range list {
		list[i] = x
	}
	return list
}

// TestKnown checks results worked out by hand or published with Caffe's tests.
func TestKnown(t *testing.T) {
	worst := -math.Log(0x1p-126) // 87.3365
	e := math.E
	for _, x := range []struct {
		name  string
		trial trial
		want  [][]float64
	}{
		{"max pooling, the vector of Caffe's test",
			trial{op: &op.MaxPool{Kernel: []int{2, 2}, Stride: []int{1, 1}, Pad: []int{0, 0}, Plane: true}, in: one(ir.Float(1, 1, 3, 5)),
				fill: given([]float64{1, 2, 5, 2, 3, 9, 4, 1, 4, 8, 1, 2, 5, 2, 3})},
			[][]float64{{9, 5, 5, 8, 9, 5, 5, 8}, {5, 2, 2, 9, 5, 12, 12, 9}}},
		{"of equal elements the first wins",
			trial{op: &op.MaxPool{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}}, in: one(ir.Float(1, 1, 2, 2)), fill: given(repeated(3, 4))},
			[][]float64{{3}, {0}}},
		{"padding never wins",
			trial{op: &op.MaxPool{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{1, 1}}, in: one(ir.Float(1, 1, 1, 1)), fill: given([]float64{-7})},
			[][]float64{{-7}, {3}}},
		{"the place in the plane of a window in the padding",
			trial{op: &op.MaxPool{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{1, 1}, Plane: true}, in: one(ir.Float(1, 1, 1, 1)), fill: given([]float64{-7})},
			[][]float64{{-7}, {0}}},
		{"average pooling of a constant, the vector of Caffe's test",
			trial{op: &op.AvgPool{Kernel: []int{3, 3}, Stride: []int{1, 1}, Pad: []int{1, 1}}, in: one(ir.Float(1, 1, 3, 3)), fill: given(repeated(2, 9))},
			[][]float64{{8. / 9, 4. / 3, 8. / 9, 4. / 3, 2, 4. / 3, 8. / 9, 4. / 3, 8. / 9}}},
		{"what reaches beyond the padding does not count",
			trial{op: &op.AvgPool{Kernel: []int{1, 3}, Stride: []int{1, 2}, Pad: []int{0, 1}}, in: one(ir.Float(1, 1, 1, 4)), fill: given([]float64{1, 2, 3, 4})},
			[][]float64{{1, 3, 2}}}, // the last window is cut to 4 and one padding
		{"LRN across channels",
			trial{op: &op.LRN{Size: 3, Alpha: 3, Beta: 0.5, K: 1}, in: one(ir.Float(1, 3, 1, 1)), fill: given([]float64{1, 2, 3})},
			[][]float64{{1 / math.Sqrt(6), 2 / math.Sqrt(15), 3 / math.Sqrt(14)}}},
		{"batch normalisation",
			trial{op: &op.BatchNorm{}, in: one(ir.Float(2, 2)), fill: given([]float64{1, 5, 3, 5.5})},
			[][]float64{{-1, -1, 1, 1}, {2, 5.25}, {1, 0.0625}}},
		{"softmax does not overflow",
			trial{op: &op.Softmax{Axis: 1}, in: one(ir.Float(1, 2)), fill: given([]float64{1e4, 1e4 + 1})},
			[][]float64{{1 / (1 + e), e / (1 + e)}}},
		{"a probability of zero and a label that is no class give the largest loss",
			trial{op: &op.SoftmaxLoss{Axis: 1, Normalization: "none"}, in: one(ir.Float(3, 2), ir.Int(3)),
				fill: given([]float64{0, 1e4, 0, 0, 0, 0}, []float64{0, 2, -1})},
			[][]float64{{3 * worst}, {0, 1, 0.5, 0.5, 0.5, 0.5}}},
		{"ignored labels count neither in the loss nor in its normaliser",
			trial{op: &op.SoftmaxLoss{Axis: 1, Normalization: "valid", HasIgnore: true, Ignore: 255}, in: one(ir.Float(3, 2), ir.Int(3)),
				fill: given(repeated(0, 6), []float64{255, 1, 0})},
			[][]float64{{math.Ln2}, repeated(0.5, 6)}},
		{"the normaliser is at least 1",
			trial{op: &op.SoftmaxLoss{Axis: 1, Normalization: "valid", HasIgnore: true, Ignore: 1}, in: one(ir.Float(1, 2), ir.Int(1)),
				fill: given(repeated(0, 2), []float64{1})},
			[][]float64{{0}, repeated(0.5, 2)}},
		{"ties count against",
			trial{op: &op.Accuracy{TopK: 1, Axis: 1}, in: one(ir.Float(4, 2), ir.Int(4)),
				fill: given([]float64{1, 1, 1, 2, 3, 2, 0, 1}, []float64{0, 1, 0, 0})},
			[][]float64{{0.5}}},
		{"the second best counts with top_k 2",
			trial{op: &op.Accuracy{TopK: 2, Axis: 1}, in: one(ir.Float(2, 3), ir.Int(2)),
				fill: given([]float64{3, 2, 1, 3, 2, 1}, []float64{1, 2})},
			[][]float64{{0.5}}},
		{"no position, no accuracy",
			trial{op: &op.Accuracy{TopK: 1, Axis: 1, HasIgnore: true, Ignore: 0}, in: one(ir.Float(1, 2), ir.Int(1)),
				fill: given([]float64{1, 0}, []float64{0})},
			[][]float64{{0}}},
		{"a score that is not a number is a miss",
			trial{op: &op.Accuracy{TopK: 1, Axis: 1}, in: one(ir.Float(1, 2), ir.Int(1)),
				fill: given(repeated(math.NaN(), 2), []float64{0})},
			[][]float64{{0}}},
		{"accuracy of each class",
			trial{op: &op.AccuracyPerClass{TopK: 1, Axis: 1}, in: one(ir.Float(3, 3), ir.Int(3)),
				fill: given([]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}, []float64{0, 0, 2})},
			[][]float64{{0.5, 0, 1}}},
		{"one hot, a number that is no class is all zeros",
			trial{op: &op.OneHot{Classes: 2}, in: one(ir.Int(3)), fill: given([]float64{1, 2, 0})},
			[][]float64{{0, 1, 0, 0, 1, 0}}},
		{"the transposed product",
			trial{op: &op.MatMul{TransB: true}, in: one(ir.Float(1, 2), ir.Float(2, 2)), fill: given([]float64{1, 2}, []float64{3, 4, 5, 6})},
			[][]float64{{11, 17}}},
		{"dropout with ratio 0 keeps all",
			trial{op: &op.Dropout{}, in: one(ir.Float(3), ir.Int(), ir.Int()), fill: given([]float64{1, 2, 3}, []float64{5}, []float64{6})},
			[][]float64{{1, 2, 3}}},
	} {
		t.Run(x.name, func(t *testing.T) {
			g, n, e := build(t, x.trial, nil)
			e.run(g.Nodes)
			for i, v := range n.Out {
				for j, want := range x.want[i] {
					if !near(e[v][j], want, 1e-12) {
						t.Errorf("%s is %v, not %v", v.Name, e[v], x.want[i])
						break
					}
				}
			}
		})
	}
}

// TestPooledExtent checks Caffe's rounding, with the cases of its tests.
func TestPooledExtent(t *testing.T) {
	for _, x := range []struct {
		kernel, stride, pad, in, want int
		floor                         bool
	}{
		{3, 2, 0, 6, 3, false},
		{3, 2, 0, 5, 2, false},
		{3, 2, 1, 6, 4, false}, // the fourth starts at 5, inside
		{3, 2, 1, 5, 3, false},
		{2, 2, 1, 3, 2, false}, // the third would start at 3, in the padding
		{3, 2, 0, 6, 2, true},
		{3, 2, 1, 6, 3, true},
		{6, 1, 0, 6, 1, false}, // global
		{3, 2, 0, 2, 1, false}, // the window hangs over
		{2, 2, 0, 24, 12, false},
	} {
		o := &op.MaxPool{Kernel: []int{x.kernel, x.kernel}, Stride: []int{x.stride, x.stride}, Pad: []int{x.pad, x.pad}, Floor: x.floor}
		out, err := o.Infer(one(ir.Float(1, 1, x.in, x.in)))
		if err != nil || out[0].Shape[2] != x.want || out[0].Shape[3] != x.want {
			t.Errorf("%s over %d gives %v (%v), not %d", ir.Attributes(o), x.in, out, err, x.want)
		}
	}
	// Padding on one axis drops windows behind the image on both.
	o := &op.MaxPool{Kernel: []int{2, 1}, Stride: []int{2, 2}, Pad: []int{1, 0}}
	if out, err := o.Infer(one(ir.Float(1, 1, 3, 6))); err != nil || !out[0].Equal(ir.Float(1, 1, 2, 3)) {
		t.Errorf("%s gives %v (%v)", ir.Attributes(o), out, err)
	}
}

// TestArgmaxType: a byte tells the places of a window of up to 256 taps.
func TestArgmaxType(t *testing.T) {
	for _, x := range []struct {
		kernel []int
		plane  bool
		want   ir.DType
	}{
		{[]int{16, 16}, false, ir.U8}, {[]int{1, 256}, false, ir.U8}, {[]int{17, 16}, false, ir.I32}, {[]int{257, 1}, false, ir.I32},
		{[]int{2, 2}, true, ir.I32},
	} {
		o := &op.MaxPool{Kernel: x.kernel, Stride: []int{1, 1}, Pad: []int{0, 0}, Plane: x.plane}
		out, err := o.Infer(one(ir.Float(1, 1, 300, 300)))
		if err != nil || out[1].DType != x.want || !out[1].Shape.Equal(out[0].Shape) {
			t.Errorf("%s gives %v (%v), not %s", ir.Attributes(o), out, err, x.want)
		}
	}
}

// TestDropoutKeeps checks that a mask keeps about the part it should, scales
// what it keeps, and differs between streams.
func TestDropoutKeeps(t *testing.T) {
	const count, ratio = 4000, 0.3
	draw := func(stream int) []float64 {
		x := trial{op: &op.Dropout{Ratio: ratio, Stream: stream}, in: one(ir.Float(count), ir.Int(), ir.Int()),
			fill: given(repeated(1, count), []float64{1}, []float64{2})}
		g, n, e := build(t, x, nil)
		e.run(g.Nodes)
		return e[n.Out[0]]
	}
	first, second := draw(1), draw(2)
	kept, same := 0, 0
	for i, y := range first {
		switch y {
		case 0:
		case 1 / (1 - ratio):
			kept++
		default:
			t.Fatalf("an element became %v", y)
		}
		if y == second[i] {
			same++
		}
	}
	// Four standard deviations of a binomial count.
	if want, spread := count*(1-ratio), 4*math.Sqrt(count*ratio*(1-ratio)); math.Abs(float64(kept)-want) > spread {
		t.Errorf("%d of %d elements are kept, not about %v", kept, count, want)
	}
	if same == count {
		t.Error("two streams have the same mask")
	}
}

// TestReshapeIndex checks that axes which both shapes have keep their index.
func TestReshapeIndex(t *testing.T) {
	for _, x := range []struct {
		from, to ir.Shape
		want     string
	}{
		{ir.Shape{2, 3, 4}, ir.Shape{2, 3, 4}, "in[n, c, x]"},
		{ir.Shape{64, 50, 4, 4}, ir.Shape{64, 800}, "in[n, c/16, c/4%4, c%4]"},
		{ir.Shape{64, 800}, ir.Shape{64, 50, 4, 4}, "in[n, c*16 + y*4 + x]"},
		{ir.Shape{5, 1, 7}, ir.Shape{5, 7, 1, 1}, "in[n, 0, c]"},
		{ir.Shape{6, 7}, ir.Shape{2, 3, 7}, "in[n*3 + c, x]"},
		{ir.Shape{1}, ir.Shape{}, "in[0]"},
	} {
		_, n, _ := build(t, trial{op: &op.Reshape{Shape: x.to}, in: one(ir.Float(x.from...))}, rand.New(rand.NewPCG(1, 1)))
		got := loop.Format(n.Op.(op.Operator).Loops(n)[0].Body[0].(*loop.Store).Of)
		if got != x.want {
			t.Errorf("%s as %s reads %s, not %s", x.from, x.to, got, x.want)
		}
	}
}

// TestMultiplyAdds checks the counts against worked examples.
func TestMultiplyAdds(t *testing.T) {
	for _, x := range []struct {
		trial trial
		want  int
	}{
		{trial{op: &op.MatMul{TransA: true}, in: one(ir.Float(5, 2), ir.Float(5, 3))}, 2 * 3 * 5},
		{trial{op: &op.Conv{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 2}, in: one(ir.Float(2, 4, 5, 5), ir.Float(6, 2, 3, 3))},
			2 * 6 * 3 * 3 * 2 * 3 * 3},
		{trial{op: &op.ConvGradData{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 2, Size: []int{5, 5}},
			in: one(ir.Float(2, 6, 3, 3), ir.Float(6, 2, 3, 3))}, 2 * 6 * 3 * 3 * 2 * 3 * 3},
		{trial{op: &op.ConvGradWeight{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 2, Kernel: []int{3, 3}},
			in: one(ir.Float(2, 4, 5, 5), ir.Float(2, 6, 3, 3))}, 2 * 6 * 3 * 3 * 2 * 3 * 3},
	} {
		_, n, _ := build(t, x.trial, rand.New(rand.NewPCG(1, 1)))
		if got := n.Op.(op.Contraction).MultiplyAdds(n); got != x.want {
			t.Errorf("%s: %d multiply-adds, not %d", x.trial.op.Mnemonic(), got, x.want)
		}
	}
}
