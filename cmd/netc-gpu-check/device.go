package main

import (
	"fmt"
	"math"

	emitted "netc/codegen/cuda"
	"netc/codegen/cuda/conformance"
	"netc/ir"
	"netc/runtime"
	"netc/runtime/cuda"
	"netc/runtime/cuda/dl"
)

// libraries are NVIDIA's, opened at run time.
var libraries = cuda.Libraries{Driver: dl.OpenDriver, Compiler: dl.OpenCompiler}

// device is a suite's program on the GPU.
type device struct {
	suite    *conformance.Suite
	program  *runtime.Program
	executor runtime.Profiler
}

// openDevice compiles a suite's kernels and readies the GPU.
func openDevice(s *conformance.Suite) (*device, error) {
	gpu, err := s.Emit()
	if err != nil {
		return nil, err
	}
	phase := s.Unit.Phase("test")
	a := runtime.NewArena(s.Unit.Arena.Size)
	tensor := func(v *ir.Value) runtime.Tensor {
		t := runtime.Tensor{Name: v.Name, Shape: v.Type.Shape}
		switch v.Type.DType {
		case ir.F32:
			t.F32 = a.F32(phase.Plan.Offsets[v], v.Type.Shape.Count())
		case ir.I32:
			t.I32 = a.I32(phase.Plan.Offsets[v], v.Type.Shape.Count())
		case ir.U8: // as words, the last one filled up
			t.I32 = a.I32(phase.Plan.Offsets[v], (v.Type.Shape.Count()+3)/4)
		}
		return t
	}
	program := &runtime.Program{Name: s.Name, Arena: a, ArenaBytes: a.Bytes()}
	for _, v := range phase.Graph.Inputs {
		program.Test.Inputs = append(program.Test.Inputs, tensor(v))
	}
	for _, v := range phase.Graph.Outputs {
		program.Test.Outputs = append(program.Test.Outputs, tensor(v))
	}
	program.Test.Batch = 1
	executor, err := cuda.Open(program, &cuda.Program{Name: s.Name + ".cu", Source: gpu.Source, Arena: gpu.Bytes,
		Phases: map[string][]cuda.Launch{"test": launches(gpu.Phase("test").Launches)}}, libraries)
	if err != nil {
		return nil, err
	}
	profiler, ok := executor.(runtime.Profiler)
	if !ok {
		return nil, fmt.Errorf("the GPU's executor measures nothing")
	}
	return &device{suite: s, program: program, executor: profiler}, nil
}

// launches are emitted launches as the runtime takes them.
func launches(list []emitted.Launch) []cuda.Launch {
	var out []cuda.Launch
	for _, l := range list {
		one := cuda.Launch{Kernel: l.Kernel, Layers: l.Layers, Grid: l.Grid, Block: l.Block, Shared: l.Shared, After: l.After}
		for _, a := range l.Args {
			one.Args = append(one.Args, a.Offset)
		}
		out = append(out, one)
	}
	return out
}

// run computes the suite once and gives the bits of all outputs, in order.
func (d *device) run() ([][]uint32, error) {
	inputs, err := d.executor.Feed(&d.program.Test)
	if err != nil {
		return nil, err
	}
	for n, v := range d.suite.Unit.Phase("test").Graph.Inputs {
		for i, x := range d.suite.Feeds[v] {
			switch v.Type.DType {
			case ir.F32:
				inputs[n].F32[i] = float32(x)
			case ir.I32:
				inputs[n].I32[i] = int32(x)
			case ir.U8:
				word, shift := &inputs[n].I32[i/4], 8*(i%4)
				*word = *word&^(0xff<<shift) | int32(x)<<shift
			}
		}
	}
	if err := d.executor.Start(&d.program.Test); err != nil {
		return nil, err
	}
	if err := d.executor.Pull(d.program.Test.Outputs); err != nil {
		return nil, err
	}
	var all [][]uint32
	for _, t := range d.program.Test.Outputs {
		var bits []uint32
		for _, x := range t.F32 {
			bits = append(bits, math.Float32bits(x))
		}
		for _, x := range t.I32 {
			bits = append(bits, uint32(x))
		}
		all = append(all, bits)
	}
	return all, nil
}

// numbers are an output's elements.
func numbers(v *ir.Value, bits []uint32) []float64 {
	list := make([]float64, v.Type.Shape.Count())
	for i := range list {
		switch v.Type.DType {
		case ir.F32:
			list[i] = float64(math.Float32frombits(bits[i]))
		case ir.I32:
			list[i] = float64(int32(bits[i]))
		case ir.U8:
			list[i] = float64(uint8(bits[i/4] >> (8 * (i % 4))))
		}
	}
	return list
}
