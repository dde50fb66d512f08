package op

import (
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &Conv{} })
	ir.Register(func() ir.Op { return &ConvGradData{} })
	ir.Register(func() ir.Op { return &ConvGradWeight{} })
}

// Window is how a convolution's filter moves over an image; each list has one
// entry for y and one for x.
type Window struct {
	Stride   []int
	Pad      []int
	Dilation []int
	Group    int
}

// outputExtent is Caffe's rule: floor((in + 2 pad - (dilation (k-1) + 1)) / stride) + 1.
func (w Window) outputExtent(axis, in, kernel int) int {
	reach := in + 2*w.Pad[axis] - (w.Dilation[axis]*(kernel-1) + 1)
	if reach < 0 {
		return 0
	}
	return reach/w.Stride[axis] + 1
}

// PartInside is the part of the taps along an axis, over all places of the window,
// that lie on the image and not on its padding.
func (w Window) PartInside(axis, in, out, kernel int) float64 {
	inside := 0
	for place := range out {
		for tap := range kernel {
			if at := place*w.Stride[axis] - w.Pad[axis] + tap*w.Dilation[axis]; at >= 0 && at < in {
				inside++
			}
		}
	}
	return float64(inside) / float64(out*kernel)
}

// Conv is a 2-D convolution (cross-correlation, no flip) of images
// [N, C, H, W] with weights [O, C/group, KH, KW], giving [N, O, H', W']:
//
//	out[n,o,y,x] = sum over c,r,s of in[n, c, y*stride-pad+r*dilation, …] * weight[o,c,r,s]
type Conv struct {
	Stride   []int `ir:"stride,[1, 1]"`
	Pad      []int `ir:"pad,[0, 0]"`
	Dilation []int `ir:"dilation,[1, 1]"`
	Group    int   `ir:"group,1"`
}

// Mnemonic is "conv".
func (*Conv) Mnemonic() string { return "conv" }

func (c *Conv) window() Window { return Window(*c) }

// Infer gives [N, O, H', W'].
func (c *Conv) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 2); err != nil {
		return nil, err
	}
	if err := checkWindow(c.window(), in[0], in[1]); err != nil {
		return nil, err
	}
	x, w := in[0].Shape, in[1].Shape
	if x[1] != w[1]*c.Group || w[0]%c.Group != 0 {
		return nil, ir.Misfit("group", "%d input and %d output channels cannot be split into %d groups of weights %s", x[1], w[0], c.Group, in[1])
	}
	out := ir.Float(x[0], w[0], 0, 0)
	for a := range 2 {
		if out.Shape[2+a] = c.window().outputExtent(a, x[2+a], w[2+a]); out.Shape[2+a] == 0 {
			return nil, ir.Misfit("kernel_size", "window %d is larger than the padded input %dx%d",
				c.Dilation[a]*(w[2+a]-1)+1, x[2]+2*c.Pad[0], x[3]+2*c.Pad[1])
		}
	}
	return []ir.Type{out}, nil
}

func checkWindow(w Window, image, weight ir.Type) error {
	if err := needFloat([]ir.Type{image, weight}); err != nil {
		return err
	}
	if len(image.Shape) != 4 || len(weight.Shape) != 4 {
		return ir.MisfitOperand(0, "a convolution needs images [N, C, H, W], not %s", image)
	}
	if len(w.Stride) != 2 || len(w.Pad) != 2 || len(w.Dilation) != 2 {
		return fmt.Errorf("stride, pad and dilation need two entries each")
	}
	for a := range 2 {
		switch {
		case w.Stride[a] < 1:
			return ir.Misfit("stride", "stride must be at least 1")
		case w.Pad[a] < 0:
			return ir.Misfit("pad", "pad must not be negative")
		case w.Dilation[a] < 1:
			return ir.Misfit("dilation", "dilation must be at least 1")
		case max(w.Stride[a], w.Pad[a], w.Dilation[a]) > largestWindow:
			return fmt.Errorf("stride, pad and dilation must be at most %d", largestWindow)
		}
	}
	if w.Group < 1 {
		return ir.Misfit("group", "group must be at least 1")
	}
	return nil
}

// Grad flows to the images by ConvGradData and to the weights by ConvGradWeight.
func (c *Conv) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	x, w := n.In[0], n.In[1]
	return []*ir.Value{
		b.Grad(x, &ConvGradData{c.Stride, c.Pad, c.Dilation, c.Group, x.Type.Shape[2:]}, d[0], w),
		b.Grad(w, &ConvGradWeight{Stride: c.Stride, Pad: c.Pad, Dilation: c.Dilation, Group: c.Group, Kernel: w.Type.Shape[2:]}, x, d[0]),
	}
}

