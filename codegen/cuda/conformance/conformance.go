// Package conformance has what emitted kernels are held against: a program of
// every operator's examples, and of contractions on tensor cores, with what the
// float64 reference gives for them. Tests run the kernels under emulation,
// netc-gpu-check on a device.
package conformance

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"netc/codegen/cuda"
	"netc/compiler"
	"netc/compiler/plan"
	"netc/compiler/schedule"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/example"
	"netc/ir/op"
	"netc/spec"
)

// OperatorBound is how far an operator's float32 result may be from the float64
// reference, relative to the largest result of the operator and at least 1.
const OperatorBound = 1e-6

// coreBounds are those of contractions on tensor cores, relative to the largest
// result: the rounding of the operands, 2^-11 and 2^-8 relative, of terms of both
// signs.
var coreBounds = map[string]float64{"tf32": 0x1p-11, "bf16": 0x1p-8}

// Precisions are those that have a suite of their own.
var Precisions = []string{"tf32", "bf16"}

// Suite is a program of independent operators and what they are to give.
type Suite struct {
	Name  string
	Unit  *compiler.Unit // with the one phase "test"
	Feeds map[*ir.Value][]float64
	Cases []Case

	leastScale float64
}

// Case is one result of an operator.
type Case struct {
	Node  string // the operator with its attributes
	Value *ir.Value
	Want  []float64
	Bound float64 // relative to the largest of Want
	// Rounded says that the result must show the rounding of operands: one that
	// does not was not computed on tensor cores.
	Rounded bool
}

// Operators is the suite of every operator in float32.
func Operators() (*Suite, error) {
	return suite("operators", append(example.All(), Larger()...), OperatorBound, 1)
}

// TensorCores is the suite of contractions in tf32 or bf16.
func TensorCores(precision string) (*Suite, error) {
	list := slices.DeleteFunc(Larger(), func(e example.Example) bool {
		_, ok := e.Op.(op.Contraction)
		return !ok
	})
	s, err := suite(precision, list, coreBounds[precision], 0)
	if err != nil {
		return nil, err
	}
	s.Unit.Run.Device.Precision = precision
	for i := range s.Cases {
		c := &s.Cases[i]
		c.Rounded = c.Value.Def.In[0].Type.Shape[0] > 1 // a product of one row has no tiles
	}
	return s, nil
}

// suite puts examples into one graph and evaluates it. Errors are relative to the
// largest result, or to leastScale where that is more.
func suite(name string, examples []example.Example, bound, leastScale float64) (*Suite, error) {
	s := &Suite{Name: name, Feeds: map[*ir.Value][]float64{}, leastScale: leastScale}
	g := ir.New(name, "test")
	feeds := map[string]*eval.Tensor{}
	for number, e := range examples {
		if isLaidOut(e) {
			continue
		}
		x, err := e.With(seedOf(e))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Op.Mnemonic(), err)
		}
		var in []*ir.Value
		for _, v := range x.Node.In {
			from := x.Feeds[v.Name]
			for i, f := range from.Data {
				from.Data[i] = float64(float32(f)) // what the program sees
			}
			fed := g.AddInput(fmt.Sprintf("e%d.%s", number, v.Name), v.Type)
			in = append(in, fed)
			feeds[fed.Name], s.Feeds[fed] = from, from.Data
		}
		out, err := g.Add(e.Op, fmt.Sprintf("e%d.out", number), nil, in...)
		if err != nil {
			return nil, err
		}
		for _, v := range out {
			g.Outputs = append(g.Outputs, v)
			s.Cases = append(s.Cases, Case{Node: e.Op.Mnemonic() + " " + ir.Attributes(e.Op), Value: v})
		}
	}
	want, err := eval.Run(g, feeds)
	if err != nil {
		return nil, err
	}
	for i := range s.Cases {
		c := &s.Cases[i]
		c.Want, c.Bound = want[c.Value.Name].Data, bound
	}
	s.Unit, err = UnitOf(g)
	return s, err
}

// seedOf gives an example operands of its own, whatever the others are.
func seedOf(e example.Example) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, e.Op.Mnemonic(), ir.Attributes(e.Op), e.In)
	return h.Sum64()
}

// Check holds what a device gives for a case against it: the largest error,
// relative to the largest result, and an error where that is too much.
func (s *Suite) Check(c *Case, got []float64) (worst float64, err error) {
	scale := s.leastScale
	for _, x := range c.Want {
		scale = max(scale, math.Abs(x))
	}
	at := 0
	for i, x := range c.Want {
		d := math.Abs(got[i]-x) / scale
		if math.IsNaN(got[i]) {
			d = math.Inf(1)
		}
		if d > worst {
			worst, at = d, i
		}
	}
	switch {
	case !(worst <= c.Bound):
		return worst, fmt.Errorf("%s (%s)[%d] is %v, the reference gives %v", c.Node, c.Value.Name, at, got[at], c.Want[at])
	case c.Rounded && worst <= OperatorBound:
		return worst, fmt.Errorf("%s (%s) is as exact as in float32", c.Node, c.Value.Name)
	}
	return worst, nil
}

// isLaidOut reports whether an example has a tensor that is not row-major: only
// vector kernels have those.
func isLaidOut(e example.Example) bool {
	if o, ok := e.Op.(*op.Relayout); ok && (o.Lanes > 0 || o.Swap) {
		return true
	}
	return slices.ContainsFunc(e.In, func(t ir.Type) bool { return !t.IsRowMajor() })
}

