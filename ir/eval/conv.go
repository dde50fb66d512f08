package eval

import "netc/ir/op"

// image views a tensor of shape [N, C, H, W].
type image struct {
	n, c, h, w int
	data       []float64
}

func imageOf(t *Tensor) image {
	s := t.Type.Shape
	return image{s[0], s[1], s[2], s[3], t.Data}
}

func (m image) at(n, c, y, x int) *float64 { return &m.data[((n*m.c+c)*m.h+y)*m.w+x] }

// part is one of so many equal parts of the samples.
func (m image) part(i, parts int) image {
	size := len(m.data) / parts
	m.n, m.data = m.n/parts, m.data[i*size:(i+1)*size]
	return m
}

func init() {
	define("conv", func(o *op.Conv, in, out []*Tensor) {
		images, weights, result := imageOf(in[0]), imageOf(in[1]), imageOf(out[0])
		eachTap(op.Window(*o), images, weights, result, func(pixel, weight, sum *float64) {
			*sum += *pixel * *weight
		})
	})
	define("conv_grad_data", func(o *op.ConvGradData, in, out []*Tensor) {
		gradient, weights, result := imageOf(in[0]), imageOf(in[1]), imageOf(out[0])
		window := op.Window{Stride: o.Stride, Pad: o.Pad, Dilation: o.Dilation, Group: o.Group}
		eachTap(window, result, weights, gradient, func(pixel, weight, dy *float64) {
			*pixel += *dy * *weight
		})
	})
	define("conv_grad_weight", func(o *op.ConvGradWeight, in, out []*Tensor) {
		window := op.Window{Stride: o.Stride, Pad: o.Pad, Dilation: o.Dilation, Group: o.Group}
		parts := max(o.Parts, 1)
		taps := out[0].Type.Shape[len(out[0].Type.Shape)-3:]
		for part := range parts {
			images, gradient := imageOf(in[0]).part(part, parts), imageOf(in[1]).part(part, parts)
			result := image{gradient.c, taps[0], taps[1], taps[2], make([]float64, gradient.c*taps.Count())}
			eachTap(window, images, result, gradient, func(pixel, weight, dy *float64) {
				*weight += *dy * *pixel
			})
			for k := range result.n {
				copy(out[0].Data[(k*parts+part)*taps.Count():], result.data[k*taps.Count():(k+1)*taps.Count()])
			}
		}
	})
}

// eachTap visits every product of a convolution: an input pixel, the weight it
// is multiplied by, and the output element that the product is added to. A
// convolution and its two gradients differ only in which of the three they sum
// into.
func eachTap(w op.Window, in, weights, out image, visit func(pixel, weight, result *float64)) {
	inputsPerGroup, outputsPerGroup := in.c/w.Group, out.c/w.Group
	for n := range out.n {
		for k := range out.c {
			firstInput := k / outputsPerGroup * inputsPerGroup
			for y := range out.h {
				for x := range out.w {
					for c := range inputsPerGroup {
						for r := range weights.h {
							for s := range weights.w {
								iy := y*w.Stride[0] - w.Pad[0] + r*w.Dilation[0]
								ix := x*w.Stride[1] - w.Pad[1] + s*w.Dilation[1]
								if iy >= 0 && iy < in.h && ix >= 0 && ix < in.w {
									visit(in.at(n, firstInput+c, iy, ix), weights.at(k, c, r, s), out.at(n, k, y, x))
								}
							}
						}
					}
				}
			}
		}
	}
}