// Loops reduces over the group's input channels and the filter's taps.
func (c *Conv) Loops(n *ir.Node) []*loop.Nest {
	x, w, out := n.In[0], n.In[1], n.Out[0]
	axes := loop.Axes(out.Type.Shape, "n", "k", "y", "x")
	taps := loop.Axes(w.Type.Shape[1:], "c", "r", "s")
	k, ch, r, s := loop.R(axes[1]), loop.R(taps[0]), loop.R(taps[1]), loop.R(taps[2])
	iy := c.window().input(0, loop.R(axes[2]), r)
	ix := c.window().input(1, loop.R(axes[3]), s)
	sum := &loop.Var{Name: "sum"}
	channel := loop.Plus(c.window().groupStart(k, out.Type.Shape[1], w.Type.Shape[1]), ch)
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{
			Var: sum, Kind: loop.Sum, Axes: taps,
			Within: c.window().inside(iy, ix, x.Type.Shape[2:], out.Type.Shape[2:], w.Type.Shape[2:]),
			Of:     loop.Times(loop.At(x, loop.R(axes[0]), channel, iy, ix), loop.At(w, k, ch, r, s)),
		},
		&loop.Store{Value: out, Index: loop.Refs(axes...), Of: loop.R(sum)},
	}}}
}

// input is the image coordinate under tap r of the window at output y.
func (w Window) input(axis int, y, r *loop.Expr) *loop.Expr {
	return loop.Minus(loop.Plus(loop.Times(y, loop.I(w.Stride[axis])), loop.Times(r, loop.I(w.Dilation[axis]))), loop.I(w.Pad[axis]))
}

// groupStart is the first input channel of output channel k's group.
func (w Window) groupStart(k *loop.Expr, outputs, inputsPerGroup int) *loop.Expr {
	if w.Group == 1 {
		return loop.I(0)
	}
	return loop.Times(loop.Over(k, loop.I(outputs/w.Group)), loop.I(inputsPerGroup))
}

// inside lists the ranges that an image coordinate must be in, leaving out
// those that always hold.
func (w Window) inside(iy, ix *loop.Expr, image, output, kernel ir.Shape) []loop.Range {
	var within []loop.Range
	for a, coordinate := range []*loop.Expr{iy, ix} {
		last := (output[a]-1)*w.Stride[a] + (kernel[a]-1)*w.Dilation[a] - w.Pad[a]
		if w.Pad[a] > 0 || last >= image[a] {
			within = append(within, loop.Range{Index: coordinate, Extent: image[a]})
		}
	}
	return within
}

// ConvGradData is the gradient of Conv with respect to its images, and the
// forward pass of a deconvolution: it maps [N, O, H', W'] and weights
// [O, C/group, KH, KW] to [N, C, H, W], adding each element times the filter
// into the window it came from.
type ConvGradData struct {
	Stride   []int `ir:"stride,[1, 1]"`
	Pad      []int `ir:"pad,[0, 0]"`
	Dilation []int `ir:"dilation,[1, 1]"`
	Group    int   `ir:"group,1"`
	Size     []int `ir:"size"` // H and W of the result
}

// Mnemonic is "conv_grad_data".
func (*ConvGradData) Mnemonic() string { return "conv_grad_data" }

func (c *ConvGradData) window() Window { return Window{c.Stride, c.Pad, c.Dilation, c.Group} }

// Infer gives [N, C, H, W].
func (c *ConvGradData) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 2); err != nil {
		return nil, err
	}
	if err := checkWindow(c.window(), in[0], in[1]); err != nil {
		return nil, err
	}
	dy, w := in[0].Shape, in[1].Shape
	if dy[1] != w[0] || w[0]%c.Group != 0 {
		return nil, ir.Misfit("group", "%d channels cannot be split into %d groups of weights %s", dy[1], c.Group, in[1])
	}
	if len(c.Size) != 2 {
		return nil, fmt.Errorf("size needs two entries")
	}
	for a := range 2 {
		if c.Size[a] < 1 || c.window().outputExtent(a, c.Size[a], w[2+a]) != dy[2+a] {
			return nil, ir.Misfit("kernel_size", "no input of extent %d gives %d under this window", c.Size[a], dy[2+a])
		}
	}
	return []ir.Type{ir.Float(dy[0], w[1]*c.Group, c.Size[0], c.Size[1])}, nil
}

// Grad: the map is linear in both operands, so its gradients are a convolution
// and a weight gradient.
func (c *ConvGradData) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	dy, w := n.In[0], n.In[1]
	return []*ir.Value{
		b.Grad(dy, &Conv{c.Stride, c.Pad, c.Dilation, c.Group}, d[0], w),
		b.Grad(w, &ConvGradWeight{Stride: c.Stride, Pad: c.Pad, Dilation: c.Dilation, Group: c.Group, Kernel: w.Type.Shape[2:]}, d[0], dy),
	}
}

// Loops gathers, for each pixel, from the windows that cover it. The channels
// are the innermost reduction, so that what depends on the taps alone (which
// windows reach the pixel) is decided outside of it.
//
// With a stride, a pixel meets only every so many taps, the same ones for all
// pixels a stride apart: each such class of pixels has a nest of its own, which
// reduces over just those taps. Where that would be too many nests, one nest
// asks of each tap whether it meets the pixel.
func (c *ConvGradData) Loops(n *ir.Node) []*loop.Nest {
	w, out := n.In[1].Type.Shape, n.Out[0].Type.Shape
	if min(c.Stride[0], out[2])*min(c.Stride[1], out[3]) > mostPhases {
		return []*loop.Nest{c.asking(n)}
	}
	var nests []*loop.Nest
	for _, y := range c.window().phases(0, out[2], w[2]) {
		for _, x := range c.window().phases(1, out[3], w[3]) {
			nests = append(nests, c.phaseNest(n, y, x))
		}
	}
	return nests
}

