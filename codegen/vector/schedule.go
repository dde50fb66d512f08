package vector

import (
	"cmp"
	"math"
	"slices"

	"netc/codegen/asm"
	"netc/ir/loop"
)

// schedule says how a prepared nest runs: the first axes are tasks. Tiles are
// in the parts of the axes.
type schedule struct {
	parallel int
	blocking *blocking
}

// tasks is the number of tasks of a nest.
func (s schedule) tasks(p *prepared) int {
	n := 1
	for _, v := range p.axes[:s.parallel] {
		n *= tilesIn(p.cutOf(v))
	}
	return n
}

// Enough tasks to occupy many cores with a static partition.
const enoughTasks = 96

// A task of fewer vector operations than this is not worth a call of its own.
const leastWork = 4000

// cutOf is how an axis is cut outside of any part of another.
func (p *prepared) cutOf(v *loop.Var) []part {
	if list, ok := p.parts[v]; ok {
		return list
	}
	return []part{{from: 0, to: v.Extent, size: 1}}
}

// plan chooses tiles, the order of the axes and the tasks.
func (p *prepared) plan(isa asm.ISA) schedule {
	if p.passesOnce = p.areSums(); p.passesOnce {
		p.joinSums()
	} else if r := p.contraction(); r != nil {
		p.tile(r, isa)
		b := p.blockFor(p.body[0].(*loop.Reduce))
		if b != nil {
			groups := 0
			for groups < len(p.axes) && p.isGroup[p.axes[groups]] {
				groups++
			}
			if b.split == 0 {
				return schedule{parallel: groups}
			}
			p.arrange(b, groups)
			return schedule{parallel: groups, blocking: b}
		}
	} else {
		p.writeWindow()
		p.cutRowEdges()
		p.halvesOutside()
		p.unrollElements()
	}
	return p.chooseTasks()
}

// blockFor arranges a contraction around what stays near.
func (p *prepared) blockFor(r *loop.Reduce) *blocking {
	switch {
	case p.inChannels && p.storesImages():
		return p.blockPixels(r)
	case p.inChannels:
		return p.blockWeights(r)
	}
	if b := p.block(r); b != nil {
		return b
	}
	return p.blockChannels(r)
}

// storesImages reports whether the nest stores images with channels in lanes.
func (p *prepared) storesImages() bool {
	return slices.ContainsFunc(p.body, func(s loop.Stmt) bool {
		put, ok := s.(*loop.Put)
		return ok && put.Value.Type.Lanes == 2
	})
}

// contraction is the sum of products at the heart of a convolution or matrix
// product, or nil.
func (p *prepared) contraction() *loop.Reduce {
	if len(p.body) == 0 {
		return nil
	}
	r, ok := p.body[0].(*loop.Reduce)
	if !ok || r.Kind != loop.Sum || r.Arg != nil || len(r.Axes) == 0 || len(r.Body) > 0 || r.Where != nil || len(gets(r.Of)) < 2 || r.Of.Op != loop.Mul {
		return nil
	}
	for _, s := range p.body[1:] {
		switch s.(type) {
		case *loop.Let, *loop.Put:
		default:
			return nil
		}
	}
	return r
}

func gets(x *loop.Expr) []*loop.Expr {
	var list []*loop.Expr
	x.Walk(func(y *loop.Expr) {
		if y.Op == loop.Get {
			list = append(list, y)
		}
	})
	return list
}

// machine describes what bounds a tile.
type machine struct {
	registers int
	latency   float64 // cycles from one multiply-add into a sum to the next, with some slack
}

func machineOf(isa asm.ISA) machine {
	if isa == asm.AVX512 {
		return machine{32, 4.6}
	}
	return machine{16, 4.6}
}

