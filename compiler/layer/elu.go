package layer

import "netc/ir/op"

// ELU keeps positive values and bends negative ones towards -alpha.
var ELU = define("ELU", about{
	summary: "keeps positive values, bends negative ones towards -alpha (Clevert, Unterthiner and Hochreiter, 2016)",
	formula: "y = x where x > 0, else alpha * (exp(x) - 1)",
	shape:   "the input's",
	example: `x    = input [10]
elu1 = ELU(x)
`,
}, arity(1, 1), lowerELU)

type eluFields struct {
	Alpha float64 `net:"alpha" default:"1" doc:"depth of the negative side"`
}

func lowerELU(c *Context, f *eluFields) {
	elu := op.Point("elu")
	elu.Alpha = f.Alpha
	c.Out(c.Build(elu, c.In(0)))
}
