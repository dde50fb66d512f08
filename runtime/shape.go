package runtime

import (
	"slices"
	"strconv"
	"strings"
)

// elements is the number of values in a tensor of a shape; no axes make one.
func elements(shape []int) int {
	count := 1
	for _, n := range shape {
		count *= n
	}
	return count
}

// shapeText writes a shape as messages show it: "64x1x28x28", or "scalar".
func shapeText(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	axes := make([]string, len(shape))
	for i, n := range shape {
		axes[i] = strconv.Itoa(n)
	}
	return strings.Join(axes, "x")
}

// withoutOnes drops the axes of length 1, which say nothing about the layout.
func withoutOnes(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(n int) bool { return n == 1 })
}
