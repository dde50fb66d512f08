package layer

import (
	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

func init() { ir.Register(func() ir.Op { return &Detach{} }) }

// Detach gives its f32 operand unchanged and lets no gradient through.
type Detach struct{}

// Mnemonic is "detach".
func (*Detach) Mnemonic() string { return "detach" }

// Infer gives the operand's type.
func (*Detach) Infer(in []ir.Type) ([]ir.Type, error) {
	if len(in) != 1 || in[0].DType != ir.F32 {
		return nil, ir.MisfitOperand(0, "detach needs one f32 operand")
	}
	return []ir.Type{in[0]}, nil
}

// Grad is none.
func (*Detach) Grad(*op.Builder, *ir.Node, []*ir.Value) []*ir.Value { return []*ir.Value{nil} }

// Element is the operand's.
func (*Detach) Element(_ *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	return load(0, index)
}

// Loops is one nest over all elements.
func (d *Detach) Loops(n *ir.Node) []*loop.Nest { return op.ElementLoops(d, n) }
