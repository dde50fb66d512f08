package op_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/loop"
	"netc/ir/op"
)

// elements holds the tensors of a graph, row-major.
type elements map[*ir.Value][]float64

// run computes nodes by their loop nests. Results start as NaN, so that an
// element that no nest stores shows.
func (e elements) run(nodes []*ir.Node) {
	for _, n := range nodes {
		for _, v := range n.Out {
			e[v] = unset(v)
		}
		for _, nest := range n.Op.(op.Operator).Loops(n) {
			loop.Interpret(nest, e.of, eval.Uniform)
		}
	}
}

func (e elements) of(v *ir.Value) []float64 { return e[v] }

func unset(v *ir.Value) []float64 {
	list := make([]float64, v.Type.Shape.Count())
	for i := range list {
		list[i] = math.NaN()
	}
	return list
}

// build makes a graph of one node with the trial's operands as inputs, and
// fills them.
func build(t *testing.T, x trial, r *rand.Rand) (*ir.Graph, *ir.Node, elements) {
	t.Helper()
	g := ir.New("trial", "train")
	e := elements{}
	var in []*ir.Value
	for i, typ := range x.in {
		v := g.AddInput("in", typ)
		in = append(in, v)
		if fill := x.fill[i]; fill != nil {
			e[v] = fill(r, typ)
		} else {
			e[v] = ordinary(r, typ, i)
		}
	}
	if x.prepare != nil {
		data := make([][]float64, len(in))
		for i, v := range in {
			data[i] = e[v]
		}
		x.prepare(data)
	}
	if _, err := g.Add(x.op, "out", []ir.Origin{{Layer: "layer", File: "some.net", Line: 3}}, in...); err != nil {
		t.Fatalf("%s %v of %v: %v", x.op.Mnemonic(), ir.Attributes(x.op), x.in, err)
	}
	return g, g.Nodes[0], e
}

// ordinary fills operand i: numbers between -2 and 2 that keep a distance from
// each other, from zero and from those of other operands, in random order; for
// i32, small class numbers, of which some are no class.
func ordinary(r *rand.Rand, t ir.Type, i int) []float64 {
	list := make([]float64, t.Shape.Count())
	if t.DType == ir.I32 {
		for j := range list {
			list[j] = float64(r.IntN(5) - 1)
		}
		return list
	}
	gap := 4 / float64(len(list))
	for j, k := range r.Perm(len(list)) {
		list[j] = -2 + gap*(float64(k)+0.3+0.1*float64(i))
	}
	return list
}

// positive fills with numbers between 0.5 and 2.5.
func positive(r *rand.Rand, t ir.Type) []float64 {
	list := make([]float64, t.Shape.Count())
	for j := range list {
		list[j] = 0.5 + 2*r.Float64()
	}
	return list
}

// near reports whether got is want, up to a relative difference.
func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}
