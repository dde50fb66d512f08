//go:build linux

package vector_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"netc/codegen/vector/vectortest"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/example"
	"netc/ir/op"
)

// builder makes an application: the nodes of a kernel on random operands.
type builder struct {
	*rand.Rand
	g     *ir.Graph
	feeds map[string]*eval.Tensor
	batch int
	lanes bool // whether tensors whose first axis is the batch are in lanes
	// channels says that images have their channels in lanes instead, where
	// these are whole blocks.
	channels bool
}

func newBuilder(seed uint64, batch int, lanes bool) *builder {
	return &builder{Rand: rand.New(rand.NewPCG(seed, 8)), g: ir.New("application", "train"), feeds: map[string]*eval.Tensor{}, batch: batch, lanes: lanes}
}

func (b *builder) fed(v *ir.Value) *ir.Value {
	x := example.RandomTensor(b.Rand, ir.Type{DType: v.Type.DType, Shape: v.Type.Shape})
	for i := range x.Data {
		if v.Type.DType == ir.F32 {
			x.Data[i] = float64(float32(x.Data[i]))
		}
	}
	x.Type = v.Type
	b.feeds[v.Name] = x
	return v
}

func (b *builder) input(name string, shape ...int) *ir.Value {
	return b.fed(b.g.AddInput(name, ir.Float(shape...)))
}

// param stays row-major, whatever its first axis.
func (b *builder) param(name string, shape ...int) *ir.Value {
	return b.fed(b.g.AddParam(name, ir.Float(shape...), ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}}))
}

// like is another tensor of a value's type.
func (b *builder) like(name string, v *ir.Value) *ir.Value { return b.input(name, v.Type.Shape...) }

func (b *builder) node(o ir.Op, in ...*ir.Value) *ir.Value { return b.g.Must(o, "v", nil, in...) }

// done puts the batch or the channels in lanes and makes one kernel of all nodes, which stores
// what no node reads.
func (b *builder) done(t *testing.T, name string, stored ...*ir.Value) *vectortest.Application {
	t.Helper()
	want, err := eval.Run(b.g, b.feeds)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, b.g)
	}
	bound := vectortest.BoundOf(b.g.Nodes, want)
	readers := b.g.Readers()
	for _, n := range b.g.Nodes {
		for _, v := range n.Out {
			if len(readers[v]) == 0 || slices.Contains(stored, v) {
				b.g.Outputs = append(b.g.Outputs, v)
			}
		}
	}
	if b.lanes || b.channels {
		name += " in lanes"
		for _, v := range b.g.Inputs {
			b.lay(v)
		}
		for _, n := range b.g.Nodes {
			for _, v := range n.Out {
				b.lay(v)
			}
		}
	}
	if len(b.g.Nodes) > 1 {
		b.g.Group(slices.Clone(b.g.Nodes))
	}
	return &vectortest.Application{Name: name, Node: b.g.Nodes[0], Want: want, Bound: bound, Text: b.g.String()}
}

func (b *builder) lay(v *ir.Value) {
	s := v.Type.Shape
	if b.channels {
		if len(s) == 4 && s[0] == b.batch && s[1]%ir.LaneBlock == 0 && v.Type.IsRowMajor() {
			v.Type = v.Type.InLanes(1)
		}
		return
	}
	if len(s) >= 2 && s[0] == b.batch && v.Type.IsRowMajor() && s.Count() > b.batch {
		v.Type = v.Type.InLanes(0)
	}
}

// shape is that of a convolution.
type convolution struct {
	batch, channels, outputs, group int
	size, kernel                    [2]int
	stride, pad, dilation           int
}

func (c convolution) String() string {
	return fmt.Sprintf("[%d,%d,%d,%d] to %d by %dx%d stride %d pad %d dilation %d group %d",
		c.batch, c.channels, c.size[0], c.size[1], c.outputs, c.kernel[0], c.kernel[1], c.stride, c.pad, c.dilation, c.group)
}

func (c convolution) window() op.Window {
	two := func(n int) []int { return []int{n, n} }
	return op.Window{Stride: two(c.stride), Pad: two(c.pad), Dilation: two(c.dilation), Group: c.group}
}

