package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Sum{} }) }

// Sum adds the elements along Axes, which are increasing and vanish from the
// shape. Over all axes it gives a scalar.
type Sum struct {
	Axes []int `ir:"axes"`
}

// Mnemonic is "sum".
func (*Sum) Mnemonic() string { return "sum" }

// Infer gives the operand's shape without Axes.
func (o *Sum) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if err := needFloat(in); err != nil {
		return nil, err
	}
	if err := checkAxes(o.Axes, len(in[0].Shape)); err != nil {
		return nil, err
	}
	return []ir.Type{ir.Float(pick(in[0].Shape, o.kept(in[0].Shape))...)}, nil
}

func (o *Sum) kept(shape ir.Shape) []int { return otherAxes(len(shape), o.Axes) }

// Grad repeats the gradient along the axes that were summed.
func (o *Sum) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	shape := n.In[0].Type.Shape
	return []*ir.Value{b.Grad(n.In[0], &Broadcast{Shape: slices.Clone(shape), Axes: o.kept(shape)}, d[0])}
}

// Loops reduces over Axes at each point of the other axes.
func (o *Sum) Loops(n *ir.Node) []*loop.Nest {
	x, out := n.In[0], n.Out[0]
	all := axesOf(x)
	axes := pick(all, o.kept(x.Type.Shape))
	sum := scalar("sum")
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{Var: sum, Kind: loop.Sum, Axes: pick(all, o.Axes), Of: loop.At(x, loop.Refs(all...)...)},
		&loop.Store{Value: out, Index: loop.Refs(axes...), Of: loop.R(sum)},
	}}}
}
