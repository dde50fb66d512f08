package eval_test

import (
	"math"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/op"
)

// TestUniform checks the mean, the variance and the grid of the numbers, and
// that each argument matters. The nested module oracle compares them with the
// runtime's.
func TestUniform(t *testing.T) {
	const count = 20000
	sum, squares := 0.0, 0.0
	for i := range count {
		x := eval.Uniform(1, 2, 3, i)
		if x < 0 || x >= 1 || x*(1<<24) != math.Trunc(x*(1<<24)) {
			t.Fatalf("element %d is %v", i, x)
		}
		sum += x
		squares += x * x
	}
	mean := sum / count
	variance := squares/count - mean*mean
	if math.Abs(mean-0.5) > 0.01 || math.Abs(variance-1./12) > 0.003 {
		t.Errorf("mean %v, variance %v", mean, variance)
	}
	x := eval.Uniform(1, 2, 3, 4)
	for _, y := range []float64{eval.Uniform(2, 2, 3, 4), eval.Uniform(1, 3, 3, 4), eval.Uniform(1, 2, 4, 4), eval.Uniform(1, 2, 3, 5)} {
		if x == y {
			t.Error("an argument does not matter")
		}
	}
}

func TestDropout(t *testing.T) {
	g := ir.New("dropout", "train")
	x := g.AddInput("x", ir.Float(4))
	seed, iteration := g.AddInput("seed", ir.Int()), g.AddInput("iteration", ir.Int())
	g.Must(&op.Dropout{Ratio: 0.75, Stream: 9}, "y", nil, x, seed, iteration)
	feeds := map[string]*eval.Tensor{
		"x": eval.Floats(ir.Shape{4}, 1, 2, 3, 4), "seed": eval.Ints(nil, 5), "iteration": eval.Ints(nil, 6),
	}
	// The numbers are the ratio at element 1, which keeps it, and just below at 2.
	numbers := []float64{0, 0.75, 0.75 - 0x1p-24, 0.99}
	values, err := eval.Run(g, feeds, eval.WithUniform(func(seed, iteration, stream, element int) float64 {
		if seed != 5 || iteration != 6 || stream != 9 {
			t.Errorf("drawn for seed %d, iteration %d, stream %d", seed, iteration, stream)
		}
		return numbers[element]
	}))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "y", values["y"].Data, []float64{0, 8, 0, 16})
}
