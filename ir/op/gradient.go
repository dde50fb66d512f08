package op

import "netc/ir"

// gradientOnly is embedded by operators that appear only in gradients, which
// are not differentiated again.
type gradientOnly struct{}

// Grad is not defined: asking for it is a mistake of the pass that asks.
func (gradientOnly) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	panic("the gradient of a gradient is not defined: " + n.Op.Mnemonic())
}

// withoutGradient is embedded by operators through which no gradient flows.
type withoutGradient struct{}

// Grad gives no gradient for any operand.
func (withoutGradient) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	return make([]*ir.Value, len(n.In))
}

// total adds the gradients that reach v on two ways; either may be nil.
func (b *Builder) total(v, first, second *ir.Value) *ir.Value {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return b.Grad(v, Point("add"), first, second)
}
