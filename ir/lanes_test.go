package ir_test

import (
	"testing"

	"netc/ir"
)

// The last block of an axis in lanes is padded.
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
	} {
		if got := c.t.Stored(); got != c.want {
			t.Errorf("%s takes %d elements, want %d", c.t, got, c.want)
		}
		if got := c.t.String(); got != c.text {
			t.Errorf("printed %q, want %q", got, c.text)
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
