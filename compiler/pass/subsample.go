package pass

import (
	"slices"

	"netc/ir"
	"netc/ir/op"
)

// subsample takes the stride out of convolutions whose window is one pixel, and
// of the gradients of their weights, where the batch is not in lanes:
//
//	y = conv x, w {stride: [2, 2]}
//	=>
//	x.subsampled = subsample x {stride: [2, 2]}
//	y = conv x.subsampled, w
//
// The pixels that are read then lie side by side. Lanes of pixels run over whole
// images instead of over every second pixel of a row; with the channels in
// lanes, every block of output channels reads a quarter of the memory.
func (l *layouts) subsample() {
	g := l.g
	var nodes []*ir.Node
	taken := map[*ir.Value]*ir.Value{}
	for _, n := range g.Nodes {
		body := n.Operators()
		for _, inner := range body {
			stride, dense := withoutStride(inner)
			if dense == nil || !l.wide[n] && l.batch >= leastLanes {
				continue
			}
			x := inner.In[0]
			if !slices.Contains(n.In, x) || l.wide[n] && x.Kind == ir.Input {
				continue
			}
			if taken[x] == nil {
				taken[x] = g.Must(&op.Subsample{Stride: slices.Clone(stride)}, x.Name+".subsampled", n.From, x)
				g.Nodes = g.Nodes[:len(g.Nodes)-1]
				nodes = append(nodes, taken[x].Def)
			} else if !slices.Equal(taken[x].Def.Op.(*op.Subsample).Stride, stride) {
				continue
			}
			if l.wide[n] {
				l.wide[taken[x].Def] = true
			}
			inner.Op = dense
			if readsOnce(body, x) {
				replaceOperand(n, x, taken[x])
				continue
			}
			inner.In[0] = taken[x]
			n.In = append(n.In, taken[x])
		}
		nodes = append(nodes, n)
	}
	g.Nodes = nodes
}

// withoutStride gives the stride of a convolution whose window is one pixel, or
// of the gradient of its weights, and the operator that does the same to the
// pixels at which the window stops. It is nil for other nodes.
func withoutStride(n *ir.Node) (stride []int, dense ir.Op) {
	one := []int{1, 1}
	var pad, kernel []int
	switch o := n.Op.(type) {
	case *op.Conv:
		c := *o
		c.Stride = one
		stride, pad, kernel, dense = o.Stride, o.Pad, n.In[1].Type.Shape[2:], &c
	case *op.ConvGradWeight:
		c := *o
		c.Stride = one
		stride, pad, kernel, dense = o.Stride, o.Pad, o.Kernel, &c
	default:
		return nil, nil
	}
	if slices.Equal(stride, one) || pad[0]+pad[1] > 0 || !slices.Equal(kernel, one) {
		return nil, nil
	}
	return stride, dense
}

// readsOnce reports whether a value is one operand of one node of a body.
func readsOnce(body []*ir.Node, v *ir.Value) bool {
	n := 0
	for _, inner := range body {
		for _, u := range inner.In {
			if u == v {
				n++
			}
		}
	}
	return n == 1
}
