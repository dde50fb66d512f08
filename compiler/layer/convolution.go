package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// Convolution slides filters over images.
var Convolution = define("Convolution", about{
	summary: "slides num_output filters over images (cross-correlation: the filters are not flipped)",
	formula: "y[n,o,i,j] = bias[o] + sum over c,r,s of x[n, c, i*stride - pad + r*dilation, j*stride - pad + s*dilation] * weight[o,c,r,s]",
	shape:   "[N, C, H, W] gives [N, num_output, H', W'] with H' = floor((H + 2*pad - (dilation*(kernel_size-1) + 1)) / stride) + 1. Several inputs give as many results, with the same weights",
	example: `data  = input [3, 32, 32]
conv1 = Convolution(data) { num_output: 16 kernel_size: 5 pad: 2 stride: 2 weight_filler: xavier }
`,
}, wiring{1, many, 1, many}, lowerConvolution)

// convolutionFields serve Convolution and Deconvolution.
type convolutionFields struct {
	NumOutput    int       `net:"num_output" required:"true" atLeast:"1" doc:"number of filters, the channels of the result"`
	KernelSize   pair      `net:"kernel_size" byAxis:"kernel_h kernel_w" required:"true" atLeast:"1" doc:"height and width of a filter"`
	Stride       pair      `net:"stride" byAxis:"stride_h stride_w" default:"1" atLeast:"1" doc:"steps of the window"`
	Pad          pair      `net:"pad" byAxis:"pad_h pad_w" default:"0" atLeast:"0" doc:"zeros around the image"`
	Dilation     pair      `net:"dilation" default:"1" atLeast:"1" doc:"distance of neighbouring taps of a filter"`
	Group        int       `net:"group" default:"1" atLeast:"1" doc:"input and output channels are split into this many groups, which do not see each other"`
	BiasTerm     bool      `net:"bias_term" default:"true" doc:"adds a bias to each output channel"`
	WeightFiller ir.Filler `net:"weight_filler" default:"constant" doc:"how the weights start"`
	BiasFiller   ir.Filler `net:"bias_filler" default:"constant" doc:"how the biases start"`
}

func lowerConvolution(c *Context, f *convolutionFields) {
	c.checkSameCount()
	channels := c.imageChannels(0)
	f.checkGroups(c, channels)
	weight := c.Param("weight", "weight_filler", f.WeightFiller, f.NumOutput, channels/f.Group, f.KernelSize.H, f.KernelSize.W)
	bias := f.bias(c)
	for i := range c.Inputs() {
		c.checkSameChannels(i, channels)
		y := c.Build(&op.Conv{Stride: f.Stride.list(), Pad: f.Pad.list(), Dilation: f.Dilation.list(), Group: f.Group}, c.In(i), weight)
		c.Out(c.addBias(y, bias))
	}
}

func (f *convolutionFields) checkGroups(c *Context, channels int) {
	if channels%f.Group != 0 {
		c.Misfit("group", "%s cannot be split into %d groups", span(channels, channels, "input channel"), f.Group)
	}
	if f.NumOutput%f.Group != 0 {
		c.Misfit("group", "%s cannot be split into %d groups", span(f.NumOutput, f.NumOutput, "output channel"), f.Group)
	}
}

// bias gives the layer's bias parameter, or nil without bias_term.
func (f *convolutionFields) bias(c *Context) *ir.Value {
	if !f.BiasTerm {
		return nil
	}
	return c.Param("bias", "bias_filler", f.BiasFiller, f.NumOutput)
}

// addBias adds a bias for each index of axis 1; a nil bias changes nothing.
func (c *Context) addBias(v, bias *ir.Value) *ir.Value {
	if bias == nil {
		return v
	}
	return c.Build(op.Point("add"), v, c.Broadcast(bias, v.Type.Shape, 1))
}

// imageChannels gives the channels of input i, which must be images.
func (c *Context) imageChannels(i int) int {
	x := c.In(i)
	if len(x.Type.Shape) != 4 {
		c.MisfitInput(i, "%s needs images [N, C, H, W], not %s", c.layer.Type, x.Type)
	}
	return x.Type.Shape[1]
}

// checkSameCount reports a layer whose results are not as many as its inputs.
func (c *Context) checkSameCount() {
	if c.Inputs() == c.Results() {
		return
	}
	c.low.messages.Errorf(codeArity, c.layer.TypeSpan, "%s gives one result for each input, but has %s and %s", c.layer.Type,
		span(c.Inputs(), c.Inputs(), "input"), span(c.Results(), c.Results(), "result"))
	panic(stop{})
}

// checkSameChannels reports an input that cannot use the first one's weights.
func (c *Context) checkSameChannels(i, channels int) {
	if n := c.imageChannels(i); n != channels {
		c.MisfitInput(i, "input %d has %d channels, but input 1 has %d, and they share the weights", i+1, n, channels)
	}
}
