package loop

import (
	"math"
	"slices"
)

// Schedule says how a nest is to run. The zero Schedule runs its axes as
// nested loops, one task per point of the outermost ones.
//
// No schedule changes the order in which a Reduce adds its terms, so results
// have the same bits under every schedule.
type Schedule struct {
	// Tiles are the register tiles of a contraction: this many neighbouring
	// points of an axis are computed together, each in its own accumulator. At
	// most two axes are tiled; the first is the outer one, whose loads are
	// shared by all points of the second.
	Tiles []Tile
	// Unroll is how many steps of the innermost reduction axis are written out;
	// it divides the axis. 0 and 1 write out one.
	Unroll int
	// Parallel is the number of outermost axes that become tasks.
	Parallel int
}

// Tile is a number of neighbouring points of an axis.
type Tile struct {
	Axis *Var
	Size int
}

// Lower turns a nest into code under a schedule.
func Lower(nest *Nest, s Schedule) *Code {
	code := lower(nest, s)
	code.Body = dropUnused(code.Body, map[*Var]bool{})
	return code
}

func lower(nest *Nest, s Schedule) *Code {
	code := &Code{Reads: nest.Loads(), Writes: nest.Stores(), Task: &Var{Name: "task", Kind: Int}}
	nest = nest.Flat()
	if len(s.Tiles) == 0 {
		nest = mergeAxes(nest)
	}
	l := &lowering{schedule: s}
	if len(nest.Axes) == 1 && len(s.Tiles) == 0 && !hasReduce(nest.Body) {
		code.Elementwise = true
		code.Tasks = nest.Axes[0].Extent
		code.Body = l.body(substitute(nest.Body, map[*Var]*Expr{nest.Axes[0]: R(code.Task)}))
		return code
	}
	l.tasks(code, nest)
	return code
}

// Flat is the nest with loads and stores by their places in memory: Get and Put in
// the place of Load and Store.
func (nest *Nest) Flat() *Nest {
	return &Nest{Axes: nest.Axes, Body: flatStores(MapExprs(nest.Body, (*Expr).Flat))}
}

// Flat is e with its loads by their places in memory: Get in the place of Load.
func (e *Expr) Flat() *Expr {
	return e.Map(func(x *Expr) *Expr {
		if x.Op == Load {
			return &Expr{Op: Get, Kind: x.Kind, Value: x.Value, Args: []*Expr{Position(x.Value.Type, x.Args)}}
		}
		return x
	})
}

func flatStores(body []Stmt) []Stmt {
	out := make([]Stmt, len(body))
	for i, s := range body {
		switch s := s.(type) {
		case *Store:
			out[i] = &Put{s.Value, Position(s.Value.Type, s.Index), s.Of}
		case *For:
			out[i] = &For{s.Axis, flatStores(s.Body)}
		default:
			out[i] = s
		}
	}
	return out
}

func hasReduce(body []Stmt) bool {
	for _, s := range body {
		switch s := s.(type) {
		case *Reduce:
			return true
		case *For:
			if hasReduce(s.Body) {
				return true
			}
		}
	}
	return false
}

type lowering struct {
	schedule Schedule
}

// segment is a part of an axis that runs in steps of one tile size. Where edge
// holds, ranges that depend on the axis must be checked; elsewhere they hold.
type segment struct {
	from, to, size int
	edge           bool
}

// tasks lowers the axes of a nest: the outermost become tasks, the rest loops.
// An axis of several segments gives a task to each tile of each segment; which
// segment a task is in is asked once, at its start.
func (l *lowering) tasks(code *Code, nest *Nest) {
	parallel := min(max(l.schedule.Parallel, 0), len(nest.Axes))
	segments := map[*Var][]segment{}
	for _, v := range nest.Axes {
		segments[v] = l.segments(v, nest.Body)
	}
	code.Tasks = 1
	for _, v := range nest.Axes[:parallel] {
		code.Tasks *= tilesIn(segments[v])
	}
	// task = ((first * count + second) * count + third) …
	divisor := code.Tasks
	places := make([]*Expr, parallel) // the number of the tile on each axis
	for i, v := range nest.Axes[:parallel] {
		count := tilesIn(segments[v])
		divisor /= count
		places[i] = Over(R(code.Task), I(divisor))
		if i > 0 {
			places[i] = Remainder(places[i], I(count))
		}
		if count == 1 {
			places[i] = I(0)
		}
	}
	code.Body = l.task(nest, places, 0, segments, map[*Var]*Expr{}, map[*Var]segment{})
}

