package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Reshape{} }) }

// Reshape gives the same elements, in row-major order, another shape.
type Reshape struct {
	Shape []int `ir:"shape"`
}

// Mnemonic is "reshape".
func (*Reshape) Mnemonic() string { return "reshape" }

// Infer wants as many elements in Shape as in the operand.
func (o *Reshape) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if err := checkExtents("shape", o.Shape); err != nil {
		return nil, err
	}
	if from, to := in[0].Shape.Count(), ir.Shape(o.Shape).Count(); from != to {
		return nil, ir.Misfit("shape", "%s has %d elements, the shape %s has %d", in[0], from, ir.Shape(o.Shape), to)
	}
	return []ir.Type{{DType: in[0].DType, Shape: o.Shape}}, nil
}

// Grad reshapes back.
func (o *Reshape) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	return []*ir.Value{b.Grad(n.In[0], &Reshape{Shape: slices.Clone(n.In[0].Type.Shape)}, d[0])}
}

// Element reads the operand's element at the same row-major place. Axes that
// the two shapes share keep their index; only runs of axes that were merged or
// split are computed with a quotient and a remainder.
func (o *Reshape) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	return load(0, reshaped(n.In[0].Type.Shape, n.Out[0].Type.Shape, index))
}

// reshaped translates an index into a tensor of shape to into the index of the
// same element in shape from. It matches the shortest runs of axes with equal
// products, so that neither quotients nor sums reach across runs.
func reshaped(from, to ir.Shape, index []*loop.Expr) []*loop.Expr {
	result := make([]*loop.Expr, len(from))
	f, t := 0, 0
	for f < len(from) || t < len(to) {
		switch {
		case f < len(from) && from[f] == 1: // needs no partner
			result[f] = loop.I(0)
			f++
			continue
		case t < len(to) && to[t] == 1:
			t++
			continue
		}
		firstFrom, firstTo := f, t
		fromCount, toCount := from[f], to[t]
		for f, t = f+1, t+1; fromCount != toCount; {
			if fromCount < toCount {
				fromCount *= from[f]
				f++
			} else {
				toCount *= to[t]
				t++
			}
		}
		unflatten(from[firstFrom:f], loop.Flat(to[firstTo:t], index[firstTo:t]), result[firstFrom:f])
	}
	return result
}

// unflatten sets index to the place in a tensor of that shape of the element
// whose row-major position is flat.
func unflatten(shape ir.Shape, flat *loop.Expr, index []*loop.Expr) {
	stride := 1
	for i := len(shape) - 1; i >= 0; i-- {
		index[i] = loop.Over(flat, loop.I(stride))
		if i > 0 { // the outermost quotient is in range already
			index[i] = loop.Remainder(index[i], loop.I(shape[i]))
		}
		stride *= shape[i]
	}
}

// Loops is one nest over all elements.
func (o *Reshape) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
