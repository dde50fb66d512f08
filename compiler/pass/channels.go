package pass

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// chooseWide chooses the nodes that work with the channels in lanes: the
// convolutions that gain by it, and around them every node that can and of
// whose images most are so.
func (l *layouts) chooseWide() {
	made := map[*ir.Value]bool{} // images in channels, and one number a channel of each sample
	for _, n := range l.g.Nodes {
		if convolution(n) != nil {
			l.wide[n] = isWideConvolution(n)
		} else {
			l.wide[n] = l.mostly(n, made) && l.canBeWide(n, made)
		}
		if !l.wide[n] {
			delete(l.wide, n)
			continue
		}
		for _, v := range n.Out {
			made[v] = len(v.Type.Shape) == 4 || l.isBatch(v)
		}
	}
}

// mostly reports whether more bytes of a node's images come in channels than
// do not.
func (l *layouts) mostly(n *ir.Node, made map[*ir.Value]bool) bool {
	balance := 0
	for _, v := range n.In {
		switch {
		case made[v]:
			balance += v.Type.Bytes()
		case len(v.Type.Shape) == 4 && l.isBatch(v):
			balance -= v.Type.Bytes()
		}
	}
	return balance > 0
}

// convolution finds the convolution of a node, or one of its gradients.
func convolution(n *ir.Node) *ir.Node {
	for _, inner := range n.Operators() {
		switch inner.Op.(type) {
		case *op.Conv, *op.ConvGradData, *op.ConvGradWeight:
			return inner
		}
	}
	return nil
}

func isWeightGradient(n *ir.Node) bool {
	inner := convolution(n)
	if inner == nil {
		return false
	}
	_, ok := inner.Op.(*op.ConvGradWeight)
	return ok
}

// isWideConvolution reports whether a convolution works with its channels in lanes.
func isWideConvolution(n *ir.Node) bool {
	inner := convolution(n)
	var images, results *ir.Value
	group := 1
	switch o := inner.Op.(type) {
	case *op.Conv:
		images, results, group = inner.In[0], inner.Out[0], o.Group
	case *op.ConvGradData:
		images, results, group = inner.Out[0], inner.In[0], o.Group
	case *op.ConvGradWeight:
		images, results, group = inner.In[0], inner.In[1], o.Group
	}
	c, k := images.Type.Shape[1]/group, results.Type.Shape[1]/group
	return k%ir.LaneBlock == 0 && (c%ir.LaneBlock == 0 || images.Kind == ir.Input)
}

// wantedWide is the layout in which a node with its channels in lanes reads an
// operand: images in channels, but for the network's inputs, of which a
// convolution reads one element at a time; weights with the axis in lanes that
// the result has in lanes.
func (l *layouts) wantedWide(n *ir.Node, v *ir.Value) ir.Type {
	inner := convolution(n)
	if inner != nil && slices.Contains(inner.In, v) {
		if v.Kind == ir.Input {
			return v.Type.RowMajor()
		}
		if v == inner.In[1] && !isWeightGradient(n) {
			if _, forward := inner.Op.(*op.Conv); forward {
				return v.Type.RowMajor().InLanes(0)
			}
			return v.Type.RowMajor().Swapped().InLanes(1)
		}
	}
	if len(v.Type.Shape) == 4 && l.isBatch(v) {
		return v.Type.RowMajor().InLanes(1)
	}
	return v.Type.RowMajor()
}

// canBeWide reports whether a node other than a convolution can have channels
// in lanes: each of its nests has an axis that runs through the channels of
// all images that it reads and writes, in whole blocks.
func (l *layouts) canBeWide(n *ir.Node, made map[*ir.Value]bool) bool {
	nests, err := op.Nests(n)
	if err != nil {
		return false
	}
	for _, nest := range nests {
		var channel *loop.Var
		for _, a := range loop.Accesses(nest.Body) {
			if !l.isBatch(a.Value) || len(a.Value.Type.Shape) != 4 && !made[a.Value] && !a.IsStore {
				continue
			}
			at, ok := a.Index[1].ToAffine()
			if !ok || a.Value.Type.Shape[1]%ir.LaneBlock != 0 || at.Const%ir.LaneBlock != 0 {
				return false
			}
			own := 0
			for u, step := range at.Coef {
				switch {
				case step%ir.LaneBlock == 0:
				case step == 1 && slices.Contains(nest.Axes, u) && u.Extent%ir.LaneBlock == 0 && (channel == nil || channel == u):
					channel = u
					own++
				default:
					return false
				}
			}
			if own != 1 {
				return false
			}
		}
		if channel == nil {
			return false
		}
	}
	return true
}

// unfuseUpdates takes apart the kernels that compute a weight's gradient in
// lanes and update the weight, which is row-major: the gradient is converted
// between the two.
func (l *layouts) unfuseUpdates() {
	var nodes []*ir.Node
	for _, n := range l.g.Nodes {
		inner := convolution(n)
		if !l.wide[n] || inner == n || !isWeightGradient(n) {
			nodes = append(nodes, n)
			continue
		}
		// What the gradient reads that the kernel computes stays with it.
		before, update := neededFor(inner, slices.DeleteFunc(slices.Clone(n.Body), func(b *ir.Node) bool { return b == inner }))
		if len(update) == 0 {
			nodes = append(nodes, n)
			continue
		}
		first := partOf(n, append(before, inner), update)
		delete(l.wide, n)
		l.wide[first] = true
		nodes = append(nodes, first, partOf(n, update, nil))
	}
	l.g.Nodes = nodes
}

// partOf is a kernel of some of a group's nodes, whose results the rest may read.
func partOf(group *ir.Node, part, rest []*ir.Node) *ir.Node {
	if len(part) == 1 {
		for _, v := range part[0].Out {
			v.Def = part[0]
		}
		return part[0]
	}
	return ir.NewGroup(part, func(v *ir.Value) bool {
		return slices.Contains(group.Out, v) || slices.ContainsFunc(rest, func(b *ir.Node) bool { return slices.Contains(b.In, v) })
	})
}