// tile chooses the register tile of a contraction: the pair of axes and sizes
// that takes the fewest cycles for all points.
func (p *prepared) tile(r *loop.Reduce, isa asm.ISA) {
	m := machineOf(isa)
	p.tapsLast(r)
	r = p.body[0].(*loop.Reduce)
	var terms []operand
	for _, t := range gets(r.Of) {
		at, affine := t.Args[0].ToAffine()
		terms = append(terms, operand{t, at, affine, p.vectorLoad(t)})
	}
	var axes []*loop.Var
	for _, v := range p.axes {
		if p.unrolled[v] || p.isLimit(v) || p.limits[v].outer != nil || v.Extent < 2 || !p.hasKnownEdges(r, v) {
			continue
		}
		isPart := !slices.ContainsFunc(terms, func(t operand) bool { return !t.uses(v) })
		if p.inChannels && !p.storesImages() && (isPart || p.hasRanges(v)) { // a part of the batch, a task; a tap, for which blockWeights clips the pixels
			continue
		}
		axes = append(axes, v)
	}
	type choice struct {
		a, b    *loop.Var
		pa, pb  []part
		reloads bool
	}
	var best choice
	least := math.Inf(1)
	single := []part{{from: 0, to: 1, size: 1}}
	inner := r.Axes[len(r.Axes)-1]
	estimate := func(a, b *loop.Var, pa, pb []part, reloads bool) {
		cycles := 0.0
		for _, x := range pa {
			for _, y := range pb {
				c, ok := m.cycles(terms, inner, a, b, x.size, y.size, reloads)
				if !ok {
					return
				}
				cycles += c * float64((x.to-x.from)/x.size*((y.to-y.from)/y.size))
			}
		}
		points := 1.0
		for _, v := range []*loop.Var{a, b} {
			if v != nil {
				points *= float64(v.Extent)
			}
		}
		// Blocks of the batch in one tile read twice as many images at once, and
		// do not let workers keep to their own.
		if p.blocks != nil && (a == p.blocks || b == p.blocks) {
			cycles *= 1.15
		}
		// Points that lie far apart bring in memory that the next point of the
		// row does not use.
		for _, v := range []*loop.Var{a, b} {
			if v != nil && slices.ContainsFunc(terms, func(t operand) bool { return (p.inChannels || t.isVector) && t.isFar(v) }) {
				cycles *= 1.05
			}
		}
		// More code for the same work is worse.
		cycles *= 1 + 0.004*float64(len(pa)*len(pb))
		if cycles/points < least {
			best, least = choice{a, b, pa, pb, reloads}, cycles/points
		}
	}
	consider := func(a, b *loop.Var, pa, pb []part) {
		estimate(a, b, pa, pb, false)
		if p.inChannels && inner.Extent <= mostUnrolled {
			estimate(a, b, pa, pb, true)
		}
	}
	most := m.registers - 3
	consider(nil, nil, single, single)
	for _, b := range axes {
		for sb := 1; sb <= min(most, b.Extent); sb++ {
			pb := p.tiled(r, b, sb)
			consider(nil, b, single, pb)
			for _, a := range axes {
				if a == b {
					continue
				}
				for sa := 2; sa <= min(most/sb, a.Extent); sa++ {
					consider(a, b, p.tiled(r, a, sa), pb)
				}
			}
		}
	}
	p.reloads = best.reloads
	for v, list := range map[*loop.Var][]part{best.a: best.pa, best.b: best.pb} {
		if v != nil {
			p.parts[v] = list
			for _, other := range p.parts {
				for i := range other {
					if inner, ok := other[i].inner[v]; ok {
						other[i].inner[v] = chunked(inner, list[0].size)
					}
				}
			}
		}
	}
	if p.row != best.a && p.row != best.b {
		p.cutRowEdges()
	}
	for _, v := range axes {
		if v == best.a || v == best.b || p.parts[v] != nil {
			continue
		}
		if lo, hi := loop.Interior(v, []loop.Stmt{r}); lo < hi && lo+v.Extent-hi > 0 && lo+v.Extent-hi <= mostEdges {
			p.parts[v] = atEdges(p.cutOf(v), lo, hi)
		}
	}
	// The outer axis of the tile comes before the inner one, so that what a row
	// of the tile shares is loaded once.
	p.order(r, best.a, best.b)
	p.stream()
}

// A task of a row-major product works on a run of each row, so that it reads and
// writes runs of memory and not single lines of many rows: as many vectors as
// keep the operand that passes by near, within these bounds.
const leastRun, mostRun = 8, 96

