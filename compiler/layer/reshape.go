package layer

import (
	"slices"

	"netc/ir"
)

// Reshape gives a tensor other axes.
var Reshape = define("Reshape", about{
	summary: "gives a tensor other axes without moving its elements",
	formula: "y holds x's elements in the same order",
	shape:   "the axes from axis on (num_axes of them) are replaced by shape, in which 0 keeps an axis and one -1 is inferred. Axis 0 is the batch",
	example: `x = input [16, 12, 12]
y = Reshape(x) { shape: [0, 4, -1] }
`,
}, arity(1, 1), lowerReshape)

type reshapeFields struct {
	Shape   []int `net:"shape" items:"dim" required:"true" atLeast:"-1" doc:"the new axes, as a list or as shape { dim: 0 dim: -1 }"`
	Axis    int   `net:"axis" default:"0" doc:"first axis to replace; -1 appends"`
	NumAxes int   `net:"num_axes" default:"-1" atLeast:"-1" doc:"how many axes to replace; -1 is all from axis on"`
}

func lowerReshape(c *Context, f *reshapeFields) {
	x := c.Any(0)
	old := x.Type.Shape
	first := f.Axis
	if first < 0 {
		first += len(old) + 1
	}
	if first < 0 || first > len(old) {
		c.Misfit("axis", "axis %d is outside the input, which has %d axes", f.Axis, len(old))
	}
	end := len(old)
	if f.NumAxes >= 0 {
		end = first + f.NumAxes
	}
	if end > len(old) {
		c.Misfit("num_axes", "axis %d and the %d after it are outside the input, which has %d axes", first, f.NumAxes-1, len(old))
	}
	middle := f.resolve(c, old[first:end])
	shape := ir.Shape(slices.Concat(old[:first], middle, old[end:]))
	if !fits(shape) || shape.Count() != old.Count() {
		c.Misfit("shape", "%s has %d elements, but the shape %s has another number", x.Type, old.Count(), shape)
	}
	c.Out(c.Reshape(x, shape...))
}

// resolve gives the new axes: 0 copies the axis at its place, -1 takes what the
// others leave.
func (f *reshapeFields) resolve(c *Context, replaced ir.Shape) []int {
	shape := slices.Clone(f.Shape)
	inferred, known := -1, ir.Shape{}
	for i, d := range shape {
		switch {
		case d == 0 && i >= len(replaced):
			c.Misfit("shape", "entry %d of shape is 0, but there is no axis to copy", i+1)
		case d == 0:
			shape[i] = replaced[i]
		case d == -1 && inferred >= 0:
			c.Misfit("shape", "only one axis can be inferred by -1")
		case d == -1:
			inferred = i
			continue
		}
		known = append(known, shape[i])
	}
	if inferred < 0 {
		return shape
	}
	count := replaced.Count()
	if !fits(known) || count%known.Count() != 0 {
		c.Misfit("shape", "%d elements cannot be split evenly over the other axes %s", count, known)
	}
	shape[inferred] = count / known.Count()
	return shape
}
