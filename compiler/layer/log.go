package layer

import "netc/ir/op"

// Log is the logarithm of a shifted and scaled input.
var Log = define("Log", about{
	summary: "takes the logarithm of the shifted and scaled input",
	formula: "y = log(shift + scale * x) / log(base)",
	shape:   "the input's",
	example: `x = input [10]
y = Log(x) { base: 2 shift: 1 }
`,
}, arity(1, 1), lowerLog)

func lowerLog(c *Context, f *exponentialFields) {
	ln := f.lnBase(c)
	if ln == 0 {
		c.Conflict("base", "there is no logarithm to base 1")
	}
	y := c.Build(op.Point("log"), c.Affine(c.In(0), f.Scale, f.Shift))
	c.Out(c.Affine(y, 1/ln, 0))
}
