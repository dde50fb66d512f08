package layer

import "netc/ir/op"

// Reduction sums up the trailing axes.
var Reduction = define("Reduction", about{
	summary: "sums up all axes from axis on",
	formula: "sum: y = coeff * sum of x; asum: of |x|; sumsq: of x^2; mean: coeff * mean of x",
	shape:   "the input's axes before axis; with axis 0 a scalar",
	example: `x = input [16, 12, 12]
y = Reduction(x) { operation: mean axis: 1 }
`,
}, arity(1, 1), lowerReduction)

type reductionFields struct {
	Operation string  `net:"operation" default:"sum" words:"sum asum sumsq mean" doc:"what is summed up"`
	Axis      int     `net:"axis" default:"0" doc:"first of the axes that are summed up"`
	Coeff     float64 `net:"coeff" default:"1" doc:"factor on the result"`
}

func lowerReduction(c *Context, f *reductionFields) {
	x := c.In(0)
	axis := c.Axis("axis", f.Axis, x)
	factor := f.Coeff
	switch f.Operation {
	case "asum":
		x = c.Build(op.Point("abs"), x)
	case "sumsq":
		x = c.Build(op.Point("square"), x)
	case "mean":
		factor /= float64(x.Type.Shape[axis:].Count())
	}
	c.Out(c.Affine(c.Sum(x, axis), factor, 0))
}
