package layer

import "netc/ir/op"

// ReLU keeps positive values and scales negative ones by a slope.
var ReLU = define("ReLU", about{
	summary: "keeps positive values, scales negative ones",
	formula: "y = x where x > 0, else negative_slope * x",
	shape:   "the input's",
	example: `x     = input [10]
relu1 = ReLU(x)
`,
}, arity(1, 1), lowerReLU)

type reluFields struct {
	Slope float64 `net:"negative_slope" default:"0" doc:"factor for negative values"`
}

func lowerReLU(c *Context, f *reluFields) {
	relu := op.Point("relu")
	relu.Slope = f.Slope
	c.Out(c.Build(relu, c.In(0)))
}
