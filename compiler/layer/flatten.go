package layer

import "slices"

// Flatten joins neighbouring axes into one.
var Flatten = define("Flatten", about{
	summary: "joins the axes from axis to end_axis into one",
	formula: "y holds x's elements in the same order",
	shape:   "[N, C, H, W] gives [N, C*H*W]",
	example: `x = input [16, 12, 12]
y = Flatten(x)
`,
}, arity(1, 1), lowerFlatten)

type flattenFields struct {
	Axis    int `net:"axis" default:"1" doc:"first axis to join"`
	EndAxis int `net:"end_axis" default:"-1" doc:"last axis to join"`
}

func lowerFlatten(c *Context, f *flattenFields) {
	x := c.Any(0)
	first, last := c.Axis("axis", f.Axis, x), c.Axis("end_axis", f.EndAxis, x)
	if last < first {
		c.Misfit("end_axis", "end_axis %d comes before axis %d", last, first)
	}
	shape := x.Type.Shape
	c.Out(c.Reshape(x, slices.Concat(shape[:first], []int{shape[first : last+1].Count()}, shape[last+1:])...))
}
