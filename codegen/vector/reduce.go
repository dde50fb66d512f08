package vector

import (
	"fmt"
	"math"
	"slices"

	"netc/codegen/asm"
	"netc/ir"
	"netc/ir/loop"
)

// mostUnrolled is the greatest extent of a reduction's innermost axis that is
// written out.
const mostUnrolled = 12

// mostTerms bounds the terms written out for that.
const mostTerms = 28 * mostUnrolled

// accumulator is the running result of a reduction at one point. Its registers
// are 0 before the first term of a reduction that is written out.
type accumulator struct {
	sum, arg asm.Reg
}

// start sets an accumulator without terms to the result of a reduction of none.
func (e *emitter) start(r *loop.Reduce, acc *accumulator) {
	if acc.sum != 0 {
		return
	}
	acc.sum = e.f.NewVec()
	e.f.Move(acc.sum, e.constant(startOf(r.Kind)))
	if r.Arg != nil {
		acc.arg = e.f.NewVec()
		e.f.SetZero(acc.arg)
	}
}

// startOf is the result of a reduction without terms.
func startOf(kind loop.Reduction) float64 {
	return map[loop.Reduction]float64{loop.Sum: 0, loop.Product: 1, loop.Maximum: math.Inf(-1)}[kind]
}

// reduction emits the loops of a reduction around body, checking each range as
// far out as its axes allow. Ranges in later are left to body.
type reduction struct {
	*emitter
	r       *loop.Reduce
	later   []loop.Range
	unroll  int // steps of the innermost axis in one iteration
	body    func(step int)
	checked map[int]bool
	isLanes bool // the reduction has lanes of its own

	ahead func() // before the innermost loop, asks for what the next tile reads there

	// A blocked contraction runs atStop where axis number stop would begin.
	stop   int
	atStop func()
}

// contraction emits a sum for all points of a tile together, one accumulator
// each, and then the rest of the body point by point.
func (e *emitter) contraction(r *loop.Reduce, points []point) {
	e.f.Comment("%d sums in registers", len(points))
	sums := make([]asm.Reg, len(points))
	for i := range sums {
		sums[i] = e.f.NewVec()
		e.f.SetZero(sums[i])
	}
	e.prefetch(r, points)
	red := &reduction{emitter: e, r: r, checked: map[int]bool{}}
	red.leave(points)
	red.unroll = e.unrollFor(r, len(points))
	red.body = func(int) { red.terms(points, sums) }
	red.ahead = e.pixelsAhead(r, points)
	red.run()
	for i, p := range points {
		e.atPoint(p, func() {
			e.f.Comment("%s", p.text("sum"))
			sum := sums[i]
			if red.isLanes {
				sum = e.f.Sum(sum)
			}
			e.vals[r.Var] = value{vec: sum}
			e.statements(e.prepared.body[1:])
		})
	}
}

// leave notes the ranges that differ between the points of a tile.
func (red *reduction) leave(points []point) {
	red.later = nil
	for _, w := range red.r.Within {
		if red.usesLanes(w) || slices.ContainsFunc(points[0].axes, func(v *loop.Var) bool { return w.Index.Uses(v) }) {
			red.later = append(red.later, w)
		}
	}
}

// usesLanes reports whether a range holds for some lanes and not for others.
func (red *reduction) usesLanes(w loop.Range) bool {
	for v := range red.emitter.isLane {
		if w.Index.Uses(v) {
			return true
		}
	}
	return false
}

// underRanges runs body for the lanes that are inside all ranges left for
// later, if any is.
func (red *reduction) underRanges(body func()) {
	e := red.emitter
	outer := e.inRange
	defer func() { e.inRange = outer }()
	for _, w := range red.later {
		if red.usesLanes(w) {
			some, mask := e.lanesInside(w)
			if !some {
				return
			}
			if mask != 0 && e.inRange != 0 {
				mask = e.f.MaskAnd(mask, e.inRange)
			}
			if mask != 0 {
				e.inRange = mask
			}
			continue
		}
		inside, known := e.inside(w)
		if !known {
			e.fail("a range is not known for a whole tile")
		}
		if !inside {
			return
		}
	}
	body()
}

