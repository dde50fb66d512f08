package pass

import (
	"slices"

	"netc/ir"
	"netc/ir/op"
)

// subsample takes the stride out of convolutions whose window is one pixel:
//
//	y = conv x, w {stride: [2, 2]}
//	=>
//	x.subsampled = subsample x {stride: [2, 2]}
//	y = conv x.subsampled, w
//
// The pixels that are read then lie side by side, so that the lanes of a few
// samples run over whole images instead of over every second pixel of a row.
func subsample(g *ir.Graph) {
	var nodes []*ir.Node
	taken := map[*ir.Value]*ir.Value{}
	for _, n := range g.Nodes {
		body := n.Operators()
		for _, inner := range body {
			c, ok := inner.Op.(*op.Conv)
			if !ok || !slices.Contains(n.In, inner.In[0]) || c.Stride[0]*c.Stride[1] == 1 || c.Pad[0]+c.Pad[1] > 0 ||
				inner.In[1].Type.Shape[2]*inner.In[1].Type.Shape[3] > 1 {
				continue
			}
			x := inner.In[0]
			if taken[x] == nil {
				taken[x] = g.Must(&op.Subsample{Stride: slices.Clone(c.Stride)}, x.Name+".subsampled", n.From, x)
				g.Nodes = g.Nodes[:len(g.Nodes)-1]
				nodes = append(nodes, taken[x].Def)
			} else if !slices.Equal(taken[x].Def.Op.(*op.Subsample).Stride, c.Stride) {
				continue
			}
			dense := *c
			dense.Stride = []int{1, 1}
			inner.Op = &dense
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
