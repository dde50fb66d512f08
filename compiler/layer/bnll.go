package layer

import "netc/ir/op"

// BNLL is a smooth ReLU.
var BNLL = define("BNLL", about{
	summary: "smooth ReLU (binomial normal log likelihood)",
	formula: "y = log(1 + exp(x)), computed without overflow",
	shape:   "the input's",
	example: `x = input [10]
y = BNLL(x)
`,
}, arity(1, 1), lowerBNLL)

func lowerBNLL(c *Context, _ *noFields) { c.Out(c.Build(op.Point("softplus"), c.In(0))) }
