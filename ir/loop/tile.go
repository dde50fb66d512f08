package loop

import "fmt"

// tile lowers a contraction, a Sum followed by what is done with it, for a
// tile of points: one accumulator each, the terms' loads shared.
func (l *lowering) tile(nest *Nest, lanes []map[*Var]*Expr, bind map[*Var]*Expr, at map[*Var]segment) []Stmt {
	r := nest.Body[0].(*Reduce)
	sums := make([]*Var, len(lanes))
	var out []Stmt
	for i := range lanes {
		name := r.Var.Name
		if len(lanes) > 1 {
			name = fmt.Sprintf("%s%d", name, i)
		}
		sums[i] = &Var{Name: name}
		out = append(out, &Declare{sums[i], N(0)})
	}
	inner := r.Axes[len(r.Axes)-1]
	guarded := r.Where != nil && r.Where.Uses(inner) // whether a check depends on the inner axis
	for _, w := range r.Within {
		guarded = guarded || l.needsCheck(w, at) && w.Index.Uses(inner)
	}
	unroll := max(l.schedule.Unroll, 1)
	if guarded {
		unroll = 1
	}
	var terms []Stmt
	local := &Var{Name: inner.Name, Kind: Int}
	start := R(local)
	if unroll == inner.Extent {
		start = I(0)
	}
	for u := range unroll {
		terms = append(terms, l.terms(r, lanes, sums, map[*Var]*Expr{inner: Plus(start, I(u))})...)
	}
	stmts := l.guard(r, terms, at, bind, []*Var{inner}, map[*Var]*Expr{inner: start})
	if unroll < inner.Extent {
		stmts = []Stmt{&Loop{local, 0, inner.Extent, unroll, stmts}}
	}
	rename := map[*Var]*Expr{inner: start}
	stmts = substitute(stmts, rename)
	for i := len(r.Axes) - 2; i >= 0; i-- {
		v := r.Axes[i]
		if v.Extent == 1 {
			stmts = l.guard(r, stmts, at, bind, []*Var{v}, nil)
			continue
		}
		local := &Var{Name: v.Name, Kind: Int}
		stmts = l.guard(r, stmts, at, bind, []*Var{v}, nil)
		stmts = []Stmt{&Loop{local, 0, v.Extent, 1, substitute(stmts, map[*Var]*Expr{v: R(local)})}}
	}
	// Ranges that depend on no reduction axis are checked once.
	stmts = l.guard(r, stmts, at, bind, nil, nil)
	out = append(out, stmts...)
	for i, lane := range lanes {
		with := map[*Var]*Expr{r.Var: R(sums[i])}
		for v, e := range lane {
			with[v] = e
		}
		out = append(out, l.body(l.relabel(substitute(nest.Body[1:], with), i, len(lanes)))...)
	}
	return out
}

// terms adds one term to each lane's sum. Loads that a whole row of lanes
// shares (those that do not depend on the second tiled axis) are loaded once.
func (l *lowering) terms(r *Reduce, lanes []map[*Var]*Expr, sums []*Var, step map[*Var]*Expr) []Stmt {
	var out []Stmt
	var shared []*Expr // loads of the current row
	var names []*Var
	list := make([]*Expr, len(lanes)) // of the lanes
	stepped := r.Of.Substitute(step)
	for i, lane := range lanes {
		list[i] = stepped.Substitute(lane)
	}
	for i, term := range list {
		term = term.Map(func(e *Expr) *Expr {
			if e.Op != Get || len(lanes) == 1 {
				return e
			}
			for k, s := range shared {
				if s.Equal(e) {
					return R(names[k])
				}
			}
			if i+1 == len(list) || !loads(list[i+1], e) {
				return e
			}
			v := &Var{Name: "w", Kind: e.Kind}
			shared, names = append(shared, e), append(names, v)
			out = append(out, &Let{v, e})
			return R(v)
		})
		out = append(out, &Assign{Var: sums[i], Kind: Sum, Of: term})
	}
	return out
}

// loads reports whether a term, that of the lane after, loads an element too.
func loads(term, element *Expr) bool {
	found := false
	term.Walk(func(x *Expr) {
		found = found || x.Op == Get && x.Equal(element)
	})
	return found
}

// relabel gives the scalars of one lane's statements names of their own.
func (l *lowering) relabel(body []Stmt, lane, lanes int) []Stmt {
	if lanes == 1 {
		return body
	}
	with := map[*Var]*Expr{}
	out := make([]Stmt, len(body))
	for i, s := range body {
		s = substitute([]Stmt{s}, with)[0]
		if let, ok := s.(*Let); ok {
			v := &Var{Name: fmt.Sprintf("%s_%d", let.Var.Name, lane), Kind: let.Var.Kind}
			with[let.Var] = R(v)
			s = &Let{v, let.Of}
		}
		out[i] = s
	}
	return out
}
