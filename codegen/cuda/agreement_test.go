package cuda_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"netc/codegen/cuda"
	"netc/codegen/cuda/emulate"
	"netc/compiler"
	"netc/compiler/plan"
	"netc/compiler/schedule"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/example"
	"netc/ir/loop"
	"netc/ir/op"
	"netc/spec"
)

// unitOf plans and schedules a graph by itself, as the phase "test".
func unitOf(t *testing.T, g *ir.Graph) *compiler.Unit {
	t.Helper()
	arena, err := plan.BuildAll([]*ir.Graph{g}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &compiler.Phase{Name: "test", Batch: 1, Graph: g, Plan: arena.Plans[0]}
	for _, n := range g.Nodes {
		if p.Plan.IsAlias(n) {
			continue
		}
		nests, err := op.Nests(n)
		if err != nil {
			t.Fatal(err)
		}
		for i, nest := range nests {
			p.Kernels = append(p.Kernels, &compiler.Kernel{Node: n, Nest: nest, Schedule: schedule.Plain(nest), Part: i, Parts: len(nests)})
		}
	}
	return &compiler.Unit{Name: "operators", Run: spec.DefaultRun(), Phases: []*compiler.Phase{p}, Arena: arena}
}

// gpu is an emulated device with a program's memory.
type gpu struct {
	t       *testing.T
	unit    *compiler.Unit
	program *cuda.Program
	device  *emulate.Device
	memory  []byte
}

// newGPU emits and compiles the program of a unit.
func newGPU(t *testing.T, u *compiler.Unit) *gpu {
	t.Helper()
	program, err := cuda.Emit(u, u.Name+".net")
	if err != nil {
		t.Fatal(err)
	}
	return newGPUOf(t, u, program)
}

// newGPUOf compiles a program of a unit.
func newGPUOf(t *testing.T, u *compiler.Unit, program *cuda.Program) *gpu {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles C++; not run with -short")
	}
	var launches []cuda.Launch
	for _, p := range program.Phases {
		launches = append(launches, p.Launches...)
	}
	device, err := emulate.Compile(t.TempDir(), program.Source, launches)
	if errors.Is(err, emulate.ErrNoCompiler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &gpu{t, u, program, device, make([]byte, program.Bytes)}
}

// place is where a value of a phase lies in the memory.
func (g *gpu) place(phase string, v *ir.Value) []byte {
	offset := g.unit.Phase(phase).Plan.Offsets[v]
	return g.memory[offset : offset+v.Type.Bytes()]
}

// set writes a value's elements.
func (g *gpu) set(phase string, v *ir.Value, data []float64) {
	memory := g.place(phase, v)
	for i, x := range inStorage(v.Type, data) {
		switch v.Type.DType {
		case ir.U8:
			memory[i] = byte(x)
		case ir.I32:
			binary.LittleEndian.PutUint32(memory[4*i:], uint32(int32(x)))
		default:
			binary.LittleEndian.PutUint32(memory[4*i:], math.Float32bits(float32(x)))
		}
	}
}

// get reads a value's elements.
func (g *gpu) get(phase string, v *ir.Value) []float64 {
	memory := g.place(phase, v)
	stored := make([]float64, v.Type.Stored())
	for i := range stored {
		switch v.Type.DType {
		case ir.U8:
			stored[i] = float64(memory[i])
		case ir.I32:
			stored[i] = float64(int32(binary.LittleEndian.Uint32(memory[4*i:])))
		default:
			stored[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(memory[4*i:])))
		}
	}
	return fromStorage(v.Type, stored)
}

// run runs a phase once.
func (g *gpu) run(phase string, orders int) {
	g.t.Helper()
	if err := g.device.Run(g.memory, g.program.Phase(phase).Launches, orders); err != nil {
		g.t.Fatal(err)
	}
}

// operatorBound is how far an operator's float32 result may be from the float64
// reference, relative to the largest result of the operator and at least 1.
const operatorBound = 1e-6

// isLaidOut reports whether an example has a tensor that is not row-major: only
// vector kernels have those.
func isLaidOut(e example.Example) bool {
	if o, ok := e.Op.(*op.Relayout); ok && (o.Lanes > 0 || o.Swap) {
		return true
	}
	return slices.ContainsFunc(e.In, func(t ir.Type) bool { return !t.IsRowMajor() })
}

// TestOperatorsAgree runs every operator's examples, in three orders of threads,
// and compares with the reference.
func TestOperatorsAgree(t *testing.T) {
	g := ir.New("operators", "test")
	feeds := map[string]*eval.Tensor{}
	nodeOf := map[*ir.Value]string{}
	for number, e := range append(example.All(), larger()...) {
		if isLaidOut(e) {
			continue
		}
		x := e.Instance(t, uint64(number))
		var in []*ir.Value
		for _, v := range x.Node.In {
			name := fmt.Sprintf("e%d.%s", number, v.Name)
			in = append(in, g.AddInput(name, v.Type))
			for i, f := range x.Feeds[v.Name].Data {
				x.Feeds[v.Name].Data[i] = float64(float32(f)) // what the program sees
			}
			feeds[name] = x.Feeds[v.Name]
		}
		for _, v := range g.MustAll(e.Op, fmt.Sprintf("e%d.out", number), nil, in...) {
			g.Outputs = append(g.Outputs, v)
			nodeOf[v] = e.Op.Mnemonic() + " " + ir.Attributes(e.Op)
		}
	}
	want, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	device := newGPU(t, unitOf(t, g))
	for _, v := range g.Inputs {
		device.set("test", v, feeds[v.Name].Data)
	}
	device.run("test", 3)
	for v, node := range nodeOf {
		scale := 1.0
		for _, x := range want[v.Name].Data {
			scale = max(scale, math.Abs(x))
		}
		got := device.get("test", v)
		for i, x := range want[v.Name].Data {
			if !(math.Abs(got[i]-x) <= operatorBound*scale) {
				t.Errorf("%s (%s)[%d] is %v, the reference gives %v", node, v.Name, i, got[i], x)
				break
			}
		}
	}
}

