package loop

import (
	"slices"

	"netc/ir"
)

// Code is a lowered nest: statements that run for one task. Task, an Int, is
// the number of the task. With Elementwise set there is one task for each
// element, and Body uses Task as the index.
type Code struct {
	Reads, Writes []*ir.Value
	Tasks         int
	Task          *Var
	Elementwise   bool
	Body          []Stmt
}

// Statements that appear in lowered code only, besides Let.

// Put writes an element by flat position.
type Put struct {
	Value *ir.Value
	At    *Expr
	Of    *Expr
}

// Declare makes a scalar that Assign may change.
type Declare struct {
	Var *Var
	Of  *Expr
}

// Assign combines a term into a scalar: Var = Var + Of for Sum, and so on. For
// Maximum with Arg, Arg receives ArgOf where the term is larger.
type Assign struct {
	Var   *Var
	Kind  Reduction
	Of    *Expr
	Arg   *Var
	ArgOf *Expr
}

// Loop runs Body for Var from From below To by Step.
type Loop struct {
	Var            *Var
	From, To, Step int
	Body           []Stmt
}

// If runs Body where Cond holds.
type If struct {
	Cond *Expr
	Body []Stmt
}

func (*Put) stmt()     {}
func (*Declare) stmt() {}
func (*Assign) stmt()  {}
func (*Loop) stmt()    {}
func (*If) stmt()      {}

// dropUnused removes scalars that nothing reads, from the last statement to
// the first; used collects the variables that the statements after it read.
func dropUnused(body []Stmt, used map[*Var]bool) []Stmt {
	note := func(e *Expr) {
		if e != nil {
			e.Walk(func(x *Expr) {
				if x.Op == Ref {
					used[x.Var] = true
				}
			})
		}
	}
	var kept []Stmt
	for i := len(body) - 1; i >= 0; i-- {
		s := body[i]
		switch t := s.(type) {
		case *Let:
			if !used[t.Var] {
				continue
			}
			note(t.Of)
		case *Declare:
			if !used[t.Var] {
				continue
			}
			note(t.Of)
		case *Assign:
			a := *t
			if a.Arg != nil && !used[a.Arg] {
				a.Arg, a.ArgOf = nil, nil
			}
			if a.Arg == nil && !used[a.Var] {
				continue
			}
			used[a.Var] = true // the larger of two terms is found by reading it
			note(a.Of)
			note(a.ArgOf)
			s = &a
		case *Put:
			note(t.At)
			note(t.Of)
		case *If:
			inner := dropUnused(t.Body, used)
			if len(inner) == 0 {
				continue
			}
			note(t.Cond)
			s = &If{t.Cond, inner}
		case *Loop:
			inner := dropUnused(t.Body, used)
			if len(inner) == 0 {
				continue
			}
			s = &Loop{t.Var, t.From, t.To, t.Step, inner}
		}
		kept = append(kept, s)
	}
	slices.Reverse(kept)
	return kept
}
