package eval

import (
	"netc/ir"
	"netc/ir/op"
)

func init() {
	define("subsample", func(o *op.Subsample, in, out []*Tensor) {
		images, result := imageOf(in[0]), imageOf(out[0])
		eachWindow(result, func(n, c, py, px int) {
			*result.at(n, c, py, px) = *images.at(n, c, py*o.Stride[0], px*o.Stride[1])
		})
	})
	// The first maximum wins, and padding never does. Its place is counted row by
	// row in the window or, as an i32, in the H x W plane.
	define("maxpool", func(o *op.MaxPool, in, out []*Tensor) {
		images, result := imageOf(in[0]), imageOf(out[0])
		argmax := imageOf(out[1])
		eachWindow(result, func(n, c, py, px int) {
			found := false
			best := result.at(n, c, py, px)
			y := windowOf(o.Kernel, o.Stride, o.Pad, 0, py, images.h)
			x := windowOf(o.Kernel, o.Stride, o.Pad, 1, px, images.w)
			for iy := y.first; iy < y.end; iy++ {
				for ix := x.first; ix < x.end; ix++ {
					if value := *images.at(n, c, iy, ix); !found || value > *best {
						found = true
						*best = value
						*argmax.at(n, c, py, px) = float64((iy-y.start)*o.Kernel[1] + ix - x.start)
						if out[1].Type.DType == ir.I32 {
							*argmax.at(n, c, py, px) = float64(iy*images.w + ix)
						}
					}
				}
			}
		})
	})
	define("maxpool_grad", func(o *op.MaxPoolGrad, in, out []*Tensor) {
		gradient, argmax, result := imageOf(in[0]), imageOf(in[1]), imageOf(out[0])
		eachWindow(gradient, func(n, c, py, px int) {
			y := windowOf(o.Kernel, o.Stride, o.Pad, 0, py, result.h)
			x := windowOf(o.Kernel, o.Stride, o.Pad, 1, px, result.w)
			winner := int(*argmax.at(n, c, py, px))
			iy, ix := y.start+winner/o.Kernel[1], x.start+winner%o.Kernel[1]
			if in[1].Type.DType == ir.I32 {
				iy, ix = winner/result.w, winner%result.w
			}
			// A position outside its window is no maximum: only a caller who feeds
			// argmax by hand can ask for it, and gets no gradient there.
			if winner >= 0 && iy >= y.first && iy < y.end && ix >= x.first && ix < x.end {
				*result.at(n, c, iy, ix) += *gradient.at(n, c, py, px)
			}
		})
	})
	define("avgpool", func(o *op.AvgPool, in, out []*Tensor) {
		images, result := imageOf(in[0]), imageOf(out[0])
		eachWindow(result, func(n, c, py, px int) {
			y := windowOf(o.Kernel, o.Stride, o.Pad, 0, py, images.h)
			x := windowOf(o.Kernel, o.Stride, o.Pad, 1, px, images.w)
			sum := 0.0
			for iy := y.first; iy < y.end; iy++ {
				for ix := x.first; ix < x.end; ix++ {
					sum += *images.at(n, c, iy, ix)
				}
			}
			*result.at(n, c, py, px) = sum / float64(y.padded*x.padded)
		})
	})
	define("avgpool_grad", func(o *op.AvgPoolGrad, in, out []*Tensor) {
		gradient, result := imageOf(in[0]), imageOf(out[0])
		eachWindow(gradient, func(n, c, py, px int) {
			y := windowOf(o.Kernel, o.Stride, o.Pad, 0, py, result.h)
			x := windowOf(o.Kernel, o.Stride, o.Pad, 1, px, result.w)
			share := *gradient.at(n, c, py, px) / float64(y.padded*x.padded)
			for iy := y.first; iy < y.end; iy++ {
				for ix := x.first; ix < x.end; ix++ {
					*result.at(n, c, iy, ix) += share
				}
			}
		})
	})
}

// extent is what a pooling window covers along one axis of the image.
type extent struct {
	start      int // its first pixel, which may be in the padding
	first, end int // pixels of the image, end exclusive
	padded     int // pixels of the padded image, which AVE divides by
}

// windowOf is Caffe's rule (pooling_layer.cpp): a window is cut off where the
// padded image ends, and what is read of it where the image does.
func windowOf(kernel, stride, pad []int, axis, at, size int) extent {
	start := at*stride[axis] - pad[axis]
	end := min(start+kernel[axis], size+pad[axis])
	return extent{start: start, first: max(start, 0), end: min(end, size), padded: end - start}
}

// eachWindow visits the elements of a pooling's result.
func eachWindow(pooled image, visit func(n, c, y, x int)) {
	for n := range pooled.n {
		for c := range pooled.c {
			for y := range pooled.h {
				for x := range pooled.w {
					visit(n, c, y, x)
				}
			}
		}
	}
}
