package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// Scale multiplies by a tensor that is learned, or by the second input.
var Scale = define("Scale", about{
	summary: "multiplies by learned factors, or by the second input, repeated over the other axes; and adds a learned bias on request",
	formula: "y = x * scale + bias, scale and bias repeated over the axes outside [axis, axis + num_axes)",
	shape:   "the first input's",
	example: `x      = input [16, 12, 12]
scale1 = Scale(x) { bias_term: true }
`,
}, wiring{1, 2, 1, 1}, lowerScale)

type scaleFields struct {
	affineFields
	Filler     ir.Filler `net:"filler" default:"constant 1" doc:"how the factors start"`
	BiasTerm   bool      `net:"bias_term" default:"false" doc:"adds a learned bias too"`
	BiasFiller ir.Filler `net:"bias_filler" default:"constant" doc:"how the biases start"`
}

// affineFields serve Scale and Bias.
type affineFields struct {
	Axis    int `net:"axis" default:"1" doc:"first axis of the learned tensor; with two inputs, the axis of the first at which the second begins"`
	NumAxes int `net:"num_axes" default:"1" atLeast:"-1" doc:"number of axes of the learned tensor: -1 for all from axis on, 0 for one number; unused with two inputs"`
}

func lowerScale(c *Context, f *scaleFields) {
	x := c.In(0)
	shape, axis := f.span(c)
	var factors *ir.Value
	if c.Inputs() == 2 {
		factors = c.In(1)
	} else {
		factors = c.Param("weight", "filler", f.Filler, shape...)
	}
	y := c.Build(op.Point("mul"), x, c.Broadcast(factors, x.Type.Shape, axis))
	if f.BiasTerm {
		bias := c.Param("bias", "bias_filler", f.BiasFiller, shape...)
		y = c.Build(op.Point("add"), y, c.Broadcast(bias, x.Type.Shape, axis))
	}
	c.Out(y)
}

// span gives the shape of the tensor that is repeated over the first input,
// and the input's axis at which it begins.
func (f *affineFields) span(c *Context) (ir.Shape, int) {
	shape := c.In(0).Type.Shape
	if c.Inputs() == 2 {
		return f.spanOfInput(c)
	}
	if f.NumAxes == 0 {
		return ir.Shape{}, 0
	}
	axis := c.Axis("axis", f.Axis, c.In(0))
	end := axis + f.NumAxes
	if f.NumAxes < 0 {
		end = len(shape)
	}
	if end > len(shape) {
		c.Misfit("num_axes", "axes %d to %d are outside the input %s", axis, end-1, c.In(0).Type)
	}
	return shape[axis:end], axis
}

func (f *affineFields) spanOfInput(c *Context) (ir.Shape, int) {
	x, second := c.In(0), c.In(1)
	part := second.Type.Shape
	if len(part) == 0 {
		return part, 0
	}
	axis := c.Axis("axis", f.Axis, x)
	if end := axis + len(part); end > len(x.Type.Shape) || !part.Equal(x.Type.Shape[axis:end]) {
		c.MisfitInput(1, "input 2 is %s, which does not match input 1, %s, from axis %d on", second.Type, x.Type, axis)
	}
	return part, axis
}