// lanesInside gives the lanes that a range holds for, none standing for all.
// The range must be known but for the lane.
func (e *emitter) lanesInside(w loop.Range) (some bool, mask asm.Reg) {
	a := e.affine(w.Index)
	step, rest := a.lane(), a.withoutLane()
	if least, most := a.bounds(); least >= 0 && most < w.Extent {
		return true, 0
	}
	if !rest.isConst() {
		e.fail("a range is not known for the lanes")
	}
	lo, hi := 0, 0 // the lanes inside are lo to hi-1
	for lane := range e.width {
		if at := rest.konst + step*lane; at >= 0 && at < w.Extent {
			hi = lane + 1
		} else if hi == 0 {
			lo = lane + 1
		}
	}
	if lo >= hi {
		return false, 0
	}
	return true, e.lanesBetween(lo, hi)
}

// lanesBetween is the mask of the lanes lo to hi-1.
func (e *emitter) lanesBetween(lo, hi int) asm.Reg {
	name := fmt.Sprint("lanes ", lo, hi)
	for i := len(e.scopes) - 1; i >= 0; i-- {
		if r, ok := e.scopes[i].loads[name]; ok {
			return r
		}
	}
	mask := e.f.FirstLanes(hi)
	if lo > 0 {
		mask = e.f.MaskAnd(mask, e.f.MaskNot(e.f.FirstLanes(lo)))
	}
	e.top().loads[name] = mask
	return mask
}

// terms adds one term to the sum of each point at which it is inside.
func (red *reduction) terms(points []point, sums []asm.Reg) {
	e := red.emitter
	for i, p := range points {
		e.atPoint(p, func() {
			red.underRanges(func() { e.term(red.r, &accumulator{sum: sums[i]}, red.isLanes) })
		})
	}
}

// leastPrefetched is the number of terms of a tile that hide the time in which
// memory answers.
const leastPrefetched = 256

// tilesAhead is for which tile along a row it is done: memory takes longer to
// answer than one tile takes.
const tilesAhead = 2

// prefetch asks for the vectors that the rest of the body reads at each point,
// such as the parameters that a gradient updates, before the sums begin.
func (e *emitter) prefetch(r *loop.Reduce, points []point) {
	terms := len(points)
	for _, v := range r.Axes {
		if !e.isLane[v] {
			terms *= v.Extent
		}
	}
	if e.lane == nil || terms < leastPrefetched {
		return
	}
	ahead := 0
	if last := e.axes[len(e.axes)-1]; e.row != nil && e.isVector[last] {
		ahead = 4 * e.width * e.size[last] * tilesAhead
	}
	for _, p := range points {
		e.atPoint(p, func() {
			loop.WalkExprs(e.body[1:], func(x *loop.Expr) {
				if x.Op != loop.Get {
					return
				}
				if at := e.int(x.Args[0]); at.aff != nil && at.aff.lane() == 1 {
					m := e.memory(x.Value, *at.aff)
					m.Disp += ahead
					e.f.Prefetch(m)
				}
			})
		})
	}
}

// pixelsAhead gives what asks for the pixels of the next tile along a row, one
// block of channels at a time, of a convolution of one pixel whose lanes are
// channels: the blocks lie far apart, so that the processor does not foresee
// them.
func (e *emitter) pixelsAhead(r *loop.Reduce, points []point) func() {
	if !e.inChannels || len(r.Axes) < 2 || len(r.Within) > 0 {
		return nil
	}
	inner := r.Axes[len(r.Axes)-1]
	var row *loop.Var
	for _, v := range e.axes {
		if slices.ContainsFunc(gets(r.Of), func(t *loop.Expr) bool { return !e.vectorLoad(t) && t.Uses(v) }) {
			row = v
		}
	}
	if inner.Extent != ir.LaneBlock || row == nil {
		return nil
	}
	return func() {
		seen := map[string]bool{}
		e.at[inner] = number(0)
		for _, p := range points {
			e.atPoint(p, func() {
				for _, t := range gets(r.Of) {
					at := e.int(t.Args[0])
					if at.aff == nil || at.aff.lane() != 0 || !t.Uses(row) {
						continue
					}
					m := e.memory(t.Value, *at.aff)
					step, _ := flatStride(t.Args[0], row)
					m.Disp += 4 * step * max(e.size[row], 1)
					if k := fmt.Sprint(m); !seen[k] {
						seen[k] = true
						e.f.Prefetch(m)
					}
				}
			})
		}
		delete(e.at, inner)
	}
}

