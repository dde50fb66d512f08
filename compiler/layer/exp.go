package layer

import (
	"math"

	"netc/ir/op"
)

// Exp raises a base to a shifted and scaled input.
var Exp = define("Exp", about{
	summary: "raises a base to the shifted and scaled input",
	formula: "y = base^(shift + scale * x)",
	shape:   "the input's",
	example: `x = input [10]
y = Exp(x) { base: 2 }
`,
}, arity(1, 1), lowerExp)

// exponentialFields serve Exp and Log.
type exponentialFields struct {
	Base  float64 `net:"base" default:"-1" doc:"base, above 0; -1 stands for e"`
	Scale float64 `net:"scale" default:"1" doc:"factor on the input"`
	Shift float64 `net:"shift" default:"0" doc:"added to the scaled input"`
}

// lnBase is the base's natural logarithm.
func (f *exponentialFields) lnBase(c *Context) float64 {
	if f.Base == -1 {
		return 1
	}
	if f.Base <= 0 {
		c.Conflict("base", "base must be above 0, or -1 for e, not %g", f.Base)
	}
	return math.Log(f.Base)
}

func lowerExp(c *Context, f *exponentialFields) {
	ln := f.lnBase(c)
	factor := math.Exp(ln * f.Shift)
	if math.IsInf(factor, 0) {
		c.Conflict("shift", "base to the power shift is no finite number")
	}
	y := c.Build(op.Point("exp"), c.Affine(c.In(0), ln*f.Scale, 0))
	c.Out(c.Affine(y, factor, 0))
}
