//go:build linux

package vector

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"netc/codegen/asm"
	"netc/codegen/asm/asmtest"
)

// mathRunner evaluates kernels for an instruction set.
type mathRunner func(t testing.TB, isa asm.ISA, kernels []mathKernel) [][]float32

// eachMathISA runs a test by the processor where it has the instructions, and
// by the interpreter on a factor less arguments where it has not.
func eachMathISA(t *testing.T, test func(t *testing.T, isa asm.ISA, run mathRunner, factor uint64)) {
	for _, isa := range []asm.ISA{asm.AVX2, asm.AVX512} {
		t.Run(isa.String(), func(t *testing.T) {
			if asmtest.Native(isa) {
				test(t, isa, runNative, 1)
				return
			}
			test(t, isa, runInterpreted, 16)
		})
	}
}

func runNative(t testing.TB, isa asm.ISA, kernels []mathKernel) [][]float32 {
	t.Helper()
	return runKernels(t, isa, kernels, asmtest.Run)
}

func runInterpreted(t testing.TB, isa asm.ISA, kernels []mathKernel) [][]float32 {
	t.Helper()
	return runKernels(t, isa, kernels, asmtest.Interpret)
}

// vectorsPerTask is how many vectors a task of a test's kernel computes.
const vectorsPerTask = 32

// runKernels builds a function for each kernel that evaluates it over arrays,
// and gives the arrays of results.
func runKernels(t testing.TB, isa asm.ISA, kernels []mathKernel, run func(testing.TB, []*asm.Func, []asmtest.Call)) [][]float32 {
	t.Helper()
	perTask := vectorsPerTask * isa.Lanes()
	var funcs []*asm.Func
	var calls []asmtest.Call
	for i, k := range kernels {
		f := overArrays(fmt.Sprintf("kernel%d", i), isa, k)
		if err := f.Finish(); err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		funcs = append(funcs, f)
		tasks := (len(k.inputs[0]) + perTask - 1) / perTask
		call := asmtest.Call{Func: i, Tasks: tasks}
		for _, in := range k.inputs {
			call.Buffers = append(call.Buffers, floatBytes(in, tasks*perTask))
		}
		call.Buffers = append(call.Buffers, make([]byte, tasks*perTask*4))
		calls = append(calls, call)
	}
	run(t, funcs, calls)
	var results [][]float32
	for i, k := range kernels {
		out := calls[i].Buffers[len(k.inputs)]
		ys := make([]float32, len(k.inputs[0]))
		for j := range ys {
			ys[j] = math.Float32frombits(binary.LittleEndian.Uint32(out[4*j:]))
		}
		results = append(results, ys)
	}
	return results
}

// overArrays is the kernel over arrays: its arguments are the inputs and the
// output.
func overArrays(name string, isa asm.ISA, k mathKernel) *asm.Func {
	f := asm.New(name, isa)
	bytes := 4 * isa.Lanes()
	offset := f.MulInt(f.Task(), vectorsPerTask*bytes)
	var arrays []asm.Reg
	for i := range len(k.inputs) + 1 {
		arrays = append(arrays, f.Lea(asm.Mem{Base: f.Arg(i), Index: offset, Scale: 1}))
	}
	f.Repeat(vectorsPerTask, func() {
		var args []asm.Reg
		for _, a := range arrays[:len(k.inputs)] {
			args = append(args, f.Load(asm.Mem{Base: a}))
		}
		f.Store(asm.Mem{Base: arrays[len(k.inputs)]}, k.emit(f, args))
		for _, a := range arrays {
			f.AddInt(a, bytes)
		}
	})
	return f
}

func floatBytes(xs []float32, n int) []byte {
	b := make([]byte, 0, 4*n)
	for _, x := range xs {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return append(b, make([]byte, 4*n-len(b))...)
}
