package ir_test

import (
	"slices"
	"testing"

	"netc/ir"
)

// The last block of an axis in lanes is padded. What prints also parses.
func TestStored(t *testing.T) {
	for _, c := range []struct {
		t    ir.Type
		want int
		text string
	}{
		{ir.Float(20, 3, 5), 300, "f32[20,3,5]"},
		{ir.Float(20, 3, 5).InLanes(0), 32 * 15, "f32[20/16,3,5]"},
		{ir.Float(16, 3, 5).InLanes(0), 16 * 15, "f32[16/16,3,5]"},
		{ir.Int(2, 17, 3).InLanes(1), 2 * 32 * 3, "i32[2,17/16,3]"},
		{ir.Float(4).InLanes(0), 16, "f32[4/16]"},
		{ir.Float(4, 5, 3).Swapped(), 60, "f32[4,5,3]^"},
		{ir.Float(4, 17, 3).Swapped().InLanes(1), 4 * 32 * 3, "f32[4,17/16,3]^"},
		{ir.Float(4, 17, 3).InLanes(0).Swapped(), 16 * 17 * 3, "f32[4/16,17,3]^"},
		{ir.Byte(2, 48, 1, 5).InLanes(1), 2 * 48 * 5, "u8[2,48/16,1,5]"},
	} {
		if got := c.t.Stored(); got != c.want {
			t.Errorf("%s takes %d elements, want %d", c.t, got, c.want)
		}
		if got := c.t.String(); got != c.text {
			t.Errorf("printed %q, want %q", got, c.text)
		}
		g := parse(t, "graph g test\ninput x : "+c.text+"\noutput x\n")
		if got := g.Inputs[0].Type; !got.Equal(c.t) || !got.SameLayout(c.t) {
			t.Errorf("%s parses as %s", c.text, got)
		}
	}
}

// Extents in memory, the outermost first.
func TestOrder(t *testing.T) {
	x := ir.Float(20, 33, 2, 5)
	for _, c := range []struct {
		t    ir.Type
		want []int
	}{
		{x, []int{20, 33, 2, 5}},
		{x.InLanes(0), []int{2, 33, 2, 5}},
		{x.InLanes(1), []int{20, 3, 2, 5}},
		{x.InLanes(3), []int{20, 33, 2, 1}},
		{x.Swapped(), []int{33, 20, 2, 5}},
		{x.Swapped().InLanes(0), []int{33, 2, 2, 5}},
		{x.Swapped().InLanes(1), []int{3, 20, 2, 5}},
	} {
		var got []int
		for _, axis := range c.t.Order() {
			got = append(got, c.t.Blocks(axis))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s lies as %v, want %v", c.t, got, c.want)
		}
		if !c.t.RowMajor().IsRowMajor() || c.t.IsRowMajor() != c.t.SameLayout(x) {
			t.Errorf("%s is row-major or is not", c.t)
		}
	}
}

func TestLiesAs(t *testing.T) {
	images, rows := ir.Float(32, 50, 4, 4), ir.Float(32, 800)
	for _, c := range []struct {
		a, b ir.Type
		want bool
	}{
		{images, rows, true},
		{images.InLanes(0), rows.InLanes(0), true},
		{images.InLanes(0), rows, false},
		{images.InLanes(0), ir.Float(64, 400).InLanes(0), false},
		{images.InLanes(1), rows.InLanes(1), false},
		{images.Swapped(), images.Swapped(), false},
	} {
		if got := c.a.LiesAs(c.b); got != c.want {
			t.Errorf("%s lies as %s: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