// stream cuts the lanes' axis of a row-major contraction into pieces, and moves
// what runs inside of a piece behind the other axes.
func (p *prepared) stream() {
	i := slices.Index(p.axes, p.row)
	if p.row == nil || i < 0 || len(p.axes) < 2 {
		return
	}
	steps := 1
	for _, v := range p.body[0].(*loop.Reduce).Axes {
		steps *= v.Extent
	}
	streamed := min(max(nearImages/(4*p.width*steps), leastRun), mostRun)
	if p.row.Extent < 2*streamed {
		return
	}
	v := p.row
	before := len(p.axes)
	p.cutLong(i, (v.Extent+streamed-1)/streamed)
	if len(p.axes) > before {
		inner := p.axes[i+1]
		p.axes = append(slices.Delete(p.axes, i+1, i+2), inner)
	}
}

// hasRanges reports whether some range depends on an axis.
func (p *prepared) hasRanges(v *loop.Var) bool {
	found := false
	loop.WalkStmts(p.body, func(s loop.Stmt) {
		if r, ok := s.(*loop.Reduce); ok {
			found = found || slices.ContainsFunc(r.Within, func(w loop.Range) bool { return w.Index.Uses(v) })
		}
	})
	return found
}

// cutRowEdges cuts a row so that every vector of which some lanes are outside
// of a range is a part of its own.
func (p *prepared) cutRowEdges() {
	if p.row != nil && p.hasRanges(p.row) {
		p.parts[p.row] = p.rowParts(1)
	}
}

// rowParts gives those parts, in tiles of a size.
func (p *prepared) rowParts(size int) []part {
	v := p.row
	lo, hi := loop.Interior(v, p.body)
	if lo >= hi {
		lo, hi = v.Extent, v.Extent
	}
	whole := p.cutOf(v)
	valid := whole[len(whole)-1].valid // of the last vector
	if valid != 0 {
		hi = min(hi, v.Extent-1)
		lo = min(lo, hi)
	}
	var list []part
	constant := func(from, to int) {
		for from < to {
			n := min(size, to-from)
			q := part{from: from, to: from + n, size: n}
			if from+n == v.Extent && valid != 0 && n > 1 { // the last vector alone
				n--
				q.to, q.size = q.to-1, n
			}
			if q.to == v.Extent {
				q.valid = valid
			}
			list = append(list, q)
			from += n
		}
	}
	constant(0, lo)
	if lo < hi {
		list = append(list, chunked([]part{{from: lo, to: hi, size: 1}}, size)...)
	}
	constant(hi, v.Extent)
	return list
}

// mostEdges is the number of points of an axis, at both ends, that are written
// out because some taps lie outside.
const mostEdges = 6

// atEdges cuts the parts of an axis into its points before lo and from hi on, one
// by one, and the rest.
func atEdges(parts []part, lo, hi int) []part {
	var list []part
	for _, q := range parts {
		for k := q.from; k < q.to; k = list[len(list)-1].to {
			piece := q
			piece.from, piece.to = k, k+1
			if lo <= k && k < hi {
				piece.to = min(q.to, hi)
			}
			list = append(list, piece)
		}
	}
	return list
}

// tapsLast moves the axes of a reduction that its ranges depend on to the end:
// the taps of a filter are then written out, neighbouring taps share loads, and
// a tile at an edge knows which of them lie outside.
func (p *prepared) tapsLast(r *loop.Reduce) {
	var first, last []*loop.Var
	for _, v := range r.Axes {
		if p.isLane[v] || p.isVector[v] && p.parts[v] != nil {
			return
		}
		if slices.ContainsFunc(r.Within, func(w loop.Range) bool { return w.Index.Uses(v) }) {
			last = append(last, v)
		} else {
			first = append(first, v)
		}
	}
	if len(first) == 0 || len(last) == 0 {
		return
	}
	copied := *r
	copied.Axes = append(first, last...)
	p.body = append([]loop.Stmt{&copied}, p.body[1:]...)
}

// hasKnownEdges reports whether, at each point of a tile along v, every range
// is decided when the innermost axis of the reduction is written out.
func (p *prepared) hasKnownEdges(r *loop.Reduce, v *loop.Var) bool {
	if lo, hi := loop.Interior(v, []loop.Stmt{r}); lo == 0 && hi == v.Extent {
		return true
	}
	for _, w := range r.Within {
		a, ok := w.Index.ToAffine()
		if !ok {
			return false
		}
		if a.Coef[v] == 0 {
			continue
		}
		inner := r.Axes[len(r.Axes)-1]
		for u := range a.Coef {
			if u != v && !p.isLane[u] && (u != inner || u.Extent > mostUnrolled) {
				return false
			}
		}
	}
	return true
}

