package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Normalize{} }) }

// Normalize applies given statistics, as batch normalisation does outside
// training: operands x [N, C, …], mean [C] and variance [C] give
//
//	y = (x - mean[c]) / sqrt(variance[c] + eps)
type Normalize struct {
	Eps float64 `ir:"eps,1e-05"`
}

// Mnemonic is "normalize".
func (*Normalize) Mnemonic() string { return "normalize" }

// Infer gives x's type.
func (o *Normalize) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 3); err != nil {
		return nil, err
	}
	if err := checkNormalized(in, o.Eps); err != nil {
		return nil, err
	}
	if err := checkStatistics(in, 1, 2); err != nil {
		return nil, err
	}
	return []ir.Type{in[0]}, nil
}

// Grad flows to x only, the statistics being constants: it is the gradient
// divided by the deviation, which is Normalize with mean 0.
func (o *Normalize) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	x, mean, variance := n.In[0], n.In[1], n.In[2]
	zero := b.Grad(mean, &Constant{Shape: []int{mean.Type.Shape[0]}})
	return []*ir.Value{b.Grad(x, &Normalize{Eps: o.Eps}, d[0], zero, variance), nil, nil}
}

// Element normalises one element by its channel's statistics.
func (o *Normalize) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	channel := index[1:2]
	return loop.Times(loop.Minus(load(0, index), load(1, channel)), inverseDeviation(load(2, channel), o.Eps))
}

// Loops is one nest over all elements.
func (o *Normalize) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
