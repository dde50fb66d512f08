// Package op holds the operators of the graph IR, one file each: attributes,
// Infer (shapes), Grad (how gradients flow, in terms of other operators) and
// Loops (what is computed, as loop nests). ir/eval computes each a second,
// independent way.
package op

import (
	"fmt"

	"netc/ir"
	"netc/ir/loop"
)

// Operator is what every operator of this package implements.
type Operator interface {
	ir.Op

	// Grad builds the gradient of the loss with respect to each operand, given
	// d, its gradient with respect to each result (nil where the loss does not
	// depend on that result). A nil entry says that no gradient flows to that
	// operand.
	Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value

	// Loops gives the kernels that compute n's results, to be run in order.
	Loops(n *ir.Node) []*loop.Nest
}

// Elementwise is an Operator with one result, each element of which is one
// expression. Such a node can be computed inside the kernel of its producer or
// reader.
type Elementwise interface {
	Operator
	// Element is the result at index; load gives an operand's element.
	Element(n *ir.Node, index []*loop.Expr, load func(operand int, index []*loop.Expr) *loop.Expr) *loop.Expr
}

// ElementLoops is Loops for an Elementwise operator.
func ElementLoops(e Elementwise, n *ir.Node) []*loop.Nest {
	axes := loop.Axes(n.Out[0].Type.Shape, AxisNames(len(n.Out[0].Type.Shape))...)
	index := loop.Refs(axes...)
	load := func(operand int, index []*loop.Expr) *loop.Expr { return loop.At(n.In[operand], index...) }
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Store{Value: n.Out[0], Index: index, Of: e.Element(n, index, load)},
	}}}
}

// AxisNames gives the usual loop variable names for a tensor of some rank:
// n, c, y, x for images.
func AxisNames(rank int) []string {
	switch rank {
	case 1:
		return []string{"i"}
	case 2:
		return []string{"n", "c"}
	case 3:
		return []string{"n", "c", "x"}
	case 4:
		return []string{"n", "c", "y", "x"}
	}
	return nil
}

// Builder adds the nodes of a gradient to a graph.
type Builder struct {
	Graph *ir.Graph
	From  []ir.Origin // of the node being differentiated
}

// Grad applies an operator whose result is (part of) the gradient with respect
// to v; it is named after v.
func (b *Builder) Grad(v *ir.Value, o ir.Op, in ...*ir.Value) *ir.Value {
	return b.Graph.Must(o, v.Name+".d", b.From, in...)
}

// Map is Grad with a formula over operands a, b, c, …; see Map.
func (b *Builder) Map(v *ir.Value, formula string, in ...*ir.Value) *ir.Value {
	return b.Grad(v, &Map{Formula: formula}, in...)
}

// needFloat returns an error unless all operands are f32.
func needFloat(in []ir.Type) error {
	for i, t := range in {
		if t.DType != ir.F32 {
			return ir.MisfitOperand(i, "operand %d must be f32, not %s", i+1, t)
		}
	}
	return nil
}

// needOperands returns an error unless there are exactly count operands.
func needOperands(in []ir.Type, count int) error {
	if len(in) != count {
		return fmt.Errorf("%d operands, not %d", len(in), count)
	}
	return nil
}
