package layer

import "netc/ir/op"

// AbsVal takes the absolute value.
var AbsVal = define("AbsVal", about{
	summary: "takes the absolute value",
	formula: "y = |x|; the gradient at 0 is 0",
	shape:   "the input's",
	example: `x = input [10]
y = AbsVal(x)
`,
}, arity(1, 1), lowerAbsVal)

func lowerAbsVal(c *Context, _ *noFields) { c.Out(c.Build(op.Point("abs"), c.In(0))) }
