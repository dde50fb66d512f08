package runtime

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNoise looks at what is drawn for inputs of several shapes.
func TestNoise(t *testing.T) {
	const batch = 3
	for _, c := range []struct{ input, want []int }{
		{[]int{batch, 3, 8, 6}, []int{3, 8, 6}}, {[]int{batch, 28, 28}, []int{1, 28, 28}}, {[]int{batch, 784}, []int{1, 1, 784}}, {[]int{batch}, []int{1, 1, 1}},
	} {
		image := Tensor{Name: "data", Shape: c.input, F32: make([]float32, elements(c.input))}
		label := Tensor{Name: "label", Shape: []int{batch}, I32: make([]int32, batch)}
		phase := &Phase{Batch: batch, Inputs: []Tensor{label, image}, Classes: []int{5, 0}}
		set, again := noise(phase), noise(phase)
		for _, s := range []*Split{set.Train, set.Test} {
			if s.N != noiseBatches*batch || !slices.Equal(s.Shape, c.want) || len(s.Bytes) != s.N*elements(c.want) || len(s.Labels) != s.N {
				t.Errorf("%v: %d samples of %v, %d bytes, %d labels", c.input, s.N, s.Shape, len(s.Bytes), len(s.Labels))
			}
			if slices.Min(s.Labels) < 0 || slices.Max(s.Labels) > 4 {
				t.Errorf("labels %v of 5 classes", s.Labels)
			}
			if _, err := newLoader(phase, s, DataConfig{Mirror: true}, true, 1); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(set.Train.Bytes, again.Train.Bytes) || !slices.Equal(set.Test.Labels, again.Test.Labels) {
			t.Error("it is not the same a second time")
		}
		if len(set.Train.Bytes) > 100 {
			if slices.Equal(set.Train.Bytes, set.Test.Bytes) {
				t.Error("both parts are the same")
			}
			sum := 0.0
			for _, b := range set.Train.Bytes {
				sum += float64(b)
			}
			// The mean of n uniform bytes has standard deviation 73.9/sqrt(n).
			if n := float64(len(set.Train.Bytes)); math.Abs(sum/n-127.5) > 5*73.9/math.Sqrt(n) {
				t.Errorf("mean %v", sum/n)
			}
		}
	}
}

// TestNoiseCommand trains and tests on it, and says what it is.
func TestNoiseCommand(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--data", "noise", "--out", out)
	if code != exitDone || !strings.Contains(stdout, "on noise (generated data)") || !strings.Contains(stderr, "nothing can be learnt") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr = invoke(t, newTinyNetwork(6, 1), t.Context(), "test", "--data", "noise", "--weights", out); !strings.Contains(stdout, "samples of noise") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if _, err := Open(NoiseName); err == nil || !strings.Contains(err.Error(), "shape of a network") {
		t.Errorf("opened alone: %v", err)
	}
}
