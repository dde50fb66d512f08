package vector

import (
	"slices"

	"netc/codegen/asm"
	"netc/ir/loop"
)

// blocking is how a contraction over lanes runs when its sums do not fit in
// registers for the whole reduction: the outer axes of the reduction loop
// around the tiles, and every sum of a task waits in scratch memory, a vector
// each, until the next block adds to it. What the tiles of one task read in a
// block is then read once from afar and stays near.
//
//	for outer: for tile: load sums; for inner: multiply and add; store sums
//	for points: add up the lanes of the sums; the rest of the body
//
// Without it each tile would stream both operands from the far cache, at half
// a load for each multiply-add.
type blocking struct {
	split  int               // axes of the reduction before this number are outer
	slots  map[*loop.Var]int // vectors of scratch from one index of an axis to the next
	axes   []*loop.Var       // the axes of a task, in the order of the scratch
	count  int               // vectors of scratch
	merged *loop.Var         // what the inner axes are in the final pass
	inner  []*loop.Var       // those axes, which merged replaces
	final  []loop.Stmt       // the rest of the body in terms of merged
}

// Bounds of a task's blocks, in bytes: the sums, and what is read in a block.
const (
	mostSums  = 24 << 10
	nearReads = 32 << 10
)

// leastGroups is the number of tasks below which tasks do not grow.
const leastGroups = 16

// leastInner is the number of steps of a block that hides the loads and stores
// of the sums.
const leastInner = 14

// block decides whether a contraction with lanes of its own is blocked, and
// cuts its axes into tasks of several tiles.
func (p *prepared) block(r *loop.Reduce) *blocking {
	if !slices.ContainsFunc(r.Axes, func(v *loop.Var) bool { return p.isLane[v] }) || len(p.axes) < 2 {
		return nil
	}
	steps, split := 1, len(r.Axes)
	for split > 0 {
		v := r.Axes[split-1]
		if p.isLane[v] {
			split--
			continue
		}
		if steps >= leastInner || p.parts[v] != nil && steps > 1 {
			break
		}
		if d := innerSteps(v.Extent, steps); d < v.Extent && p.parts[v] == nil {
			r = p.cutReduction(v, d)
			steps *= d
			break
		}
		steps *= v.Extent
		split--
	}
	outer := 1
	for _, v := range r.Axes[:split] {
		outer *= v.Extent
	}
	if outer == 1 || steps < leastInner/2 {
		return nil
	}
	b := &blocking{split: split}
	// The tiled axes take turns in growing until the sums or the reads are many.
	var tiled []*loop.Var
	fixed := 1
	for _, v := range p.axes {
		if tile := p.cutOf(v)[0].size; tile > 1 {
			tiled = append(tiled, v)
		} else {
			fixed *= v.Extent
		}
	}
	group := map[*loop.Var]int{}
	for _, v := range tiled {
		group[v] = p.cutOf(v)[0].size
	}
	vector := 4 * p.width
	fits := func() bool {
		sums, reads, tasks := fixed, 0, 1
		for _, v := range tiled {
			sums *= group[v]
			reads += group[v]
			tasks *= (v.Extent + group[v] - 1) / group[v]
		}
		return sums*vector <= mostSums && reads*steps*vector <= nearReads && tasks >= leastGroups
	}
	if len(tiled) == 0 || fixed*group[tiled[0]]*vector > 4*mostSums {
		return nil
	}
	for grown := true; grown; {
		grown = false
		slices.SortStableFunc(tiled, func(x, y *loop.Var) int { return group[x] - group[y] })
		for _, v := range tiled {
			tile := p.cutOf(v)[0].size
			if group[v]+tile > v.Extent {
				if group[v] == v.Extent {
					continue
				}
				old := group[v]
				if group[v] = v.Extent; !fits() {
					group[v] = old
					continue
				}
				grown = true
				break
			}
			if group[v] += tile; fits() {
				grown = true
				break
			}
			group[v] -= tile
		}
	}
	for _, v := range tiled {
		p.cutGroup(v, evenly(v.Extent, group[v], p.cutOf(v)[0].size))
	}
	return b
}

// evenly shrinks groups of an axis, in whole tiles, to about equal size.
func evenly(extent, group, tile int) int {
	groups := (extent + group - 1) / group
	return min(((extent+groups-1)/groups+tile-1)/tile*tile, extent)
}

// innerSteps is the smallest divisor of an axis that makes a block long enough,
// or all of the axis.
func innerSteps(extent, steps int) int {
	for d := 1; d < extent; d++ {
		if extent%d == 0 && d*steps >= leastInner {
			return d
		}
	}
	return extent
}

