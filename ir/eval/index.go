package eval

import "netc/ir"

// eachIndex visits the elements of a shape in row-major order. The index is
// only valid during the visit.
func eachIndex(shape ir.Shape, visit func(flat int, index []int)) {
	index := make([]int, len(shape))
	for flat := range shape.Count() {
		rest := flat
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis] = rest % shape[axis]
			rest /= shape[axis]
		}
		visit(flat, index)
	}
}

// position is the row-major position of an index.
func position(shape ir.Shape, index []int) int {
	flat := 0
	for axis, extent := range shape {
		flat = flat*extent + index[axis]
	}
	return flat
}

// lines splits a shape around one axis: an element's position is
// (before*extent + i)*after + j with i along the axis.
func lines(shape ir.Shape, axis int) (before, extent, after int) {
	return shape[:axis].Count(), shape[axis], shape[axis+1:].Count()
}
