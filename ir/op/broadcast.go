package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Broadcast{} }) }

// Broadcast repeats a tensor along new axes: operand axis i becomes result axis
// Axes[i], and every other result axis repeats the operand.
//
//	out[i0, i1, …] = in[i at Axes[0], i at Axes[1], …]
//
// Axes are increasing and their extents are the operand's; a scalar has none.
type Broadcast struct {
	Shape []int `ir:"shape"`
	Axes  []int `ir:"axes"`
}

// Mnemonic is "broadcast".
func (*Broadcast) Mnemonic() string { return "broadcast" }

// Infer gives the attribute Shape with the operand's element type.
func (o *Broadcast) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if err := checkExtents("shape", o.Shape); err != nil {
		return nil, err
	}
	if len(o.Axes) != len(in[0].Shape) {
		return nil, ir.MisfitOperand(0, "%s needs %d axes to be broadcast, not %d", in[0], len(in[0].Shape), len(o.Axes))
	}
	if err := checkAxes(o.Axes, len(o.Shape)); err != nil {
		return nil, err
	}
	for i, a := range o.Axes {
		if in[0].Shape[i] != o.Shape[a] {
			return nil, ir.MisfitOperand(0, "axis %d of %s cannot become axis %d of %s", i, in[0], a, ir.Shape(o.Shape))
		}
	}
	return []ir.Type{{DType: in[0].DType, Shape: o.Shape}}, nil
}

// Grad sums over the axes that repeat.
func (o *Broadcast) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	return []*ir.Value{b.Grad(n.In[0], &Sum{Axes: otherAxes(len(o.Shape), o.Axes)}, d[0])}
}

// Element reads the operand at the axes that are its own.
func (o *Broadcast) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	return load(0, pick(index, o.Axes))
}

// Loops is one nest over all elements.
func (o *Broadcast) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