// cutReduction splits an axis of the contraction's sum into blocks and what
// runs inside of one.
func (p *prepared) cutReduction(v *loop.Var, size int) *loop.Reduce {
	outer, inner := loop.Axis(v.Name+"k", v.Extent/size), loop.Axis(v.Name+"i", size)
	p.body = replaceAxisIn(p.body, v, []*loop.Var{outer, inner}, loop.Plus(loop.Times(loop.R(outer), loop.I(size)), loop.R(inner)))
	return p.body[0].(*loop.Reduce)
}

// cutGroup makes an axis an outer one that counts groups of points, and an
// inner one that runs through the tiles of a group.
func (p *prepared) cutGroup(v *loop.Var, size int) (outer, inner *loop.Var) {
	tile := p.cutOf(v)[0].size
	whole, rest := v.Extent/size, v.Extent%size
	outer, inner = loop.Axis(v.Name+"g", (v.Extent+size-1)/size), loop.Axis(v.Name+"i", size)
	p.isGroup[outer] = true
	p.parts[inner] = chunked([]part{{from: 0, to: size, size: 1}}, tile)
	delete(p.parts, v)
	if rest > 0 {
		p.parts[outer] = endingWith(part{from: whole, to: whole + 1, size: 1,
			inner: map[*loop.Var][]part{inner: chunked([]part{{from: 0, to: rest, size: 1}}, tile)}})
	}
	i := slices.Index(p.axes, v)
	p.axes[i] = inner
	p.axes = slices.Insert(p.axes, 0, outer)
	p.body = replaceAxisIn(p.body, v, nil, loop.Plus(loop.Times(loop.R(outer), loop.I(size)), loop.R(inner)))
	return outer, inner
}

// arrange gives every point of a task its vector of scratch, in the order of
// the axes that are no tasks, and looks for axes that the final pass can treat
// as one.
func (p *prepared) arrange(b *blocking, parallel int) {
	rest := p.body[1:]
	axes := slices.Clone(p.axes[parallel:])
	// As they lie in what is stored, the last one innermost.
	for _, s := range rest {
		if put, ok := s.(*loop.Put); ok {
			if at, ok := put.At.ToAffine(); ok {
				slices.SortStableFunc(axes, func(x, y *loop.Var) int { return at.Coef[y] - at.Coef[x] })
			}
			break
		}
	}
	b.slots = map[*loop.Var]int{}
	b.count = 1
	for i := len(axes) - 1; i >= 0; i-- {
		b.slots[axes[i]] = b.count
		b.count *= axes[i].Extent
	}
	b.axes = axes
	merged, body := axes, rest
	for len(merged) > 1 {
		next, out, ok := loop.MergeAxes(merged, len(merged)-2, body)
		if !ok {
			break
		}
		merged, body = next, out
	}
	last := merged[len(merged)-1]
	ok := true
	for _, s := range body {
		if put, isPut := s.(*loop.Put); isPut {
			step, affine := flatStride(put.At, last)
			ok = ok && affine && step == 1
		}
	}
	loop.WalkExprs(body, func(x *loop.Expr) {
		if x.Op == loop.Get {
			step, affine := flatStride(x.Args[0], last)
			ok = ok && affine && (step == 0 || step == 1)
		}
	})
	if ok {
		b.merged, b.final = last, body
		b.inner = axes[len(merged)-1:]
	}
}

// blocked emits a blocked contraction once the task's axes are known.
func (e *emitter) blocked(b *blocking) {
	if e.prepared.lane != nil {
		e.lane = e.laneSymbol()
		e.at[e.prepared.lane] = e.lane.affine()
		defer func() { e.lane = nil }()
	}
	r := e.body[0].(*loop.Reduce)
	e.scratch = max(e.scratch, b.count*4*e.width)
	e.f.Comment("the sums of %d points wait in scratch memory", b.count)
	scratch := len(e.args)
	e.loop(b.count, func(it affine) {
		e.f.Store(asm.Mem{Base: e.pointer(pointer{scratch, it.times(e.width).terms})}, e.f.Zero())
	})
	red := &reduction{emitter: e, r: r, checked: map[int]bool{}}
	inner := e.axes[e.s.parallel:]
	red.stop = b.split
	red.atStop = func() { e.tiles(b, red, inner) }
	red.run()
	e.finish(b)
}

