package op

import (
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Concat{} }) }

// Concat puts one or more tensors behind each other along Axis. Their other
// extents are equal.
type Concat struct {
	Axis int `ir:"axis,1"`
}

// Mnemonic is "concat".
func (*Concat) Mnemonic() string { return "concat" }

// Infer adds up the extents of Axis.
func (o *Concat) Infer(in []ir.Type) ([]ir.Type, error) {
	if len(in) == 0 {
		return nil, fmt.Errorf("concat needs an operand")
	}
	if err := checkAxis(o.Axis, 0, in[0]); err != nil {
		return nil, err
	}
	out := ir.Type{DType: in[0].DType, Shape: slices.Clone(in[0].Shape)}
	for i, t := range in[1:] {
		if t.DType != out.DType || len(t.Shape) != len(out.Shape) {
			return nil, ir.MisfitOperand(i+1, "operand %d is %s, operand 1 is %s: only axis %d may differ", i+2, t, in[0], o.Axis)
		}
		for a, d := range t.Shape {
			if a != o.Axis && d != out.Shape[a] {
				return nil, ir.MisfitOperand(i+1, "operand %d is %s, operand 1 is %s: axis %d must be equal", i+2, t, in[0], a)
			}
		}
		out.Shape[o.Axis] += t.Shape[o.Axis]
	}
	return []ir.Type{out}, nil
}

// Grad splits the gradient into the operands' pieces.
func (o *Concat) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	split := &Split{Axis: o.Axis}
	for _, v := range n.In {
		split.Sizes = append(split.Sizes, v.Type.Shape[o.Axis])
	}
	pieces := b.Graph.MustAll(split, n.Out[0].Name+".d", b.From, d[0])
	for i, v := range n.In {
		b.Graph.Rename(pieces[i], v.Name+".d")
	}
	return pieces
}

// Loops copies each operand by a nest of its own.
func (o *Concat) Loops(n *ir.Node) []*loop.Nest {
	var nests []*loop.Nest
	start := 0
	for _, v := range n.In {
		nests = append(nests, copyPiece(v, n.Out[0], v.Type.Shape, o.Axis, 0, start))
		start += v.Type.Shape[o.Axis]
	}
	return nests
}

// copyPiece copies a block of that shape, which lies at from and to along the
// axis of the two tensors.
func copyPiece(source, target *ir.Value, shape ir.Shape, axis, from, to int) *loop.Nest {
	axes := loop.Axes(shape, AxisNames(len(shape))...)
	at := func(start int) []*loop.Expr {
		index := loop.Refs(axes...)
		index[axis] = loop.Plus(index[axis], loop.I(start))
		return index
	}
	return &loop.Nest{Axes: axes, Body: []loop.Stmt{
		&loop.Store{Value: target, Index: at(to), Of: loop.At(source, at(from)...)},
	}}
}