// cycles estimates one step of the reduction for a tile of sa by sb points.
// Where the innermost axis is written out, its steps share the loads of
// neighbouring points, unless each step loads again what it needs.
func (m machine) cycles(terms []operand, inner, a, b *loop.Var, sa, sb int, reloads bool) (float64, bool) {
	loads, lines, held := 0.0, 0.0, 0
	steps := 1
	if inner.Extent <= mostUnrolled && !reloads {
		steps = inner.Extent
	}
	for _, t := range terms {
		usesA, usesB := t.uses(a), t.uses(b)
		count := t.distinct(1, inner, steps, a, sa, b, sb)
		if t.isVector {
			lines += float64(t.distinct(lineFloats, inner, steps, a, sa, b, sb)) / float64(steps)
		}
		loads += float64(count) / float64(steps)
		switch {
		case usesA && !usesB && steps > 1 && count < sa*steps: // kept for the next step
			held += sa
		case usesA && usesB && steps > 1 && count < sa*sb*steps:
			held += sa * sb
		case usesA:
			held++
		case usesB:
			held += sb
		default:
			held++
		}
	}
	points := sa * sb
	if points+held > m.registers {
		return 0, false
	}
	return max(float64(points)/2, loads/1.8, (float64(points)+loads+2)/5, m.latency) + 0.03*loads + 0.25*lines, true
}

// operand is a load of a contraction.
type operand struct {
	load     *loop.Expr
	at       loop.Affine // its position
	isAffine bool
	isVector bool // moves with the lanes
}

func (o operand) uses(v *loop.Var) bool {
	switch {
	case v == nil:
		return false
	case o.isAffine:
		return o.at.Coef[v] != 0
	}
	return o.load.Uses(v)
}

// isFar reports whether neighbours along an axis are more than a few pixels
// apart in memory.
func (o operand) isFar(v *loop.Var) bool { return !o.isAffine || magnitude(o.at.Coef[v]) > 128 }

// lineFloats is the number of elements in a cache line.
const lineFloats = 16

// distinct counts the pieces of memory, of so many elements, that a load reads
// at all points of a tile in a number of steps of the innermost axis.
func (o operand) distinct(piece int, inner *loop.Var, steps int, a *loop.Var, sa int, b *loop.Var, sb int) int {
	if !o.isAffine {
		return sa * sb * steps
	}
	moves := []progression{{o.at.Coef[inner], steps}}
	if a != nil {
		moves = append(moves, progression{o.at.Coef[a], sa})
	}
	if b != nil {
		moves = append(moves, progression{o.at.Coef[b], sb})
	}
	return distinctSums(moves, piece)
}

// progression is 0, step, 2 step and so on, so many numbers.
type progression struct{ step, count int }

// distinctSums counts the different sums of one number of each progression,
// divided by piece.
func distinctSums(list []progression, piece int) int {
	list = slices.DeleteFunc(list, func(p progression) bool { return p.step == 0 || p.count == 1 })
	slices.SortFunc(list, func(x, y progression) int { return cmp.Compare(magnitude(x.step), magnitude(y.step)) })
	// Like the digits of a number, each step may exceed what those before span.
	count, span, unlike := 1, 0, piece == 1
	for _, p := range list {
		unlike = unlike && magnitude(p.step) > span
		span += magnitude(p.step) * (p.count - 1)
		count *= p.count
	}
	if unlike {
		return count
	}
	sums := []int{0}
	for _, p := range list {
		more := make([]int, 0, len(sums)*p.count)
		for i := range p.count {
			for _, s := range sums {
				more = append(more, s+p.step*i)
			}
		}
		slices.Sort(more)
		sums = slices.Compact(more)
	}
	for i := range sums {
		sums[i] /= piece
	}
	return len(slices.Compact(sums))
}

