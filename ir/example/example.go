// Package example has uses of every operator, for the tests that compare one
// way of computing them with another.
package example

import (
	"math/rand/v2"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/op"
)

// Example is one use of an operator, on random operands: floats in [-1, 1),
// and i32 elements in [0, 3).
type Example struct {
	Op ir.Op
	In []ir.Type
	// prepare, where given, makes the random operands into sensible ones.
	prepare func(in []*eval.Tensor)
	// smooth says that gradients are compared with differences: through which
	// results the loss is taken.
	Smooth []int
}

func f32(shape ...int) ir.Type { return ir.Float(shape...) }
func i32(shape ...int) ir.Type { return ir.Int(shape...) }

// through is the list of results that the loss depends on.
func through(results ...int) []int { return results }

func point(name string) *op.Pointwise { return op.Point(name) }

// All has at least one example of every operator.
func All() []Example {
	positive := func(operand int) func([]*eval.Tensor) {
		return func(in []*eval.Tensor) {
			for i, x := range in[operand].Data {
				in[operand].Data[i] = 0.25 + x*x
			}
		}
	}
	scaled := func(name string, set func(p *op.Pointwise)) *op.Pointwise {
		p := op.Point(name)
		set(p)
		return p
	}
	list := []Example{
		{Op: point("add"), In: []ir.Type{f32(2, 3), f32(2, 3)}, Smooth: through(0)},
		{Op: point("sub"), In: []ir.Type{f32(7), f32(7)}, Smooth: through(0)},
		{Op: point("mul"), In: []ir.Type{f32(2, 3, 1, 2), f32(2, 3, 1, 2)}, Smooth: through(0)},
		{Op: point("div"), In: []ir.Type{f32(5), f32(5)}, prepare: positive(1), Smooth: through(0)},
		{Op: point("max"), In: []ir.Type{f32(4, 5), f32(4, 5)}, Smooth: through(0)},
		{Op: point("neg"), In: []ir.Type{f32()}, Smooth: through(0)},
		{Op: scaled("scale", func(p *op.Pointwise) { p.By = -1.5 }), In: []ir.Type{f32(3)}, Smooth: through(0)},
		{Op: scaled("offset", func(p *op.Pointwise) { p.By = 0.5 }), In: []ir.Type{f32(3)}, Smooth: through(0)},
		{Op: point("square"), In: []ir.Type{f32(5)}, Smooth: through(0)},
		{Op: point("sqrt"), In: []ir.Type{f32(5)}, prepare: positive(0), Smooth: through(0)},
		{Op: point("abs"), In: []ir.Type{f32(9)}, Smooth: through(0)},
		{Op: point("exp"), In: []ir.Type{f32(5)}, Smooth: through(0)},
		{Op: point("log"), In: []ir.Type{f32(5)}, prepare: positive(0), Smooth: through(0)},
		{Op: point("relu"), In: []ir.Type{f32(9)}, Smooth: through(0)},
		{Op: scaled("relu", func(p *op.Pointwise) { p.Slope = 0.1 }), In: []ir.Type{f32(9)}, Smooth: through(0)},
		{Op: point("prelu"), In: []ir.Type{f32(9), f32(9)}, Smooth: through(0)},
		{Op: scaled("elu", func(p *op.Pointwise) { p.Alpha = 0.7 }), In: []ir.Type{f32(9)}, Smooth: through(0)},
		{Op: point("sigmoid"), In: []ir.Type{f32(5)}, Smooth: through(0)},
		{Op: point("tanh"), In: []ir.Type{f32(5)}, Smooth: through(0)},
		{Op: point("softplus"), In: []ir.Type{f32(9)}, Smooth: through(0)},
		{Op: scaled("power", func(p *op.Pointwise) { p.Power = 2.5 }), In: []ir.Type{f32(5)}, prepare: positive(0), Smooth: through(0)},
		{Op: scaled("power", func(p *op.Pointwise) { p.Power = -0.75 }), In: []ir.Type{f32(5)}, prepare: positive(0), Smooth: through(0)},
		{Op: point("logistic_loss"), In: []ir.Type{f32(9), f32(9)}, prepare: positive(1), Smooth: through(0)},
		{Op: point("detach"), In: []ir.Type{f32(3)}},
		{Op: scaled("clip_below", func(p *op.Pointwise) { p.By = 0.2 }), In: []ir.Type{f32(9)}, Smooth: through(0)},
		{Op: &op.Map{Formula: "a > 0 && !(b == 0) ? min(a, c) - -b / 2 : max(pow(abs(b), 1.5), exp(c)) * 1e-3"}, In: []ir.Type{f32(8), f32(8), f32(8)}},
		{Op: &op.Map{Formula: "!(a <= b || c >= 0.5) ? 1 : sqrt(abs(tanh(a))) + log1p(abs(b)) - log(2 + c)"}, In: []ir.Type{f32(8), f32(8), f32(8)}},

		{Op: &op.Broadcast{Shape: []int{2, 3, 2, 4}, Axes: []int{1, 3}}, In: []ir.Type{f32(3, 4)}, Smooth: through(0)},
		{Op: &op.Broadcast{Shape: []int{2, 3}}, In: []ir.Type{f32()}, Smooth: through(0)},
		{Op: &op.Broadcast{Shape: []int{1, 3, 1}, Axes: []int{0, 1}}, In: []ir.Type{f32(1, 3)}, Smooth: through(0)},
		{Op: &op.Sum{Axes: []int{0, 2}}, In: []ir.Type{f32(2, 3, 4)}, Smooth: through(0)},
		{Op: &op.Sum{Axes: []int{0, 1, 2}}, In: []ir.Type{f32(2, 1, 4)}, Smooth: through(0)},
		{Op: &op.Reshape{Shape: []int{2, 60}}, In: []ir.Type{f32(2, 3, 4, 5)}, Smooth: through(0)},
		{Op: &op.Reshape{Shape: []int{4, 3, 5, 2}}, In: []ir.Type{f32(2, 3, 20)}, Smooth: through(0)},
		{Op: &op.Reshape{Shape: []int{6}}, In: []ir.Type{i32(2, 1, 3)}},
		{Op: &op.Subsample{Stride: []int{2, 3}}, In: []ir.Type{f32(2, 3, 5, 7)}},
		{Op: &op.Subsample{Stride: []int{2, 2}}, In: []ir.Type{f32(1, 2, 8, 40)}},
		{Op: &op.Relayout{Lanes: 1}, In: []ir.Type{f32(18, 3, 2)}},
		{Op: &op.Relayout{Lanes: 2}, In: []ir.Type{f32(2, 20, 3)}},
		{Op: &op.Relayout{}, In: []ir.Type{f32(5, 7).InLanes(0)}},
		{Op: &op.Relayout{Lanes: 1}, In: []ir.Type{ir.Byte(18, 3, 2)}},
		{Op: &op.Relayout{}, In: []ir.Type{ir.Byte(18, 7).InLanes(0)}},
		{Op: &op.MaxPool{Kernel: []int{2, 3}, Stride: []int{1, 1}, Pad: []int{0, 0}}, In: []ir.Type{f32(1, 1, 2, 3)}, Smooth: through(0)},
		{Op: &op.Relayout{Swap: true}, In: []ir.Type{f32(5, 7, 2)}},
		{Op: &op.Relayout{}, In: []ir.Type{f32(3, 4, 3, 3).Swapped()}},
		{Op: &op.Transpose{Perm: []int{2, 0, 1}}, In: []ir.Type{f32(2, 3, 4)}, Smooth: through(0)},
		{Op: &op.Transpose{Perm: []int{0, 2, 3, 1}}, In: []ir.Type{f32(2, 3, 4, 5)}, Smooth: through(0)},
		{Op: &op.Concat{Axis: 1}, In: []ir.Type{f32(2, 3, 2), f32(2, 1, 2), f32(2, 2, 2)}, Smooth: through(0)},
		{Op: &op.Concat{}, In: []ir.Type{f32(2, 3)}, Smooth: through(0)},
		{Op: &op.Split{Axis: 1, Sizes: []int{3, 1, 2}}, In: []ir.Type{f32(2, 6, 2)}, Smooth: through(0, 1, 2)},
		{Op: &op.Split{Axis: 1, Sizes: []int{3, 1, 2}}, In: []ir.Type{f32(2, 6, 2)}, Smooth: through(1)},
		{Op: &op.Constant{Value: -2.5, Shape: []int{2, 3}}},
		{Op: &op.ToFloat{}, In: []ir.Type{i32(5)}},
		{Op: &op.OneHot{Classes: 3}, In: []ir.Type{i32(2, 4)}, prepare: outsiders(0)},
		{Op: &op.MatMul{}, In: []ir.Type{f32(3, 4), f32(4, 5)}, Smooth: through(0)},
		{Op: &op.MatMul{TransA: true}, In: []ir.Type{f32(4, 3), f32(4, 5)}, Smooth: through(0)},
		{Op: &op.MatMul{TransB: true}, In: []ir.Type{f32(3, 4), f32(5, 4)}, Smooth: through(0)},
		{Op: &op.MatMul{TransA: true, TransB: true}, In: []ir.Type{f32(4, 3), f32(5, 4)}, Smooth: through(0)},

		{Op: &op.LRN{Size: 3, Alpha: 1, Beta: 0.75, K: 1}, In: []ir.Type{f32(2, 5, 2, 3)}, Smooth: through(0)},
		{Op: &op.LRN{Size: 5, Alpha: 0.5, Beta: 0.6, K: 2}, In: []ir.Type{f32(1, 3, 2, 2)}, Smooth: through(0)},
		{Op: &op.LRNGrad{Size: 3, Alpha: 1, Beta: 0.75, K: 1}, In: []ir.Type{f32(2, 5, 2, 3), f32(2, 5, 2, 3)}},
		{Op: &op.BatchNorm{Eps: 1e-5}, In: []ir.Type{f32(4, 3, 2, 3)}, Smooth: through(0)},
		{Op: &op.BatchNorm{Eps: 1e-3}, In: []ir.Type{f32(5, 2)}, Smooth: through(0)},
		{Op: &op.Moments{}, In: []ir.Type{f32(4, 3, 2, 3)}},
		{Op: &op.MergeMoments{Of: 6}, In: []ir.Type{f32(4, 3), f32(4, 3)}, prepare: positive(1)},
		{Op: &op.Normalize{Eps: 1e-3}, In: []ir.Type{f32(2, 3, 2, 2), f32(3), f32(3)}, prepare: positive(2), Smooth: through(0)},
		{Op: &op.Softmax{Axis: 1}, In: []ir.Type{f32(3, 5)}, Smooth: through(0)},
		{Op: &op.Softmax{Axis: 1}, In: []ir.Type{f32(2, 4, 3)}, Smooth: through(0)},
		{Op: &op.Softmax{Axis: 0}, In: []ir.Type{f32(3, 2)}, Smooth: through(0)},
		{Op: &op.SoftmaxGrad{Axis: 1}, In: []ir.Type{f32(2, 4, 3), f32(2, 4, 3)}},
		{Op: &op.Dropout{Ratio: 0.3, Stream: 7}, In: []ir.Type{f32(4, 25), i32(), i32()}, Smooth: through(0)},
	}
	for _, w := range []op.Window{
		{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 1},
		{Stride: []int{2, 1}, Pad: []int{1, 2}, Dilation: []int{1, 2}, Group: 1},
		{Stride: []int{3, 2}, Pad: []int{1, 0}, Dilation: []int{2, 1}, Group: 2},
	} {
		channels := 2 * w.Group
		images, weights := f32(2, channels, 7, 6), f32(3*w.Group, 2, 3, 2)
		out, err := (*op.Conv)(&w).Infer([]ir.Type{images, weights})
		if err != nil {
			panic(err)
		}
		list = append(list,
			Example{Op: &op.Conv{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group},
				In: []ir.Type{images, weights}, Smooth: through(0)},
			Example{Op: &op.ConvGradData{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Size: []int{7, 6}},
				In: []ir.Type{out[0], weights}, Smooth: through(0)},
			Example{Op: &op.ConvGradWeight{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Kernel: []int{3, 2}},
				In: []ir.Type{images, out[0]}, Smooth: through(0)},
			Example{Op: &op.ConvGradWeight{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Kernel: []int{3, 2}, Parts: 2},
				In: []ir.Type{images, out[0]}})
	}
	for _, pool := range []op.MaxPool{
		{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}},
		{Kernel: []int{3, 3}, Stride: []int{2, 2}, Pad: []int{0, 0}},              // the last window hangs over
		{Kernel: []int{3, 3}, Stride: []int{2, 2}, Pad: []int{0, 0}, Floor: true}, // and does not
		{Kernel: []int{3, 2}, Stride: []int{1, 3}, Pad: []int{1, 1}},
		{Kernel: []int{3, 3}, Stride: []int{3, 2}, Pad: []int{2, 1}},              // a window is dropped that would begin in the padding
		{Kernel: []int{2, 1}, Stride: []int{3, 2}, Pad: []int{0, 0}, Floor: true}, // gaps between windows
		{Kernel: []int{7, 6}, Stride: []int{1, 1}, Pad: []int{0, 0}},              // global
		{Kernel: []int{3, 2}, Stride: []int{2, 1}, Pad: []int{1, 0}, Plane: true}, // places in the plane
	} {
		images := f32(2, 3, 7, 6)
		out, err := pool.Infer([]ir.Type{images})
		if err != nil {
			panic(err)
		}
		average := op.AvgPool{Kernel: pool.Kernel, Stride: pool.Stride, Pad: pool.Pad, Floor: pool.Floor}
		list = append(list,
			Example{Op: &pool, In: []ir.Type{images}, Smooth: through(0)},
			Example{Op: &op.MaxPoolGrad{Kernel: pool.Kernel, Stride: pool.Stride, Pad: pool.Pad, Floor: pool.Floor, Plane: pool.Plane, Size: []int{7, 6}},
				In: []ir.Type{out[0], out[1]}, prepare: argmax(pool, images)},
			Example{Op: &average, In: []ir.Type{images}, Smooth: through(0)},
			Example{Op: &op.AvgPoolGrad{Kernel: pool.Kernel, Stride: pool.Stride, Pad: pool.Pad, Floor: pool.Floor, Size: []int{7, 6}},
				In: []ir.Type{out[0]}})
	}
	for _, loss := range []op.SoftmaxLoss{
		{Axis: 1, Normalization: "valid"},
		{Axis: 1, Normalization: "valid", HasIgnore: true, Ignore: 1},
		{Axis: 1, Normalization: "full", HasIgnore: true, Ignore: 1},
		{Axis: 1, Normalization: "batch_size"},
		{Axis: 1, Normalization: "none", HasIgnore: true, Ignore: -1},
	} {
		for _, shape := range []struct{ scores, labels ir.Type }{
			{f32(6, 3), i32(6)}, {f32(2, 3, 4), i32(2, 4)}, {f32(2, 3, 4), i32(2, 1, 4)},
		} {
			gradient := &op.SoftmaxLossGrad{Axis: loss.Axis, HasIgnore: loss.HasIgnore, Ignore: loss.Ignore}
			list = append(list,
				Example{Op: &loss, In: []ir.Type{shape.scores, shape.labels}, Smooth: through(0)},
				Example{Op: &loss, In: []ir.Type{shape.scores, shape.labels}, prepare: outsiders(1)},
				Example{Op: gradient, In: []ir.Type{shape.scores, shape.labels, f32()}},
				Example{Op: gradient, In: []ir.Type{shape.scores, shape.labels, f32()}, prepare: outsiders(1)})
		}
	}
	list = append(list, Example{Op: &op.CountLabels{Ignore: 1}, In: []ir.Type{i32(6)}}, Example{Op: &op.CountLabels{Ignore: 1}, In: []ir.Type{i32(2, 4)}, prepare: outsiders(0)})
	for _, accuracy := range []op.Accuracy{
		{Axis: 1, TopK: 1}, {Axis: 1, TopK: 2}, {Axis: 1, TopK: 1, HasIgnore: true, Ignore: 2},
	} {
		perClass := &op.AccuracyPerClass{Axis: accuracy.Axis, TopK: accuracy.TopK, HasIgnore: accuracy.HasIgnore, Ignore: accuracy.Ignore}
		for _, in := range [][]ir.Type{{f32(7, 3), i32(7)}, {f32(2, 3, 4), i32(2, 4)}} {
			for _, prepare := range []func([]*eval.Tensor){nil, ties, outsiders(1)} {
				list = append(list,
					Example{Op: &accuracy, In: in, prepare: prepare},
					Example{Op: perClass, In: in, prepare: prepare})
			}
		}
	}
	return list
}

