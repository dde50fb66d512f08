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
			p := progression{r.IntN(12), 1 + r.IntN(6)}
			list = append(list, p)
			more := map[int]bool{}
			for s := range sums {
				for i := range p.count {
					more[s+i*p.step] = true
				}
			}
			sums = more
		}
		if got := distinctSums(append([]progression{}, list...)); got != len(sums) {
			t.Fatalf("%v: %d sums, want %d", list, got, len(sums))
		}
	}
}
