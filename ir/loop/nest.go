package loop

import (
	"slices"

	"netc/ir"
)

// Nest is one kernel: Body runs for every point of Axes, in any order and in
// parallel. An element of a result is stored by exactly one point.
type Nest struct {
	Axes []*Var // outermost first; empty for a single point
	Body []Stmt
}

// Stmt is a *Let, *Reduce, *For or *Store.
type Stmt interface{ stmt() }

// Let sets a scalar for the statements after it.
type Let struct {
	Var *Var
	Of  *Expr
}

// Reduction is how Reduce combines its terms.
type Reduction uint8

const (
	Sum     Reduction = iota // starts at 0
	Product                  // starts at 1
	Maximum                  // starts at -Inf; the first of equal terms wins
)

// Reduce combines the terms Of over every point of Axes that satisfies Within
// and Where, in row-major order of Axes, into Var. For each point, Body runs
// before the conditions and the term are evaluated.
//
// With Arg set (Maximum only), Arg receives ArgOf of the winning term, or 0
// when no point satisfies the conditions.
type Reduce struct {
	Var    *Var
	Kind   Reduction
	Axes   []*Var
	Within []Range // all must hold; kept apart from Where so that schedules can turn them into loop bounds
	Where  *Expr   // nil: always; evaluated only where Within holds
	Body   []Stmt
	Of     *Expr
	Arg    *Var // an Int
	ArgOf  *Expr
}

// Range holds where 0 <= Index < Extent. Index is affine in the axes.
type Range struct {
	Index  *Expr
	Extent int
}

// For runs Body for each value of Axis in order; Lets inside are local to it.
type For struct {
	Axis *Var
	Body []Stmt
}

// Store writes an element of a tensor.
type Store struct {
	Value *ir.Value
	Index []*Expr
	Of    *Expr
}

func (*Let) stmt()    {}
func (*Reduce) stmt() {}
func (*For) stmt()    {}
func (*Store) stmt()  {}

// Condition is the range as an expression: Index >= 0 && Index < Extent.
func (r Range) Condition() *Expr {
	return Both(Compare(LessEq, I(0), r.Index), Compare(Less, r.Index, I(r.Extent)))
}

// MapExprs rebuilds statements, nested and lowered ones too, with f applied to
// every expression in them.
func MapExprs(body []Stmt, f func(*Expr) *Expr) []Stmt {
	orNil := func(e *Expr) *Expr {
		if e == nil {
			return nil
		}
		return f(e)
	}
	out := make([]Stmt, len(body))
	for i, s := range body {
		switch s := s.(type) {
		case *Let:
			out[i] = &Let{s.Var, f(s.Of)}
		case *For:
			out[i] = &For{s.Axis, MapExprs(s.Body, f)}
		case *Store:
			index := make([]*Expr, len(s.Index))
			for j, x := range s.Index {
				index[j] = f(x)
			}
			out[i] = &Store{s.Value, index, f(s.Of)}
		case *Reduce:
			r := *s
			r.Within = make([]Range, len(s.Within))
			for j, w := range s.Within {
				r.Within[j] = Range{f(w.Index), w.Extent}
			}
			r.Body = MapExprs(s.Body, f)
			r.Where, r.Of, r.ArgOf = orNil(s.Where), f(s.Of), orNil(s.ArgOf)
			out[i] = &r
		case *Put:
			out[i] = &Put{s.Value, f(s.At), f(s.Of)}
		case *Declare:
			out[i] = &Declare{s.Var, f(s.Of)}
		case *Assign:
			out[i] = &Assign{s.Var, s.Kind, f(s.Of), s.Arg, orNil(s.ArgOf)}
		case *Loop:
			out[i] = &Loop{s.Var, s.From, s.To, s.Step, MapExprs(s.Body, f)}
		case *If:
			out[i] = &If{f(s.Cond), MapExprs(s.Body, f)}
		}
	}
	return out
}

// substitute replaces references to variables in statements.
func substitute(body []Stmt, with map[*Var]*Expr) []Stmt {
	return MapExprs(body, func(e *Expr) *Expr { return e.Substitute(with) })
}

// WalkStmts visits the statements of a nest and those inside of them.
func WalkStmts(body []Stmt, visit func(Stmt)) {
	for _, s := range body {
		visit(s)
		switch s := s.(type) {
		case *Reduce:
			WalkStmts(s.Body, visit)
		case *For:
			WalkStmts(s.Body, visit)
		}
	}
}

// WalkExprs visits every expression of the statements.
func WalkExprs(body []Stmt, visit func(*Expr)) {
	MapExprs(body, func(e *Expr) *Expr {
		e.Walk(visit)
		return e
	})
}

// Loads lists the tensors that the nest reads, each once, in order of first use.
func (n *Nest) Loads() []*ir.Value {
	var list []*ir.Value
	seen := map[*ir.Value]bool{}
	WalkExprs(n.Body, func(e *Expr) {
		if e.Op == Load && !seen[e.Value] {
			seen[e.Value] = true
			list = append(list, e.Value)
		}
	})
	return list
}

// Stores lists the tensors that the nest writes, each once, in order.
func (n *Nest) Stores() []*ir.Value {
	var list []*ir.Value
	seen := map[*ir.Value]bool{}
	WalkStmts(n.Body, func(s Stmt) {
		if s, ok := s.(*Store); ok && !seen[s.Value] {
			seen[s.Value] = true
			list = append(list, s.Value)
		}
	})
	return list
}

// Access is a load or a store of a tensor's element.
type Access struct {
	Value   *ir.Value
	Index   []*Expr
	IsStore bool
}

// Rows says of each tensor of the nest whether it is kept to rows: each point of
// the nest's first axis reads and writes it at that index of its own first axis
// alone, as kernels do that compute each sample of a batch for itself.
func (n *Nest) Rows() map[*ir.Value]bool {
	rows := map[*ir.Value]bool{}
	for _, a := range Accesses(n.Body) {
		before, seen := rows[a.Value]
		rows[a.Value] = (before || !seen) && len(n.Axes) > 0 && len(a.Index) > 0 && a.Value.Type.Shape[0] == n.Axes[0].Extent &&
			a.Index[0].Op == Ref && a.Index[0].Var == n.Axes[0]
	}
	return rows
}

// StoresRows reports whether all that the nest stores is kept to rows.
func (n *Nest) StoresRows() bool {
	rows := n.Rows()
	return !slices.ContainsFunc(n.Stores(), func(v *ir.Value) bool { return !rows[v] })
}

// Accesses lists the loads, then the stores, of the statements and of those
// inside of them.
func Accesses(body []Stmt) []Access {
	var list []Access
	WalkExprs(body, func(e *Expr) {
		if e.Op == Load {
			list = append(list, Access{e.Value, e.Args, false})
		}
	})
	WalkStmts(body, func(s Stmt) {
		if s, ok := s.(*Store); ok {
			list = append(list, Access{s.Value, s.Index, true})
		}
	})
	return list
}
