package layer

import "netc/ir/op"

// LRN damps a value by its neighbours' strength.
var LRN = define("LRN", about{
	summary: "divides each value by the strength of its neighbourhood (local response normalisation; Krizhevsky, Sutskever and Hinton, 2012)",
	formula: "across_channels: y = x * (k + alpha/local_size * sum of x^2 over local_size channels)^-beta; within_channel: y = x * (1 + alpha * mean of x^2 over a local_size x local_size window, padded with zeros)^-beta",
	shape:   "[N, C, H, W], the input's",
	example: `x     = input [16, 12, 12]
norm1 = LRN(x) { local_size: 5 alpha: 0.0001 beta: 0.75 }
`,
}, arity(1, 1), lowerLRN)

type lrnFields struct {
	LocalSize  int     `net:"local_size" default:"5" atLeast:"1" doc:"width of the neighbourhood; odd"`
	Alpha      float64 `net:"alpha" default:"1" doc:"factor on the neighbourhood's strength"`
	Beta       float64 `net:"beta" default:"0.75" doc:"exponent"`
	NormRegion string  `net:"norm_region" default:"across_channels" words:"across_channels within_channel" doc:"neighbours are other channels of the pixel, or other pixels of the channel"`
	K          float64 `net:"k" default:"1" doc:"constant of across_channels; within_channel takes 1, as Caffe does"`
}

func lowerLRN(c *Context, f *lrnFields) {
	c.imageChannels(0)
	if f.LocalSize%2 == 0 {
		c.Misfit("local_size", "local_size must be odd, not %d", f.LocalSize)
	}
	x := c.In(0)
	if f.NormRegion == "across_channels" {
		c.Out(c.Build(&op.LRN{Size: f.LocalSize, Alpha: f.Alpha, Beta: f.Beta, K: f.K}, x))
		return
	}
	window := pair{f.LocalSize, f.LocalSize}
	margin := pair{(f.LocalSize - 1) / 2, (f.LocalSize - 1) / 2}
	mean := c.Build(&op.AvgPool{Kernel: window.list(), Stride: []int{1, 1}, Pad: margin.list()}, c.Build(op.Point("square"), x))
	factor := op.Point("power")
	factor.Power = -f.Beta
	c.Out(c.Build(op.Point("mul"), x, c.Build(factor, c.Affine(mean, f.Alpha, 1))))
}
