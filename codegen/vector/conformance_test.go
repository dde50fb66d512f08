//go:build linux

package vector

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"slices"
	"testing"

	"netc/codegen/asm"
	"netc/codegen/asm/asmtest"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/loop"
	"netc/ir/op"
)

var long = flag.Bool("long", false, "conformance: many more random shapes, and large ones in the interpreter too")

// application is a graph of one node, often a fused group, whose kernels are
// compared with the reference.
type application struct {
	name  string
	g     *ir.Graph
	feeds map[string]*eval.Tensor
	want  map[string]*eval.Tensor // by the reference, node by node
	bound func(v *ir.Value) float64
}

// check is one kernel of an application: a call and what it must leave.
type check struct {
	of     string
	kernel *Kernel
	nest   *loop.Nest
	call   asmtest.Call
	// stored has, for each result of the nest, the elements that it must store,
	// NaN for those that it must leave alone.
	stored map[*ir.Value][]float64
	bound  func(v *ir.Value) float64
}

// place is where the element of a row-major number lies in memory.
func place(t ir.Type, number int) int {
	shape := slices.Clone(t.Shape)
	index := make([]int, len(shape))
	for i := len(shape) - 1; i >= 0; i-- {
		index[i] = number % shape[i]
		number /= shape[i]
	}
	lane := 0
	if t.Swap {
		shape[0], shape[1] = shape[1], shape[0]
		index[0], index[1] = index[1], index[0]
	}
	if a := t.Lanes - 1; a >= 0 {
		shape[a] = (shape[a] + ir.LaneBlock - 1) / ir.LaneBlock
		lane, index[a] = index[a]%ir.LaneBlock, index[a]/ir.LaneBlock
	}
	at := 0
	for i := range shape {
		at = at*shape[i] + index[i]
	}
	if t.Lanes > 0 {
		return at*ir.LaneBlock + lane
	}
	return at
}

// garbage is what memory holds before a kernel stores to it, and what padding
// holds for good: a NaN, which spreads through whatever uses it.
const garbage = 0xffdeadbe

// memory is a tensor as it lies, with garbage for padding and NaN elements.
func memory(t ir.Type, elements []float64) []byte {
	b := make([]byte, 4*t.Stored())
	for i := range t.Stored() {
		binary.LittleEndian.PutUint32(b[4*i:], garbage)
	}
	for i, x := range elements {
		bits := math.Float32bits(float32(x))
		switch {
		case math.IsNaN(x):
			bits = garbage
		case t.DType == ir.I32:
			bits = uint32(int32(x))
		}
		binary.LittleEndian.PutUint32(b[4*place(t, i):], bits)
	}
	return b
}

// rounded is a tensor as kernels see it.
func rounded(t *eval.Tensor) []float64 {
	list := slices.Clone(t.Data)
	if t.Type.DType == ir.F32 {
		for i, x := range list {
			list[i] = float64(float32(x))
		}
	}
	return list
}

func blank(v *ir.Value) []float64 {
	return slices.Repeat([]float64{math.NaN()}, v.Type.Shape.Count())
}

// checks compiles the kernels of an application. Each reads what the reference
// gives for the tensors of the kernels before it, so that errors do not add up.
func (x *application) checks(t *testing.T, isa asm.ISA, number int) []*check {
	t.Helper()
	n := x.g.Nodes[0]
	nests, err := op.Nests(n)
	if err != nil {
		t.Fatalf("%s: %v\n%s", x.name, err, x.g)
	}
	var list []*check
	for i, nest := range nests {
		k, err := Compile(fmt.Sprintf("kernel%d_%d", number, i), nest, isa)
		if err != nil {
			t.Errorf("%s, part %d: %v\n%s", x.name, i, err, x.g)
			continue
		}
		c := &check{of: fmt.Sprintf("%s, part %d", x.name, i), kernel: k, nest: nest, stored: map[*ir.Value][]float64{}, bound: x.bound}
		contents := map[*ir.Value][]float64{}
		for _, v := range k.Args {
			contents[v] = rounded(x.want[v.Name])
		}
		for _, v := range nest.Stores() {
			c.stored[v] = blank(v)
		}
		places := &loop.Nest{Axes: nest.Axes, Body: storesOnly(nest.Body)}
		loop.Interpret(places, func(v *ir.Value) []float64 { return c.stored[v] }, eval.Uniform)
		for v, list := range c.stored {
			for j := range list {
				if !math.IsNaN(list[j]) {
					list[j] = x.want[v.Name].Data[j]
				}
			}
			contents[v] = blank(v)
		}
		c.call = asmtest.Call{Scratch: k.Scratch, Tasks: k.Tasks}
		for _, v := range k.Args {
			c.call.Buffers = append(c.call.Buffers, memory(v.Type, contents[v]))
		}
		list = append(list, c)
	}
	return list
}

