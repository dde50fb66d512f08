package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// checkAxis returns an error unless axis is one of the operand's axes.
func checkAxis(axis, operand int, t ir.Type) error {
	if axis < 0 || axis >= len(t.Shape) {
		e := ir.Misfit("axis", "there is no axis %d in %s", axis, t)
		e.Operand = operand
		return e
	}
	return nil
}

// checkAxes returns an error unless axes are increasing axes of a tensor with
// that rank.
func checkAxes(axes []int, rank int) error {
	for i, a := range axes {
		if a < 0 || a >= rank {
			return ir.Misfit("axis", "there is no axis %d in a tensor of rank %d", a, rank)
		}
		if i > 0 && a <= axes[i-1] {
			return ir.Misfit("axis", "axes %v must be increasing", axes)
		}
	}
	return nil
}

// checkExtents returns an error unless every extent is at least 1.
func checkExtents(field string, shape []int) error {
	for _, d := range shape {
		if d < 1 {
			return ir.Misfit(field, "extent %d of %s must be at least 1", d, ir.Shape(shape))
		}
	}
	return nil
}

// otherAxes lists the axes of a tensor of that rank which are not in axes.
func otherAxes(rank int, axes []int) []int {
	var rest []int
	for a := range rank {
		if !slices.Contains(axes, a) {
			rest = append(rest, a)
		}
	}
	return rest
}

// axesOf gives one loop variable per axis of v with the usual names.
func axesOf(v *ir.Value) []*loop.Var {
	return loop.Axes(v.Type.Shape, AxisNames(len(v.Type.Shape))...)
}

// pick gives the entries of list at the given places.
func pick[T any](list []T, places []int) []T {
	picked := make([]T, len(places))
	for i, p := range places {
		picked[i] = list[p]
	}
	return picked
}

// inserted is a copy of list with x at place i.
func inserted[T any](list []T, i int, x T) []T {
	return slices.Insert(slices.Clone(list), i, x)
}

// scalar is a new floating-point variable.
func scalar(name string) *loop.Var { return &loop.Var{Name: name, Kind: loop.Float} }

// integer is a new integer variable.
func integer(name string) *loop.Var { return &loop.Var{Name: name, Kind: loop.Int} }