// shapes are chosen for what kernels have edges at: counts around the sizes of
// vectors and tiles, batches that do not fill a block, and every attribute.
var convolutions = []convolution{
	{1, 1, 1, 1, [2]int{1, 1}, [2]int{1, 1}, 1, 0, 1},
	{1, 3, 5, 1, [2]int{9, 11}, [2]int{3, 3}, 1, 1, 1},
	{2, 7, 3, 1, [2]int{8, 8}, [2]int{5, 5}, 1, 2, 1},
	{3, 1, 20, 1, [2]int{12, 12}, [2]int{5, 5}, 1, 0, 1},
	{3, 16, 33, 1, [2]int{7, 7}, [2]int{1, 1}, 1, 0, 1},
	{8, 5, 9, 1, [2]int{6, 5}, [2]int{3, 2}, 2, 1, 1},
	{16, 3, 13, 1, [2]int{10, 9}, [2]int{3, 3}, 1, 1, 1},
	{16, 4, 6, 2, [2]int{7, 7}, [2]int{3, 3}, 2, 1, 1},
	{16, 17, 19, 1, [2]int{5, 5}, [2]int{1, 1}, 2, 0, 1},
	{20, 2, 7, 1, [2]int{9, 9}, [2]int{3, 3}, 1, 2, 2},
	{20, 6, 9, 3, [2]int{8, 6}, [2]int{2, 3}, 3, 1, 1},
	{33, 3, 4, 1, [2]int{11, 11}, [2]int{7, 7}, 2, 3, 1},
	{33, 16, 16, 1, [2]int{4, 4}, [2]int{3, 3}, 1, 1, 1},
	{33, 5, 5, 5, [2]int{6, 6}, [2]int{3, 3}, 1, 1, 1},
	{100, 2, 3, 1, [2]int{6, 6}, [2]int{3, 3}, 1, 1, 1},
	{16, 1, 2, 1, [2]int{15, 15}, [2]int{11, 11}, 4, 2, 1},
	{17, 2, 3, 1, [2]int{14, 13}, [2]int{11, 11}, 4, 0, 1},
	{2, 3, 8, 1, [2]int{23, 23}, [2]int{11, 11}, 4, 0, 1},
	{2, 8, 8, 2, [2]int{17, 17}, [2]int{3, 3}, 1, 2, 2},
	{16, 32, 40, 1, [2]int{3, 3}, [2]int{3, 3}, 1, 1, 1},
	{20, 20, 50, 1, [2]int{6, 6}, [2]int{5, 5}, 1, 0, 1},
	{1, 64, 32, 1, [2]int{7, 7}, [2]int{3, 3}, 1, 1, 1},
	{2, 24, 48, 1, [2]int{14, 14}, [2]int{1, 1}, 2, 0, 1},
	{8, 33, 17, 1, [2]int{6, 6}, [2]int{1, 1}, 1, 0, 1},
}

// alongChannels repeats a vector of one element a channel.
func (b *builder) alongChannels(name string, like *ir.Value) *ir.Value {
	s := like.Type.Shape
	return b.node(&op.Broadcast{Shape: slices.Clone(s), Axes: []int{1}}, b.param(name, s[1]))
}

// epilogues end a kernel with what fusion finds behind contractions.
var epilogues = []struct {
	name string
	add  func(b *builder, v *ir.Value) (stored []*ir.Value)
}{
	{"plain", func(*builder, *ir.Value) []*ir.Value { return nil }},
	{"bias and relu", func(b *builder, v *ir.Value) []*ir.Value {
		v = b.node(op.Point("add"), v, b.alongChannels("bias", v))
		b.node(op.Point("relu"), v)
		return []*ir.Value{v}
	}},
	{"relu's mask", func(b *builder, v *ir.Value) []*ir.Value {
		b.node(&op.Map{Formula: "0 < a ? b : 0"}, b.like("before", v), v)
		return nil
	}},
	{"residual", func(b *builder, v *ir.Value) []*ir.Value {
		sum := b.node(op.Point("add"), v, b.like("other", v))
		b.node(op.Point("relu"), sum)
		return []*ir.Value{sum}
	}},
	{"dropout", func(b *builder, v *ir.Value) []*ir.Value {
		b.node(&op.Dropout{Ratio: 0.4, Stream: 5}, v, b.fed(b.g.AddInput("seed", ir.Int())), b.fed(b.g.AddInput("iteration", ir.Int())))
		return nil
	}},
	{"tanh", func(b *builder, v *ir.Value) []*ir.Value { b.node(op.Point("tanh"), v); return nil }},
}

