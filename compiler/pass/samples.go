package pass

import (
	"slices"

	"netc/ir"
	"netc/ir/op"
)

// leastElements is the number of elements of a sample that are worth a sum of
// their own.
const leastElements = 16

// SumBySample takes sums over all samples apart: first each sample's elements
// are summed, then the samples.
//
//	s = sum x {axes: [0, 2, 3]}   =>   s.samples = sum x {axes: [2, 3]}
//	                                   s         = sum s.samples {axes: [0]}
//
//	y, m, v = batchnorm x         =>   x.means, x.squares = moments x
//	                                   m, v    = merge_moments x.means, x.squares
//	                                   inverse = map v {formula: "1/sqrt(a + eps)"}
//	                                   y       = map x, m, inverse {formula: "(a - b)*c"}
//
// (with broadcasts of m and inverse, and in groups as well).
// There are then as many tasks as samples instead of as channels or taps, few
// additions follow one upon the other, and the elements of a sample are near
// when a variance reads them again. Two sums of which one reads what the other
// reads become one kernel. Runs after the fusions, whose groups it divides, and
// only for vector kernels: plain Go adds in the same order with -O0.
func SumBySample(g *ir.Graph) error {
	s := &bySample{g: g, readers: g.Readers(), isRoot: rootsOf(g)}
	var nodes []*ir.Node
	for _, n := range g.Nodes {
		nodes = append(nodes, s.divided(n)...)
	}
	g.Nodes = nodes
	joinSums(g)
	return nil
}

// joinSums makes one kernel of two that sum parts of the same large tensor over
// the same axes, which then passes by once.
func joinSums(g *ir.Graph) {
	f := newFusion(g)
	for _, n := range slices.Clone(g.Nodes) {
		for _, v := range n.In {
			if !f.present(n) || len(v.Type.Shape) < 3 || !sumsOnly(n) {
				continue
			}
			for _, other := range f.ordered(slices.Clone(f.readers[v])) {
				if other == n || !sumsOnly(other) {
					continue
				}
				if trial := f.ordered([]*ir.Node{n, other}); f.composes(trial) && !f.entangled(trial) {
					f.merge(trial)
					break
				}
			}
		}
	}
	f.finish()
}

// sumsOnly reports whether a kernel gives sums by sample and nothing else.
func sumsOnly(n *ir.Node) bool {
	return !slices.ContainsFunc(n.Out, func(v *ir.Value) bool {
		return !slices.ContainsFunc(n.Operators(), func(inner *ir.Node) bool {
			o, ok := inner.Op.(*op.Sum)
			return ok && inner.Out[0] == v && o.Axes[0] > 0
		})
	})
}

type bySample struct {
	g       *ir.Graph
	readers map[*ir.Value][]*ir.Node
	isRoot  map[*ir.Value]bool
}

// divided gives the kernels that take a node's place.
func (s *bySample) divided(n *ir.Node) []*ir.Node {
	for i, inner := range n.Operators() {
		switch o := inner.Op.(type) {
		case *op.Sum:
			if areSamples(inner.In[0].Type.Shape, o.Axes) {
				return s.sum(n, i)
			}
		case *op.BatchNorm:
			if shape := inner.In[0].Type.Shape; shape[0] > 1 && shape[2:].Count() >= leastElements {
				return s.normalization(n, i, o.Eps)
			}
		}
	}
	return []*ir.Node{n}
}

// areSamples reports whether axes are the first one, of several samples, and
// enough elements of each.
func areSamples(shape ir.Shape, axes []int) bool {
	if len(axes) < 2 || axes[0] != 0 || shape[0] < 2 {
		return false
	}
	elements := 1
	for _, axis := range axes[1:] {
		elements *= shape[axis]
	}
	return elements >= leastElements
}

// detached makes a node, of the origin of another, that is not in the graph's list.
func detached(g *ir.Graph, o ir.Op, name string, n *ir.Node, in ...*ir.Value) *ir.Node {
	made := g.Must(o, name, n.From, in...).Def
	g.Nodes = g.Nodes[:len(g.Nodes)-1]
	return made
}

// sum divides the sum at a place of a kernel's body.
func (s *bySample) sum(n *ir.Node, at int) []*ir.Node {
	total := n.Operators()[at]
	axes := total.Op.(*op.Sum).Axes
	return added(n, at, detached(s.g, &op.Sum{Axes: slices.Clone(axes[1:])}, total.Out[0].Name+".samples", total, total.In...), 0)
}

// added gives a kernel of parts, with what they read of a body, and one that
// adds them up along an axis in the place of the node that summed all.
func added(n *ir.Node, at int, parts *ir.Node, axis int) []*ir.Node {
	body := slices.Clone(n.Operators())
	body[at] = &ir.Node{Op: &op.Sum{Axes: []int{axis}}, In: slices.Clone(parts.Out), Out: body[at].Out, From: body[at].From}
	before, after := ir.Needed(parts.In, body)
	return []*ir.Node{partOf(n, append(before, parts), after), partOf(n, after, nil)}
}

// normalization divides the batchnorm at a place of a kernel's body.
func (s *bySample) normalization(n *ir.Node, at int, eps float64) []*ir.Node {
	body := slices.Clone(n.Operators())
	norm := body[at]
	x, y, mean, variance := norm.In[0], norm.Out[0], norm.Out[1], norm.Out[2]
	moments := detached(s.g, &op.Moments{}, x.Name+".means", norm, x)
	merged := &ir.Node{Op: &op.MergeMoments{Of: x.Type.Shape[2:].Count()}, In: slices.Clone(moments.Out), Out: []*ir.Value{mean, variance}, From: norm.From}
	before, after := ir.Needed(moments.In, slices.Delete(body, at, at+1))
	kernels := []*ir.Node{partOf(n, append(before, moments), after), partOf(n, []*ir.Node{merged}, nil)}
	if !s.isRoot[y] && len(s.readers[y]) == 0 && !slices.ContainsFunc(after, func(r *ir.Node) bool { return slices.Contains(r.In, y) }) {
		return kernels
	}
	inverse := detached(s.g, op.InverseDeviation(eps), y.Name+".inverse", norm, variance)
	spread := func(v *ir.Value) *ir.Node {
		return detached(s.g, &op.Broadcast{Shape: slices.Clone(x.Type.Shape), Axes: []int{1}}, v.Name+".broadcast", norm, v)
	}
	means, inverses := spread(mean), spread(inverse.Out[0])
	normalized := &ir.Node{Op: &op.Map{Formula: "(a - b)*c"}, In: []*ir.Value{x, means.Out[0], inverses.Out[0]}, Out: []*ir.Value{y}, From: norm.From}
	return append(kernels, inverse, partOf(n, append([]*ir.Node{means, inverses, normalized}, after...), nil))
}
