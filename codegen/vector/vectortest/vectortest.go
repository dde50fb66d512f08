//go:build linux

// Package vectortest compares vector kernels with the reference: on this
// processor, in buffers between forbidden pages, or in the interpreter of
// codegen/asm.
package vectortest

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"netc/codegen/asm"
	"netc/codegen/asm/asmtest"
	"netc/codegen/vector"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/loop"
	"netc/ir/op"
)

// Long asks for many more random shapes, and for large ones in the interpreter too.
var Long = flag.Bool("long", false, "conformance: many more random shapes, and large ones in the interpreter too")

// Application is one node, often a fused group, whose kernels are compared with
// the reference.
type Application struct {
	Name  string
	Node  *ir.Node
	Want  map[string]*eval.Tensor // what the node reads and stores, by name, by the reference
	Bound func(v *ir.Value) float64
	Text  string // the graph, for messages
	// Rare says that a kernel may have no vector form and is left to plain Go.
	Rare bool
}

// check is one kernel of an application: a call and what it must leave.
type check struct {
	of     string
	text   string
	kernel *vector.Kernel
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
		if t.Swap && a < 2 {
			a = 1 - a
		}
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
	b := make([]byte, t.Bytes())
	for i := range t.Stored() {
		poke(t, b, i, garbage)
	}
	for i, x := range elements {
		bits := math.Float32bits(float32(x))
		switch {
		case math.IsNaN(x):
			bits = garbage
		case t.DType.IsInt():
			bits = uint32(int32(x))
		}
		poke(t, b, place(t, i), bits)
	}
	return b
}

// poke sets the bits of an element, as many as it has.
func poke(t ir.Type, b []byte, at int, bits uint32) {
	if t.DType == ir.U8 {
		b[at] = byte(bits)
	} else {
		binary.LittleEndian.PutUint32(b[4*at:], bits)
	}
}

