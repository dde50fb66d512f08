package pass

import (
	"slices"
	"strconv"

	"netc/ir"
	"netc/ir/op"
)

// Recompute normalises a batch again where gradients read it, so that the
// normalised values need not be kept from the forward to the backward pass: what
// they are computed from is kept for the gradient of the normalisation anyway.
//
//	y, m, v = batchnorm x               y, m, v = batchnorm x
//	…                                   …
//	loss    = …                 =>      loss    = …
//	w.d     = mul y, z.d                inverse = map v {formula: "1/sqrt(a + eps)"}
//	                                    y.again = map x, m, inverse {formula: "(a - b)*c"}
//	                                    w.d     = mul y.again, z.d
//
// (with broadcasts of m and inverse). It does so where every reader behind the
// loss is elementwise and can take the formula into its kernel, and where y is no
// output. The formulas are those of batchnorm, so the results have the same bits.
// Runs before the fusions.
func Recompute(g *ir.Graph) error {
	if g.Loss == nil || g.Loss.Def == nil {
		return nil
	}
	isRoot, readers := rootsOf(g), g.Readers()
	place := map[*ir.Node]int{}
	for i, n := range g.Nodes {
		place[n] = i
	}
	forward := place[g.Loss.Def]
	again := map[*ir.Node][]*ir.Node{} // what to compute before each node
	for _, n := range g.Nodes[:forward] {
		norm, ok := n.Op.(*op.BatchNorm)
		if !ok || isRoot[n.Out[0]] {
			continue
		}
		late := slices.DeleteFunc(slices.Clone(readers[n.Out[0]]), func(r *ir.Node) bool { return place[r] <= forward })
		if len(late) == 0 || slices.ContainsFunc(late, func(r *ir.Node) bool { return !isElementwise(r) }) {
			continue
		}
		end := len(g.Nodes)
		y := normalizeAgain(g, n, norm.Eps)
		again[late[0]] = append(again[late[0]], g.Nodes[end:]...)
		g.Nodes = g.Nodes[:end]
		for _, r := range late {
			substitution{n.Out[0]: y}.rewrite(r)
		}
	}
	var nodes []*ir.Node
	for _, n := range g.Nodes {
		nodes = append(append(nodes, again[n]...), n)
	}
	g.Nodes = nodes
	return nil
}

func isElementwise(n *ir.Node) bool {
	_, ok := n.Op.(op.Elementwise)
	return ok && n.Body == nil
}

// normalizeAgain appends the nodes that compute the first result of a batchnorm
// from its operand and its other results.
func normalizeAgain(g *ir.Graph, n *ir.Node, eps float64) *ir.Value {
	x, mean, variance := n.In[0], n.Out[1], n.Out[2]
	name := n.Out[0].Name
	spread := func(v *ir.Value) *ir.Value {
		return g.Must(&op.Broadcast{Shape: slices.Clone(x.Type.Shape), Axes: []int{1}}, v.Name+".broadcast", n.From, v)
	}
	inverse := g.Must(&op.Map{Formula: "1/sqrt(a + " + strconv.FormatFloat(eps, 'g', -1, 64) + ")"}, name+".inverse", n.From, variance)
	return g.Must(&op.Map{Formula: "(a - b)*c"}, name+".again", n.From, x, spread(mean), spread(inverse))
}