// reduce emits a reduction at one point.
func (e *emitter) reduce(r *loop.Reduce) {
	if e.isWindow {
		e.window(r)
		return
	}
	red := &reduction{emitter: e, r: r, checked: map[int]bool{}}
	red.unroll = e.unrollFor(r, 1)
	chains := 1
	if r.Arg == nil && red.unroll > 1 && len(r.Body) == 0 {
		chains = min(4, red.unroll)
	}
	acc := make([]accumulator, chains)
	for i := range acc {
		e.start(r, &acc[i])
	}
	red.body = func(step int) {
		e.statements(r.Body)
		red.underRanges(func() { e.term(r, &acc[step%chains], red.isLanes) })
	}
	red.leave([]point{{}})
	red.run()
	for n := chains; n > 1; n = (n + 1) / 2 {
		for i := 0; i < n/2; i++ {
			e.combine(r.Kind, acc[i].sum, acc[n-1-i].sum)
		}
	}
	sum := acc[0].sum
	if red.isLanes {
		switch r.Kind {
		case loop.Sum:
			sum = e.f.Sum(sum)
		case loop.Maximum:
			sum = e.f.MaxLanes(sum)
		default:
			e.fail("a product over lanes")
		}
	}
	e.vals[r.Var] = value{vec: sum}
	if r.Arg != nil {
		if red.isLanes {
			e.fail("the place of a maximum over lanes")
		}
		e.vals[r.Arg] = value{vec: acc[0].arg, isInt: true}
	}
}

func (e *emitter) combine(kind loop.Reduction, into, other asm.Reg) {
	op := map[loop.Reduction]asm.VecOp{loop.Sum: asm.Add, loop.Product: asm.Mul, loop.Maximum: asm.Max}[kind]
	e.f.OpTo(into, op, into, other)
}

// unrollFor says how many steps of the innermost axis to write out.
func (e *emitter) unrollFor(r *loop.Reduce, points int) int {
	inner := e.innermost(r)
	if inner == nil {
		return 1
	}
	if len(r.Body) > 0 {
		return 1
	}
	parts := e.cut(inner)
	if len(parts) == 1 && parts[0].to-parts[0].from <= mostUnrolled && points*(parts[0].to-parts[0].from) <= mostTerms {
		return parts[0].to - parts[0].from
	}
	for _, u := range []int{8, 6, 4, 3, 2} {
		if u*points > 48 {
			continue
		}
		fits := true
		for _, p := range parts {
			n := p.to - p.from
			fits = fits && (n%u == 0 || n == 1)
		}
		if fits {
			return u
		}
	}
	return 1
}

// innermost is the last axis that is no lane.
func (e *emitter) innermost(r *loop.Reduce) *loop.Var {
	for i := len(r.Axes) - 1; i >= 0; i-- {
		if !e.isLane[r.Axes[i]] {
			return r.Axes[i]
		}
	}
	return nil
}

func (red *reduction) run() {
	e := red.emitter
	outer := e.lane
	for _, v := range red.r.Axes {
		if e.isLane[v] {
			if e.lane != nil {
				e.fail("lanes inside of lanes")
			}
			e.lane = e.laneSymbol()
			e.at[v] = e.lane.affine()
			red.isLanes = true
		}
	}
	valid := e.valid
	red.axis(0)
	e.lane, e.valid = outer, valid
	for _, v := range red.r.Axes {
		delete(e.at, v)
	}
}

// axis emits the loops from axis i on.
func (red *reduction) axis(i int) {
	if red.atStop != nil && i == red.stop {
		red.atStop()
		return
	}
	red.continueAt(i)
}

// guard runs body where the ranges hold that depend on axes before stop and on
// the axes of the nest.
func (red *reduction) guard(body func()) {
	at, loops := red.atStop, red.stop
	red.atStop, red.stop = body, loops
	red.checks(loops, func() { body() })
	red.atStop, red.stop = at, loops
}