// peek gives the bits of an element, and whether they are garbage.
func peek(t ir.Type, b []byte, at int) (bits uint32, isGarbage bool) {
	if t.DType == ir.U8 {
		return uint32(b[at]), b[at] == garbage&0xff
	}
	bits = binary.LittleEndian.Uint32(b[4*at:])
	return bits, bits == garbage
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
func (x *Application) checks(t *testing.T, isa asm.ISA, number int) []*check {
	t.Helper()
	nests, err := op.Nests(x.Node)
	if err != nil {
		t.Fatalf("%s: %v\n%s", x.Name, err, x.Text)
	}
	var list []*check
	for i, nest := range nests {
		k, err := vector.Compile(fmt.Sprintf("kernel%d_%d", number, i), nest, isa)
		if err != nil && x.Rare {
			t.Logf("%s, part %d: %v", x.Name, i, err)
			continue
		}
		if err != nil {
			t.Errorf("%s, part %d: %v\n%s", x.Name, i, err, x.Text)
			continue
		}
		c := &check{of: fmt.Sprintf("%s, part %d", x.Name, i), text: x.Text, kernel: k, nest: nest, stored: map[*ir.Value][]float64{}, bound: x.Bound}
		contents := map[*ir.Value][]float64{}
		for _, v := range k.Args {
			contents[v] = rounded(x.Want[v.Name])
		}
		for _, v := range nest.Stores() {
			c.stored[v] = blank(v)
		}
		places := &loop.Nest{Axes: nest.Axes, Body: storesOnly(nest.Body)}
		loop.Interpret(places, func(v *ir.Value) []float64 { return c.stored[v] }, eval.Uniform)
		for v, list := range c.stored {
			for j := range list {
				if !math.IsNaN(list[j]) {
					list[j] = x.Want[v.Name].Data[j]
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
func (c *check) judge(t *testing.T, isa asm.ISA) (worst float64) {
	t.Helper()
	for k, v := range c.kernel.Args {
		want := c.stored[v]
		if want == nil {
			continue
		}
		bound := c.bound(v)
		for i, w := range want {
			bits, isGarbage := peek(v.Type, c.call.Buffers[k], place(v.Type, i))
			got := float64(math.Float32frombits(bits))
			if v.Type.DType.IsInt() {
				got = float64(int32(bits))
			}
			switch {
			case math.IsNaN(w) && !isGarbage:
				t.Errorf("%s %s: %s[%d], which is another kernel's, becomes %v\n%s", isa, c.of, v.Name, i, got, c.text)
				return worst
			case !math.IsNaN(w) && !(math.Abs(got-w) <= bound):
				t.Errorf("%s %s: %s[%d] is %v, the reference gives %v (bound %.3g)\n%s", isa, c.of, v.Name, i, got, w, bound, c.text)
				return worst
			case bound > 0 && !math.IsNaN(w):
				worst = max(worst, math.Abs(got-w)/bound)
			}
		}
	}
	return worst
}

// Conform compiles applications for an instruction set and runs them, on this
// processor where it can and in the interpreter otherwise.
func Conform(t *testing.T, isa asm.ISA, list []*Application, run func(testing.TB, []*asm.Func, []asmtest.Call)) {
	t.Helper()
	var checks []*check
	for i, x := range list {
		for _, c := range x.checks(t, isa, i) {
			c.call.Func = len(checks)
			checks = append(checks, c)
		}
	}
	funcs, calls := make([]*asm.Func, len(checks)), make([]asmtest.Call, len(checks))
	for i, c := range checks {
		funcs[i], calls[i] = c.kernel.Func, c.call
	}
	run(namer{t, checks}, funcs, calls)
	worst, of := 0.0, ""
	for _, c := range checks {
		if part := c.judge(t, isa); part > worst {
			worst, of = part, c.of
		}
	}
	t.Logf("%d kernels of %d applications; the largest error is %.2f of its bound, in %s", len(checks), len(list), worst, of)
}

// namer adds to a fault of a call which application it was.
type namer struct {
	testing.TB
	checks []*check
}

var callNumber = regexp.MustCompile(`call (\d+)`)

// Fatalf ends the test.
func (n namer) Fatalf(format string, args ...any) {
	n.Helper()
	text := fmt.Sprintf(format, args...)
	if found := callNumber.FindStringSubmatch(text); found != nil {
		if i, err := strconv.Atoi(found[1]); err == nil && i < len(n.checks) {
			text += "\n" + n.checks[i].of + "\n" + n.checks[i].text
		}
	}
	n.TB.Fatalf("%s", text)
}

// EachISA runs a test for both instruction sets: on this processor where it has
// them, all applications; in the interpreter those whose number of multiply-adds
// is small, for both instruction sets.
func EachISA(t *testing.T, list func() []*Application) {
	for _, isa := range []asm.ISA{asm.AVX2, asm.AVX512} {
		t.Run(isa.String(), func(t *testing.T) {
			if asmtest.Native(isa) {
				Conform(t, isa, list(), asmtest.Run)
				return
			}
			small := slices.DeleteFunc(list(), func(x *Application) bool { return !*Long && x.Cost() > MostInterpreted })
			Conform(t, isa, small, asmtest.Interpret)
		})
	}
}

// MostInterpreted is the size of an application, in scalar operations, above
// which the interpreter leaves it to the processors that run it.
const MostInterpreted = 1 << 17

// Cost is about how many scalar operations an application takes.
func (x *Application) Cost() int {
	total := 0
	nests, err := op.Nests(x.Node)
	if err != nil {
		return 0
	}
	for _, nest := range nests {
		points := 1
		for _, v := range nest.Axes {
			points *= v.Extent
		}
		inner := 1
		count(nest.Body, 1, &inner)
		total += points * inner
	}
	return total
}

// count adds the iterations of reductions and loops in statements to total.
func count(body []loop.Stmt, times int, total *int) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Reduce:
			n := times
			for _, v := range s.Axes {
				n *= v.Extent
			}
			*total += n
			count(s.Body, n, total)
		case *loop.For:
			*total += times * s.Axis.Extent
			count(s.Body, times*s.Axis.Extent, total)
		}
	}
}
