package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Relayout{} }) }

// Relayout gives a tensor another place in memory: row-major, with an axis in
// lanes, or with the first two axes exchanged (see ir.Type). The elements stay the same.
type Relayout struct {
	Lanes int  `ir:"lanes"` // 1 + the axis in lanes, or 0
	Swap  bool `ir:"swap"`  // exchanges the first two axes in memory

	withoutGradient
}

// Mnemonic is "relayout".
func (*Relayout) Mnemonic() string { return "relayout" }

// Infer gives the operand's type with the wanted lanes.
func (o *Relayout) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if o.Lanes < 0 || o.Lanes > len(in[0].Shape) {
		return nil, ir.Misfit("lanes", "%s has no axis %d", in[0], o.Lanes-1)
	}
	if o.Swap && len(in[0].Shape) < 2 {
		return nil, ir.Misfit("swap", "%s has no two axes to exchange", in[0])
	}
	out := in[0]
	out.Lanes, out.Swap = o.Lanes, o.Swap
	return []ir.Type{out}, nil
}

// Loops copies every element. It is no elementwise operator to the fusion
// passes: its purpose is the store.
func (o *Relayout) Loops(n *ir.Node) []*loop.Nest {
	axes := axesOf(n.Out[0])
	index := loop.Refs(axes...)
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Store{Value: n.Out[0], Index: index, Of: loop.At(n.In[0], index...)},
	}}}
}
