package runtime

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func filled(t *testing.T, name string, shape []int, fill Filler, seed int32, threads int) []float32 {
	t.Helper()
	pool := NewPool(threads)
	defer pool.Close()
	p := []Parameter{{Tensor: Tensor{Name: name, Shape: shape, F32: make([]float32, elements(shape))}, Fill: fill}}
	if err := Fill(p, seed, pool); err != nil {
		t.Fatal(err)
	}
	return p[0].F32
}

func moments(values []float32) (mean, std, lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		mean += float64(v)
		lo, hi = min(lo, float64(v)), max(hi, float64(v))
	}
	mean /= float64(len(values))
	for _, v := range values {
		std += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, math.Sqrt(std / float64(len(values))), lo, hi
}

// A fan-scaled shape of 50 outputs and 20x5x5 inputs has fan-in 500 and fan-out 1250.
var convolutionShape = []int{50, 20, 5, 5}

func TestFillerStatistics(t *testing.T) {
	for _, c := range []struct {
		name      string
		fill      Filler
		mean, std float64
		lo, hi    float64
	}{
		{"constant", Filler{Kind: "constant", Value: 0.25}, 0.25, 0, 0.25, 0.25},
		{"unset", Filler{}, 0, 0, 0, 0},
		{"uniform", Filler{Kind: "uniform", Min: -1, Max: 3}, 1, 4 / math.Sqrt(12), -1, 3},
		{"gaussian", Filler{Kind: "gaussian", Mean: 2, Std: 0.5}, 2, 0.5, -1, 5},
		{"xavier fan_in", Filler{Kind: "xavier"}, 0, 1 / math.Sqrt(500), -math.Sqrt(3. / 500), math.Sqrt(3. / 500)},
		{"xavier fan_out", Filler{Kind: "xavier", Variance: "fan_out"}, 0, 1 / math.Sqrt(1250), -math.Sqrt(3. / 1250), math.Sqrt(3. / 1250)},
		{"xavier average", Filler{Kind: "xavier", Variance: "average"}, 0, 1 / math.Sqrt(875), -math.Sqrt(3. / 875), math.Sqrt(3. / 875)},
		{"msra fan_in", Filler{Kind: "msra", Variance: "fan_in"}, 0, math.Sqrt(2. / 500), -1, 1},
		{"msra fan_out", Filler{Kind: "msra", Variance: "fan_out"}, 0, math.Sqrt(2. / 1250), -1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := filled(t, "w", convolutionShape, c.fill, 1, 2)
			mean, std, lo, hi := moments(values)
			slack := 0.02 * c.std // 25,000 draws: three standard errors of the mean
			if math.Abs(mean-c.mean) > slack || math.Abs(std-c.std) > slack {
				t.Errorf("mean %g, std %g; want %g, %g", mean, std, c.mean, c.std)
			}
			if lo < c.lo-1e-6 || hi > c.hi+1e-6 {
				t.Errorf("range %g to %g; want %g to %g", lo, hi, c.lo, c.hi)
			}
			if c.fill.Kind == "uniform" || c.fill.Kind == "xavier" {
				if lo > c.lo*0.99 || hi < c.hi*0.99 {
					t.Errorf("range %g to %g does not reach %g and %g", lo, hi, c.lo, c.hi)
				}
			}
		})
	}
}

func TestGaussianTails(t *testing.T) {
	values := filled(t, "w", []int{100000}, Filler{Kind: "gaussian", Std: 1}, 7, 1)
	for _, c := range []struct{ beyond, share float64 }{{1, 0.3173}, {2, 0.0455}, {3, 0.0027}} {
		n := 0
		for _, v := range values {
			if math.Abs(float64(v)) > c.beyond {
				n++
			}
		}
		if got := float64(n) / 1e5; math.Abs(got-c.share) > 4*math.Sqrt(c.share/1e5) {
			t.Errorf("share beyond %g sigma is %g, want %g", c.beyond, got, c.share)
		}
	}
}

func TestSparseGaussianKeepsTheAskedShare(t *testing.T) {
	values := filled(t, "w", []int{100, 784}, Filler{Kind: "gaussian", Std: 1, Sparse: 15}, 1, 2)
	kept := 0
	for _, v := range values {
		if v != 0 {
			kept++
		}
	}
	if share := float64(kept) / float64(len(values)); math.Abs(share-0.15) > 0.005 {
		t.Errorf("kept %g of the values, want 0.15", share)
	}
}

