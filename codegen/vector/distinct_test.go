package vector

import (
	"math/rand/v2"
	"testing"
)

// TestDistinctSums compares with a list of all sums.
func TestDistinctSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var list []progression
		sums := map[int]bool{0: true}
		for range r.IntN(4) {
			p := progression{r.IntN(24) - 6, 1 + r.IntN(6)}
			list = append(list, p)
			more := map[int]bool{}
			for s := range sums {
				for i := range p.count {
					more[s+i*p.step] = true
				}
			}
			sums = more
		}
		piece := []int{1, 1, 3}[r.IntN(3)]
		pieces := map[int]bool{}
		for s := range sums {
			pieces[s/piece] = true
		}
		if got := distinctSums(append([]progression{}, list...), piece); got != len(pieces) {
			t.Fatalf("%v in pieces of %d: %d, want %d", list, piece, got, len(pieces))
		}
	}
}
