package layer

import "netc/ir/op"

// Slice cuts a tensor into pieces along an axis.
var Slice = define("Slice", about{
	summary: "cuts a tensor into pieces along an axis",
	formula: "the results are x[0 : slice_point[0]], x[slice_point[0] : slice_point[1]], ... along axis",
	shape:   "the input's, shorter along axis",
	example: `x    = input [10, 12, 12]
a, b = Slice(x) { slice_point: 4 }
`,
}, wiring{1, 1, 1, many}, lowerSlice)

type sliceFields struct {
	Axis       int   `net:"axis" default:"1" doc:"the axis that is cut"`
	SlicePoint []int `net:"slice_point" atLeast:"1" doc:"where the second and further results begin; equal pieces where absent"`
}

func lowerSlice(c *Context, f *sliceFields) {
	x := c.Any(0)
	axis := c.Axis("axis", f.Axis, x)
	extent, pieces := x.Type.Shape[axis], c.Results()
	var sizes []int
	switch points := f.SlicePoint; {
	case len(points) == 0 && extent%pieces != 0:
		c.Misfit("slice_point", "axis %d of %s cannot be cut into %d equal pieces", axis, x.Type, pieces)
	case len(points) == 0:
		for range pieces {
			sizes = append(sizes, extent/pieces)
		}
	case len(points) != pieces-1:
		c.low.messages.Errorf(codeCount, c.fieldSpan("slice_point"), "slice_point has %s, but %s need %d",
			span(len(points), len(points), "entry"), span(pieces, pieces, "result"), pieces-1)
		panic(stop{})
	default:
		begin := 0
		for _, end := range append(append([]int{}, points...), extent) {
			if end <= begin {
				c.Misfit("slice_point", "slice points %v must increase and lie inside axis %d of %s", points, axis, x.Type)
			}
			sizes = append(sizes, end-begin)
			begin = end
		}
	}
	if pieces == 1 {
		c.Out(x)
		return
	}
	c.Out(c.BuildAll(&op.Split{Axis: axis, Sizes: sizes}, x)...)
}