// tiled cuts an axis into tiles of a size. Where a range has to be checked at
// its ends, the points there are emitted one tile at a time, with what lies
// outside left out.
func (p *prepared) tiled(r *loop.Reduce, v *loop.Var, size int) []part {
	if v == p.row && p.hasRanges(v) {
		return p.rowParts(size)
	}
	if list, ok := p.parts[v]; ok {
		return chunked(list, size)
	}
	lo, hi := loop.Interior(v, []loop.Stmt{r})
	if lo >= hi {
		lo, hi = v.Extent, v.Extent
	}
	var list []part
	constant := func(from, to int) {
		n := (to - from + size - 1) / size
		for i := range n {
			f, t := from+(to-from)*i/n, from+(to-from)*(i+1)/n
			list = append(list, part{from: f, to: t, size: t - f})
		}
	}
	if (lo > 0 || hi < v.Extent) && v.Extent <= 16 && size > 1 {
		constant(0, v.Extent)
		return list
	}
	if size == 1 && (lo > 0 || hi < v.Extent) {
		return []part{{from: 0, to: v.Extent, size: 1}}
	}
	if p.inChannels && v.Extent >= 2*size { // whole tiles at the ends too
		if lo > 0 {
			lo = min((lo+size-1)/size*size, v.Extent)
		}
		if hi < v.Extent {
			hi = max(v.Extent-(v.Extent-hi+size-1)/size*size, lo)
		}
	}
	constant(0, lo)
	if lo < hi {
		list = append(list, chunked([]part{{from: lo, to: hi, size: 1}}, size)...)
	}
	constant(hi, v.Extent)
	return list
}

// chunked cuts parts into tiles. A rest that is small shares with the tile
// before it.
func chunked(parts []part, size int) []part {
	var out []part
	for _, p := range parts {
		n := p.to - p.from
		if p.valid != 0 || size == 1 || n <= 1 {
			out = append(out, p)
			continue
		}
		whole, rest := n/size, n%size
		add := func(from, to, size int) {
			if from < to {
				q := p
				q.from, q.to, q.size = from, to, size
				out = append(out, q)
			}
		}
		switch {
		case rest == 0:
			add(p.from, p.to, size)
		case whole == 0:
			add(p.from, p.to, rest)
		case rest <= size/2:
			both := size + rest
			start := p.from + (whole-1)*size
			add(p.from, start, size)
			if both%2 == 0 {
				add(start, p.to, both/2)
			} else {
				add(start, start+(both+1)/2, (both+1)/2)
				add(start+(both+1)/2, p.to, both/2)
			}
		default:
			add(p.from, p.from+whole*size, size)
			add(p.from+whole*size, p.to, rest)
		}
	}
	return out
}

// nearCache is the part of the second cache that loop orders aim at, in bytes.
const nearCache = 256 << 10

// order puts the axes of a contraction in the order in which they loop.
func (p *prepared) order(r *loop.Reduce, a, b *loop.Var) {
	axes := slices.Clone(p.axes)
	// The halves of a block: an axis of their own right after the blocks, unless
	// they are in the tile.
	if i := slices.Index(axes, p.half); i >= 0 && p.half != a && p.half != b {
		axes = slices.Delete(axes, i, i+1)
		axes = slices.Insert(axes, slices.Index(axes, p.blocks)+1, p.half)
	}
	terms := gets(r.Of)
	if len(terms) == 2 && a != nil && b != nil {
		axes = p.sweep(axes, terms)
	}
	// The inner tile axis last, unless it says how the other is cut.
	if i, j := slices.Index(axes, a), slices.Index(axes, b); a != nil && b != nil && i > j && !p.cuts(b, a) {
		axes = append(slices.Delete(axes, j, j+1), b)
	}
	p.axes = axes
}

// cuts reports whether some part of an axis cuts another in its own way.
func (p *prepared) cuts(v, other *loop.Var) bool {
	return slices.ContainsFunc(p.parts[v], func(q part) bool { return q.inner[other] != nil })
}

