package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Subsample{} }) }

// Subsample takes every so many pixels of images [N, C, H, W], beginning with
// the first: out[n,c,y,x] = in[n, c, y*stride[0], x*stride[1]].
type Subsample struct {
	Stride []int `ir:"stride"` // along y and x

	withoutGradient
}

// Mnemonic is "subsample".
func (*Subsample) Mnemonic() string { return "subsample" }

// Infer gives [N, C, ceil(H/stride), ceil(W/stride)].
func (o *Subsample) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if err := needFloat(in); err != nil {
		return nil, err
	}
	if len(in[0].Shape) != 4 || len(o.Stride) != 2 || o.Stride[0] < 1 || o.Stride[1] < 1 {
		return nil, ir.MisfitOperand(0, "subsampling needs images [N, C, H, W] and two strides of at least 1, not %s", in[0])
	}
	s := in[0].Shape
	return []ir.Type{ir.Float(s[0], s[1], (s[2]-1)/o.Stride[0]+1, (s[3]-1)/o.Stride[1]+1)}, nil
}

// Loops copies the pixels that stay.
func (o *Subsample) Loops(n *ir.Node) []*loop.Nest {
	axes := axesOf(n.Out[0])
	index := loop.Refs(axes...)
	from := []*loop.Expr{index[0], index[1], loop.Times(index[2], loop.I(o.Stride[0])), loop.Times(index[3], loop.I(o.Stride[1]))}
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Store{Value: n.Out[0], Index: index, Of: loop.At(n.In[0], from...)},
	}}}
}
