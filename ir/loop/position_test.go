package loop

import (
	"testing"

	"netc/ir"
)

// TestPosition compares where elements lie with the formulas of their layouts,
// and with the interpreter, which goes the other way.
func TestPosition(t *testing.T) {
	x := ir.Float(18, 33, 2)
	for _, c := range []struct {
		t  ir.Type
		at func(n, c, h int) int
	}{
		{x, func(n, c, h int) int { return (n*33+c)*2 + h }},
		{x.InLanes(0), func(n, c, h int) int { return ((n/16*33+c)*2+h)*16 + n%16 }},
		{x.InLanes(1), func(n, c, h int) int { return ((n*3+c/16)*2+h)*16 + c%16 }},
		{x.InLanes(2), func(n, c, h int) int { return (n*33+c)*16 + h }},
		{x.Swapped(), func(n, c, h int) int { return (c*18+n)*2 + h }},
		{x.Swapped().InLanes(0), func(n, c, h int) int { return ((c*2+n/16)*2+h)*16 + n%16 }},
		{x.Swapped().InLanes(1), func(n, c, h int) int { return ((c/16*18+n)*2+h)*16 + c%16 }},
	} {
		for number := range x.Shape.Count() {
			i, j, k := number/66, number/2%33, number%2
			at := Position(c.t, []*Expr{I(i), I(j), I(k)})
			if want := c.at(i, j, k); at.Op != Const || at.Int != want || want >= c.t.Stored() {
				t.Fatalf("%s: element %d,%d,%d lies at %d, want %d of %d", c.t, i, j, k, at.Int, want, c.t.Stored())
			}
			if got := rowMajor(c.t, at.Int); got != number {
				t.Fatalf("%s: at %d lies element %d, want %d", c.t, at.Int, got, number)
			}
		}
	}
}
