package runtime

import (
	"strings"
	"testing"
)

// TestLabels: labels are classes that the network tells apart, or ignored.
func TestLabels(t *testing.T) {
	for _, c := range []struct {
		classes []int
		ignored []int32
		labels  []int32
		want    string // of the error; none is wanted where it is empty
	}{
		{[]int{0, 3}, nil, []int32{0, 1, 2}, ""},
		{[]int{0, 3}, nil, []int32{0, 3}, "label 3 (at index 1) is none of the 3 classes 0 to 2"},
		{[]int{0, 3}, nil, []int32{-1}, "label -1"},
		{[]int{0, 3}, []int32{255, -1}, []int32{255, 0, -1}, ""},
		{[]int{0, 3}, []int32{255}, []int32{254}, "label 254"},
		{[]int{0, 0}, nil, []int32{-7, 99}, ""},
	} {
		phase := &Phase{Batch: 1, Classes: c.classes, Ignored: c.ignored, Inputs: []Tensor{
			{Name: "data", Shape: []int{1, 1}, F32: make([]float32, 1)}, {Name: "label", Shape: []int{1}, I32: make([]int32, 1)},
		}}
		split := &Split{N: len(c.labels), Shape: []int{1, 1, 1}, Bytes: make([]byte, len(c.labels)), Labels: c.labels}
		_, err := newLoader(phase, split, DataConfig{}, false, 1)
		switch {
		case err == nil && c.want != "":
			t.Errorf("labels %v of %v classes are loaded", c.labels, c.classes)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("labels %v of %v classes: %v, want %q", c.labels, c.classes, err, c.want)
		}
	}
}
