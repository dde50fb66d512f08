package layer

import (
	"math"

	"netc/ir/op"
)

// Power raises a shifted and scaled input to a power.
var Power = define("Power", about{
	summary: "raises a shifted and scaled input to a power",
	formula: "y = (shift + scale * x)^power",
	shape:   "the input's",
	example: `x = input [10]
y = Power(x) { power: 2 scale: 0.5 shift: 1 }
`,
}, arity(1, 1), lowerPower)

type powerFields struct {
	Power float64 `net:"power" default:"1" doc:"exponent"`
	Scale float64 `net:"scale" default:"1" doc:"factor on the input"`
	Shift float64 `net:"shift" default:"0" doc:"added to the scaled input"`
}

// lowerPower treats the exponents 0, 1 and 2 by themselves: they need no
// logarithm, so negative bases are right and the gradient exists everywhere.
func lowerPower(c *Context, f *powerFields) {
	x := c.In(0)
	switch {
	case f.Power == 0 || f.Scale == 0:
		value := math.Pow(f.Shift, f.Power)
		if f.Power == 0 {
			value = 1
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			c.Conflict("shift", "with scale 0 every result is %g to the power %g, which is no finite number", f.Shift, f.Power)
		}
		c.Out(c.Build(&op.Constant{Value: value, Shape: x.Type.Shape}))
	case f.Power == 1:
		c.Out(c.Affine(x, f.Scale, f.Shift))
	case f.Power == 2:
		c.Out(c.Build(op.Point("square"), c.Affine(x, f.Scale, f.Shift)))
	default:
		power := op.Point("power")
		power.Power = f.Power
		c.Out(c.Build(power, c.Affine(x, f.Scale, f.Shift)))
	}
}
