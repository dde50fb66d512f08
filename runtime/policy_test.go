package runtime

import (
	"math"
	"strings"
	"testing"
)

func TestLearningRatePolicies(t *testing.T) {
	for _, c := range []struct {
		name   string
		config SolverConfig
		want   map[int]float64
	}{
		{"fixed", SolverConfig{Policy: "fixed", Rate: 0.1}, map[int]float64{0: 0.1, 99: 0.1}},
		{"unset", SolverConfig{Rate: 0.1}, map[int]float64{50: 0.1}},
		{"step", SolverConfig{Policy: "step", Rate: 1, Gamma: 0.5, StepSize: 10}, map[int]float64{0: 1, 9: 1, 10: 0.5, 25: 0.25}},
		{"exp", SolverConfig{Policy: "exp", Rate: 2, Gamma: 0.5}, map[int]float64{0: 2, 1: 1, 3: 0.25}},
		// LeNet's: 0.01 * (1 + 1)^-0.75 at 10000
		{"inv", SolverConfig{Policy: "inv", Rate: 0.01, Gamma: 1e-4, Power: 0.75}, map[int]float64{0: 0.01, 10000: 0.005946035575013605}},
		{"multistep", SolverConfig{Policy: "multistep", Rate: 1, Gamma: 0.1, StepValues: []int{5, 8}}, map[int]float64{4: 1, 5: 0.1, 7: 0.1, 8: 0.01, 80: 0.01}},
		{"multistep, one a time", SolverConfig{Policy: "multistep", Rate: 1, Gamma: 0.1, StepValues: []int{5, 5, 6}}, map[int]float64{4: 1, 5: 0.1, 6: 0.01, 7: 0.001}},
		{"poly", SolverConfig{Policy: "poly", Rate: 1, Power: 2}, map[int]float64{0: 1, 50: 0.25, 100: 0, 150: 0}},
		{"sigmoid", SolverConfig{Policy: "sigmoid", Rate: 1, Gamma: -1, StepSize: 10}, map[int]float64{10: 0.5, 12: 0.11920292202211755}},
	} {
		rate, err := RateAt(c.config, 100)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for iteration, want := range c.want {
			if got := rate(iteration); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s at %d: %g, want %g", c.name, iteration, got, want)
			}
		}
	}
	for _, c := range []struct {
		config SolverConfig
		want   string
	}{{SolverConfig{Policy: "multistp"}, `did you mean "multistep"?`}, {SolverConfig{Policy: "step"}, "stepsize is 0"}} {
		if _, err := RateAt(c.config, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.config, err, c.want)
		}
	}
}