// sweep decides which operand of a product stays near while the other passes:
// an axis of the nest that only one operand uses is moved inside of the axes
// that only the other uses where that saves traffic.
func (p *prepared) sweep(axes []*loop.Var, terms []*loop.Expr) []*loop.Var {
	only := func(x, y *loop.Expr) (list []*loop.Var) {
		for _, v := range axes {
			if x.Uses(v) && !y.Uses(v) && !p.isVector[v] {
				list = append(list, v)
			}
		}
		return list
	}
	w, x := terms[1], terms[0]
	if !p.vectorLoad(x) && p.vectorLoad(w) {
		w, x = x, w
	}
	channels, pixels := only(w, x), only(x, w)
	if len(channels) == 0 || len(pixels) < 2 {
		return axes
	}
	bytes := func(t *loop.Expr) float64 { return float64(t.Value.Type.Bytes()) }
	slice := bytes(x)
	for _, v := range p.axes {
		if p.isVector[v] && x.Uses(v) {
			slice /= float64(v.Extent)
		}
	}
	tiles := 1.0
	for _, v := range channels {
		tiles *= float64(tilesIn(p.cutOf(v)))
	}
	rows := float64(pixels[0].Extent)
	weight := func(bytes float64) float64 {
		if bytes > nearCache {
			return 3
		}
		return 1
	}
	channelsOuter := slice * tiles * weight(slice)
	pixelsOuter := bytes(w)*rows*weight(bytes(w)) + slice*tiles*weight(slice/rows*3)
	if pixelsOuter >= channelsOuter {
		return axes
	}
	// The first pixel axis moves before the first channel axis.
	i, j := slices.Index(axes, channels[0]), slices.Index(axes, pixels[0])
	if i < j {
		axes = slices.Insert(slices.Delete(axes, j, j+1), i, pixels[0])
	}
	return axes
}

// vectorLoad reports whether a position moves with the lanes.
func (p *prepared) vectorLoad(t *loop.Expr) bool {
	for v := range p.isLane {
		if t.Uses(v) {
			return true
		}
	}
	return false
}

// isElementwise reports whether the body has no loops.
func (p *prepared) isElementwise() bool {
	return !slices.ContainsFunc(p.body, func(s loop.Stmt) bool {
		switch s.(type) {
		case *loop.Reduce, *loop.For:
			return true
		}
		return false
	})
}

// nearRun is for how many points of an axis, one half of a block after the
// other, both halves stay in the first cache.
const nearRun = 128

// halvesOutside moves the halves of a block outside of the axis before them,
// in runs that stay near: what only the lanes decide, such as the statistics of
// channels, is then the same for a run.
//
//	for a point, for a half    =>    for a run of points, for a half, for a point
func (p *prepared) halvesOutside() {
	last := len(p.axes) - 1
	if last < 1 || p.axes[last] != p.half || !p.isElementwise() {
		return
	}
	v := p.axes[last-1]
	if v == p.blocks || p.unrolled[v] || p.isLimit(v) || p.limits[v].outer != nil || p.overridden(v) {
		return
	}
	if pieces := (v.Extent + nearRun - 1) / nearRun; pieces > 1 {
		p.cutLong(last-1, pieces)
		last = len(p.axes) - 1
	}
	p.axes[last-1], p.axes[last] = p.axes[last], p.axes[last-1]
}

// unrollElements writes out a few vectors of the innermost axis where the body
// is short.
func (p *prepared) unrollElements() {
	if len(p.axes) == 0 || !p.isElementwise() {
		return
	}
	v := p.axes[len(p.axes)-1]
	if p.unrolled[v] || p.isLimit(v) || p.limits[v].outer != nil {
		return
	}
	n := 0
	loop.WalkExprs(p.body, func(x *loop.Expr) { n++ })
	size := 4
	if n > 40 {
		size = 2
	}
	if n > 120 || v.Extent < 2*size {
		return
	}
	p.parts[v] = chunked(p.cutOf(v), size)
	for _, list := range p.parts {
		for i := range list {
			if inner, ok := list[i].inner[v]; ok {
				list[i].inner[v] = chunked(inner, size)
			}
		}
	}
}

// chooseTasks takes outer axes as tasks until there are enough. A first axis
// that alone has many points is cut into tasks of several.
func (p *prepared) chooseTasks() schedule {
	work := p.work()
	for i, v := range p.axes {
		if i == len(p.axes)-1 || p.unrolled[v] || p.isLimit(v) || p.overridden(v) {
			return p.cutTasks(i, work)
		}
		before := schedule{parallel: i}.tasks(p)
		if before >= enoughTasks || i > 0 && work/float64(before) < leastWork {
			return schedule{parallel: i}
		}
	}
	return schedule{parallel: 0}
}

// overridden reports whether an axis is cut in another way in some part.
func (p *prepared) overridden(v *loop.Var) bool {
	for _, list := range p.parts {
		for _, q := range list {
			if _, ok := q.inner[v]; ok {
				return true
			}
		}
	}
	return false
}

