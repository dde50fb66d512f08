package layer

import "netc/ir/op"

// Sigmoid maps every number between 0 and 1.
var Sigmoid = define("Sigmoid", about{
	summary: "maps every number between 0 and 1",
	formula: "y = 1 / (1 + exp(-x))",
	shape:   "the input's",
	example: `x = input [10]
y = Sigmoid(x)
`,
}, arity(1, 1), lowerSigmoid)

func lowerSigmoid(c *Context, _ *noFields) { c.Out(c.Build(op.Point("sigmoid"), c.In(0))) }
