package vector

import (
	"slices"

	"netc/codegen/asm"
	"netc/ir/loop"
)

// areSums reports whether the body is sums over elements that no other point of
// the nest reads, and what follows from them: statistics and the like, which
// memory bounds.
func (p *prepared) areSums() bool {
	found := false
	for _, s := range p.body {
		switch s := s.(type) {
		case *loop.Reduce:
			if s.Kind != loop.Sum || s.Arg != nil || s.Where != nil || len(s.Within) > 0 || len(s.Body) > 0 || p.readsAgain(s) {
				return false
			}
			found = true
		case *loop.For:
			return false
		}
	}
	return found && p.lane != nil
}

// readsAgain reports whether points of the nest share elements of what a sum
// reads.
func (p *prepared) readsAgain(r *loop.Reduce) bool {
	return slices.ContainsFunc(gets(r.Of), func(t *loop.Expr) bool {
		isTerm := slices.ContainsFunc(r.Axes, func(v *loop.Var) bool { return t.Uses(v) })
		return isTerm && slices.ContainsFunc(p.axes, func(v *loop.Var) bool { return !t.Uses(v) })
	})
}

// joinSums arranges such a body so that everything passes by once: neighbouring
// sums over equal axes run in one loop, and so do the halves of a block.
func (p *prepared) joinSums() {
	if last := len(p.axes) - 1; last >= 0 && p.axes[last] == p.half && p.mergeable(p.half) {
		p.parts[p.half] = []part{{from: 0, to: p.half.Extent, size: p.half.Extent}}
	}
	for i, s := range p.body {
		r, ok := s.(*loop.Reduce)
		if !ok || i == 0 {
			continue
		}
		before, ok := p.body[i-1].(*loop.Reduce)
		if !ok || !p.alike(before, r) {
			continue
		}
		with := map[*loop.Var]*loop.Expr{}
		for k, v := range r.Axes {
			with[v] = loop.R(before.Axes[k])
		}
		joined := *r
		joined.Axes, joined.Of = before.Axes, r.Of.Substitute(with)
		p.body = slices.Clone(p.body)
		p.body[i] = &joined
	}
}

// alike reports whether two sums run over axes of the same extents, cut in no
// way or as lanes.
func (p *prepared) alike(a, b *loop.Reduce) bool {
	return slices.EqualFunc(a.Axes, b.Axes, func(v, w *loop.Var) bool {
		return v.Extent == w.Extent && (p.isLane[v] && p.isLane[w] || p.mergeable(v) && p.mergeable(w))
	}) && !b.Of.Uses(a.Var)
}

// mostChains is the number of registers that the sums of one loop are spread
// over, so that no addition waits for the one before it.
const mostChains = 8

// joined emits a body of sums for all points of a tile together, a loop for
// each run of sums over the same axes.
func (e *emitter) joined(points []point) {
	known := make([]map[*loop.Var]value, len(points)) // scalars, by point
	for i := range known {
		known[i] = map[*loop.Var]value{}
	}
	at := func(i int, body func()) {
		e.atPoint(points[i], func() {
			for v, x := range known[i] {
				e.vals[v] = x
			}
			body()
		})
	}
	for next := 0; next < len(e.body); {
		if _, ok := e.body[next].(*loop.Reduce); !ok {
			for i := range points {
				at(i, func() {
					e.statements(e.body[next : next+1])
					if let, ok := e.body[next].(*loop.Let); ok {
						known[i][let.Var] = e.vals[let.Var]
					}
				})
			}
			next++
			continue
		}
		run := e.runOfSums(next)
		sums := e.together(run, len(points), at)
		for i := range points {
			for k, r := range run {
				known[i][r.Var] = value{vec: sums[i][k]}
			}
		}
		next += len(run)
	}
}

// runOfSums lists the sums from a statement on that run over the same axes.
func (e *emitter) runOfSums(first int) []*loop.Reduce {
	list := []*loop.Reduce{e.body[first].(*loop.Reduce)}
	for _, s := range e.body[first+1:] {
		r, ok := s.(*loop.Reduce)
		if !ok || !slices.Equal(r.Axes, list[0].Axes) {
			break
		}
		list = append(list, r)
	}
	return list
}

// together emits one loop for sums over the same axes at some points, and gives
// the sums by point. at runs a body at a point.
func (e *emitter) together(run []*loop.Reduce, points int, at func(int, func())) [][]asm.Reg {
	red := &reduction{emitter: e, r: run[0], checked: map[int]bool{}}
	red.unroll = e.unrollFor(run[0], points*len(run))
	chains := max(min(mostChains/(points*len(run)), red.unroll), 1)
	acc := make([][][]accumulator, points) // by point, sum and chain
	for i := range acc {
		acc[i] = make([][]accumulator, len(run))
		for k := range run {
			for range chains {
				sum := e.f.NewVec()
				e.f.SetZero(sum)
				acc[i][k] = append(acc[i][k], accumulator{sum: sum})
			}
		}
	}
	red.body = func(step int) {
		for i := range acc {
			at(i, func() {
				for k, r := range run {
					e.term(r, &acc[i][k][step%chains], red.isLanes)
				}
			})
		}
	}
	red.run()
	sums := make([][]asm.Reg, points)
	for i := range acc {
		for _, list := range acc[i] {
			for n := chains; n > 1; n = (n + 1) / 2 {
				for c := 0; c < n/2; c++ {
					e.combine(loop.Sum, list[c].sum, list[n-1-c].sum)
				}
			}
			sum := list[0].sum
			if red.isLanes {
				sum = e.f.Sum(sum)
			}
			sums[i] = append(sums[i], sum)
		}
	}
	return sums
}
