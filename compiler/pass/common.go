package pass

import (
	"fmt"
	"slices"
	"strings"

	"netc/ir"
)

// CommonSubexpressions computes once what several nodes compute from the same
// operands with the same operator and attributes.
//
//	a = exp x               a = exp x
//	b = exp x       =>      c = add a, a
//	c = add a, b
//
// Operators have no effects and parameters keep their old values until the end
// of the step, so equal nodes give equal results wherever they stand. A node
// with a result that is an output or written stays, because the result's name
// is part of the program; only its readers change. Fused groups are left alone.
// Runs after FoldConstants, which makes more nodes equal.
func CommonSubexpressions(g *ir.Graph) error {
	isRoot := rootsOf(g)
	first := map[string]*ir.Node{}
	replaced := substitution{}
	repeated := map[*ir.Node]bool{}
	for _, n := range g.Nodes {
		replaced.rewrite(n)
		if n.Body != nil {
			continue
		}
		key := expressionKey(n)
		same := first[key]
		if same == nil {
			first[key] = n
			continue
		}
		for i, v := range n.Out {
			replaced[v] = same.Out[i]
		}
		repeated[n] = !slices.ContainsFunc(n.Out, func(v *ir.Value) bool { return isRoot[v] })
		same.From = ir.Origins(same, n)
	}
	g.Remove(func(n *ir.Node) bool { return repeated[n] })
	return nil
}

// rootsOf is g.Roots as a set.
func rootsOf(g *ir.Graph) map[*ir.Value]bool {
	set := map[*ir.Value]bool{}
	for _, v := range g.Roots() {
		set[v] = true
	}
	return set
}

// expressionKey is a text that two nodes share when they compute the same.
func expressionKey(n *ir.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", n.Op.Mnemonic(), ir.Attributes(n.Op))
	for _, v := range n.In {
		fmt.Fprintf(&b, " %q", v.Name)
	}
	return b.String()
}