// continueAt emits the loops from axis i on.
func (red *reduction) continueAt(i int) { red.checks(i, func() { red.loops(i) }) }

// checks runs body under those ranges that no axis from i on decides.
func (red *reduction) checks(i int, body func()) {
	e := red.emitter
	var tests []test
	var passed []int
	defer func() {
		for _, n := range passed {
			delete(red.checked, n)
		}
	}()
	for n, w := range red.r.Within {
		if red.checked[n] || red.isLater(w) || !red.known(w, i) {
			continue
		}
		inside, known := e.inside(w)
		if known && !inside {
			return
		}
		red.checked[n] = true
		passed = append(passed, n)
		if !known {
			a := e.affine(w.Index)
			tests = append(tests, test{a, asm.Ge}, test{a.plus(number(w.Extent), -1), asm.Lt})
		}
	}
	if len(tests) > 0 {
		e.branch(e.undecided(tests), body)
		return
	}
	body()
}

// undecided leaves out tests that always hold.
func (e *emitter) undecided(tests []test) []test {
	var list []test
	for _, t := range tests {
		least, most := t.of.bounds()
		switch {
		case t.cond == asm.Ge && least >= 0, t.cond == asm.Lt && most < 0:
		default:
			list = append(list, t)
		}
	}
	return list
}

func (red *reduction) isLater(w loop.Range) bool {
	for _, l := range red.later {
		if l.Index == w.Index {
			return true
		}
	}
	return false
}

// known reports whether all of the axes from i on are absent from a range.
func (red *reduction) known(w loop.Range, i int) bool {
	for _, v := range red.r.Axes[i:] {
		if w.Index.Uses(v) {
			return false
		}
	}
	bound := true
	w.Index.Walk(func(x *loop.Expr) {
		if x.Op == loop.Ref {
			_, isScalar := red.emitter.vals[x.Var]
			bound = bound && (isScalar || red.emitter.has(x.Var))
		}
	})
	return bound
}

func (red *reduction) loops(i int) {
	e := red.emitter
	if i == len(red.r.Axes) {
		red.body(0)
		return
	}
	v := red.r.Axes[i]
	if e.isLane[v] {
		red.axis(i + 1)
		return
	}
	if v != e.innermost(red.r) || e.unrolled[v] {
		e.along(v, func() { red.axis(i + 1) })
		return
	}
	if red.ahead != nil {
		red.ahead()
	}
	parts, done := red.clipped(v)
	defer func() {
		for _, n := range done {
			delete(red.checked, n)
		}
	}()
	step := 0
	for _, p := range parts {
		n := p.to - p.from
		u := red.unroll
		if n%u != 0 {
			u = 1
		}
		e.inPart(v, p, func() {
			e.f.Comment("over %s = %d to %d, %d written out", v.Name, p.from, p.to-1, u)
			e.loop(n/u, func(it affine) {
				for k := range u {
					e.at[v] = it.times(u).plus(number(p.from+k), 1)
					if e.reloads {
						e.push(nil, -1)
					}
					red.last(i+1, step+k)
					if e.reloads {
						e.pop()
					}
				}
			})
		})
	}
	delete(e.at, v)
}

// clipped gives the parts of the innermost axis of a contraction in channels
// that are inside of the ranges which it alone leaves open, and the numbers of
// those.
func (red *reduction) clipped(v *loop.Var) (parts []part, done []int) {
	e := red.emitter
	parts = e.cut(v)
	if !e.inChannels || len(parts) != 1 || parts[0].size > 1 {
		return parts, nil
	}
	lo, hi := parts[0].from, parts[0].to
	for n, w := range red.r.Within {
		a, ok := w.Index.ToAffine()
		if red.checked[n] || red.isLater(w) || !ok || a.Coef[v] < 1 {
			continue
		}
		e.at[v] = number(0)
		rest := e.affine(w.Index)
		delete(e.at, v)
		if !rest.isConst() {
			continue
		}
		step := a.Coef[v]
		for lo < hi && rest.konst+step*lo < 0 {
			lo++
		}
		for lo < hi && rest.konst+step*(hi-1) >= w.Extent {
			hi--
		}
		red.checked[n] = true
		done = append(done, n)
	}
	if lo >= hi {
		return nil, done
	}
	clip := parts[0]
	clip.from, clip.to = lo, hi
	return []part{clip}, done
}

