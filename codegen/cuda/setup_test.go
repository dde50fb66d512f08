package cuda_test

import (
	"math"
	"testing"

	"netc/codegen/cuda/conformance"
	"netc/compiler"
	"netc/ir/eval"
	"netc/spec"
)

const normedNet = `net Normed
x = input [3, 8, 8]
conv = Convolution(x) { num_output: 8  kernel_size: 3 }
norm = BatchNorm(conv)
scale = Scale(norm) { bias_term: true }
relu = ReLU(scale)
`

// TestSetup: the launches after the setup give the reference's results on other
// inputs, as often as they run.
func TestSetup(t *testing.T) {
	file, list := spec.Parse("normed.net", []byte(normedNet))
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	u, list, err := compiler.Compile(file, spec.DefaultRun(), compiler.Options{TestBatch: 3})
	if err != nil || list.Errors() > 0 {
		t.Fatal(err, list)
	}
	p := u.Phase("test")
	device := newGPU(t, u)
	phase := device.program.Phase("test")
	if p.Setup == 0 || phase.Setup < p.Setup || phase.Setup >= len(phase.Launches) {
		t.Fatalf("a setup of %d kernels is one of %d of %d launches", p.Setup, phase.Setup, len(phase.Launches))
	}
	feeds := map[string]*eval.Tensor{}
	for _, v := range append(p.Graph.Params, p.Graph.States...) {
		feeds[v.Name] = eval.Zeros(v.Type)
		for i := range feeds[v.Name].Data {
			feeds[v.Name].Data[i] = float64(i%7+1) / 4
		}
		device.set("test", v, feeds[v.Name].Data)
	}
	launches := phase.Launches
	for step := range 3 {
		for _, v := range p.Graph.Inputs {
			feeds[v.Name] = eval.Zeros(v.Type)
			for i := range feeds[v.Name].Data {
				feeds[v.Name].Data[i] = float64((i*5+step)%11) / 4
			}
			device.set("test", v, feeds[v.Name].Data)
		}
		if err := device.device.Run(device.memory, launches, 2); err != nil {
			t.Fatal(err)
		}
		launches = phase.Launches[phase.Setup:]
		want, err := eval.Run(p.Graph, feeds)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range p.Graph.Outputs {
			scale := 1.0
			for _, x := range want[v.Name].Data {
				scale = max(scale, math.Abs(x))
			}
			for i, x := range device.get("test", v) {
				if !(math.Abs(x-want[v.Name].Data[i]) <= conformance.OperatorBound*scale) {
					t.Fatalf("step %d: %s[%d] is %v, the reference gives %v", step, v.Name, i, x, want[v.Name].Data[i])
				}
			}
		}
	}
}
