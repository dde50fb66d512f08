package main

import "netc/compiler"

// arenaBytes is the memory of one phase, or of all phases together.
type arenaBytes struct {
	Bytes        int `json:"bytes"`
	LowerBound   int `json:"lower_bound"`
	WithoutReuse int `json:"without_reuse"`
}

// phaseBytes gives the memory of each phase. Phases share one arena, so the sums
// over phases mean nothing.
func phaseBytes(u *compiler.Unit) map[string]arenaBytes {
	all := map[string]arenaBytes{}
	for _, p := range u.Phases {
		all[p.Name] = arenaBytes{p.Plan.Size, p.Plan.LowerBound, p.Plan.WithoutReuse}
	}
	return all
}

// arenaOf is the whole arena: no smaller than the largest phase.
func arenaOf(u *compiler.Unit) arenaBytes {
	a := arenaBytes{Bytes: u.Arena.Size}
	for _, p := range u.Phases {
		a.LowerBound = max(a.LowerBound, p.Plan.LowerBound)
		a.WithoutReuse = max(a.WithoutReuse, p.Plan.WithoutReuse)
	}
	return a
}

// ratio is 1 where both are nothing.
func ratio(bytes, bound int) float64 {
	if bound == 0 {
		return 1
	}
	return float64(bytes) / float64(bound)
}
