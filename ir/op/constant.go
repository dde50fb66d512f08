package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Constant{} }) }

// Constant is an f32 tensor with the same value everywhere. It has no operands.
type Constant struct {
	Value float64 `ir:"value"`
	Shape []int   `ir:"shape"`

	withoutGradient
}

// Mnemonic is "constant".
func (*Constant) Mnemonic() string { return "constant" }

// Infer gives f32 of the attribute Shape.
func (o *Constant) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 0); err != nil {
		return nil, err
	}
	if err := checkExtents("shape", o.Shape); err != nil {
		return nil, err
	}
	return []ir.Type{ir.Float(o.Shape...)}, nil
}

// Element is the value.
func (o *Constant) Element(*ir.Node, []*loop.Expr, func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	return loop.N(o.Value)
}

// Loops is one nest over all elements.
func (o *Constant) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