// updates end a kernel of a weight's gradient.
var updates = []struct {
	name string
	add  func(b *builder, d *ir.Value) (stored []*ir.Value)
}{
	{"plain", func(*builder, *ir.Value) []*ir.Value { return nil }},
	{"SGD", func(b *builder, d *ir.Value) []*ir.Value {
		shape := d.Type.Shape
		rate := b.node(&op.Broadcast{Shape: slices.Clone(shape)}, b.fed(b.g.AddInput("rate", ir.Float())))
		w := b.param("w", shape...)
		momentum := b.node(&op.Map{Formula: "0.9*a + b*(c + 0.0005*d)"}, b.param("momentum", shape...), rate, d, w)
		b.node(op.Point("sub"), w, momentum)
		return []*ir.Value{momentum}
	}},
	{"Adam", func(b *builder, d *ir.Value) []*ir.Value {
		shape := d.Type.Shape
		w := b.param("w", shape...)
		square := b.node(op.Point("square"), b.param("history", shape...))
		m := b.node(&op.Map{Formula: "0.9*a + 0.1*b"}, b.param("m", shape...), d)
		v := b.node(&op.Map{Formula: "0.999*a + 0.001*b*b"}, square, d)
		b.node(&op.Map{Formula: "a - 0.01*b/(sqrt(c) + 0.1)"}, w, m, v)
		return []*ir.Value{m, v}
	}},
}

// convolutionKernels makes the three kernels of each shape with some epilogue.
func convolutionKernels(t *testing.T, list []convolution) func() []*vectortest.Application {
	return func() (all []*vectortest.Application) {
		for i, c := range list {
			for _, lanes := range []bool{false, true} {
				all = append(all, c.kernels(t, i, lanes)...)
			}
		}
		return all
	}
}

func (c convolution) kernels(t *testing.T, i int, lanes bool) []*vectortest.Application {
	w := c.window()
	image := []int{c.batch, c.channels, c.size[0], c.size[1]}
	weight := []int{c.outputs, c.channels / c.group, c.kernel[0], c.kernel[1]}
	outs, err := (*op.Conv)(&w).Infer([]ir.Type{ir.Float(image...), ir.Float(weight...)})
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	out := outs[0].Shape
	var list []*vectortest.Application

	b := newBuilder(uint64(i), c.batch, lanes)
	e := epilogues[i%len(epilogues)]
	stored := e.add(b, b.node((*op.Conv)(&w), b.input("image", image...), b.param("weight", weight...)))
	list = append(list, b.done(t, fmt.Sprintf("conv %s, %s", c, e.name), stored...))

	for _, swap := range []bool{false, true} {
		b = newBuilder(uint64(i), c.batch, lanes)
		e = epilogues[(i+2)%len(epilogues)]
		weights := b.param("weight", weight...)
		data := &op.ConvGradData{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Size: c.size[:]}
		stored = e.add(b, b.node(data, b.input("d", out...), weights))
		x := b.done(t, fmt.Sprintf("data gradient %s, %s", c, e.name), stored...)
		if swap {
			x.Name += ", weights exchanged"
			weights.Type = weights.Type.Swapped()
		}
		list = append(list, x)
	}

	b = newBuilder(uint64(i), c.batch, lanes)
	u := updates[i%len(updates)]
	stored = u.add(b, b.node(&op.ConvGradWeight{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Kernel: c.kernel[:]},
		b.input("image", image...), b.input("d", out...)))
	return append(list, b.done(t, fmt.Sprintf("weight gradient %s, %s", c, u.name), stored...))
}