// outsiders makes two elements of an i32 operand numbers of no class.
func outsiders(operand int) func([]*eval.Tensor) {
	return func(in []*eval.Tensor) {
		in[operand].Data[0] = -1
		in[operand].Data[2] = 3
	}
}

// ties makes scores that are often equal.
func ties(in []*eval.Tensor) {
	for i, x := range in[0].Data {
		in[0].Data[i] = float64(int(3 * x))
	}
}

// argmax makes operand 1 what max pooling of random images gives.
func argmax(pool op.MaxPool, images ir.Type) func([]*eval.Tensor) {
	return func(in []*eval.Tensor) {
		g := ir.New("argmax", "test")
		x := g.AddInput("x", images)
		g.MustAll(&pool, "pool", nil, x)
		random := rand.New(rand.NewPCG(1, 3))
		all, err := eval.Run(g, map[string]*eval.Tensor{"x": RandomTensor(random, images)})
		if err != nil {
			panic(err) // the example is wrong
		}
		copy(in[1].Data, all["pool.argmax"].Data)
	}
}

// RandomWeights differ from the operands of the same seed.
func RandomWeights(seed uint64, typ ir.Type) *eval.Tensor {
	return RandomTensor(rand.New(rand.NewPCG(seed, 2)), typ)
}

// RandomTensor has floats in [-1, 1) and whole numbers in [0, 3).
func RandomTensor(random *rand.Rand, typ ir.Type) *eval.Tensor {
	t := eval.Zeros(typ)
	for i := range t.Data {
		if typ.DType.IsInt() {
			t.Data[i] = float64(random.IntN(3))
		} else {
			t.Data[i] = 2*random.Float64() - 1
		}
	}
	return t
}

