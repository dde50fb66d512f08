package pass

import (
	"math"
	"math/rand"
	"testing"
)

// TestCut compares the division of random graphs with the best of all.
func TestCut(t *testing.T) {
	const vertices = 8
	type edge struct{ from, to, cost int }
	divided := 0
	for seed := range int64(300) {
		r := rand.New(rand.NewSource(seed))
		c := newCut()
		for len(c.edges) < vertices {
			c.vertex()
		}
		var edges []edge
		for range r.Intn(30) {
			e := edge{r.Intn(vertices), r.Intn(vertices), r.Intn(20)}
			edges = append(edges, e)
			c.edge(e.from, e.to, e.cost)
		}
		cost := func(isFirst func(v int) bool) int {
			sum := 0
			for _, e := range edges {
				if isFirst(e.from) && !isFirst(e.to) {
					sum += e.cost
				}
			}
			return sum
		}
		least := math.MaxInt
		for bits := range 1 << vertices {
			if isFirst := func(v int) bool { return bits>>v&1 == 1 }; isFirst(firstSide) && !isFirst(secondSide) {
				least = min(least, cost(isFirst))
			}
		}
		first := c.divide()
		if !first[firstSide] || first[secondSide] {
			t.Fatalf("seed %d: the sides are not divided", seed)
		}
		if got := cost(func(v int) bool { return first[v] }); got != least {
			t.Fatalf("seed %d: a cut of %d, not of %d", seed, got, least)
		}
		if least > 0 {
			divided++
		}
	}
	if divided == 0 {
		t.Error("every cut was for free")
	}
}