// TestTensorCoresAgree runs contractions in tf32 and bf16. The bounds are their
// roundings of the operands, 2^-11 and 2^-8 relative, of terms of both signs.
func TestTensorCoresAgree(t *testing.T) {
	for precision, bound := range map[string]float64{"tf32": 0x1p-11, "bf16": 0x1p-8} {
		g := ir.New("tensorcores", "test")
		feeds := map[string]*eval.Tensor{}
		for number, e := range larger() {
			if _, ok := e.Op.(op.Contraction); !ok {
				continue
			}
			x := e.Instance(t, uint64(number))
			var in []*ir.Value
			for _, v := range x.Node.In {
				name := fmt.Sprintf("e%d.%s", number, v.Name)
				in = append(in, g.AddInput(name, v.Type))
				feeds[name] = x.Feeds[v.Name]
			}
			g.Outputs = append(g.Outputs, g.Must(e.Op, fmt.Sprintf("e%d.out", number), nil, in...))
		}
		want, err := eval.Run(g, feeds)
		if err != nil {
			t.Fatal(err)
		}
		unit := unitOf(t, g)
		unit.Run.Device.Precision = precision
		device := newGPU(t, unit)
		for _, v := range g.Inputs {
			device.set("test", v, feeds[v.Name].Data)
		}
		device.run("test", 2)
		for _, v := range g.Outputs {
			got, scale, rounded := device.get("test", v), 0.0, false
			for _, x := range want[v.Name].Data {
				scale = max(scale, math.Abs(x))
			}
			for i, x := range want[v.Name].Data {
				rounded = rounded || math.Abs(got[i]-x) > 1e-6*scale
				if !(math.Abs(got[i]-x) <= bound*scale) {
					t.Errorf("%s: %s (%s)[%d] is %v, the reference gives %v", precision, v.Name, v.Def.Op.Mnemonic(), i, got[i], x)
					break
				}
			}
			if !rounded && v.Def.In[0].Type.Shape[0] > 1 {
				t.Errorf("%s: %s is as exact as in float32", precision, v.Name)
			}
		}
	}
}

// larger has shapes that use every way of mapping a nest to threads: tiles of
// several sizes with edges, split sums, teams of a warp and of a block, four
// elements a thread.
func larger() []example.Example {
	window := func(stride, pad, dilation, group int) op.Window {
		return op.Window{Stride: []int{stride, stride}, Pad: []int{pad, pad}, Dilation: []int{dilation, dilation}, Group: group}
	}
	f32 := func(shape ...int) ir.Type { return ir.Float(shape...) }
	list := []example.Example{
		{Op: &op.MatMul{}, In: []ir.Type{f32(70, 40), f32(40, 130)}},
		{Op: &op.MatMul{TransA: true}, In: []ir.Type{f32(33, 70), f32(33, 90)}},
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
		{Op: &op.SoftmaxLoss{Axis: 1, Normalization: "valid", HasIgnore: true, Ignore: 1}, In: []ir.Type{f32(130, 3), ir.Int(130)}},
		{Op: &op.SoftmaxLossGrad{Axis: 1, Normalization: "valid", HasIgnore: true, Ignore: 1}, In: []ir.Type{f32(130, 3), ir.Int(130), f32()}},
		{Op: &op.Accuracy{Axis: 1, TopK: 1}, In: []ir.Type{f32(100, 3), ir.Int(100)}},
		{Op: op.Point("exp"), In: []ir.Type{f32(4, 32768)}},
		{Op: &op.Dropout{Ratio: 0.3, Stream: 3000000000}, In: []ir.Type{f32(4, 32771), ir.Int(), ir.Int()}},
		{Op: &op.Dropout{Ratio: 0.3, Stream: 3}, In: []ir.Type{f32(4, 32772), ir.Int(), ir.Int()}},
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

// inStorage arranges row-major elements as a type stores them, padding as 0.
func inStorage(typ ir.Type, data []float64) []float64 {
	stored := make([]float64, typ.Stored())
	for i, x := range data {
		stored[storedAt(typ, i)] = x
	}
	return stored
}

// fromStorage is the inverse of inStorage.
func fromStorage(typ ir.Type, stored []float64) []float64 {
	data := make([]float64, typ.Shape.Count())
	for i := range data {
		data[i] = stored[storedAt(typ, i)]
	}
	return data
}

// storedAt is where element i, counted in row-major order, lies.
func storedAt(typ ir.Type, i int) int {
	if typ.IsRowMajor() {
		return i
	}
	index := make([]*loop.Expr, len(typ.Shape))
	for axis := len(typ.Shape) - 1; axis >= 0; axis-- {
		index[axis] = loop.I(i % typ.Shape[axis])
		i /= typ.Shape[axis]
	}
	return loop.Position(typ, index).Int
}