// cutTasks makes the first i axes tasks, and pieces of axis i where there are
// too few and it is long.
func (p *prepared) cutTasks(i int, work float64) schedule {
	tasks := schedule{parallel: i}.tasks(p)
	v := p.axes[i]
	tiles := tilesIn(p.cutOf(v))
	wanted := min(enoughTasks/max(tasks, 1), int(work/float64(tasks)/leastWork))
	if tasks >= enoughTasks || wanted < 2 || tiles < 2 || p.unrolled[v] || p.isLimit(v) || p.limits[v].outer != nil || p.overridden(v) {
		return schedule{parallel: i}
	}
	if tiles <= wanted || p.hasEdges[v] {
		return schedule{parallel: i + 1}
	}
	return p.cutLong(i, wanted)
}

// cutLong splits an axis into pieces and what runs inside of one.
func (p *prepared) cutLong(i, wanted int) schedule {
	v := p.axes[i]
	parts := p.cutOf(v)
	size := parts[0].size
	piece := max((v.Extent+wanted-1)/wanted, size)
	piece = (piece + size - 1) / size * size
	count := v.Extent / piece
	if count < 2 || size > 1 && p.hasRanges(v) { // its tiles at the edges are parts of their own
		return schedule{parallel: i}
	}
	outer, inner := loop.Axis(v.Name+"p", (v.Extent+piece-1)/piece), loop.Axis(v.Name+"i", piece)
	valid := 0
	for _, q := range parts {
		valid = max(valid, q.valid)
		if len(q.inner) > 0 {
			return schedule{parallel: i}
		}
	}
	p.parts[inner] = chunked([]part{{from: 0, to: piece, size: 1}}, size)
	rest := v.Extent % piece
	whole := part{from: 0, to: count, size: 1}
	var list []part
	switch {
	case rest == 0 && valid == 0:
		list = []part{whole}
	default:
		if rest == 0 { // the last piece ends with the vector that is not full
			whole.to--
			rest = piece
		}
		var tail []part
		if valid != 0 {
			tail = append(chunked([]part{{from: 0, to: rest - 1, size: 1}}, size), part{from: rest - 1, to: rest, size: 1, valid: valid})
			tail = slices.DeleteFunc(tail, func(q part) bool { return q.from == q.to })
		} else {
			tail = chunked([]part{{from: 0, to: rest, size: 1}}, size)
		}
		last := part{from: whole.to, to: whole.to + 1, size: 1, inner: map[*loop.Var][]part{inner: tail}}
		list = endingWith(last)
	}
	p.parts[outer] = list
	delete(p.parts, v)
	p.isVector[outer], p.isVector[inner] = p.isVector[v], p.isVector[v]
	p.axes = replaceIn(p.axes, v, []*loop.Var{outer, inner})
	p.body = replaceAxisIn(p.body, v, nil, loop.Plus(loop.Times(loop.R(outer), loop.I(piece)), loop.R(inner)))
	return schedule{parallel: i + 1}
}

// work estimates the vector operations of the nest.
func (p *prepared) work() float64 {
	n := 1.0
	for _, v := range p.axes {
		n *= float64(v.Extent)
	}
	return n * max(statementWork(p.body, p.isLane), 1)
}

func statementWork(body []loop.Stmt, lanes map[*loop.Var]bool) float64 {
	total := 0.0
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			total += expressionWork(s.Of)
		case *loop.Put:
			total += 1 + expressionWork(s.Of)
		case *loop.For:
			n := float64(s.Axis.Extent)
			if lanes[s.Axis] {
				n = 1
			}
			total += n * statementWork(s.Body, lanes)
		case *loop.Reduce:
			n := 1.0
			for _, v := range s.Axes {
				if !lanes[v] {
					n *= float64(v.Extent)
				}
			}
			total += n * (1 + expressionWork(s.Of) + statementWork(s.Body, lanes))
		}
	}
	return total
}

func expressionWork(x *loop.Expr) float64 {
	n := 0.0
	x.Walk(func(y *loop.Expr) {
		switch {
		case y.Op == loop.Call:
			n += 20
		case y.Op == loop.Div:
			n += 5
		case y.Kind == loop.Float:
			n++
		}
	})
	return n
}
