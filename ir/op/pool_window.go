package op

import (
	"fmt"
	"math"

	"netc/ir"
	"netc/ir/loop"
)

// largestWindow bounds the attributes of windows, so that positions computed
// from them never overflow.
const largestWindow = math.MaxInt32

// PoolWindow is how a pooling window moves over an image; each list has one
// entry for y and one for x. Floor rounds the number of windows down instead
// of up.
type PoolWindow struct {
	Kernel []int
	Stride []int
	Pad    []int
	Floor  bool
}

// check returns an error unless images of that type can be pooled.
func (w PoolWindow) check(image ir.Type) error {
	if err := needFloat([]ir.Type{image}); err != nil {
		return err
	}
	if len(image.Shape) != 4 {
		return ir.MisfitOperand(0, "pooling needs images [N, C, H, W], not %s", image)
	}
	if len(w.Kernel) != 2 || len(w.Stride) != 2 || len(w.Pad) != 2 {
		return fmt.Errorf("kernel, stride and pad need two entries each")
	}
	for a := range 2 {
		switch {
		case w.Kernel[a] < 1:
			return ir.Misfit("kernel_size", "the window must be at least 1 wide, not %d", w.Kernel[a])
		case w.Stride[a] < 1:
			return ir.Misfit("stride", "stride must be at least 1, not %d", w.Stride[a])
		case w.Pad[a] < 0:
			return ir.Misfit("pad", "pad must not be negative")
		case w.Pad[a] >= w.Kernel[a]:
			return ir.Misfit("pad", "pad %d must be smaller than the window %d", w.Pad[a], w.Kernel[a])
		case max(w.Kernel[a], w.Stride[a]) > largestWindow:
			return ir.Misfit("kernel_size", "window and stride must be at most %d", largestWindow)
		}
	}
	return nil
}

// outputExtent is the number of windows along an axis: Caffe's rule
// ceil((in + 2 pad - kernel) / stride) + 1, or floor with Floor. With any
// padding, a last window that would start behind the image is dropped.
func (w PoolWindow) outputExtent(axis, in int) int {
	reach := in + 2*w.Pad[axis] - w.Kernel[axis]
	if !w.Floor {
		reach += w.Stride[axis] - 1
	}
	if reach < 0 {
		return 0
	}
	out := reach/w.Stride[axis] + 1
	if (w.Pad[0] > 0 || w.Pad[1] > 0) && (out-1)*w.Stride[axis] >= in+w.Pad[axis] {
		out--
	}
	return out
}

// argmax is the type of the winners' places of a pooling of that shape.
func (w PoolWindow) argmax(shape ir.Shape, plane bool) ir.Type {
	if plane || w.Kernel[0] > (math.MaxUint8+1)/w.Kernel[1] {
		return ir.Int(shape...)
	}
	return ir.Byte(shape...)
}

// infer gives the shape [N, C, H', W'] of the pooled images.
func (w PoolWindow) infer(image ir.Type) (ir.Shape, error) {
	if err := w.check(image); err != nil {
		return nil, err
	}
	in := image.Shape
	out := ir.Shape{in[0], in[1], 0, 0}
	for a := range 2 {
		extent := w.outputExtent(a, in[2+a])
		if extent < 1 {
			return nil, ir.Misfit("kernel_size", "window %dx%d is larger than the padded input %dx%d",
				w.Kernel[0], w.Kernel[1], in[2]+2*w.Pad[0], in[3]+2*w.Pad[1])
		}
		if start := (extent-1)*w.Stride[a] - w.Pad[a]; start >= in[2+a] {
			e := ir.Misfit("stride", "the last window would start at %d, behind the input of extent %d", start, in[2+a])
			e.Help = "round_mode: FLOOR leaves that window out"
			return nil, e
		}
		out[2+a] = extent
	}
	return out, nil
}

// inferGrad checks that size is an image extent under which gradients of that
// type come from this window, and gives the images' shape.
func (w PoolWindow) inferGrad(dy ir.Type, size []int) (ir.Shape, error) {
	if len(dy.Shape) != 4 || len(size) != 2 {
		return nil, fmt.Errorf("the gradient needs images, not %s, and two entries of size", dy)
	}
	image := ir.Float(dy.Shape[0], dy.Shape[1], size[0], size[1])
	if err := checkExtents("size", size); err != nil {
		return nil, err
	}
	out, err := w.infer(image)
	if err != nil {
		return nil, err
	}
	if !dy.Equal(ir.Type{DType: ir.F32, Shape: out}) {
		return nil, ir.MisfitOperand(0, "pooling %s gives %s, not %s", image, out, dy)
	}
	return image.Shape, nil
}

// input is the image coordinate under tap r of window p.
func (w PoolWindow) input(axis int, p, r *loop.Expr) *loop.Expr {
	return loop.Minus(loop.Plus(loop.Times(p, loop.I(w.Stride[axis])), r), loop.I(w.Pad[axis]))
}

// taps gives loop variables over the window.
func (w PoolWindow) taps() []*loop.Var {
	return []*loop.Var{loop.Axis("r", w.Kernel[0]), loop.Axis("s", w.Kernel[1])}
}

// inside lists the ranges that an image coordinate must be in, leaving out
// those that always hold.
func (w PoolWindow) inside(coordinates []*loop.Expr, image, output ir.Shape) []loop.Range {
	var within []loop.Range
	for a, c := range coordinates {
		last := (output[2+a]-1)*w.Stride[a] + w.Kernel[a] - 1 - w.Pad[a]
		if w.Pad[a] > 0 || last >= image[2+a] {
			within = append(within, loop.Range{Index: c, Extent: image[2+a]})
		}
	}
	return within
}

// covering describes the windows that cover one pixel, for a gradient that
// gathers: a pixel at y is in window p where 0 <= y + pad - p*stride < kernel.
type covering struct {
	lets     []loop.Stmt  // to be run before the reduction
	axes     []*loop.Var  // the reduction's: at most ceil(kernel/stride) windows per image axis
	position []*loop.Expr // the window's place in the output
	offset   []*loop.Expr // the pixel's place in the window
	within   []loop.Range
	where    *loop.Expr
}

// covering walks back from the last window that starts at or before the pixel.
func (w PoolWindow) covering(pixel []*loop.Expr, image, output ir.Shape) covering {
	var c covering
	for a, y := range pixel {
		kernel, stride, pad := w.Kernel[a], w.Stride[a], w.Pad[a]
		windows := (kernel + stride - 1) / stride
		back := loop.Axis([]string{"j", "i"}[a], windows)
		c.axes = append(c.axes, back)

		shifted := loop.Plus(y, loop.I(pad))
		last, rest := loop.Over(shifted, loop.I(stride)), loop.Remainder(shifted, loop.I(stride))
		if last.Op == loop.Div {
			v := integer([]string{"py", "px"}[a])
			c.lets = append(c.lets, &loop.Let{Var: v, Of: last})
			last = loop.R(v)
			rest = loop.Minus(shifted, loop.Times(last, loop.I(stride)))
		}
		p := loop.Minus(last, loop.R(back))
		c.position = append(c.position, p)
		if pad/stride < windows-1 || (image[2+a]-1+pad)/stride >= output[2+a] {
			c.within = append(c.within, loop.Range{Index: p, Extent: output[2+a]})
		}
		offset := loop.Plus(loop.Times(loop.R(back), loop.I(stride)), rest)
		c.offset = append(c.offset, offset)
		if kernel%stride != 0 { // else the last of the windows reaches the pixel too
			c.where = loop.Both(c.where, loop.Compare(loop.Less, offset, loop.I(kernel)))
		}
	}
	return c
}
