package pass

import (
	"cmp"
	"slices"

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
// loss is elementwise and can take the formula into its kernel, where x is kept
// indeed, and where y is no output. The formulas are those of batchnorm, so the
// results have the same bits. Runs before the fusions.
func Recompute(g *ir.Graph) error {
	if g.Loss == nil || g.Loss.Def == nil {
		return nil
	}
	isRoot, readers := rootsOf(g), g.Readers()
	place := map[*ir.Node]int{}
	for i, n := range g.Nodes {
		place[n] = i
	}
	nodes, forward := g.Nodes, place[g.Loss.Def]
	late := func(v *ir.Value) []*ir.Node {
		list := slices.DeleteFunc(slices.Clone(readers[v]), func(r *ir.Node) bool { return place[r] <= forward })
		slices.SortStableFunc(list, func(a, b *ir.Node) int { return cmp.Compare(place[a], place[b]) })
		return list
	}
	again := map[int][]*ir.Node{}                        // what to compute before the node at a place
	for _, n := range slices.Backward(nodes[:forward]) { // readers first: what is computed again may read another such value
		norm, ok := n.Op.(*op.BatchNorm)
		if !ok || isRoot[n.Out[0]] {
			continue
		}
		x, list := n.In[0], late(n.Out[0])
		isKept := x.Kind != ir.Result || isRoot[x] || len(late(x)) > 0
		if len(list) == 0 || !isKept || slices.ContainsFunc(list, func(r *ir.Node) bool { return !isElementwise(r) }) {
			continue
		}
		end, at := len(g.Nodes), place[list[0]]
		y := normalizeAgain(g, n, norm.Eps)
		added := slices.Clone(g.Nodes[end:])
		g.Nodes = g.Nodes[:end]
		again[at] = append(added, again[at]...)
		for _, m := range added {
			place[m] = at
			for _, v := range m.In {
				readers[v] = append(readers[v], m)
			}
		}
		for _, r := range list {
			substitution{n.Out[0]: y}.rewrite(r)
		}
	}
	g.Nodes = nil
	for i, n := range nodes {
		g.Nodes = append(append(g.Nodes, again[i]...), n)
	}
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
	inverse := inverseDeviation(g, n, eps, variance)
	return g.Must(&op.Map{Formula: "(a - b)*c"}, name+".again", n.From, x, spread(mean), spread(inverse))
}

// inverseDeviation appends the node that computes what a normalisation
// multiplies with.
func inverseDeviation(g *ir.Graph, n *ir.Node, eps float64, variance *ir.Value) *ir.Value {
	return g.Must(op.InverseDeviation(eps), n.Out[0].Name+".inverse", n.From, variance)
}
