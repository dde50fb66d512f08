package op_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/example"
	"netc/ir/op"
)

// trial is an example.Trial.
type trial struct {
	op      op.Operator
	in      []ir.Type
	fill    map[int]func(r *rand.Rand, t ir.Type) []float64
	prepare func(in [][]float64)
	through []int
}

func trialOf(mnemonic string, r *rand.Rand) trial {
	x := example.TrialOf(mnemonic, r)
	return trial{x.Op, x.In, x.Fill, x.Prepare, x.Through}
}

func ordinary(r *rand.Rand, t ir.Type, i int) []float64 { return example.Ordinary(r, t, i) }

func one(t ...ir.Type) []ir.Type { return t }

func between(r *rand.Rand, low, high int) int { return low + r.IntN(high-low+1) }

// shape is a random small shape of that rank.
func shape(r *rand.Rand, rank int) ir.Shape {
	s := make(ir.Shape, rank)
	for i := range s {
		s[i] = between(r, 1, 4)
	}
	return s
}

// subset is a random increasing choice of 0 … n-1.
func subset(r *rand.Rand, n int) []int {
	var list []int
	for i := range n {
		if r.IntN(2) == 0 {
			list = append(list, i)
		}
	}
	return list
}

// TestEveryOperator fails for an operator that no trial covers and for a trial
// of none.
func TestEveryOperator(t *testing.T) {
	known := ir.Mnemonics()
	for _, name := range known {
		if !slices.Contains(example.Trials(), name) && !slices.Contains(op.PointwiseNames(), name) {
			t.Errorf("%s has no trial", name)
		}
	}
	for _, name := range example.Trials() {
		if !slices.Contains(known, name) {
			t.Errorf("the trial %s is of no operator", name)
		}
	}
}

// each runs a check on some random applications of every operator.
func each(t *testing.T, count int, check func(t *testing.T, x trial, r *rand.Rand)) {
	names := ir.Mnemonics()
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for i := range count {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				check(t, trialOf(name, r), r)
			}
		})
	}
}