func TestPositiveUnitballRowsSumToOne(t *testing.T) {
	values := filled(t, "w", []int{4, 25}, Filler{Kind: "positive_unitball"}, 1, 2)
	for row := range 4 {
		sum := 0.0
		for _, v := range values[row*25 : row*25+25] {
			if v < 0 {
				t.Fatalf("negative value %g", v)
			}
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("row %d sums to %g", row, sum)
		}
	}
}

func TestBilinearKernels(t *testing.T) {
	for _, c := range []struct {
		width int
		row   []float32 // the kernel is the outer product of this row with itself
	}{
		{4, []float32{0.25, 0.75, 0.75, 0.25}},
		{3, []float32{0.5, 1, 0.5}},
		{1, []float32{1}},
	} {
		values := filled(t, "w", []int{2, 1, c.width, c.width}, Filler{Kind: "bilinear"}, 1, 1)
		for i, got := range values {
			want := c.row[i%c.width] * c.row[i/c.width%c.width]
			if math.Abs(float64(got-want)) > 1e-6 {
				t.Errorf("width %d, index %d: %g, want %g", c.width, i, got, want)
			}
		}
	}
}

func TestOrthogonal(t *testing.T) {
	for _, shape := range [][]int{{8, 3, 2, 2}, {12, 5}, {6, 6}} {
		rows, columns := shape[0], elements(shape)/shape[0]
		w := filled(t, "w", shape, Filler{Kind: "orthogonal", Gain: 2}, 1, 2)
		at := func(vector, i int) float64 {
			if rows <= columns {
				return float64(w[vector*columns+i])
			}
			return float64(w[i*columns+vector])
		}
		for a := range min(rows, columns) {
			for b := range a + 1 {
				dot, want := 0.0, 0.0
				for i := range max(rows, columns) {
					dot += at(a, i) * at(b, i)
				}
				if a == b {
					want = 4 // gain squared
				}
				if math.Abs(dot-want) > 1e-5 {
					t.Errorf("%v: vectors %d and %d have product %g, want %g", shape, a, b, dot, want)
				}
			}
		}
	}
}

func TestFillDependsOnSeedAndNameOnly(t *testing.T) {
	fill := Filler{Kind: "gaussian", Std: 1}
	base := filled(t, "conv1.weight", []int{30, 10}, fill, 1, 1)
	if !slices.Equal(base, filled(t, "conv1.weight", []int{30, 10}, fill, 1, 3)) {
		t.Error("three threads fill differently than one")
	}
	if slices.Equal(base, filled(t, "conv2.weight", []int{30, 10}, fill, 1, 1)) {
		t.Error("two names get the same values")
	}
	if slices.Equal(base, filled(t, "conv1.weight", []int{30, 10}, fill, 2, 1)) {
		t.Error("two seeds give the same values")
	}
}

func TestFillErrors(t *testing.T) {
	pool := NewPool(1)
	for _, c := range []struct {
		shape []int
		fill  Filler
		want  string
	}{
		{[]int{3}, Filler{Kind: "xaver"}, `did you mean "xavier"?`},
		{[]int{3}, Filler{Kind: "xavier", Variance: "fanin"}, `did you mean "fan_in"?`},
		{[]int{2, 2, 3, 4}, Filler{Kind: "bilinear"}, "square kernel"},
		{[]int{5}, Filler{Kind: "orthogonal"}, "two axes"},
		{[]int{5}, Filler{Kind: "uniform", Min: 1, Max: 0}, "min is above max"},
		{[]int{5}, Filler{Kind: "gaussian", Std: -1}, "negative std"},
		{nil, Filler{Kind: "msra"}, "at least one axis"},
	} {
		p := []Parameter{{Tensor: Tensor{Name: "w", Shape: c.shape, F32: make([]float32, elements(c.shape))}, Fill: c.fill}}
		if err := Fill(p, 1, pool); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "parameter w") {
			t.Errorf("%v on %v: error %v, want one with %q", c.fill, c.shape, err, c.want)
		}
	}
}
