package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &ToFloat{} }) }

// ToFloat converts an i32 tensor to f32, element by element.
type ToFloat struct{ withoutGradient }

// Mnemonic is "to_float".
func (*ToFloat) Mnemonic() string { return "to_float" }

// Infer gives f32 of the operand's shape.
func (o *ToFloat) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if in[0].DType != ir.I32 {
		return nil, ir.MisfitOperand(0, "operand 1 must be i32, not %s", in[0])
	}
	return []ir.Type{ir.Float(in[0].Shape...)}, nil
}

// Element is the operand's element as a number.
func (o *ToFloat) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	return loop.Floating(load(0, index))
}

// Loops is one nest over all elements.
func (o *ToFloat) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