// UnitOf plans and schedules a graph by itself, as the phase "test".
func UnitOf(g *ir.Graph) (*compiler.Unit, error) {
	arena, err := plan.BuildAll([]*ir.Graph{g}, nil)
	if err != nil {
		return nil, err
	}
	p := &compiler.Phase{Name: "test", Batch: 1, Graph: g, Plan: arena.Plans[0]}
	for _, n := range g.Nodes {
		if p.Plan.IsAlias(n) {
			continue
		}
		nests, err := op.Nests(n)
		if err != nil {
			return nil, err
		}
		for i, nest := range nests {
			p.Kernels = append(p.Kernels, &compiler.Kernel{Node: n, Nest: nest, Schedule: schedule.Plain(nest), Part: i, Parts: len(nests)})
		}
	}
	return &compiler.Unit{Name: g.Name, Run: spec.DefaultRun(), Phases: []*compiler.Phase{p}, Arena: arena}, nil
}

// Emit prints the suite's kernels.
func (s *Suite) Emit() (*cuda.Program, error) { return cuda.Emit(s.Unit, s.Name+".net") }

// Larger has shapes that use every way of mapping a nest to threads: tiles of
// several sizes with edges, split sums, teams of a warp, of a block and of several,
// four elements a thread.
func Larger() []example.Example {
	window := func(stride, pad, dilation, group int) op.Window {
		return op.Window{Stride: []int{stride, stride}, Pad: []int{pad, pad}, Dilation: []int{dilation, dilation}, Group: group}
	}
	f32 := func(shape ...int) ir.Type { return ir.Float(shape...) }
	list := []example.Example{
		{Op: &op.MatMul{}, In: []ir.Type{f32(70, 40), f32(40, 130)}},
		{Op: &op.MatMul{TransA: true}, In: []ir.Type{f32(33, 70), f32(33, 90)}},
		{Op: &op.MatMul{}, In: []ir.Type{f32(70, 40), f32(40, 132)}},              // columns in fours
		{Op: &op.MatMul{TransB: true}, In: []ir.Type{f32(64, 800), f32(10, 800)}}, // split
		{Op: &op.MatMul{TransA: true, TransB: true}, In: []ir.Type{f32(50, 30), f32(140, 50)}},
		{Op: &op.MatMul{TransB: true}, In: []ir.Type{f32(1, 700), f32(70, 700)}}, // a warp for each
		{Op: &op.Sum{Axes: []int{0, 2}}, In: []ir.Type{f32(3, 5, 400)}},
		{Op: &op.Sum{Axes: []int{0}}, In: []ir.Type{f32(100, 37)}},
		{Op: &op.Sum{Axes: []int{0, 1}}, In: []ir.Type{f32(70, 80)}},
		{Op: &op.Softmax{Axis: 1}, In: []ir.Type{f32(5, 100)}},
		{Op: &op.Softmax{Axis: 1}, In: []ir.Type{f32(3, 1000)}},
		{Op: &op.SoftmaxGrad{Axis: 1}, In: []ir.Type{f32(5, 100), f32(5, 100)}},
		{Op: &op.BatchNorm{Eps: 1e-3}, In: []ir.Type{f32(6, 3, 9, 9)}},
		{Op: &op.BatchNorm{Eps: 1e-3}, In: []ir.Type{f32(5, 3, 50, 51)}}, // blocks share the sums of a channel
		{Op: &op.Softmax{Axis: 1}, In: []ir.Type{f32(2, 9000)}},
		{Op: &op.Sum{Axes: []int{0, 1}}, In: []ir.Type{f32(90, 101)}},
		{Op: &op.SoftmaxLoss{Axis: 1, Normalization: "valid", HasIgnore: true, Ignore: 1}, In: []ir.Type{f32(130, 3), ir.Int(130)}},
		{Op: &op.SoftmaxLossGrad{Axis: 1, HasIgnore: true, Ignore: 1}, In: []ir.Type{f32(130, 3), ir.Int(130), f32()}},
		{Op: &op.Accuracy{Axis: 1, TopK: 1}, In: []ir.Type{f32(100, 3), ir.Int(100)}},
		{Op: op.Point("exp"), In: []ir.Type{f32(4, 32768)}},
		{Op: &op.Dropout{Ratio: 0.3, Stream: 3000000000}, In: []ir.Type{f32(4, 32771), ir.Int(), ir.Int()}},
		{Op: &op.Dropout{Ratio: 0.3, Stream: 3}, In: []ir.Type{f32(4, 32772), ir.Int(), ir.Int()}},
		{Op: &op.Concat{Axis: 1}, In: []ir.Type{f32(1, 2, 65536), f32(1, 3, 65536)}},
	}
	for _, w := range []op.Window{window(1, 0, 1, 1), window(2, 1, 1, 1), window(1, 2, 2, 2)} {
		images, weights := f32(3, 8*w.Group, 11, 10), f32(9*w.Group, 8, 3, 3)
		out, err := (*op.Conv)(&w).Infer([]ir.Type{images, weights})
		if err != nil {
			panic(err)
		}
		list = append(list,
			example.Example{Op: &op.Conv{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group}, In: []ir.Type{images, weights}},
			example.Example{Op: &op.ConvGradData{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Size: []int{11, 10}},
				In: []ir.Type{out[0], weights}},
			example.Example{Op: &op.ConvGradWeight{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Kernel: []int{3, 3}},
				In: []ir.Type{images, out[0]}})
	}
	return list
}
