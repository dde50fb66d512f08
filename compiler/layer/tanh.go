package layer

import "netc/ir/op"

// TanH maps every number between -1 and 1.
var TanH = define("TanH", about{
	summary: "maps every number between -1 and 1",
	formula: "y = tanh(x)",
	shape:   "the input's",
	example: `x = input [10]
y = TanH(x)
`,
}, arity(1, 1), lowerTanH)

func lowerTanH(c *Context, _ *noFields) { c.Out(c.Build(op.Point("tanh"), c.In(0))) }