// last is axis for what is left after the innermost loop: lanes.
func (red *reduction) last(i, step int) {
	body := red.body
	red.body = func(int) { body(step) }
	red.axis(i)
	red.body = body
}

// inside decides a range where it can.
func (e *emitter) inside(w loop.Range) (inside, known bool) {
	a := e.affine(w.Index)
	least, most := a.bounds()
	switch {
	case least >= 0 && most < w.Extent:
		return true, true
	case most < 0 || least >= w.Extent:
		return false, true
	}
	return false, false
}

// term adds one term of a reduction to an accumulator.
func (e *emitter) term(r *loop.Reduce, acc *accumulator, lanes bool) {
	var cond value
	if r.Where != nil {
		cond = e.bool(r.Where)
		if cond.truth != nil && !*cond.truth {
			return
		}
		if cond.truth == nil && cond.mask == 0 {
			e.start(r, acc)
			e.branch(cond.uniform, func() { e.combineTerm(r, acc, lanes, 0) })
			return
		}
	}
	e.combineTerm(r, acc, lanes, cond.mask)
}

func isProductOfLoads(x *loop.Expr) bool {
	return x.Args[0].Op == loop.Get && x.Args[1].Op == loop.Get
}

func (e *emitter) combineTerm(r *loop.Reduce, acc *accumulator, lanes bool, mask asm.Reg) {
	if lanes && e.valid != 0 {
		first := e.f.FirstLanes(e.valid)
		if mask != 0 {
			first = e.f.MaskAnd(first, mask)
		}
		mask = first
	}
	term := e.withoutQuotient(r.Of)
	// A load outside of the range gives 0, which as a factor leaves the sum alone.
	if mask == 0 && acc.sum != 0 && r.Kind == loop.Sum && term.Op == loop.Mul && (e.inRange == 0 || isProductOfLoads(term)) {
		a := e.float(term.Args[0])
		e.f.FMA(acc.sum, a, e.float(term.Args[1]))
		return
	}
	if e.inRange != 0 {
		if mask == 0 {
			mask = e.inRange
		} else {
			mask = e.f.MaskAnd(mask, e.inRange)
		}
	}
	if mask != 0 {
		e.masks = append(e.masks, mask)
		defer func() { e.masks = e.masks[:len(e.masks)-1] }()
	}
	of := e.float(term)
	switch r.Kind {
	case loop.Sum:
		if mask != 0 {
			of = e.f.Keep(mask, of)
		}
		if acc.sum == 0 {
			acc.sum = e.copied(of)
			return
		}
		e.f.OpTo(acc.sum, asm.Add, acc.sum, of)
	case loop.Product:
		e.start(r, acc)
		if mask != 0 {
			of = e.f.Select(mask, of, e.constant(1))
		}
		e.f.OpTo(acc.sum, asm.Mul, acc.sum, of)
	case loop.Maximum:
		e.larger(r, acc, of, mask)
	}
}

// larger makes a term the maximum in the lanes of a mask, or in all, where it is
// larger. NaN is not, as Max takes its second operand then.
func (e *emitter) larger(r *loop.Reduce, acc *accumulator, of, mask asm.Reg) {
	isFirst := acc.sum == 0
	if isFirst {
		e.start(r, acc)
	}
	var larger asm.Reg
	if r.Arg != nil || mask != 0 {
		larger = e.f.Cmp(asm.GtP, of, acc.sum)
		if mask != 0 {
			larger = e.f.MaskAnd(larger, mask)
		}
	}
	if r.Arg != nil {
		place := e.int(r.ArgOf)
		switch {
		case isFirst && place.aff != nil && place.aff.isConst() && place.aff.konst == 0: // as it is without a winner
		case isFirst:
			acc.arg = e.f.Keep(larger, e.vectorInt(place))
		default:
			e.f.Move(acc.arg, e.f.Select(larger, e.vectorInt(place), acc.arg))
		}
	}
	if mask != 0 {
		e.f.Move(acc.sum, e.f.Select(larger, of, acc.sum))
	} else {
		e.f.OpTo(acc.sum, asm.Max, of, acc.sum)
	}
}
