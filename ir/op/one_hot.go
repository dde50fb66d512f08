package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &OneHot{} }) }

// OneHot turns class numbers i32[…] into rows f32[…, Classes] that are 1 at the
// class and 0 elsewhere. A number outside 0 … Classes-1 gives a row of zeros.
type OneHot struct {
	Classes int `ir:"classes"`

	withoutGradient
}

// Mnemonic is "one_hot".
func (*OneHot) Mnemonic() string { return "one_hot" }

// Infer appends an axis of extent Classes.
func (o *OneHot) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if in[0].DType != ir.I32 {
		return nil, ir.MisfitOperand(0, "class numbers must be i32, not %s", in[0])
	}
	if o.Classes < 1 {
		return nil, ir.Misfit("input_dim", "at least one class is needed, not %d", o.Classes)
	}
	return []ir.Type{ir.Float(inserted([]int(in[0].Shape), len(in[0].Shape), o.Classes)...)}, nil
}

// Element compares the class number with the place on the last axis.
func (o *OneHot) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	last := len(index) - 1
	return loop.Choose(loop.Compare(loop.Eq, load(0, index[:last]), index[last]), loop.N(1), loop.N(0))
}

// Loops is one nest over all elements.
func (o *OneHot) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
