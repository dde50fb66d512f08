package ir_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// check fails unless a graph verifies and its text parses to the same text.
func check(t *testing.T, g *ir.Graph) {
	t.Helper()
	if err := g.Verify(); err != nil {
		t.Fatalf("%v\n%s", err, g)
	}
	if text := g.String(); parse(t, text).String() != text {
		t.Fatalf("the text does not come back:\n%s", text)
	}
}

const chain = `graph g test
input x : f32[4]
param w : f32[4]
a = relu x : f32[4]
b = mul a, w : f32[4]
c = tanh b : f32[4]
d = add c, a : f32[4]
e = exp d : f32[4]
write w = c
output e
`

// TestGroup: the results are what is read outside, the operands what comes
// from outside, each once, and the group stands where its last member stood.
func TestGroup(t *testing.T) {
	for _, c := range []struct {
		members     []int
		in, out     string
		place, left int
	}{
		{[]int{0, 1}, "x w", "a b", 0, 4},
		{[]int{0, 1, 2}, "x w", "a c", 0, 3},          // c is written
		{[]int{1, 2, 3}, "a w", "c d", 1, 3},          // a is an operand once
		{[]int{0, 1, 2, 3, 4}, "x w", "c e", 0, 1},    // e is an output
		{[]int{4}, "d", "e", 4, 5},                    // a group of one
		{[]int{1, 3}, "a w c", "b d", 2, 4},           // c, between them, would have to move
		{[]int{0, 2}, "x b", "a c", 1, 4},             // as would b
		{[]int{0, 1, 2, 3}, "x w", "c d", 0, 2},       // all but the last
		{[]int{2, 3, 4}, "b a", "c e", 2, 3},          // a read by a later member only
		{[]int{3, 4}, "c a", "e", 3, 4},               // one result
		{[]int{2}, "b", "c", 2, 5},                    // written and read
		{[]int{0}, "x", "a", 0, 5},                    // read twice
		{[]int{1, 2, 3, 4}, "a w", "c e", 1, 2},       // the tail
		{[]int{0, 1, 2, 4}, "x w d", "a c e", 1, 2},   // d, between them
		{[]int{0, 3}, "x c", "a d", 2, 4},             // far apart
		{[]int{0, 1, 3, 4}, "x w c", "a b e", 1, 2},   // c, between them
		{[]int{0, 2, 3, 4}, "x b", "a c e", 1, 2},     // b, between them
		{[]int{0, 4}, "x d", "a e", 3, 4},             // first and last
		{[]int{1, 4}, "a w d", "b e", 3, 4},           // second and last
		{[]int{2, 4}, "b d", "c e", 3, 4},             // third and last
		{[]int{1, 2, 4}, "a w d", "c e", 2, 3},        // d, between them
		{[]int{1, 3, 4}, "a w c", "b e", 2, 3},        // c, between them
		{[]int{0, 3, 4}, "x c", "a e", 2, 3},          // b and c between them
		{[]int{0, 1, 4}, "x w d", "a b e", 2, 3},      // c and d between them
		{[]int{0, 2, 3}, "x b", "a c d", 1, 3},        // b between them
		{[]int{0, 1, 3}, "x w c", "a b d", 1, 3},      // c between them
		{[]int{1, 2}, "a w", "c", 1, 4},               // b stays inside
		{[]int{2, 3}, "b a", "c d", 2, 4},             // a is an operand
		{[]int{0, 2, 4}, "x b d", "a c e", 2, 3},      // every other
		{[]int{0, 1, 2, 3, 4}, "x w", "c e", 0, 1},    // all
	} {
		g := parse(t, chain)
		var members []*ir.Node
		for _, i := range c.members {
			members = append(members, g.Nodes[i])
		}
		group := g.Group(members)
		if names(group.In) != c.in || names(group.Out) != c.out {
			t.Errorf("%v: reads %s and gives %s, want %s and %s", c.members, names(group.In), names(group.Out), c.in, c.out)
		}
		if len(g.Nodes) != c.left || slices.Index(g.Nodes, group) != c.place {
			t.Errorf("%v: %d nodes are left, the group is number %d", c.members, len(g.Nodes), slices.Index(g.Nodes, group))
		}
	}
}
