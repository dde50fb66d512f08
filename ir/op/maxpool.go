package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &MaxPool{} })
	ir.Register(func() ir.Op { return &MaxPoolGrad{} })
}

// MaxPool takes the largest element under each window of images [N, C, H, W]:
// results value f32[N, C, H', W'] and argmax of the same shape, the winner's
// place. That is r*S + s in a window of R x S taps, as u8; in larger windows
// than u8 can tell, and where Plane is set, y*W + x in the plane, as i32.
//
//	value[n,c,p,q] = max over r,s of in[n, c, p*stride-pad+r, q*stride-pad+s]
//
// Padding never wins: taps outside the image are left out. Among equal
// elements the first in row-major order wins, as in Caffe.
type MaxPool struct {
	Kernel []int `ir:"kernel"`
	Stride []int `ir:"stride,[1, 1]"`
	Pad    []int `ir:"pad,[0, 0]"`
	Floor  bool  `ir:"floor"`
	Plane  bool  `ir:"plane"`
}

// Mnemonic is "maxpool".
func (*MaxPool) Mnemonic() string { return "maxpool" }

// ResultNames calls the second result argmax.
func (*MaxPool) ResultNames() []string { return []string{"value", "argmax"} }

func (o *MaxPool) window() PoolWindow {
	return PoolWindow{Kernel: o.Kernel, Stride: o.Stride, Pad: o.Pad, Floor: o.Floor}
}

// Infer gives f32 and u8 or i32 of [N, C, H', W'].
func (o *MaxPool) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	shape, err := o.window().infer(in[0])
	if err != nil {
		return nil, err
	}
	return []ir.Type{ir.Float(shape...), o.window().argmax(shape, o.Plane)}, nil
}

// Grad flows to each window's winner.
func (o *MaxPool) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	x := n.In[0]
	if d[0] == nil {
		return []*ir.Value{nil}
	}
	grad := &MaxPoolGrad{Kernel: o.Kernel, Stride: o.Stride, Pad: o.Pad, Floor: o.Floor, Plane: o.Plane, Size: slices.Clone(x.Type.Shape[2:])}
	return []*ir.Value{b.Grad(x, grad, d[0], n.Out[1])}
}

// Loops reduces over the window and stores the winner with its place.
func (o *MaxPool) Loops(n *ir.Node) []*loop.Nest {
	x, out, argmax := n.In[0], n.Out[0], n.Out[1]
	axes := axesOf(out)
	index := loop.Refs(axes...)
	taps := o.window().taps()
	iy := o.window().input(0, index[2], loop.R(taps[0]))
	ix := o.window().input(1, index[3], loop.R(taps[1]))
	winner := placeIn(taps[1].Extent, loop.R(taps[0]), loop.R(taps[1]))
	if argmax.Type.DType == ir.I32 {
		winner = placeIn(x.Type.Shape[3], iy, ix)
	}
	largest, place := scalar("largest"), integer("place")
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{
			Var: largest, Kind: loop.Maximum, Axes: taps,
			Within: o.window().inside([]*loop.Expr{iy, ix}, x.Type.Shape, out.Type.Shape),
			Of:     loop.At(x, index[0], index[1], iy, ix),
			Arg:    place, ArgOf: winner,
		},
		&loop.Store{Value: out, Index: index, Of: loop.R(largest)},
		&loop.Store{Value: argmax, Index: index, Of: loop.R(place)},
	}}}
}

// placeIn is the place of row y and column x among rows of some width.
func placeIn(width int, y, x *loop.Expr) *loop.Expr {
	return loop.Plus(loop.Times(y, loop.I(width)), x)
}

// MaxPoolGrad is the gradient of MaxPool: gradients f32[N, C, H', W'] and the
// argmax of the same shape give f32[N, C, H, W], in which each pixel adds up
// the gradients of the windows that it won.
type MaxPoolGrad struct {
	Kernel []int `ir:"kernel"`
	Stride []int `ir:"stride,[1, 1]"`
	Pad    []int `ir:"pad,[0, 0]"`
	Floor  bool  `ir:"floor"`
	Plane  bool  `ir:"plane"`
	Size   []int `ir:"size"` // H and W of the result

	gradientOnly
}

// Mnemonic is "maxpool_grad".
func (*MaxPoolGrad) Mnemonic() string { return "maxpool_grad" }

func (o *MaxPoolGrad) window() PoolWindow {
	return PoolWindow{Kernel: o.Kernel, Stride: o.Stride, Pad: o.Pad, Floor: o.Floor}
}

// Infer gives [N, C, H, W].
func (o *MaxPoolGrad) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 2); err != nil {
		return nil, err
	}
	shape, err := o.window().inferGrad(in[0], o.Size)
	if err != nil {
		return nil, err
	}
	if want := o.window().argmax(in[0].Shape, o.Plane); !in[1].Equal(want) {
		return nil, ir.MisfitOperand(1, "the argmax must be %s, not %s", want, in[1])
	}
	return []ir.Type{ir.Float(shape...)}, nil
}

// Loops gathers, for each pixel, from the windows that cover it. Every pixel
// has one writer and a fixed order of additions, unlike a scatter.
func (o *MaxPoolGrad) Loops(n *ir.Node) []*loop.Nest {
	dy, argmax, out := n.In[0], n.In[1], n.Out[0]
	axes := axesOf(out)
	index := loop.Refs(axes...)
	c := o.window().covering(index[2:], out.Type.Shape, dy.Type.Shape)
	source := append(slices.Clone(index[:2]), c.position...)
	pixel := placeIn(o.Kernel[1], c.offset[0], c.offset[1])
	if argmax.Type.DType == ir.I32 {
		pixel = placeIn(out.Type.Shape[3], index[2], index[3])
	}
	won := loop.Compare(loop.Eq, loop.At(argmax, source...), pixel)
	sum := scalar("sum")
	return []*loop.Nest{{Axes: axes, Body: append(c.lets,
		&loop.Reduce{
			Var: sum, Kind: loop.Sum, Axes: c.axes,
			Within: c.within, Where: loop.Both(c.where, won),
			Of: loop.At(dy, source...),
		},
		&loop.Store{Value: out, Index: index, Of: loop.R(sum)},
	)}}
}
