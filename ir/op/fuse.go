package op

import (
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// Nests gives the kernels that compute a node: its operator's Loops, or for a
// fused group one composition of its body.
//
// A group's body has at most one node that is not elementwise, the anchor, or
// several sums over the same axes of tensors of one shape, in one nest.
// Elementwise nodes that the anchor reads (the prologue) are computed where it
// loads them, each once a load. Elementwise nodes that read the anchor's result (the epilogue)
// are computed where it is stored, on the value still in a register. Without
// an anchor the group is one pass over the elements of its results.
//
// An error says why a body cannot be composed; the fusion passes ask before
// they group.
func Nests(n *ir.Node) ([]*loop.Nest, error) {
	if n.Body == nil {
		o, ok := n.Op.(Operator)
		if !ok {
			return nil, fmt.Errorf("%s has no loops", n.Op.Mnemonic())
		}
		return o.Loops(n), nil
	}
	return compose(n.Body, n.Out)
}

// areAlikeSums reports whether two nodes are sums over the same axes of tensors
// of one shape.
func areAlikeSums(a, b *ir.Node) bool {
	s, ok := a.Op.(*Sum)
	t, ok2 := b.Op.(*Sum)
	return ok && ok2 && slices.Equal(s.Axes, t.Axes) && a.In[0].Type.Shape.Equal(b.In[0].Type.Shape)
}

// together makes one nest of those of alike sums, the reductions first.
func together(nests []*loop.Nest) *loop.Nest {
	axes := nests[0].Axes
	var sums, rest []loop.Stmt
	for _, nest := range nests {
		with := map[*loop.Var]*loop.Expr{}
		for i, v := range nest.Axes {
			with[v] = loop.R(axes[i])
		}
		for _, s := range loop.MapExprs(nest.Body, func(e *loop.Expr) *loop.Expr { return e.Substitute(with) }) {
			if _, ok := s.(*loop.Reduce); ok {
				sums = append(sums, s)
			} else {
				rest = append(rest, s)
			}
		}
	}
	return &loop.Nest{Axes: axes, Body: append(sums, rest...)}
}

// composer builds the nests of one group.
type composer struct {
	producer map[*ir.Value]*ir.Node // elementwise nodes of the body, by result
	stored   []*ir.Value
	anchors  []*ir.Node
	after    map[*ir.Value]bool // the anchor's results and what depends on them
	computed int                // elements of body values written out as expressions so far, in this nest
	overfull bool               // some nest would compute more than mostComputed
}

// mostComputed bounds what one kernel writes out: an expression that uses its
// operand twice doubles with every such operand below it, and a kernel that
// repeats so much work is worse than a store.
const mostComputed = 1000

// element writes out an element of a node of the body. at gives an operand's.
func (c *composer) element(n *ir.Node, index []*loop.Expr, at func(v *ir.Value, index []*loop.Expr) *loop.Expr) *loop.Expr {
	c.computed++
	c.overfull = c.overfull || c.computed > mostComputed
	return n.Op.(Elementwise).Element(n, index, func(operand int, i []*loop.Expr) *loop.Expr {
		if c.computed > mostComputed {
			return loop.At(n.In[operand], i...) // check refuses the group
		}
		return at(n.In[operand], i)
	})
}

func compose(body []*ir.Node, stored []*ir.Value) ([]*loop.Nest, error) {
	c := &composer{producer: map[*ir.Value]*ir.Node{}, stored: stored, after: map[*ir.Value]bool{}}
	for _, n := range body {
		if _, ok := n.Op.(Elementwise); ok {
			c.producer[n.Out[0]] = n
			c.after[n.Out[0]] = slices.ContainsFunc(n.In, func(v *ir.Value) bool { return c.after[v] })
			continue
		}
		if len(c.anchors) > 0 && !areAlikeSums(c.anchors[0], n) {
			return nil, fmt.Errorf("%s and %s cannot share a kernel", c.anchors[0].Op.Mnemonic(), n.Op.Mnemonic())
		}
		c.anchors = append(c.anchors, n)
		for _, v := range n.Out {
			c.after[v] = true
		}
	}
	var nests []*loop.Nest
	if len(c.anchors) == 0 {
		shape := stored[0].Type.Shape
		axes := loop.Axes(shape, AxisNames(len(shape))...)
		nests = []*loop.Nest{{Axes: axes, Body: c.elements(body, shape, loop.Refs(axes...), map[*ir.Value]*loop.Expr{}, stored)}}
	}
	for _, anchor := range c.anchors {
		o, ok := anchor.Op.(Operator)
		if !ok {
			return nil, fmt.Errorf("%s has no loops", anchor.Op.Mnemonic())
		}
		for _, nest := range o.Loops(anchor) {
			c.computed = 0
			fused := &loop.Nest{Axes: nest.Axes, Body: c.epilogues(c.prologues(nest.Body), body)}
			if len(fused.Stores()) > 0 { // a piece of a split that nothing reads needs no kernel
				nests = append(nests, fused)
			}
		}
	}
	if len(c.anchors) > 1 && len(nests) > 1 {
		nests = []*loop.Nest{together(nests)}
	}
	return nests, c.check(body, nests)
}

// prologues computes the prologue's values where statements load them. A sum
// over all points sets scalars first, so that a formula which uses an operand
// twice does not compute it twice; where a condition decides whether an element
// may be loaded, the expression stays inside of it.
func (c *composer) prologues(body []loop.Stmt) []loop.Stmt {
	var out []loop.Stmt
	for _, s := range body {
		r, ok := s.(*loop.Reduce)
		if !ok || len(r.Within) > 0 || r.Where != nil || r.ArgOf != nil || isConditional(r.Of) {
			inlined := loop.MapExprs([]loop.Stmt{s}, func(e *loop.Expr) *loop.Expr { return e.Map(c.inlineLoad) })
			out = append(out, inlined...)
			continue
		}
		copied := *r
		var scalars prologueScalars
		copied.Of = r.Of.Map(func(e *loop.Expr) *loop.Expr {
			if e.Op == loop.Load && c.isPrologue(e.Value) {
				return scalars.at(c, e.Value, e.Args)
			}
			return e
		})
		copied.Body = append(c.prologues(r.Body), scalars.lets(&copied.Of)...)
		out = append(out, &copied)
	}
	return out
}

// isConditional reports whether an expression evaluates only some of its parts.
func isConditional(e *loop.Expr) bool {
	found := false
	e.Walk(func(x *loop.Expr) { found = found || x.Op == loop.Select || x.Op == loop.And || x.Op == loop.Or })
	return found
}

// isPrologue reports whether v is computed by the body without the anchor.
func (c *composer) isPrologue(v *ir.Value) bool { return c.producer[v] != nil && !c.after[v] }

// prologueScalars holds the prologue's values at the indices of one reduction.
type prologueScalars struct {
	list []prologueScalar
}

type prologueScalar struct {
	value *ir.Value
	index []*loop.Expr
	let   *loop.Let
}

// at gives a value of the body at an index, as a scalar where it is computed.
func (p *prologueScalars) at(c *composer, v *ir.Value, index []*loop.Expr) *loop.Expr {
	n := c.producer[v]
	if n == nil {
		return loop.At(v, index...)
	}
	operand := func(v *ir.Value, index []*loop.Expr) *loop.Expr { return p.at(c, v, index) }
	if isView(n.Op) {
		return c.element(n, index, operand)
	}
	for _, s := range p.list {
		if s.value == v && sameIndex(s.index, index) {
			return loop.R(s.let.Var)
		}
	}
	e := c.element(n, index, operand)
	let := &loop.Let{Var: &loop.Var{Name: v.Name, Kind: e.Kind}, Of: e}
	p.list = append(p.list, prologueScalar{v, index, let})
	return loop.R(let.Var)
}

// lets gives the scalars that are read more than once; one that is read once
// is put where it is read, in another scalar or in the term.
func (p *prologueScalars) lets(term **loop.Expr) []loop.Stmt {
	var kept []loop.Stmt
	readers := []**loop.Expr{term}
	for _, s := range slices.Backward(p.list) { // readers first
		uses := 0
		for _, r := range readers {
			(*r).Walk(func(x *loop.Expr) {
				if x.Op == loop.Ref && x.Var == s.let.Var {
					uses++
				}
			})
		}
		if uses > 1 {
			kept = append(kept, s.let)
			readers = append(readers, &s.let.Of)
			continue
		}
		for _, r := range readers {
			*r = (*r).Substitute(map[*loop.Var]*loop.Expr{s.let.Var: s.let.Of})
		}
	}
	slices.Reverse(kept)
	return kept
}

// inlineLoad replaces the load of a prologue value by its computation.
func (c *composer) inlineLoad(e *loop.Expr) *loop.Expr {
	if e.Op == loop.Load && c.isPrologue(e.Value) {
		return c.inline(e.Value, e.Args)
	}
	return e
}

// inline computes a value of the body at an index, down to loads.
func (c *composer) inline(v *ir.Value, index []*loop.Expr) *loop.Expr {
	p := c.producer[v]
	if p == nil {
		return loop.At(v, index...)
	}
	return c.element(p, index, c.inline)
}

// epilogues replaces each store of an anchor's result by the computation and
// stores of the elementwise nodes that follow from it.
func (c *composer) epilogues(stmts []loop.Stmt, body []*ir.Node) []loop.Stmt {
	var out []loop.Stmt
	for _, s := range stmts {
		switch s := s.(type) {
		case *loop.For:
			out = append(out, &loop.For{Axis: s.Axis, Body: c.epilogues(s.Body, body)})
		case *loop.Store:
			followers := c.followers(s.Value, body)
			if len(followers) == 0 {
				if slices.Contains(c.stored, s.Value) {
					out = append(out, s)
				}
				continue
			}
			var stores []*ir.Value
			if slices.Contains(c.stored, s.Value) {
				stores = append(stores, s.Value)
			}
			for _, n := range followers {
				if slices.Contains(c.stored, n.Out[0]) {
					stores = append(stores, n.Out[0])
				}
			}
			known := map[*ir.Value]*loop.Expr{}
			value := s.Of
			if value.Op != loop.Ref {
				v := &loop.Var{Name: s.Value.Name, Kind: value.Kind}
				out = append(out, &loop.Let{Var: v, Of: value})
				value = loop.R(v)
			}
			known[s.Value] = value
			out = append(out, c.elements(followers, s.Value.Type.Shape, s.Index, known, stores)...)
		default:
			out = append(out, s)
		}
	}
	return out
}

// followers lists the elementwise nodes that depend on v, in order.
func (c *composer) followers(v *ir.Value, body []*ir.Node) []*ir.Node {
	reached := map[*ir.Value]bool{v: true}
	var list []*ir.Node
	for _, n := range body {
		if !slices.Contains(c.anchors, n) && slices.ContainsFunc(n.In, func(x *ir.Value) bool { return reached[x] }) {
			reached[n.Out[0]] = true
			list = append(list, n)
		}
	}
	return list
}

// elements computes elementwise nodes at one index and stores some of their
// results. known holds the values already in scalars at that index.
func (c *composer) elements(nodes []*ir.Node, shape ir.Shape, index []*loop.Expr, known map[*ir.Value]*loop.Expr, stores []*ir.Value) []loop.Stmt {
	var out []loop.Stmt
	for v := range known {
		if slices.Contains(stores, v) {
			out = append(out, &loop.Store{Value: v, Index: index, Of: known[v]})
		}
	}
	var at func(v *ir.Value, i []*loop.Expr) *loop.Expr
	at = func(v *ir.Value, i []*loop.Expr) *loop.Expr {
		if e := known[v]; e != nil && sameIndex(i, index) {
			return e
		}
		if p := c.producer[v]; p != nil {
			return c.element(p, i, at)
		}
		return loop.At(v, i...)
	}
	for _, n := range nodes {
		v := n.Out[0]
		store := slices.Contains(stores, v)
		if !v.Type.Shape.Equal(shape) || isView(n.Op) && !store {
			continue // computed where it is read
		}
		e := c.element(n, index, at)
		scalar := &loop.Var{Name: v.Name, Kind: e.Kind}
		out = append(out, &loop.Let{Var: scalar, Of: e})
		known[v] = loop.R(scalar)
		if store {
			out = append(out, &loop.Store{Value: v, Index: index, Of: known[v]})
		}
	}
	return dropUnusedLets(out)
}

func sameIndex(a, b []*loop.Expr) bool {
	return slices.EqualFunc(a, b, func(x, y *loop.Expr) bool { return x.Equal(y) })
}

// isView reports whether an operator only moves or repeats elements, so that
// computing it where it is read costs nothing.
func isView(o ir.Op) bool {
	switch o.(type) {
	case *Broadcast, *Constant, *Reshape, *Transpose:
		return true
	}
	return false
}

// IsView reports whether a node only moves or repeats elements.
func IsView(n *ir.Node) bool { return n.Body == nil && isView(n.Op) }

func dropUnusedLets(stmts []loop.Stmt) []loop.Stmt {
	for i := len(stmts) - 1; i >= 0; i-- {
		let, ok := stmts[i].(*loop.Let)
		if !ok {
			continue
		}
		used := false
		loop.WalkExprs(stmts[i+1:], func(e *loop.Expr) { used = used || e.Op == loop.Ref && e.Var == let.Var })
		if !used {
			stmts = slices.Delete(stmts, i, i+1)
		}
	}
	return stmts
}

// check makes sure that the nests store every result once and load nothing
// that exists only inside the group, nor a result before its nest is done.
func (c *composer) check(body []*ir.Node, nests []*loop.Nest) error {
	if c.overfull {
		return fmt.Errorf("the group would compute more than %d elements at a point", mostComputed)
	}
	inside := map[*ir.Value]bool{}
	for _, n := range body {
		for _, v := range n.Out {
			inside[v] = true
		}
	}
	stored := map[*ir.Value]bool{}
	for _, nest := range nests {
		for _, v := range nest.Loads() {
			if inside[v] && !stored[v] {
				return fmt.Errorf("%s is read across the elements of its own kernel", v.Name)
			}
		}
		for _, v := range nest.Stores() {
			stored[v] = true
		}
	}
	for _, v := range c.stored {
		if !stored[v] {
			return fmt.Errorf("%s is not computed by the kernel", v.Name)
		}
	}
	return nil
}