func tilesIn(segments []segment) int {
	count := 0
	for _, s := range segments {
		count += (s.to - s.from) / s.size
	}
	return count
}

// task lowers the axes from number i on for one task, whose tile on each task
// axis is in places.
func (l *lowering) task(nest *Nest, places []*Expr, i int, segments map[*Var][]segment, bind map[*Var]*Expr, at map[*Var]segment) []Stmt {
	if i == len(places) {
		return l.axes(nest, i, segments, bind, at)
	}
	v := nest.Axes[i]
	var out []Stmt
	place := places[i]
	if len(segments[v]) > 1 {
		tile := &Var{Name: v.Name + " tile", Kind: Int}
		out = append(out, &Let{tile, place})
		place = R(tile)
	}
	first := 0 // the number of the segment's first tile
	for _, s := range segments[v] {
		count := (s.to - s.from) / s.size
		at[v] = s
		var body []Stmt
		switch {
		case count == 1:
			bind[v] = I(s.from)
		default:
			local := &Var{Name: v.Name, Kind: Int}
			body = append(body, &Let{local, Plus(Times(Minus(place, I(first)), I(s.size)), I(s.from))})
			bind[v] = R(local)
		}
		body = append(body, l.task(nest, places, i+1, segments, bind, at)...)
		if len(segments[v]) > 1 {
			var cond *Expr
			if first > 0 {
				cond = Compare(LessEq, I(first), place)
			}
			if first+count < tilesIn(segments[v]) {
				cond = Both(cond, Compare(Less, place, I(first+count)))
			}
			body = []Stmt{&If{cond, body}}
		}
		out = append(out, body...)
		first += count
	}
	delete(bind, v)
	delete(at, v)
	return out
}

// segments splits an axis: a tiled axis into the edges where a range has to be
// checked, whole tiles, and the rest.
func (l *lowering) segments(v *Var, body []Stmt) []segment {
	size := 1
	for _, t := range l.schedule.Tiles {
		if t.Axis == v {
			size = t.Size
		}
	}
	if size == 1 {
		return []segment{{0, v.Extent, 1, true}}
	}
	lo, hi := Interior(v, body)
	var list []segment
	add := func(from, to, size int, edge bool) {
		if from < to {
			list = append(list, segment{from, to, size, edge})
		}
	}
	whole := lo + (hi-lo)/size*size
	add(0, lo, 1, true)
	add(lo, whole, size, false)
	if whole < hi {
		add(whole, hi, hi-whole, false)
	}
	add(hi, v.Extent, 1, true)
	return list
}

// Interior is the part of an axis on which every range that depends on it
// holds, whatever the other variables are.
func Interior(v *Var, body []Stmt) (lo, hi int) {
	lo, hi = 0, v.Extent
	for _, s := range body {
		r, ok := s.(*Reduce)
		if !ok {
			continue
		}
		for _, w := range r.Within {
			a, affine := w.Index.ToAffine()
			if affine && a.Coef[v] == 0 {
				continue
			}
			least, most := a.Const, a.Const
			for u, c := range a.Coef {
				if u != v {
					least += min(0, c*(u.Extent-1))
					most += max(0, c*(u.Extent-1))
				}
			}
			for lo < hi && !(affine && a.Coef[v]*lo+least >= 0 && a.Coef[v]*lo+most < w.Extent) {
				lo++
			}
			for hi > lo && !(affine && a.Coef[v]*(hi-1)+least >= 0 && a.Coef[v]*(hi-1)+most < w.Extent) {
				hi--
			}
		}
	}
	return lo, hi
}

// axes lowers the axes from number i on. bind holds the value of each axis
// before it (of the first point of its tile), at the tile it is in.
func (l *lowering) axes(nest *Nest, i int, segments map[*Var][]segment, bind map[*Var]*Expr, at map[*Var]segment) []Stmt {
	if i == len(nest.Axes) {
		return l.point(nest, bind, at)
	}
	v := nest.Axes[i]
	var out []Stmt
	for _, s := range segments[v] {
		at[v] = s
		if s.to-s.from == s.size {
			bind[v] = I(s.from)
			out = append(out, l.axes(nest, i+1, segments, bind, at)...)
			continue
		}
		local := &Var{Name: v.Name, Kind: Int, Extent: 0}
		bind[v] = R(local)
		out = append(out, &Loop{local, s.from, s.to, s.size, l.axes(nest, i+1, segments, bind, at)})
	}
	delete(bind, v)
	delete(at, v)
	return out
}

