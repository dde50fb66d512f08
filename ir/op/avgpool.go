package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &AvgPool{} })
	ir.Register(func() ir.Op { return &AvgPoolGrad{} })
}

// AvgPool averages the elements under each window of images [N, C, H, W],
// giving [N, C, H', W']:
//
//	out[n,c,p,q] = sum over r,s of in[n, c, p*stride-pad+r, q*stride-pad+s] / area(p,q)
//
// The area is that of the window clipped to the padded image: padding counts
// as zeros, what reaches beyond the padding does not count. This is Caffe's AVE.
type AvgPool struct {
	Kernel []int `ir:"kernel"`
	Stride []int `ir:"stride,[1, 1]"`
	Pad    []int `ir:"pad,[0, 0]"`
	Floor  bool  `ir:"floor"`
}

// Mnemonic is "avgpool".
func (*AvgPool) Mnemonic() string { return "avgpool" }

func (o *AvgPool) window() PoolWindow { return PoolWindow(*o) }

// Infer gives [N, C, H', W'].
func (o *AvgPool) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	shape, err := o.window().infer(in[0])
	if err != nil {
		return nil, err
	}
	return []ir.Type{ir.Float(shape...)}, nil
}

// Grad spreads each gradient evenly over its window.
func (o *AvgPool) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	x := n.In[0]
	grad := &AvgPoolGrad{Kernel: o.Kernel, Stride: o.Stride, Pad: o.Pad, Floor: o.Floor, Size: slices.Clone(x.Type.Shape[2:])}
	return []*ir.Value{b.Grad(x, grad, d[0])}
}

// Loops reduces over the window.
func (o *AvgPool) Loops(n *ir.Node) []*loop.Nest {
	x, out := n.In[0], n.Out[0]
	axes := axesOf(out)
	index := loop.Refs(axes...)
	taps := o.window().taps()
	iy := o.window().input(0, index[2], loop.R(taps[0]))
	ix := o.window().input(1, index[3], loop.R(taps[1]))
	sum := scalar("sum")
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{
			Var: sum, Kind: loop.Sum, Axes: taps,
			Within: o.window().inside([]*loop.Expr{iy, ix}, x.Type.Shape, out.Type.Shape),
			Of:     loop.At(x, index[0], index[1], iy, ix),
		},
		&loop.Store{Value: out, Index: index,
			Of: loop.Over(loop.R(sum), o.window().area(index[2:], x.Type.Shape, out.Type.Shape))},
	}}}
}

// area is the size, as a number, of the window at a position of the output,
// clipped to the padded image.
func (w PoolWindow) area(position []*loop.Expr, image, output ir.Shape) *loop.Expr {
	area := loop.I(1)
	for a, p := range position {
		padded := image[2+a] + 2*w.Pad[a]
		side := loop.I(min(w.Kernel[a], padded))
		if last := (output[2+a] - 1) * w.Stride[a]; last > 0 && last+w.Kernel[a] > padded {
			side = loop.Smaller(loop.I(w.Kernel[a]), loop.Minus(loop.I(padded), loop.Times(p, loop.I(w.Stride[a]))))
		}
		area = loop.Times(area, side)
	}
	return loop.Floating(area)
}

// AvgPoolGrad is the gradient of AvgPool: gradients [N, C, H', W'] give
// [N, C, H, W], in which each pixel adds up its share of the windows over it.
type AvgPoolGrad struct {
	Kernel []int `ir:"kernel"`
	Stride []int `ir:"stride,[1, 1]"`
	Pad    []int `ir:"pad,[0, 0]"`
	Floor  bool  `ir:"floor"`
	Size   []int `ir:"size"` // H and W of the result

	gradientOnly
}

// Mnemonic is "avgpool_grad".
func (*AvgPoolGrad) Mnemonic() string { return "avgpool_grad" }

func (o *AvgPoolGrad) window() PoolWindow {
	return PoolWindow{Kernel: o.Kernel, Stride: o.Stride, Pad: o.Pad, Floor: o.Floor}
}

// Infer gives [N, C, H, W].
func (o *AvgPoolGrad) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	shape, err := o.window().inferGrad(in[0], o.Size)
	if err != nil {
		return nil, err
	}
	return []ir.Type{ir.Float(shape...)}, nil
}

// Loops gathers, for each pixel, from the windows that cover it.
func (o *AvgPoolGrad) Loops(n *ir.Node) []*loop.Nest {
	dy, out := n.In[0], n.Out[0]
	axes := axesOf(out)
	index := loop.Refs(axes...)
	c := o.window().covering(index[2:], out.Type.Shape, dy.Type.Shape)
	sum := scalar("sum")
	share := loop.Over(loop.At(dy, append(slices.Clone(index[:2]), c.position...)...),
		o.window().area(c.position, out.Type.Shape, dy.Type.Shape))
	return []*loop.Nest{{Axes: axes, Body: append(c.lets,
		&loop.Reduce{Var: sum, Kind: loop.Sum, Axes: c.axes, Within: c.within, Where: c.where, Of: share},
		&loop.Store{Value: out, Index: index, Of: loop.R(sum)},
	)}}
}
