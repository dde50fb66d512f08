package runtime

import (
	"slices"
	"testing"
)

// TestVectorPeaks checks, as TestPeaks does, that the loops in assembly carry
// what they are credited with: 12 sums in each of their lanes.
func TestVectorPeaks(t *testing.T) {
	for isa, loop := range vectorPeaks {
		t.Run(isa, func(t *testing.T) {
			if !slices.Contains(thisProcessor(), isa) {
				t.Skip("not on this processor")
			}
			for rounds := 1; rounds <= 4; rounds++ {
				want := float32(loop.lanes) * multiplyAdd(rounds, 0.5, 1)
				if got := loop.run(rounds, 0.5, 1); got != want {
					t.Errorf("%d rounds: total %v, want %v", rounds, got, want)
				}
			}
			pool := NewPool(1)
			defer pool.Close()
			vector, plain := newPeaks(pool, isa, 1<<14, 1<<16), newPeaks(pool, isaPortable, 1<<14, 1<<16)
			for range 4 {
				vector.measure()
				plain.measure()
			}
			if vector.arithmetic < 2*plain.arithmetic {
				t.Errorf("%.3g operations a second, %.3g in plain Go", vector.arithmetic, plain.arithmetic)
			}
		})
	}
}
