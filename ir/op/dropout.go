package op

import (
	"math"

	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Dropout{} }) }

// Dropout zeroes each element with probability Ratio and scales the others so
// that the expectation stays: operands x, seed i32[] and iteration i32[] give
//
//	out[i] = uniform(seed, iteration, stream, i) >= ratio ? x[i] / (1 - ratio) : 0
//
// with i the row-major place. Stream tells the layers of a network apart. The
// mask is computed from these numbers alone, so nothing has to be stored for
// the gradient.
type Dropout struct {
	Ratio  float64 `ir:"ratio,0.5"`
	Stream int     `ir:"stream"` // 0 to 2^32-1
}

// Mnemonic is "dropout".
func (*Dropout) Mnemonic() string { return "dropout" }

// Infer gives x's type.
func (o *Dropout) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 3); err != nil {
		return nil, err
	}
	if err := needFloat(in[:1]); err != nil {
		return nil, err
	}
	for i, name := range []string{"seed", "iteration"} {
		if !in[1+i].Equal(ir.Int()) {
			return nil, ir.MisfitOperand(1+i, "the %s must be i32[], not %s", name, in[1+i])
		}
	}
	if !(o.Ratio >= 0 && o.Ratio < 1) {
		return nil, ir.Misfit("dropout_ratio", "dropout_ratio must be in [0, 1), not %g", o.Ratio)
	}
	if o.Stream < 0 || o.Stream > math.MaxUint32 {
		return nil, ir.Misfit("stream", "stream %d is not a 32-bit number", o.Stream)
	}
	return []ir.Type{in[0]}, nil
}

// Grad drops the same elements of the gradient.
func (o *Dropout) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	return []*ir.Value{b.Grad(n.In[0], &Dropout{Ratio: o.Ratio, Stream: o.Stream}, d[0], n.In[1], n.In[2]), nil, nil}
}

// Element draws the element's number.
func (o *Dropout) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	place := loop.Flat(n.Out[0].Type.Shape, index)
	draw := loop.Apply("uniform", load(1, nil), load(2, nil), loop.I(o.Stream), place)
	return loop.Choose(loop.Compare(loop.LessEq, loop.N(o.Ratio), draw),
		loop.Times(load(0, index), loop.N(1/(1-o.Ratio))), loop.N(0))
}

// Loops is one nest over all elements.
func (o *Dropout) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