func TestConvolutionsConform(t *testing.T) {
	vectortest.EachISA(t, convolutionKernels(t, convolutions))
}

// randomConvolution is one of at most mostMultiplyAdds.
func randomConvolution(r *rand.Rand) convolution {
	for {
		c := convolution{
			batch:    []int{1, 2, 3, 8, 9, 16, 17, 20, 33, 100}[r.IntN(10)],
			channels: 1 + r.IntN(20), outputs: 1 + r.IntN(20), group: 1 + r.IntN(3)*r.IntN(2),
			size: [2]int{1 + r.IntN(17), 1 + r.IntN(17)}, kernel: [2]int{1 + r.IntN(5), 1 + r.IntN(5)},
			stride: 1 + r.IntN(4)*r.IntN(2), pad: r.IntN(4), dilation: 1 + r.IntN(2)*r.IntN(2),
		}
		if r.IntN(4) == 0 {
			c.kernel = [2]int{1 + r.IntN(11), 1 + r.IntN(11)}
		}
		c.channels, c.outputs = c.channels*c.group, c.outputs*c.group
		if c.isSmall() {
			return c
		}
	}
}

// mostMultiplyAdds keeps the reference fast.
const mostMultiplyAdds = 200_000

// isSmall reports whether a convolution has a result and few multiply-adds.
func (c convolution) isSmall() bool {
	w := c.window()
	outs, err := (*op.Conv)(&w).Infer([]ir.Type{ir.Float(c.batch, c.channels, c.size[0], c.size[1]), ir.Float(c.outputs, c.channels/c.group, c.kernel[0], c.kernel[1])})
	return err == nil && outs[0].Shape.Count()*c.channels/c.group*c.kernel[0]*c.kernel[1] <= mostMultiplyAdds
}

func TestRandomConvolutionsConform(t *testing.T) {
	count := 12
	if *vectortest.Long {
		count = 100
	}
	r := rand.New(rand.NewPCG(1, 10))
	var list []convolution
	for range count {
		list = append(list, randomConvolution(r))
	}
	vectortest.EachISA(t, func() []*vectortest.Application {
		all := convolutionKernels(t, list)()
		for _, x := range all {
			x.Rare = *vectortest.Long // one of a thousand
		}
		return all
	})
}

// product is the shape of an inner product and of its gradients.
type product struct{ batch, inputs, outputs int }

var products = []product{
	{1, 1, 1}, {1, 7, 3}, {2, 33, 10}, {3, 16, 17}, {8, 9, 10}, {16, 31, 5}, {16, 64, 48}, {20, 50, 33}, {33, 17, 100}, {100, 40, 10}, {2, 300, 70}, {64, 130, 65},
}

func productKernels(t *testing.T) func() []*vectortest.Application {
	return func() (all []*vectortest.Application) {
		for i, p := range products {
			for _, lanes := range []bool{false, true} {
				for _, transposed := range []bool{true, false} {
					b := newBuilder(uint64(i), p.batch, lanes)
					e := epilogues[i%len(epilogues)]
					weight := []int{p.inputs, p.outputs}
					if transposed {
						weight = []int{p.outputs, p.inputs}
					}
					stored := e.add(b, b.node(&op.MatMul{TransB: transposed}, b.input("x", p.batch, p.inputs), b.param("w", weight...)))
					all = append(all, b.done(t, fmt.Sprintf("product %v, %s", p, e.name), stored...))

					// The gradient of a weight: the operand whose columns are the
					// product's is row-major.
					b = newBuilder(uint64(i), p.batch, lanes)
					u := updates[i%len(updates)]
					left, right := b.input("d", p.batch, p.outputs), b.param("x", p.batch, p.inputs)
					if !transposed {
						left, right = b.input("x2", p.batch, p.inputs), b.param("d2", p.batch, p.outputs)
					}
					stored = u.add(b, b.node(&op.MatMul{TransA: true}, left, right))
					all = append(all, b.done(t, fmt.Sprintf("weight gradient of a product %v, %s", p, u.name), stored...))
				}
			}
		}
		return all
	}
}

func TestProductsConform(t *testing.T) { vectortest.EachISA(t, productKernels(t)) }