// ConvGradWeight is the gradient of Conv with respect to its weights: images
// [N, C, H, W] and gradients [N, O, H', W'] give [O, C/group, KH, KW]. In so
// many Parts, each of as many neighbouring samples, it gives what each of them
// adds: [O, Parts, C/group, KH, KW].
type ConvGradWeight struct {
	Stride   []int `ir:"stride,[1, 1]"`
	Pad      []int `ir:"pad,[0, 0]"`
	Dilation []int `ir:"dilation,[1, 1]"`
	Group    int   `ir:"group,1"`
	Kernel   []int `ir:"kernel"` // KH and KW
	Parts    int   `ir:"parts"`  // 0 for all samples together
}

// Mnemonic is "conv_grad_weight".
func (*ConvGradWeight) Mnemonic() string { return "conv_grad_weight" }

func (c *ConvGradWeight) window() Window { return Window{c.Stride, c.Pad, c.Dilation, c.Group} }

// Infer gives [O, C/group, KH, KW], with Parts behind O where there are any.
func (c *ConvGradWeight) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 2); err != nil {
		return nil, err
	}
	if err := checkWindow(c.window(), in[0], in[1]); err != nil {
		return nil, err
	}
	x, dy := in[0].Shape, in[1].Shape
	if x[0] != dy[0] || x[1]%c.Group != 0 || dy[1]%c.Group != 0 || len(c.Kernel) != 2 {
		return nil, fmt.Errorf("images %s and gradients %s do not belong together", in[0], in[1])
	}
	for a := range 2 {
		if c.Kernel[a] < 1 || c.window().outputExtent(a, x[2+a], c.Kernel[a]) != dy[2+a] {
			return nil, fmt.Errorf("a window of %d over %d does not give %d", c.Kernel[a], x[2+a], dy[2+a])
		}
	}
	shape := ir.Shape{dy[1], x[1] / c.Group, c.Kernel[0], c.Kernel[1]}
	if c.Parts > 0 {
		shape = slices.Insert(shape, 1, c.Parts)
	}
	if c.Parts < 0 || c.Parts > 0 && x[0]%c.Parts != 0 {
		return nil, ir.Misfit("parts", "%d samples cannot be taken in %d parts", x[0], c.Parts)
	}
	return []ir.Type{ir.Float(shape...)}, nil
}

// Grad: the map is linear in both operands. Parts are made of gradients, which
// are not differentiated again.
func (c *ConvGradWeight) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	if c.Parts > 0 {
		return gradientOnly{}.Grad(b, n, d)
	}
	x, dy := n.In[0], n.In[1]
	return []*ir.Value{
		b.Grad(x, &ConvGradData{c.Stride, c.Pad, c.Dilation, c.Group, x.Type.Shape[2:]}, dy, d[0]),
		b.Grad(dy, &Conv{c.Stride, c.Pad, c.Dilation, c.Group}, x, d[0]),
	}
}

// Loops reduces over the batch, or that of a part, and the output's pixels.
func (c *ConvGradWeight) Loops(n *ir.Node) []*loop.Nest {
	x, dy, out := n.In[0], n.In[1], n.Out[0]
	shape, names := out.Type.Shape, []string{"k", "c", "r", "s"}
	if c.Parts > 0 {
		names = slices.Insert(names, 1, "part")
	}
	axes := loop.Axes(shape, names...)
	samples := dy.Type.Shape[0] / max(c.Parts, 1)
	over := []*loop.Var{loop.Axis("n", samples), loop.Axis("y", dy.Type.Shape[2]), loop.Axis("x", dy.Type.Shape[3])}
	k, i, py, px := loop.R(axes[0]), loop.R(over[0]), loop.R(over[1]), loop.R(over[2])
	if c.Parts > 0 {
		i = loop.Plus(loop.Times(loop.R(axes[1]), loop.I(samples)), i)
	}
	filter, taps := axes[len(axes)-3:], shape[len(shape)-3:]
	iy := c.window().input(0, py, loop.R(filter[1]))
	ix := c.window().input(1, px, loop.R(filter[2]))
	channel := loop.Plus(c.window().groupStart(k, shape[0], taps[0]), loop.R(filter[0]))
	sum := &loop.Var{Name: "sum"}
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{
			Var: sum, Kind: loop.Sum, Axes: over,
			Within: c.window().inside(iy, ix, x.Type.Shape[2:], dy.Type.Shape[2:], taps[1:]),
			Of:     loop.Times(loop.At(x, i, channel, iy, ix), loop.At(dy, i, k, py, px)),
		},
		&loop.Store{Value: out, Index: loop.Refs(axes...), Of: loop.R(sum)},
	}}}
}
