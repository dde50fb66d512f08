package pass

import (
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// FoldAffine makes one product and one sum of a chain of normalisations, scales
// and shifts whose numbers are the same in every step: see ir.Graph.Invariant.
//
//	n = normalize x, mean, variance      n.inverse = map variance {formula: "1/sqrt(a + eps)"}
//	s = mul n, scale                     y.gain    = map n.inverse, scale {formula: "a*b"}
//	y = add s, shift                =>   y.offset  = map mean, n.inverse, scale, shift {formula: "-a*b*c + d"}
//	                                     y         = map x, y.gain, y.offset {formula: "a*b + c"}
//
// (scale, shift, y.gain and y.offset broadcast). A chain ends where its value is
// an output or has another reader, and where the next numbers are repeated along
// other axes; it stays as it is where nothing is saved. The result is rounded
// otherwise, which moves it about as much as a rounding of x does. Runs before
// DropDead, which removes the broadcasts that lose their readers, and before the
// fusions, which take the product and the sum into the kernel that makes x.
func FoldAffine(g *ir.Graph) error {
	if len(g.Writes) > 0 {
		return nil // every step would compute the numbers again
	}
	a := affine{g: g, invariant: g.Invariant(), readers: g.Readers(), roots: rootsOf(g)}
	nodes := g.Nodes
	made := map[*ir.Node][]*ir.Node{} // before the node that reads them
	folded := map[*ir.Node]bool{}
	for _, n := range slices.Backward(nodes) { // the ends of chains first
		chain := a.chain(n)
		if folded[n] || len(chain) == 0 {
			continue
		}
		g.Nodes = nil
		a.fold(chain)
		made[n] = g.Nodes
		for _, l := range chain[:len(chain)-1] {
			folded[l.node] = true
		}
	}
	g.Nodes = nil
	for _, n := range nodes {
		g.Nodes = append(append(g.Nodes, made[n]...), n)
	}
	g.Remove(func(n *ir.Node) bool { return folded[n] })
	return nil
}

type affine struct {
	g         *ir.Graph
	invariant map[*ir.Node]bool
	readers   map[*ir.Value][]*ir.Node
	roots     map[*ir.Value]bool
}

// affineLink is a node that computes one number times x plus another, the
// numbers repeated along all axes of x but some.
type affineLink struct {
	node *ir.Node
	x    *ir.Value
	axes []int // of the numbers
	with *ir.Value
}

// link sees a node as a part of a chain.
func (a *affine) link(n *ir.Node) (affineLink, bool) {
	if n.Body != nil || a.invariant[n] {
		return affineLink{}, false
	}
	switch o := n.Op.(type) {
	case *op.Normalize:
		return affineLink{node: n, x: n.In[0], axes: []int{1}}, a.isInvariant(n.In[1]) && a.isInvariant(n.In[2])
	case *op.Pointwise:
		switch o.Mnemonic() {
		case "add", "mul":
			for i, v := range n.In {
				if axes, with := a.repeated(v); with != nil {
					return affineLink{n, n.In[1-i], axes, with}, true
				}
			}
		case "sub":
			axes, with := a.repeated(n.In[1])
			return affineLink{n, n.In[0], axes, with}, with != nil
		}
	}
	return affineLink{}, false
}

func (a *affine) isInvariant(v *ir.Value) bool {
	return v.Kind == ir.Param || v.Kind == ir.State || v.Def != nil && a.invariant[v.Def]
}

// repeated gives what a broadcast repeats, and along which axes of its result
// it lies, if that is the same in every step.
func (a *affine) repeated(v *ir.Value) (axes []int, of *ir.Value) {
	if v.Def == nil || !a.invariant[v.Def] {
		return nil, nil
	}
	if b, ok := v.Def.Op.(*op.Broadcast); ok {
		return b.Axes, v.Def.In[0]
	}
	return nil, nil
}

// chain lists the links up to a node, or nothing where folding saves nothing.
func (a *affine) chain(last *ir.Node) []affineLink {
	l, ok := a.link(last)
	if !ok {
		return nil
	}
	chain := []affineLink{l}
	for {
		v := chain[0].x
		if v.Def == nil || a.roots[v] || len(a.readers[v]) > 1 {
			break
		}
		before, ok := a.link(v.Def)
		if !ok || !slices.Equal(before.axes, l.axes) {
			break
		}
		chain = slices.Insert(chain, 0, before)
	}
	scales, shifts := 0, 0
	for _, l := range chain {
		switch l.node.Op.Mnemonic() {
		case "normalize":
			scales, shifts = scales+2, shifts+1 // the inverse deviation is computed as well
		case "mul":
			scales++
		default:
			shifts++
		}
	}
	if scales+shifts == min(scales, 1)+min(shifts, 1) {
		return nil
	}
	return chain
}

// fold appends the nodes that compute the gain and the offset, and makes the
// last node of a chain their product and sum with what the first reads.
func (a *affine) fold(chain []affineLink) {
	last := chain[len(chain)-1].node
	f := formula{names: map[string]*loop.Expr{"gain": loop.N(1), "offset": loop.N(0)}}
	scale := func(by string) {
		f.define("gain", "gain*"+by)
		f.define("offset", "offset*"+by)
	}
	var nodes []*ir.Node
	for i, l := range chain {
		nodes = append(nodes, l.node)
		with := fmt.Sprintf("v%d", i)
		switch o := l.node.Op.(type) {
		case *op.Normalize:
			mean := fmt.Sprintf("mean%d", i)
			f.bind(mean, l.node.In[1])
			f.define("offset", "offset - "+mean)
			f.bind(with, inverseDeviation(a.g, l.node, o.Eps, l.node.In[2]))
			scale(with)
		case *op.Pointwise:
			f.bind(with, l.with)
			switch o.Mnemonic() {
			case "mul":
				scale(with)
			case "add":
				f.define("offset", "offset + "+with)
			case "sub":
				f.define("offset", "offset - "+with)
			}
		}
	}
	last.From = ir.Origins(nodes...)
	last.In = []*ir.Value{chain[0].x}
	for _, role := range []string{"gain", "offset"} {
		if f.names[role].Op == loop.Const { // 1 or 0
			continue
		}
		name := last.Out[0].Name + "." + role
		e, in := f.compose(role)
		v := in[0]
		if e.Op != loop.Ref {
			v = a.g.Must(&op.Map{Formula: loop.Format(e)}, name, last.From, in...)
		}
		last.Op = op.Point(map[string]string{"gain": "mul", "offset": "add"}[role])
		last.In = append(last.In, a.g.Must(&op.Broadcast{Shape: slices.Clone(last.Out[0].Type.Shape), Axes: chain[0].axes}, name+".broadcast", last.From, v))
	}
	if len(last.In) > 2 {
		last.Op = &op.Map{Formula: "a*b + c"}
	}
}