// point lowers the body for one point, or for one tile of points.
func (l *lowering) point(nest *Nest, bind map[*Var]*Expr, at map[*Var]segment) []Stmt {
	lanes := []map[*Var]*Expr{{}}
	inTile := map[*Var]bool{}
	for _, t := range l.schedule.Tiles {
		var next []map[*Var]*Expr
		for _, lane := range lanes {
			for k := range at[t.Axis].size {
				more := map[*Var]*Expr{t.Axis: Plus(bind[t.Axis], I(k))}
				for v, e := range lane {
					more[v] = e
				}
				next = append(next, more)
			}
		}
		lanes = next
		inTile[t.Axis] = true
	}
	for _, lane := range lanes {
		for v, e := range bind {
			if !inTile[v] {
				lane[v] = e
			}
		}
	}
	if len(l.schedule.Tiles) == 0 {
		return l.body(substitute(nest.Body, lanes[0]))
	}
	return l.tile(nest, lanes, bind, at)
}

// needsCheck reports whether a range has to be checked at these segments.
func (l *lowering) needsCheck(w Range, at map[*Var]segment) bool {
	for v, s := range at {
		if !s.edge && w.Index.Uses(v) {
			return false
		}
	}
	return true
}

// guard wraps stmts in the checks of those conditions whose innermost
// reduction axis is here (or that have none, when here is empty). Where comes
// after the ranges of its own axes, which make its loads valid.
func (l *lowering) guard(r *Reduce, stmts []Stmt, at map[*Var]segment, bind map[*Var]*Expr, here []*Var, with map[*Var]*Expr) []Stmt {
	var cond *Expr
	for _, w := range r.Within {
		if l.needsCheck(w, at) && slices.Equal(innermost(w.Index, r.Axes), here) {
			cond = Both(cond, w.Condition())
		}
	}
	if r.Where != nil && slices.Equal(innermost(r.Where, r.Axes), here) {
		cond = Both(cond, r.Where)
	}
	if cond == nil {
		return stmts
	}
	return []Stmt{&If{cond.Substitute(with).Substitute(bind), stmts}}
}

// innermost lists the last of axes that e uses, or nothing.
func innermost(e *Expr, axes []*Var) []*Var {
	for i := len(axes) - 1; i >= 0; i-- {
		if e.Uses(axes[i]) {
			return []*Var{axes[i]}
		}
	}
	return nil
}

// body lowers statements for one point: reductions become loops.
func (l *lowering) body(stmts []Stmt) []Stmt {
	var out []Stmt
	for _, s := range stmts {
		switch s := s.(type) {
		case *Let, *Put:
			out = append(out, s)
		case *For:
			if s.Axis.Extent == 1 {
				out = append(out, l.body(s.Body)...)
				continue
			}
			local := &Var{Name: s.Axis.Name, Kind: Int}
			out = append(out, &Loop{local, 0, s.Axis.Extent, 1, substitute(l.body(s.Body), map[*Var]*Expr{s.Axis: R(local)})})
		case *Reduce:
			out = append(out, l.reduce(s)...)
		}
	}
	return out
}

func (l *lowering) reduce(r *Reduce) []Stmt {
	start := map[Reduction]*Expr{Sum: N(0), Product: N(1), Maximum: N(math.Inf(-1))}[r.Kind]
	out := []Stmt{&Declare{r.Var, start}}
	if r.Arg != nil {
		out = append(out, &Declare{r.Arg, I(0)})
	}
	stmts := []Stmt{&Assign{Var: r.Var, Kind: r.Kind, Of: r.Of, Arg: r.Arg, ArgOf: r.ArgOf}}
	everywhere := map[*Var]segment{}
	// Conditions may use what Body computes, so with a Body all are checked
	// after it; without one, each as far out as its axes allow.
	if len(r.Body) > 0 {
		var cond *Expr
		for _, w := range r.Within {
			cond = Both(cond, w.Condition())
		}
		if cond = Both(cond, r.Where); cond != nil {
			stmts = []Stmt{&If{cond, stmts}}
		}
		stmts = append(l.body(r.Body), stmts...)
	}
	for i := len(r.Axes) - 1; i >= 0; i-- {
		v := r.Axes[i]
		if len(r.Body) == 0 {
			stmts = l.guard(r, stmts, everywhere, nil, []*Var{v}, nil)
		}
		if v.Extent == 1 {
			continue
		}
		local := &Var{Name: v.Name, Kind: Int}
		stmts = []Stmt{&Loop{local, 0, v.Extent, 1, substitute(stmts, map[*Var]*Expr{v: R(local)})}}
	}
	if len(r.Body) == 0 {
		stmts = l.guard(r, stmts, everywhere, nil, nil, nil)
	}
	return append(out, stmts...)
}
