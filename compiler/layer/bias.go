package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// Bias adds a tensor that is learned, or the second input.
var Bias = define("Bias", about{
	summary: "adds a learned bias, or the second input, repeated over the other axes",
	formula: "y = x + bias, bias repeated over the axes outside [axis, axis + num_axes)",
	shape:   "the first input's",
	example: `x     = input [16, 12, 12]
bias1 = Bias(x) { filler: constant { value: 0.5 } }
`,
}, wiring{1, 2, 1, 1}, lowerBias)

type biasFields struct {
	affineFields
	Filler ir.Filler `net:"filler" default:"constant" doc:"how the biases start"`
}

func lowerBias(c *Context, f *biasFields) {
	x := c.In(0)
	shape, axis := f.span(c)
	var bias *ir.Value
	if c.Inputs() == 2 {
		bias = c.In(1)
	} else {
		bias = c.Param("bias", "filler", f.Filler, shape...)
	}
	c.Out(c.Build(op.Point("add"), x, c.Broadcast(bias, x.Type.Shape, axis)))
}
