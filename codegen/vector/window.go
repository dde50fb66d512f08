package vector

import (
	"slices"

	"netc/codegen/asm"
	"netc/ir/loop"
)

// A reduction of at most mostWindow terms at all points between two strides,
// such as a pooling's, is written out, as long as it and its edges are not more
// than mostWritten terms together.
const (
	mostWindow  = 64
	mostWritten = 640
)

// writeWindow arranges a nest around a short reduction so that all of it can be
// written out without a check: the points at edges, where some terms are
// outside, are parts of their own, and the axes that count between two strides
// go innermost, so that neighbouring points share what they load.
//
//	for a row, for a column    =>    for a row of windows, for a window, for each
//	                                 pixel from its start to the next one's start
func (p *prepared) writeWindow() {
	r := p.onlyReduction()
	if r == nil || len(r.Body) > 0 || p.lane == nil || p.row != nil {
		return
	}
	terms := 1
	for _, v := range r.Axes {
		if p.isLane[v] || p.isVector[v] || p.parts[v] != nil {
			return
		}
		terms *= v.Extent
	}
	var outer, between []*loop.Var
	for _, v := range p.axes {
		switch {
		case p.isRest[v]:
			between = append(between, v)
			terms *= v.Extent
		case v != p.half:
			outer = append(outer, v)
		}
	}
	if terms > mostWindow {
		return
	}
	parts := map[*loop.Var][]part{}
	for _, v := range outer {
		lo, hi, ok := p.settled(v)
		if !ok {
			return
		}
		if lo > 0 || hi < v.Extent {
			parts[v] = atEdges(p.cutOf(v), lo, hi)
			terms *= len(parts[v])
		}
	}
	if slices.Contains(p.axes, p.half) {
		between = append([]*loop.Var{p.half}, between...)
		terms *= p.half.Extent
	}
	if terms > mostWritten {
		return
	}
	p.isWindow = true
	p.axes = append(outer, between...)
	for _, v := range between {
		p.unrolled[v] = true
	}
	for v, list := range parts {
		p.parts[v], p.hasEdges[v] = list, true
	}
}

// onlyReduction is the reduction of a nest that has one, and no inner loops.
func (p *prepared) onlyReduction() (only *loop.Reduce) {
	for _, s := range p.body {
		switch s := s.(type) {
		case *loop.For:
			return nil
		case *loop.Reduce:
			if only != nil {
				return nil
			}
			only = s
		}
	}
	return only
}

// settled is the longest stretch of an axis on which all ranges hold that depend
// on it, and all minima and maxima of integers are one of the two, whatever the
// other variables are. It is not ok where more than a few points are outside.
func (p *prepared) settled(v *loop.Var) (lo, hi int, ok bool) {
	lets := map[*loop.Var]*loop.Expr{}
	var checks []func(lo, hi int) bool
	check := func(x *loop.Expr, holds func(least, most int) bool) {
		if x = x.Substitute(lets); x.Uses(v) {
			checks = append(checks, func(lo, hi int) bool {
				least, most, ok := spanOf(x, v, lo, hi)
				return ok && holds(least, most)
			})
		}
	}
	for _, s := range p.body {
		if let, ok := s.(*loop.Let); ok && let.Of.Kind == loop.Int {
			lets[let.Var] = let.Of.Substitute(lets)
		}
		if r, ok := s.(*loop.Reduce); ok {
			for _, w := range r.Within {
				check(w.Index, func(least, most int) bool { return least >= 0 && most < w.Extent })
			}
		}
	}
	loop.WalkExprs(p.body, func(x *loop.Expr) {
		if x.Kind == loop.Int && (x.Op == loop.Min || x.Op == loop.Max) {
			check(loop.Minus(x.Args[0], x.Args[1]), func(least, most int) bool { return most <= 0 || least >= 0 })
		}
	})
	for edges := range min(mostEdges, v.Extent) + 1 {
		for lo := range edges + 1 {
			hi := v.Extent - (edges - lo)
			if lo == hi || !slices.ContainsFunc(checks, func(holds func(lo, hi int) bool) bool { return !holds(lo, hi) }) {
				return lo, hi, true
			}
		}
	}
	return 0, 0, false
}

// spanOf gives the least and the greatest value of an integer expression while
// v is at least lo and below hi, as far as they follow from its parts. It is not
// ok where they do not, such as for what is loaded.
func spanOf(x *loop.Expr, v *loop.Var, lo, hi int) (least, most int, ok bool) {
	switch x.Op {
	case loop.Const:
		return x.Int, x.Int, true
	case loop.Ref:
		if x.Var == v {
			return lo, hi - 1, true
		}
		return 0, x.Var.Extent - 1, x.Var.Extent > 0
	case loop.Add, loop.Sub, loop.Mul, loop.Div, loop.Min, loop.Max:
	default:
		return 0, 0, false
	}
	least, most, ok = spanOf(x.Args[0], v, lo, hi)
	low, high, known := spanOf(x.Args[1], v, lo, hi)
	if !ok || !known {
		return 0, 0, false
	}
	switch x.Op {
	case loop.Add:
		return least + low, most + high, true
	case loop.Sub:
		return least - high, most - low, true
	case loop.Mul:
		products := []int{least * low, least * high, most * low, most * high}
		return slices.Min(products), slices.Max(products), true
	case loop.Min:
		return min(least, low), min(most, high), true
	case loop.Max:
		return max(least, low), max(most, high), true
	}
	return least / max(low, 1), most / max(low, 1), low == high && low > 0
}

// window emits a reduction with every term written out. Sums of many terms are
// taken in four parts, so that they do not wait for their own additions.
func (e *emitter) window(r *loop.Reduce) {
	acc := make([]accumulator, 1)
	if r.Kind == loop.Sum && e.termsOf(r) > mostUnrolled {
		acc = make([]accumulator, 4)
	}
	n := 0
	var along func(i int)
	along = func(i int) {
		if i < len(r.Axes) {
			for k := range r.Axes[i].Extent {
				e.at[r.Axes[i]] = number(k)
				along(i + 1)
			}
			delete(e.at, r.Axes[i])
			return
		}
		var tests []test
		for _, w := range r.Within {
			inside, known := e.inside(w)
			if known && !inside {
				return
			}
			if !known {
				a := e.affine(w.Index)
				tests = append(tests, test{a, asm.Ge}, test{a.plus(number(w.Extent), -1), asm.Lt})
			}
		}
		to := &acc[n%len(acc)]
		n++
		if tests = e.undecided(tests); len(tests) == 0 {
			e.term(r, to, false)
			return
		}
		e.start(r, to)
		e.branch(tests, func() { e.term(r, to, false) })
	}
	along(0)
	e.start(r, &acc[0])
	for _, other := range acc[1:] {
		if other.sum != 0 {
			e.combine(r.Kind, acc[0].sum, other.sum)
		}
	}
	e.vals[r.Var] = value{vec: acc[0].sum}
	if r.Arg != nil {
		e.vals[r.Arg] = value{vec: acc[0].arg, isInt: true}
	}
}

func (e *emitter) termsOf(r *loop.Reduce) int {
	terms := 1
	for _, v := range r.Axes {
		terms *= v.Extent
	}
	return terms
}
