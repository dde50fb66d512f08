//go:build linux

package compiler

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"netc/codegen/vector/vectortest"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/loop"
	"netc/ir/op"
)

// TestVectorKernelsOfRandomNets compiles every kernel of the random networks, all
// as they train and some as they are tested, for vectors, and compares what it computes with its loop nest in float64.
func TestVectorKernelsOfRandomNets(t *testing.T) {
	testKernels(t, randomNets, randomNet, func(uint64) []step { return steps })
}

// TestVectorKernelsOfWideNets does so for networks of wide convolutions, in any
// mixture of layouts.
func TestVectorKernelsOfWideNets(t *testing.T) { testKernels(t, wideNets, wideNet, randomSteps) }

func testKernels(t *testing.T, nets int, net func(seed uint64, phase string) *ir.Graph, steps func(seed uint64) []step) {
	if *vectortest.Long {
		nets *= 10
	}
	vectortest.EachISA(t, func() (list []*vectortest.Application) {
		for seed := range uint64(nets) {
			phases := []string{"train", "test"}
			if seed%3 != 0 {
				phases = phases[:1]
			}
			for _, phase := range phases {
				r := newRandomRun(t, seed, net(seed, phase))
				for _, s := range steps(seed) {
					if s.phase != "" && s.phase != phase {
						continue
					}
					if err := r.c.step(s, r.phase(), ""); err != nil {
						r.fatalf("%v", err)
					}
				}
				list = append(list, r.applications()...)
			}
		}
		return list
	})
}

// applications are the network's kernels on the values that they meet in it.
func (r *randomRun) applications() (list []*vectortest.Application) {
	r.t.Helper()
	r.feed()
	for _, x := range r.feeds {
		round(x)
	}
	values, err := eval.Run(r.g, r.feeds)
	if err != nil {
		r.fatalf("%v", err)
	}
	text := r.g.String()
	for i, n := range r.g.Nodes {
		body := n.Body
		if body == nil {
			body = []*ir.Node{n}
		}
		if _, isView := n.Op.(*op.Reshape); isView {
			continue // the planner makes it an alias
		}
		list = append(list, &vectortest.Application{
			Name: fmt.Sprintf("network %d, node %d %s", r.seed, i, n.Out[0].Name), Node: n, Text: text, Rare: true,
			Want: r.alone(n, values), Bound: vectortest.BoundOf(body, values),
		})
	}
	return list
}

// alone gives what a node computes from its operands as kernels see them,
// rounded to float32.
func (r *randomRun) alone(n *ir.Node, values map[string]*eval.Tensor) map[string]*eval.Tensor {
	r.t.Helper()
	want := maps.Clone(values)
	for _, v := range n.In {
		want[v.Name] = values[v.Name].Clone()
		round(want[v.Name])
	}
	for _, v := range n.Out {
		want[v.Name] = &eval.Tensor{Type: v.Type, Data: slices.Repeat([]float64{math.NaN()}, v.Type.Shape.Count())}
	}
	nests, err := op.Nests(n)
	if err != nil {
		r.fatalf("%v", err)
	}
	for _, nest := range nests {
		loop.Interpret(nest, func(v *ir.Value) []float64 { return want[v.Name].Data }, eval.Uniform)
	}
	return want
}

// round makes float32 of the elements.
func round(x *eval.Tensor) {
	if x.Type.DType == ir.F32 {
		for i, e := range x.Data {
			x.Data[i] = float64(float32(e))
		}
	}
}