// Instance is an example as a graph of one node, and its feeds.
type Instance struct {
	Graph *ir.Graph
	Node  *ir.Node
	Feeds map[string]*eval.Tensor
}

// Instance builds the graph and random feeds of a seed, for a test.
func (e Example) Instance(t *testing.T, seed uint64) Instance {
	t.Helper()
	x, err := e.With(seed)
	if err != nil {
		t.Fatalf("%s: %v", e.Op.Mnemonic(), err)
	}
	return x
}

// With builds the graph and random feeds of a seed. An error says that the
// operator does not take the example's types.
func (e Example) With(seed uint64) (Instance, error) {
	random := rand.New(rand.NewPCG(seed, 1))
	g := ir.New("example", "test")
	in := make([]*ir.Value, len(e.In))
	tensors := make([]*eval.Tensor, len(e.In))
	for i, typ := range e.In {
		in[i] = g.AddInput(string(rune('a'+i)), typ)
		tensors[i] = RandomTensor(random, typ)
	}
	if e.prepare != nil {
		e.prepare(tensors)
	}
	out, err := g.Add(e.Op, "out", nil, in...)
	if err != nil {
		return Instance{}, err
	}
	g.Outputs = out
	feeds := map[string]*eval.Tensor{}
	for i, v := range in {
		feeds[v.Name] = tensors[i]
	}
	return Instance{g, g.Nodes[0], feeds}, nil
}
