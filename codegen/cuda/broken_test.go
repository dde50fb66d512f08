package cuda_test

import (
	"fmt"
	"strings"
	"testing"

	"netc/codegen/cuda"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/example"
	"netc/ir/op"
)

// TestBrokenKernels breaks emitted kernels in the ways in which an emitter goes
// wrong; the emulation, or the comparison with the reference, finds each.
func TestBrokenKernels(t *testing.T) {
	examples := map[string]example.Example{
		"product": {Op: &op.MatMul{}, In: []ir.Type{ir.Float(70, 40), ir.Float(40, 130)}},
		"rows":    {Op: &op.Softmax{Axis: 1}, In: []ir.Type{ir.Float(3, 1000)}},
		"edges": {Op: &op.Conv{Stride: []int{1, 1}, Pad: []int{1, 1}, Dilation: []int{1, 1}, Group: 1},
			In: []ir.Type{ir.Float(3, 8, 11, 10), ir.Float(9, 8, 3, 3)}},
	}
	mutants := []struct {
		example, old, new string
		last              bool // replace the last occurrence
	}{
		{"product", "__syncthreads();", "", false},                                          // tiles are read before they are full
		{"product", "stage ^= 1;", "", false},                                               // the tile that is filled is not the one that is multiplied
		{"product", "[stage ^ 1]", "[stage]", true},                                         // nor here, for one operand
		{"product", "i*8, 69)", "i*8, 70)", false},                                          // a row too many is loaded
		{"product", "if (row < 70 && column < 130)", "if (row < 70 && column < 131)", true}, // a column too many is stored
		{"product", "k*130", "k*129", false},                                                // the wrong stride
		{"product", "term < 40", "term < 39", true},                                         // the last term is left out
		{"rows", "c += 256) {\n        sum", "c += 128) {\n        sum", false},             // terms are added twice
		{"rows", "point = blockIdx.x", "point = blockIdx.x + 1", false},                     // the next row
		{"edges", "0 <= y + r - 1 && ", "", false},                                          // the padding is read
	}
	g := ir.New("broken", "test")
	feeds := map[string]*eval.Tensor{}
	outputs := map[string]*ir.Value{}
	for _, name := range []string{"product", "rows", "edges"} {
		x := examples[name].Instance(t, 1)
		var in []*ir.Value
		for _, v := range x.Node.In {
			in = append(in, g.AddInput(name+v.Name, v.Type))
			feeds[name+v.Name] = x.Feeds[v.Name]
		}
		outputs[name] = g.Must(examples[name].Op, name, nil, in...)
		g.Outputs = append(g.Outputs, outputs[name])
	}
	want, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	unit := unitOf(t, g)
	program, err := cuda.Emit(unit, "broken.net")
	if err != nil {
		t.Fatal(err)
	}
	launch := map[string]cuda.Launch{}
	for _, l := range program.Phases[0].Launches {
		launch[l.Args[0].Tensor] = l
		if l.Args[0].Tensor == "scratch" {
			t.Fatalf("the example of %s is too large: its sums are split", l.Kernel)
		}
	}
	phase := &program.Phases[0]
	for i, m := range mutants {
		l := launch[m.example]
		_, text, _ := strings.Cut(program.Source, "\n"+l.Kernel+"(")
		text, _, _ = strings.Cut(text, "\n}\n")
		at := strings.Index(text, m.old)
		if m.last {
			at = strings.LastIndex(text, m.old)
		}
		if at < 0 {
			t.Errorf("%q is not in\n%s", m.old, text)
			continue
		}
		text = text[:at] + m.new + text[at+len(m.old):]
		l.Kernel = fmt.Sprintf("broken%d", i)
		program.Source += "\nextern \"C\" __global__ void\n" + l.Kernel + "(" + text + "\n}\n"
		phase.Launches = append(phase.Launches, l)
	}
	if t.Failed() {
		return
	}
	whole := len(launch)
	device := newGPUOf(t, unit, program)
	for _, v := range g.Inputs {
		device.set("test", v, feeds[v.Name].Data)
	}
	for i, l := range phase.Launches {
		name := l.Args[0].Tensor
		err := device.device.Run(device.memory, []cuda.Launch{l}, 3)
		if err == nil {
			got := device.get("test", outputs[name])
			for j, x := range want[name].Data {
				if d := got[j] - x; !(d*d < 1e-10) {
					err = fmt.Errorf("element %d is %v, the reference gives %v", j, got[j], x)
					break
				}
			}
		}
		switch {
		case i < whole && err != nil:
			t.Errorf("%s: %v", l.Kernel, err)
		case i >= whole && err == nil:
			t.Errorf("%s, %q for %q, is not found", name, mutants[i-whole].new, mutants[i-whole].old)
		case i >= whole:
			t.Logf("%q for %q: %v", mutants[i-whole].new, mutants[i-whole].old, err)
		}
	}
}
