package layer

import "netc/ir/op"

// Softmax turns scores into probabilities.
var Softmax = define("Softmax", about{
	summary: "turns scores into probabilities, which sum to 1 along an axis",
	formula: "y = exp(x - m) / sum of exp(x - m) along axis, m the greatest score there",
	shape:   "the input's",
	example: `scores = input [10]
prob   = Softmax(scores)
`,
}, arity(1, 1), lowerSoftmax)

type softmaxFields struct {
	Axis int `net:"axis" default:"1" doc:"the axis of the classes"`
}

func lowerSoftmax(c *Context, f *softmaxFields) {
	x := c.In(0)
	c.Out(c.Build(&op.Softmax{Axis: c.Axis("axis", f.Axis, x)}, x))
}
