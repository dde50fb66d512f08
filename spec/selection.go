package spec

import (
	"slices"

	"netc/spec/diag"
)

// Selection chooses the layers of one use of a net.
type Selection struct {
	Phase  string   // "train" or "test"
	Stages []string // any other words that guards name
}

// Selection is what a run file makes of a net in a phase, "train" or "test".
func (r *Run) Selection(phase string) Selection {
	if phase == "train" {
		return Selection{Phase: phase, Stages: r.Train.Stages}
	}
	return Selection{Phase: phase, Stages: r.Test.Stages}
}

// phases are the guard words that are not stages.
var phases = []string{"train", "test"}

// holds reports whether a guard lets its layer stay.
func (s Selection) holds(g Guard) bool {
	chosen := s.Phase
	if slices.Contains(phases, g.Word) {
		return (g.Word == chosen) != g.Negated
	}
	return slices.Contains(s.Stages, g.Word) != g.Negated
}

// remover gives the first guard that removes its statement, or nil.
func (s Selection) remover(guards []Guard) *Guard {
	for i := range guards {
		if !s.holds(guards[i]) {
			return &guards[i]
		}
	}
	return nil
}

// String writes a guard as the source does.
func (g Guard) String() string {
	if g.Negated {
		return "@!" + g.Word
	}
	return "@" + g.Word
}

// checkGuards warns of a stage that looks like a misspelt phase: it would
// remove its layer from every phase in silence.
func checkGuards(guards []Guard, found *diag.List) {
	for _, g := range guards {
		if near := diag.Nearest(g.Word, phases); near != "" && !slices.Contains(phases, g.Word) {
			found.Warnf(codeGuard, g.Span, "%q is a stage, not a phase", g.Word).Helpf("did you mean @%s?", near)
		}
	}
}
