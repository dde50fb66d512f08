package pass

import (
	"testing"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// memory holds the values of a graph by name, in float64.
type memory map[string][]float64

// of gives the elements of a value, zeros at first.
func (m memory) of(v *ir.Value) []float64 {
	if m[v.Name] == nil {
		m[v.Name] = make([]float64, v.Type.Shape.Count())
	}
	return m[v.Name]
}

// step runs every node of a graph as its loop nests say, then the writes.
func (m memory) step(t *testing.T, g *ir.Graph) {
	t.Helper()
	if err := g.Verify(); err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes {
		nests, err := op.Nests(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, nest := range nests {
			loop.Interpret(nest, m.of, nil)
		}
	}
	stored := make([][]float64, len(g.Writes))
	for i, w := range g.Writes {
		stored[i] = append(stored[i], m.of(w.Value)...)
	}
	for i, w := range g.Writes {
		copy(m.of(w.Target), stored[i])
	}
}