// storesOnly leaves of statements where they store, to be quick.
func storesOnly(body []loop.Stmt) (list []loop.Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.For:
			list = append(list, &loop.For{Axis: s.Axis, Body: storesOnly(s.Body)})
		case *loop.Store:
			list = append(list, &loop.Store{Value: s.Value, Index: s.Index, Of: loop.N(0)})
		}
	}
	return list
}

// judge compares what a kernel left with what it should have. It gives the
// largest error as a part of the bound.
func (c *check) judge(t *testing.T, g string, isa asm.ISA) (worst float64) {
	t.Helper()
	for k, v := range c.kernel.Args {
		want := c.stored[v]
		if want == nil {
			continue
		}
		bound := c.bound(v)
		for i, w := range want {
			bits := binary.LittleEndian.Uint32(c.call.Buffers[k][4*place(v.Type, i):])
			got := float64(math.Float32frombits(bits))
			if v.Type.DType == ir.I32 {
				got = float64(int32(bits))
			}
			switch {
			case math.IsNaN(w) && bits != garbage:
				t.Errorf("%s %s: %s[%d], which is another kernel's, becomes %v\n%s", isa, c.of, v.Name, i, got, g)
				return worst
			case !math.IsNaN(w) && !(math.Abs(got-w) <= bound):
				t.Errorf("%s %s: %s[%d] is %v, the reference gives %v (bound %.3g)\n%s", isa, c.of, v.Name, i, got, w, bound, g)
				return worst
			case bound > 0 && !math.IsNaN(w):
				worst = max(worst, math.Abs(got-w)/bound)
			}
		}
	}
	return worst
}

// conform compiles applications for an instruction set and runs them, on this
// processor where it can and in the interpreter otherwise.
func conform(t *testing.T, isa asm.ISA, list []*application, run func(testing.TB, []*asm.Func, []asmtest.Call)) {
	t.Helper()
	var checks []*check
	var graphs []string
	for i, x := range list {
		for _, c := range x.checks(t, isa, i) {
			c.call.Func = len(checks)
			checks, graphs = append(checks, c), append(graphs, x.g.String())
		}
	}
	funcs, calls := make([]*asm.Func, len(checks)), make([]asmtest.Call, len(checks))
	for i, c := range checks {
		funcs[i], calls[i] = c.kernel.Func, c.call
	}
	run(t, funcs, calls)
	worst, of := 0.0, ""
	for i, c := range checks {
		if part := c.judge(t, graphs[i], isa); part > worst {
			worst, of = part, c.of
		}
	}
	t.Logf("%d kernels of %d applications; the largest error is %.2f of its bound, in %s", len(checks), len(list), worst, of)
}

// eachISA runs a test for both instruction sets: on this processor where it has
// them, all applications; in the interpreter those whose number of multiply-adds
// is small, for both instruction sets.
func eachISA(t *testing.T, list func() []*application) {
	for _, isa := range []asm.ISA{asm.AVX2, asm.AVX512} {
		t.Run(isa.String(), func(t *testing.T) {
			if asmtest.Native(isa) {
				conform(t, isa, list(), asmtest.Run)
				return
			}
			small := slices.DeleteFunc(list(), func(x *application) bool { return !*long && x.cost() > mostInterpreted })
			conform(t, isa, small, asmtest.Interpret)
		})
	}
}

// mostInterpreted is the size of an application, in scalar operations, above
// which the interpreter leaves it to the processors that run it.
const mostInterpreted = 1 << 17

// cost is about how many scalar operations an application takes.
func (x *application) cost() int {
	total := 0
	nests, err := op.Nests(x.g.Nodes[0])
	if err != nil {
		return 0
	}
	for _, nest := range nests {
		points := 1
		for _, v := range nest.Axes {
			points *= v.Extent
		}
		inner := 1
		walkStmts(nest.Body, func(s loop.Stmt) {
			switch s := s.(type) {
			case *loop.Reduce:
				n := 1
				for _, v := range s.Axes {
					n *= v.Extent
				}
				inner += n
			case *loop.For:
				inner += s.Axis.Extent
			}
		})
		total += points * inner
	}
	return total
}
