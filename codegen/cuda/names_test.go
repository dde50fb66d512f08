package cuda_test

import (
	"math"
	"strings"
	"testing"

	"netc/codegen/cuda"
	"netc/ir"
	"netc/ir/op"
)

// TestHostileNames: whatever the user's tensors are called, the kernels compile,
// and compute what they should.
func TestHostileNames(t *testing.T) {
	names := []string{
		"float", "int", "threadIdx", "blockIdx", "row", "column", "sum", "stage", "first", "rowTile", "partial", "lane", "point", "thread", "i", "e",
		"larger", "infinity", "blockSum", "warpSum", "load4", "uniform", "expf", "fabsf", "main", "linux", "NULL", "INFINITY", "asm", "xor", "struct",
		"a\\", "*/", "x\ny", "%d", "\"", "é", "", "1x1", "_", "__global__", "term", "k", "n", "c", "x", "to", "from",
	}
	g := ir.New("hostile", "test")
	matrix := g.AddInput("matrix", ir.Float(8, 100))
	other := g.AddInput("other", ir.Float(100, 9))
	outputs := map[*ir.Value]*ir.Value{}
	for _, name := range names {
		in := g.AddInput(name, ir.Float(3))
		outputs[g.Must(op.Point("exp"), name, nil, in)] = in
		g.Must(&op.MatMul{}, name, nil, matrix, other)
		g.Must(&op.Softmax{Axis: 1}, name, nil, matrix)
		g.Must(&op.Sum{Axes: []int{1}}, name, nil, matrix)
	}
	for _, n := range g.Nodes {
		g.Outputs = append(g.Outputs, n.Out...)
	}
	d := newGPU(t, unitOf(t, g))
	for _, line := range strings.Split(d.program.Source, "\n") {
		if strings.HasPrefix(line, "//") && strings.HasSuffix(line, "\\") {
			t.Errorf("the comment goes on in the next line: %s", line)
		}
	}
	for _, v := range g.Inputs {
		data := make([]float64, v.Type.Shape.Count())
		for i := range data {
			data[i] = float64(i%7) / 8
		}
		d.set("test", v, data)
	}
	d.run("test", 1)
	for out, in := range outputs {
		want := d.get("test", in)
		for i, x := range d.get("test", out) {
			if math.Abs(x-math.Exp(want[i])) > 1e-6 {
				t.Errorf("%q: element %d is %v", in.Name, i, x)
			}
		}
	}
}

// TestTooLarge: a tensor that 32-bit positions do not reach is refused by name.
func TestTooLarge(t *testing.T) {
	g := ir.New("large", "test")
	in := g.AddInput("huge", ir.Float(700, 1000, 1000))
	g.Outputs = append(g.Outputs, g.Must(op.Point("relu"), "out", nil, in))
	if _, err := cuda.Emit(unitOf(t, g), "large.net"); err == nil || !strings.Contains(err.Error(), "huge") {
		t.Errorf("the error is %v", err)
	}
}
