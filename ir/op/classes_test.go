package op_test

import (
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// TestClasses: the fewest classes of all readers count, ignored labels are
// told, and labels that only become numbers have no bound.
func TestClasses(t *testing.T) {
	for _, c := range []struct {
		text    string
		classes int
		ignored []int
	}{
		{"f = to_float label : f32[4]\noutput f", 0, nil},
		{"l, l.prob = softmax_loss x, label : f32[], f32[4,5]\noutput l", 5, nil},
		{"l, l.prob = softmax_loss x, label {ignore: 255, has_ignore: true} : f32[], f32[4,5]\na = accuracy few, label {ignore: 254, has_ignore: true} : f32[]\noutput l, a", 3, []int{254, 255}},
		{"v = reshape label {shape: [4, 1]} : i32[4,1]\nw = reshape v {shape: [4]} : i32[4]\nl, l.prob = softmax_loss x, w {ignore: 9, has_ignore: true} : f32[], f32[4,5]\noutput l", 5, []int{9}},
		{"v = reshape label {shape: [4, 1]} : i32[4,1]\nl, l.prob = softmax_loss x, label : f32[], f32[4,5]\noutput l, v", 5, nil},
	} {
		g, err := ir.Parse("graph g test\ninput label : i32[4]\ninput x : f32[4,5]\ninput few : f32[4,3]\n" + c.text + "\n")
		if err != nil {
			t.Fatal(err)
		}
		label := g.Inputs[0]
		if n := op.Classes(g, label); n != c.classes {
			t.Errorf("%d classes, want %d:\n%s", n, c.classes, c.text)
		}
		if got := op.Ignored(g, label); !slices.Equal(got, c.ignored) {
			t.Errorf("ignored %v, want %v:\n%s", got, c.ignored, c.text)
		}
	}
}
