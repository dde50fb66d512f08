package layer

import "netc/ir/op"

// Deconvolution enlarges images: the adjoint of Convolution.
var Deconvolution = define("Deconvolution", about{
	summary: "adds, for each input pixel, the filter times the pixel into the result (the adjoint of Convolution)",
	formula: "y[n,o,p,q] = bias[o] + sum of x[n,c,i,j] * weight[c,o,r,s] over all i*stride - pad + r*dilation = p and j*stride - pad + s*dilation = q",
	shape:   "[N, C, H, W] gives [N, num_output, H', W'] with H' = stride*(H-1) + dilation*(kernel_size-1) + 1 - 2*pad. Several inputs give as many results, with the same weights",
	example: `x     = input [8, 16, 16]
large = Deconvolution(x) { num_output: 8 group: 8 kernel_size: 4 stride: 2 pad: 1 weight_filler: bilinear bias_term: false }
`,
}, wiring{1, many, 1, many}, lowerDeconvolution)

func lowerDeconvolution(c *Context, f *convolutionFields) {
	c.checkSameCount()
	channels := c.imageChannels(0)
	f.checkGroups(c, channels)
	weight := c.Param("weight", "weight_filler", f.WeightFiller, channels, f.NumOutput/f.Group, f.KernelSize.H, f.KernelSize.W)
	bias := f.bias(c)
	for i := range c.Inputs() {
		c.checkSameChannels(i, channels)
		image := c.In(i).Type.Shape[2:]
		size := []int{
			f.Stride.H*(image[0]-1) + f.Dilation.H*(f.KernelSize.H-1) + 1 - 2*f.Pad.H,
			f.Stride.W*(image[1]-1) + f.Dilation.W*(f.KernelSize.W-1) + 1 - 2*f.Pad.W,
		}
		if size[0] < 1 || size[1] < 1 {
			c.Misfit("pad", "nothing is left of the result, which would be %dx%d", size[0], size[1])
		}
		y := c.Build(&op.ConvGradData{
			Stride: f.Stride.list(), Pad: f.Pad.list(), Dilation: f.Dilation.list(), Group: f.Group, Size: size,
		}, c.In(i), weight)
		c.Out(c.addBias(y, bias))
	}
}
