package runtime

import (
	"slices"
	"testing"
)

func drawn(s *sampler, batches ...int) [][]int32 {
	var all [][]int32
	for _, b := range batches {
		chosen := make([]int32, s.batch)
		s.indices(b, chosen)
		all = append(all, chosen)
	}
	return all
}

func TestSamplerEpochsArePermutations(t *testing.T) {
	for _, c := range []struct{ n, batch int }{{10, 5}, {10, 3}, {7, 16}, {1, 2}, {1000, 64}} {
		s := newSampler(c.n, c.batch, true, 1)
		var stream []int32
		for b := 0; len(stream) < 3*c.n; b++ {
			stream = append(stream, drawn(s, b)[0]...)
		}
		for epoch := range 3 {
			order := slices.Clone(stream[epoch*c.n : (epoch+1)*c.n])
			slices.Sort(order)
			for i, sample := range order {
				if int(sample) != i {
					t.Fatalf("n %d, batch %d: epoch %d is no permutation: %v", c.n, c.batch, epoch, order)
				}
			}
		}
		if c.n >= 10 && slices.Equal(stream[:c.n], stream[c.n:2*c.n]) {
			t.Errorf("n %d: two epochs have the same order", c.n)
		}
	}
}

func TestSamplerNeedsNoHistory(t *testing.T) {
	first := drawn(newSampler(10, 4, true, 5), 0, 1, 2, 3, 4, 5, 6, 7)
	for _, b := range []int{7, 2, 5} {
		if again := drawn(newSampler(10, 4, true, 5), b)[0]; !slices.Equal(again, first[b]) {
			t.Errorf("batch %d is %v alone and %v in turn", b, again, first[b])
		}
	}
	if other := drawn(newSampler(10, 4, true, 6), 0, 1); slices.Equal(other[0], first[0]) && slices.Equal(other[1], first[1]) {
		t.Error("two seeds give the same order")
	}
}

func TestSamplerInOrder(t *testing.T) {
	if got := drawn(newSampler(5, 3, false, 1), 0, 1, 3); !slices.Equal(got[0], []int32{0, 1, 2}) || !slices.Equal(got[1], []int32{3, 4, 0}) || !slices.Equal(got[2], []int32{4, 0, 1}) {
		t.Errorf("in order: %v", got)
	}
}

func TestShuffleIsFair(t *testing.T) {
	const n, epochs = 5, 5000
	var counts [n][n]int
	s := newSampler(n, n, true, 3)
	for epoch := range epochs {
		for place, sample := range drawn(s, epoch)[0] {
			counts[sample][place]++
		}
	}
	for sample, places := range counts {
		for place, count := range places {
			if count < epochs/n-150 || count > epochs/n+150 { // five standard deviations
				t.Errorf("sample %d came %d times at place %d", sample, count, place)
			}
		}
	}
}
