package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Transpose{} }) }

// Transpose permutes axes: result axis i is operand axis Perm[i].
type Transpose struct {
	Perm []int `ir:"perm"`
}

// Mnemonic is "transpose".
func (*Transpose) Mnemonic() string { return "transpose" }

// Infer wants each operand axis once in Perm.
func (o *Transpose) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if len(o.Perm) != len(in[0].Shape) {
		return nil, ir.Misfit("order", "%v does not name the %d axes of %s", o.Perm, len(in[0].Shape), in[0])
	}
	seen := make([]bool, len(o.Perm))
	for _, p := range o.Perm {
		if p < 0 || p >= len(seen) || seen[p] {
			return nil, ir.Misfit("order", "%v does not name each axis of %s once", o.Perm, in[0])
		}
		seen[p] = true
	}
	return []ir.Type{{DType: in[0].DType, Shape: pick(in[0].Shape, o.Perm)}}, nil
}

// inverse gives, for each operand axis, the result axis it became.
func (o *Transpose) inverse() []int {
	inverse := make([]int, len(o.Perm))
	for i, p := range o.Perm {
		inverse[p] = i
	}
	return inverse
}

// Grad permutes back.
func (o *Transpose) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	return []*ir.Value{b.Grad(n.In[0], &Transpose{Perm: o.inverse()}, d[0])}
}

// Element reads the operand with the indices permuted back.
func (o *Transpose) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	return load(0, pick(index, o.inverse()))
}

// Loops is one nest over all elements.
func (o *Transpose) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
