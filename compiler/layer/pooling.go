package layer

import "netc/ir/op"

// Pooling takes the greatest or the mean of each window of an image.
var Pooling = define("Pooling", about{
	summary: "takes the greatest element or the mean of each window of an image",
	formula: "y[n,c,i,j] = max or mean over r,s of x[n, c, i*stride - pad + r, j*stride - pad + s]. A mean counts the padding's zeros, but not what a last window has beyond the padding. Of equal elements the first is the greatest",
	shape:   "[N, C, H, W] gives [N, C, H', W'] with H' = ceil((H + 2*pad - kernel_size) / stride) + 1, less one if the last window would start beyond image and upper padding. The second result of max tells for each window the place of its greatest element, counted through the rows of the plane",
	example: `data  = input [3, 32, 32]
pool1 = Pooling(data) { pool: max kernel_size: 3 stride: 2 }
`,
}, wiring{1, 1, 1, 2}, lowerPooling)

type poolingFields struct {
	Pool          string `net:"pool" default:"max" words:"max ave" doc:"greatest element or mean"`
	KernelSize    pair   `net:"kernel_size" byAxis:"kernel_h kernel_w" atLeast:"1" doc:"height and width of a window; needed unless global_pooling"`
	Stride        pair   `net:"stride" byAxis:"stride_h stride_w" default:"1" atLeast:"1" doc:"steps of the window"`
	Pad           pair   `net:"pad" byAxis:"pad_h pad_w" default:"0" atLeast:"0" doc:"padding around the image"`
	GlobalPooling bool   `net:"global_pooling" default:"false" doc:"the window is the whole image"`
	RoundMode     string `net:"round_mode" default:"ceil" words:"ceil floor" doc:"whether a last window that overhangs counts"`
	CeilMode      *bool  `net:"ceil_mode" doc:"another way to write round_mode, from other Caffe versions: true is ceil, false is floor"`
}

func lowerPooling(c *Context, f *poolingFields) {
	c.imageChannels(0)
	f.resolve(c)
	floor := f.RoundMode == "floor"
	if f.Pool == "ave" {
		if c.Results() > 1 {
			c.Conflict("pool", "only max pooling has a second result, the places of the greatest elements")
		}
		c.Out(c.Build(&op.AvgPool{Kernel: f.KernelSize.list(), Stride: f.Stride.list(), Pad: f.Pad.list(), Floor: floor}, c.In(0)))
		return
	}
	places := c.Results() > 1
	results := c.BuildAll(&op.MaxPool{Kernel: f.KernelSize.list(), Stride: f.Stride.list(), Pad: f.Pad.list(), Floor: floor, Plane: places}, c.In(0))
	c.Out(results[0])
	if places {
		c.Out(c.Build(&op.ToFloat{}, results[1])) // Caffe's mask is of the data's type
	}
}

// resolve settles the window and the rounding from the fields that may say it.
func (f *poolingFields) resolve(c *Context) {
	kernel := c.Given("kernel_size") || c.Given("kernel_h") || c.Given("kernel_w")
	image := c.In(0).Type.Shape
	switch {
	case f.GlobalPooling && kernel:
		c.Conflict("kernel_size", "with global_pooling the window is the whole image, so kernel_size must not be given")
	case f.GlobalPooling && f.Pad != pair{}:
		c.Conflict("pad", "global_pooling allows no pad")
	case f.GlobalPooling && f.Stride != pair{1, 1}:
		c.Conflict("stride", "global_pooling allows no stride other than 1")
	case f.GlobalPooling:
		f.KernelSize = pair{image[2], image[3]}
	case f.KernelSize.H == 0 || f.KernelSize.W == 0:
		d := c.low.messages.Errorf(codeMissing, c.layer.TypeSpan, "Pooling needs kernel_size")
		d.Helpf("add kernel_size, or global_pooling: true for the whole image")
		panic(stop{})
	}
	if f.CeilMode != nil {
		if c.Given("round_mode") {
			c.Conflict("ceil_mode", "round_mode and ceil_mode exclude each other")
		}
		if f.RoundMode = "ceil"; !*f.CeilMode {
			f.RoundMode = "floor"
		}
	}
}
