package op

import (
	"netc/ir"
	"netc/ir/loop"
)

// mostPhases bounds the nests of one ConvGradData: strides of 4, as in the first
// layer of AlexNet, have 16 phases. The strides of 8 to 32 by which networks for
// segmentation enlarge their results would have up to 1024.
const mostPhases = 16

// A phase is those pixels of one axis of an image that are a stride apart: the
// pixels stride*q + offset, 0 <= q < extent. They lie under the same taps of the
// windows that cover them, first + step*i for 0 <= i < taps, and pixel q lies
// under tap i of the window at q + base - shift*i.
type phase struct {
	stride, offset, extent int
	first, step, taps      int
	base, shift            int
}

// phases lists the phases of an axis of so many pixels under a kernel.
//
// A window at position p covers pixel y with tap r where
//
//	p*stride = y + pad - r*dilation
//
// so the taps of a pixel are those that leave no remainder. They repeat every
// stride/gcd(stride, dilation) taps, over which p falls by dilation/gcd.
func (w Window) phases(axis, pixels, kernel int) []phase {
	stride, dilation := w.Stride[axis], w.Dilation[axis]
	common := greatestCommonDivisor(stride, dilation)
	var list []phase
	for offset := range min(stride, pixels) {
		p := phase{
			stride: stride, offset: offset, extent: (pixels-offset-1)/stride + 1,
			step: stride / common, shift: dilation / common,
		}
		for r := 0; r < min(kernel, p.step); r++ {
			if reached := offset + w.Pad[axis] - r*dilation; reached%stride == 0 {
				p.first, p.taps, p.base = r, (kernel-r-1)/p.step+1, reached/stride
				break
			}
		}
		list = append(list, p)
	}
	return list
}

func greatestCommonDivisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// axis is the loop over the pixels of a phase, and pixel the one that it is at.
func (p phase) axis(name string) *loop.Var {
	if p.stride > 1 {
		name = "q" + name
	}
	return loop.Axis(name, p.extent)
}

func (p phase) pixel(q *loop.Expr) *loop.Expr {
	return loop.Plus(loop.Times(q, loop.I(p.stride)), loop.I(p.offset))
}

// tap is the filter's row or column of number i of the phase's taps.
func (p phase) tap(i *loop.Expr) *loop.Expr {
	return loop.Plus(loop.Times(i, loop.I(p.step)), loop.I(p.first))
}

// window is the position of the window whose tap i covers pixel q, and the
// range that it must be in where some of those are outside.
func (p phase) window(q, i *loop.Expr, positions int) (at *loop.Expr, within []loop.Range) {
	at = loop.Minus(loop.Plus(q, loop.I(p.base)), loop.Times(i, loop.I(p.shift)))
	if p.base-p.shift*(p.taps-1) < 0 || p.extent-1+p.base >= positions {
		within = []loop.Range{{Index: at, Extent: positions}}
	}
	return at, within
}

// phaseNest computes the pixels of one phase of each axis.
func (c *ConvGradData) phaseNest(n *ir.Node, y, x phase) *loop.Nest {
	dy, w, out := n.In[0], n.In[1], n.Out[0]
	perGroup := w.Type.Shape[0] / c.Group
	axes := append(loop.Axes(out.Type.Shape[:2], "n", "c"), y.axis("y"), x.axis("x"))
	image, qy, qx := loop.R(axes[0]), loop.R(axes[2]), loop.R(axes[3])
	store := func(of *loop.Expr) *loop.Store {
		return &loop.Store{Value: out, Index: []*loop.Expr{image, loop.R(axes[1]), y.pixel(qy), x.pixel(qx)}, Of: of}
	}
	if y.taps == 0 || x.taps == 0 { // the stride passes over these pixels
		return &loop.Nest{Axes: axes, Body: []loop.Stmt{store(loop.N(0))}}
	}
	taps := []*loop.Var{loop.Axis("r", y.taps), loop.Axis("s", x.taps), loop.Axis("k", perGroup)}
	r, s := loop.R(taps[0]), loop.R(taps[1])
	k, channel := c.inGroup(loop.R(taps[2]), loop.R(axes[1]), w.Type.Shape)
	py, withinY := y.window(qy, r, dy.Type.Shape[2])
	px, withinX := x.window(qx, s, dy.Type.Shape[3])
	sum := &loop.Var{Name: "sum"}
	return &loop.Nest{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{
			Var: sum, Kind: loop.Sum, Axes: taps, Within: append(withinY, withinX...),
			Of: loop.Times(loop.At(dy, image, k, py, px), loop.At(w, k, channel, y.tap(r), x.tap(s))),
		},
		store(loop.R(sum)),
	}}
}

// inGroup gives the channel of the gradient that is number k of the group of an
// image's channel, and the number of that channel in its group; weights are
// [O, C/group, KH, KW].
func (c *ConvGradData) inGroup(k, channel *loop.Expr, weights ir.Shape) (of, in *loop.Expr) {
	if c.Group == 1 {
		return k, channel
	}
	inputs := loop.I(weights[1])
	return loop.Plus(loop.Times(loop.Over(channel, inputs), loop.I(weights[0]/c.Group)), k), loop.Remainder(channel, inputs)
}

// asking is one nest for all pixels, whose reduction goes over all taps.
func (c *ConvGradData) asking(n *ir.Node) *loop.Nest {
	dy, w, out := n.In[0], n.In[1], n.Out[0]
	axes := loop.Axes(out.Type.Shape, "n", "c", "y", "x")
	taps := []*loop.Var{loop.Axis("r", w.Type.Shape[2]), loop.Axis("s", w.Type.Shape[3]), loop.Axis("k", w.Type.Shape[0]/c.Group)}
	r, s := loop.R(taps[0]), loop.R(taps[1])
	k, channel := c.inGroup(loop.R(taps[2]), loop.R(axes[1]), w.Type.Shape)
	var within []loop.Range
	var where *loop.Expr
	position := func(a int, y, r *loop.Expr) *loop.Expr {
		// y = position*stride + r*dilation - pad
		reached := loop.Minus(loop.Plus(y, loop.I(c.Pad[a])), loop.Times(r, loop.I(c.Dilation[a])))
		within = append(within, loop.Range{Index: reached, Extent: (dy.Type.Shape[2+a]-1)*c.Stride[a] + 1})
		if c.Stride[a] > 1 {
			where = loop.Both(where, loop.Compare(loop.Eq, loop.Remainder(reached, loop.I(c.Stride[a])), loop.I(0)))
		}
		return loop.Over(reached, loop.I(c.Stride[a]))
	}
	py := position(0, loop.R(axes[2]), r)
	px := position(1, loop.R(axes[3]), s)
	sum := &loop.Var{Name: "sum"}
	return &loop.Nest{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{
			Var: sum, Kind: loop.Sum, Axes: taps, Within: within, Where: where,
			Of: loop.Times(loop.At(dy, loop.R(axes[0]), k, py, px), loop.At(w, k, channel, r, s)),
		},
		&loop.Store{Value: out, Index: loop.Refs(axes...), Of: loop.R(sum)},
	}}
}