// tiles emits the loops over the tiles of a block.
func (e *emitter) tiles(b *blocking, red *reduction, axes []*loop.Var) {
	if len(axes) > 0 {
		e.along(axes[0], func() { e.tiles(b, red, axes[1:]) })
		return
	}
	points := e.tilePoints()
	slot := func(p point) (m asm.Mem) {
		e.atPoint(p, func() { m = e.slot(b) })
		return m
	}
	sums := make([]asm.Reg, len(points))
	red.leave(points)
	red.unroll = e.unrollFor(red.r, len(points))
	red.guard(func() {
		e.push(nil, -1)
		for i, p := range points {
			sums[i] = e.f.Load(slot(p))
		}
		asks := e.asksAhead(b)
		red.body = func(int) {
			red.terms(points, sums)
			if asks {
				e.askAhead(red.r, b, points[0])
			}
		}
		red.ahead = e.pixelsAhead(red.r, points)
		red.continueAt(b.split)
		for i, p := range points {
			e.f.Store(slot(p), sums[i])
		}
		e.pop()
	})
}

// slot is the vector of scratch of the sum at the point where the axes are.
func (e *emitter) slot(b *blocking) asm.Mem {
	at := number(0)
	for v, n := range b.slots {
		at = at.plus(e.at[v], n*e.width)
	}
	return asm.Mem{Base: e.pointer(pointer{len(e.args), at.terms}), Disp: 4 * at.konst}
}

func (e *emitter) has(v *loop.Var) bool { _, ok := e.at[v]; return ok }

// finish adds up the lanes of every sum and emits the rest of the body.
func (e *emitter) finish(b *blocking) {
	r := e.body[0].(*loop.Reduce)
	e.f.Comment("the sums are complete")
	if b.merged != nil && e.prepared.lane == nil {
		e.finishMerged(b)
		return
	}
	var walk func(axes []*loop.Var)
	walk = func(axes []*loop.Var) {
		if len(axes) > 0 {
			e.alongSingly(axes[0], func() { walk(axes[1:]) })
			return
		}
		sum := e.f.Load(e.slot(b))
		if e.prepared.lane == nil {
			sum = e.f.Sum(sum)
		}
		e.vals[r.Var] = value{vec: sum}
		e.statements(e.body[1:])
	}
	walk(b.axes)
}

// alongSingly is along, point by point.
func (e *emitter) alongSingly(v *loop.Var, body func()) {
	for _, p := range e.cut(v) {
		e.inPart(v, part{from: p.from, to: p.to, size: 1, valid: p.valid, inner: p.inner}, func() {
			e.loop(p.to-p.from, func(it affine) {
				e.at[v] = it.plus(number(p.from), 1)
				body()
			})
		})
	}
	delete(e.at, v)
}

// finishMerged treats the inner axes as one, a vector of neighbouring points at
// a time.
func (e *emitter) finishMerged(b *blocking) {
	scratch := len(e.args)
	r := e.body[0].(*loop.Reduce)
	outer := b.axes[:len(b.axes)-len(b.inner)]
	var walk func(axes []*loop.Var)
	walk = func(axes []*loop.Var) {
		if len(axes) > 0 {
			e.alongSingly(axes[0], func() { walk(axes[1:]) })
			return
		}
		base := number(0)
		for _, v := range outer {
			base = base.plus(e.at[v], b.slots[v]*e.width)
		}
		// In a last group fewer indices of the first merged axis are in use.
		count := b.merged.Extent
		if parts := e.cut(b.inner[0]); parts[len(parts)-1].to < b.inner[0].Extent {
			count = count / b.inner[0].Extent * parts[len(parts)-1].to
		}
		vectors := func(start affine, n int) {
			sums := make([]asm.Reg, n)
			at := base.plus(start, e.width*e.width)
			for i := range sums {
				sums[i] = e.f.Load(asm.Mem{Base: e.pointer(pointer{scratch, at.terms}), Disp: 4 * (at.konst + i*e.width)})
			}
			lanes, valid := e.lane, e.valid
			e.lane = e.laneSymbol()
			if n < e.width {
				e.valid = n
			}
			e.at[b.merged] = start.times(e.width).plus(e.lane.affine(), 1)
			e.vals[r.Var] = value{vec: e.f.Sums(sums)}
			e.statements(b.final)
			delete(e.at, b.merged)
			e.lane, e.valid = lanes, valid
		}
		if whole := count / e.width; whole > 0 {
			e.loop(whole, func(it affine) { vectors(it, e.width) })
		}
		if rest := count % e.width; rest > 0 {
			e.push(nil, -1)
			vectors(number(count/e.width), rest)
			e.pop()
		}
	}
	walk(outer)
}
