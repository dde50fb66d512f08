package cuda

import (
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// spread is how several blocks of threads share each point of a nest with long
// sums and few points, such as the statistics of a channel. The blocks of a first
// kernel leave their parts of the sums, and a last one adds these, in their order,
// and does the rest. A sum that reads another's result, as a variance reads the
// mean, has a kernel after that sum's.
type spread struct {
	parts  int // blocks for a point
	sums   []*loop.Reduce
	level  map[*loop.Var]int // of each sum and what is computed of sums: the kernel after which it is known
	levels int
}

const (
	spreadThreads = 256 // of a block
	spreadBlocks  = 4 * multiprocessors
	spreadTerms   = 8 // that a thread adds at least
	leastParts    = 4 // that are worth a kernel more
)

// spreadOf reads a nest as one to be spread, or gives nil where it has too many
// points, short sums, or anything but sums and maxima before its stores.
func (p *printer) spreadOf(n *loop.Nest) *spread {
	s := &spread{level: map[*loop.Var]int{}}
	work, loops := 0, 0
	for _, statement := range n.Body {
		switch x := statement.(type) {
		case *loop.Let:
			s.level[x.Var] = s.after(x.Of)
		case *loop.Reduce:
			if x.Arg != nil || x.Kind == loop.Product {
				return nil
			}
			s.sums = append(s.sums, x)
			level := 0
			loop.WalkExprs([]loop.Stmt{x}, func(e *loop.Expr) { level = max(level, s.after(e)) })
			s.level[x.Var] = level + 1
			s.levels = max(s.levels, level+1)
			work = max(work, points(x.Axes))
		case *loop.For:
			axes, _ := together(x)
			loops++
			work = max(work, points(axes))
		}
	}
	s.parts = min(spreadThreads, ceil(spreadBlocks, points(n.Axes)), work/(spreadTerms*spreadThreads))
	if s.levels == 0 || s.parts < leastParts || loops > 0 && p.inPlace() && !p.ownPlaces(n) {
		return nil
	}
	return s
}

// after is the kernel after which an expression's value is known.
func (s *spread) after(e *loop.Expr) int {
	level := 0
	e.Walk(func(x *loop.Expr) {
		if x.Op == loop.Ref {
			level = max(level, s.level[x.Var])
		}
	})
	return level
}

// ownPlaces reports whether blocks that share a nest computed in place disturb
// each other nowhere: each element is read only where it is stored.
func (p *printer) ownPlaces(n *loop.Nest) bool {
	overlapping := map[*ir.Value]bool{}
	for _, a := range p.args {
		overlapping[a.value] = p.overlaps(a)
	}
	stored := []*loop.Expr{} // places of a loop's stores
	own := true
	for _, statement := range n.Body {
		if store, ok := statement.(*loop.Store); ok && overlapping[store.Value] {
			return false
		}
		if f, ok := statement.(*loop.For); ok {
			_, body := together(f)
			for _, inner := range body {
				if store, ok := inner.(*loop.Store); ok {
					stored = append(stored, loop.Position(store.Value.Type, store.Index))
				}
			}
			loop.WalkExprs(body, func(e *loop.Expr) {
				if e.Op == loop.Load && overlapping[e.Value] {
					for _, at := range stored {
						own = own && at.Equal(loop.Position(e.Value.Type, e.Args))
					}
				}
			})
		}
	}
	return own
}

// needs are the statements of a kernel of a spread nest, and what of the sums and
// scalars before them they need. The last kernel, of level 0, has the rest.
func (s *spread) needs(n *loop.Nest, level int) (own, needed []loop.Stmt) {
	used := map[*loop.Var]bool{}
	use := func(statement loop.Stmt) {
		loop.WalkExprs([]loop.Stmt{statement}, func(e *loop.Expr) {
			if e.Op == loop.Ref {
				used[e.Var] = true
			}
		})
	}
	for i := len(n.Body) - 1; i >= 0; i-- {
		switch x := n.Body[i].(type) {
		case *loop.Let:
			if used[x.Var] {
				needed = append([]loop.Stmt{x}, needed...)
				use(x)
			}
		case *loop.Reduce:
			switch {
			case s.level[x.Var] == level:
				own = append([]loop.Stmt{x}, own...)
				needed = append([]loop.Stmt{x}, needed...)
				use(x)
			case used[x.Var]:
				needed = append([]loop.Stmt{x}, needed...)
			}
		default:
			if level == 0 {
				own = append([]loop.Stmt{x}, own...)
				needed = append([]loop.Stmt{x}, needed...)
				use(x)
			}
		}
	}
	return own, needed
}

// spread prints a kernel of a nest: that of the sums of a level, or the last one,
// of level 0.
func (p *printer) spread(s *spread, level int) printed {
	nest := p.kernel.Nest
	count := points(nest.Axes)
	own, needed := s.needs(nest, level)
	parts := s.parts
	if level == 0 {
		parts = 1
		for _, statement := range own {
			if _, ok := statement.(*loop.For); ok {
				parts = s.parts
			}
		}
	}
	grid, block := [3]int{parts, count, 1}, [3]int{spreadThreads, 1, 1}
	scratch := argument{nil, "scratch", 4 * len(s.sums) * count * s.parts, level > 0}
	p.keepArguments(s, needed, level)
	what := "parts of sums"
	if level > 0 {
		p.args = append([]argument{scratch}, p.args...)
	} else {
		p.args = append(p.args, scratch)
		what = "the rest"
	}
	p.open(fmt.Sprintf("%s, %d blocks for each of %d points: %d blocks of %d", what, parts, count, parts*count, spreadThreads), grid, block)
	p.printf("const int thread = threadIdx.x;")
	if parts > 1 {
		p.printf("const int part = blockIdx.x;")
	}
	if count > 1 {
		p.printf("const int point = blockIdx.y;")
	}
	p.decode(nest.Axes, "point")
	t := &teamPrinter{printer: p, team: spreadThreads, member: "thread", first: "thread", stride: spreadThreads}
	if parts > 1 {
		t.first, t.stride = fmt.Sprintf("part*%d + thread", spreadThreads), parts*spreadThreads
	}
	var sums [][]*loop.Reduce // the kernel's own sums, those over the same points in one loop
	for _, statement := range needed {
		switch x := statement.(type) {
		case *loop.Let:
			t.statements([]loop.Stmt{x})
		case *loop.Reduce:
			if s.level[x.Var] != level {
				t.declare(x.Var, start(x.Kind))
				t.printf("if (thread < %d) %s = partial[%s + thread];", s.parts, t.vars[x.Var], s.place(x, count))
				t.combine(x)
				continue
			}
			if last := len(sums) - 1; last >= 0 && sameExtents(sums[last][0].Axes, x.Axes) {
				sums[last] = append(sums[last], x)
			} else {
				sums = append(sums, []*loop.Reduce{x})
			}
		case *loop.For:
			axes, inner := together(x)
			t.share(axes, func() { t.statements(inner) })
		case *loop.Store:
			first := "thread == 0"
			if parts > 1 {
				first += " && part == 0"
			}
			t.printf("if (%s) {", first)
			t.statements([]loop.Stmt{x})
			t.printf("}")
		}
	}
	for _, list := range sums {
		t.reductions(list)
		for _, x := range list {
			t.printf("if (thread == 0) partial[%s + part] = %s;", s.place(x, count), t.vars[x.Var])
		}
	}
	return p.done(grid, block)
}

// place is where the parts of a sum lie in the scratch.
func (s *spread) place(r *loop.Reduce, count int) string {
	at := slices.Index(s.sums, r) * count * s.parts
	switch {
	case count == 1:
		return fmt.Sprint(at)
	case at == 0:
		return fmt.Sprintf("point*%d", s.parts)
	}
	return fmt.Sprintf("%d + point*%d", at, s.parts)
}

func sameExtents(a, b []*loop.Var) bool {
	return slices.EqualFunc(a, b, func(v, w *loop.Var) bool { return v.Extent == w.Extent })
}

// keepArguments leaves the tensors that the statements of a kernel read or write.
func (p *printer) keepArguments(s *spread, needed []loop.Stmt, level int) {
	var body []loop.Stmt
	for _, statement := range needed {
		if r, ok := statement.(*loop.Reduce); ok && s.level[r.Var] != level {
			continue // read from the scratch
		}
		body = append(body, statement)
	}
	p.args = p.argumentsIn(&loop.Nest{Body: body})
}

// argumentsIn are those of the kernel's arguments that a part of its nest loads or
// stores.
func (p *printer) argumentsIn(n *loop.Nest) []argument {
	used := map[*ir.Value]bool{}
	for _, v := range append(n.Loads(), n.Stores()...) {
		used[v] = true
	}
	var list []argument
	for _, a := range p.args {
		if used[a.value] {
			list = append(list, a)
		}
	}
	return list
}
