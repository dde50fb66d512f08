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

// near reports whether got is want, up to a relative difference.
func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}
