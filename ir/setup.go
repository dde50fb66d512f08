package ir

import "slices"

// Setup is how many of the graph's first nodes are its setup: they need not be
// computed in every step, because what they read, directly and through other
// nodes, are parameters and states that no step changes. They are computed
// once, before the first step and whenever parameters or states have changed.
//
// A phase that writes parameters or states has no setup, and neither has one
// that would have no step besides it. The nodes of Invariant that stand behind
// others belong to the step; a pass that puts them first makes them setup.
func (g *Graph) Setup() int {
	invariant := g.Invariant()
	for i, n := range g.Nodes {
		if !invariant[n] {
			return i
		}
	}
	return 0
}

// Invariant gives the nodes of a phase that writes nothing whose results no
// input has a part in.
func (g *Graph) Invariant() map[*Node]bool {
	invariant := map[*Node]bool{}
	if len(g.Writes) > 0 {
		return invariant
	}
	for _, n := range g.Nodes {
		invariant[n] = !slices.ContainsFunc(n.In, func(v *Value) bool {
			return v.Kind == Input || v.Def != nil && !invariant[v.Def]
		})
	}
	return invariant
}
