package loop

import (
	"fmt"
	"math"
	"slices"

	"netc/ir"
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

// Get is the Op of a load by flat position: Args has one Int.
const Get Op = 100

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

// Lower turns a nest into code under a schedule.
func Lower(nest *Nest, s Schedule) *Code {
	code := lower(nest, s)
	code.Body = dropUnused(code.Body, map[*Var]bool{})
	return code
}

func lower(nest *Nest, s Schedule) *Code {
	nest = flatten(nest)
	if len(s.Tiles) == 0 {
		nest = mergeAxes(nest)
	}
	l := &lowering{schedule: s}
	code := &Code{Reads: reads(nest), Writes: writes(nest), Task: &Var{Name: "task", Kind: Int}}
	if len(nest.Axes) == 1 && len(s.Tiles) == 0 && !hasReduce(nest.Body) {
		code.Elementwise = true
		code.Tasks = nest.Axes[0].Extent
		code.Body = l.body(substitute(nest.Body, map[*Var]*Expr{nest.Axes[0]: R(code.Task)}))
		return code
	}
	l.tasks(code, nest)
	return code
}

// flatten replaces loads and stores by their row-major positions.
func flatten(nest *Nest) *Nest {
	body := MapExprs(nest.Body, func(e *Expr) *Expr {
		return e.Map(func(x *Expr) *Expr {
			if x.Op == Load {
				return &Expr{Op: Get, Kind: x.Kind, Value: x.Value, Args: []*Expr{Flat(x.Value.Type.Shape, x.Args)}}
			}
			return x
		})
	})
	return &Nest{Axes: nest.Axes, Body: flatStores(body)}
}

func flatStores(body []Stmt) []Stmt {
	out := make([]Stmt, len(body))
	for i, s := range body {
		switch s := s.(type) {
		case *Store:
			out[i] = &Put{s.Value, Flat(s.Value.Type.Shape, s.Index), s.Of}
		case *For:
			out[i] = &For{s.Axis, flatStores(s.Body)}
		default:
			out[i] = s
		}
	}
	return out
}

func reads(nest *Nest) []*ir.Value {
	var list []*ir.Value
	walkFlat(nest.Body, func(e *Expr) {
		if e.Op == Get && !slices.Contains(list, e.Value) {
			list = append(list, e.Value)
		}
	})
	return list
}

func writes(nest *Nest) []*ir.Value {
	var list []*ir.Value
	var walk func(body []Stmt)
	walk = func(body []Stmt) {
		for _, s := range body {
			switch s := s.(type) {
			case *Put:
				if !slices.Contains(list, s.Value) {
					list = append(list, s.Value)
				}
			case *For:
				walk(s.Body)
			}
		}
	}
	walk(nest.Body)
	return list
}

// mapFlat is MapExprs for statements whose stores are Puts.
func mapFlat(body []Stmt, f func(*Expr) *Expr) []Stmt {
	out := make([]Stmt, len(body))
	for i, s := range body {
		switch s := s.(type) {
		case *Put:
			out[i] = &Put{s.Value, f(s.At), f(s.Of)}
		case *For:
			out[i] = &For{s.Axis, mapFlat(s.Body, f)}
		case *Reduce:
			r := *(MapExprs([]Stmt{s}, f)[0].(*Reduce))
			out[i] = &r
		default:
			out[i] = MapExprs([]Stmt{s}, f)[0]
		}
	}
	return out
}

func walkFlat(body []Stmt, visit func(*Expr)) {
	mapFlat(body, func(e *Expr) *Expr {
		e.Walk(visit)
		return e
	})
}

func substitute(body []Stmt, with map[*Var]*Expr) []Stmt {
	return mapFlat(body, func(e *Expr) *Expr { return e.Substitute(with) })
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

// mergeAxes joins neighbouring axes that every index uses as one: with extents
// H and W, y*W + x becomes one axis of H*W. Axes of one element disappear.
func mergeAxes(nest *Nest) *Nest {
	axes := slices.DeleteFunc(slices.Clone(nest.Axes), func(v *Var) bool { return v.Extent == 1 })
	nest = &Nest{Axes: axes, Body: nest.Body}
	for i := len(axes) - 2; i >= 0; i-- {
		if merged, ok := mergePair(nest, i); ok {
			nest = merged
		}
	}
	return nest
}

// mergePair merges axes i and i+1 where all uses allow it.
func mergePair(nest *Nest, i int) (*Nest, bool) {
	outer, inner := nest.Axes[i], nest.Axes[i+1]
	both := Axis(inner.Name, outer.Extent*inner.Extent)
	if i+2 == len(nest.Axes) && len(nest.Axes) > 2 || i > 0 {
		both.Name = outer.Name + inner.Name
	} else {
		both.Name = "i"
	}
	axes := slices.Concat(nest.Axes[:i], []*Var{both}, nest.Axes[i+2:])
	ok := true
	replace := func(e *Expr) *Expr {
		return mapAffine(e, func(x *Expr) *Expr {
			if !x.Uses(outer, inner) {
				return x
			}
			a, affine := x.ToAffine()
			if !affine || a.Coef[outer] != a.Coef[inner]*inner.Extent {
				ok = false
				return x
			}
			a.Coef[both] = a.Coef[inner]
			delete(a.Coef, outer)
			delete(a.Coef, inner)
			return a.expr(axes)
		})
	}
	body := mapFlat(nest.Body, replace)
	if !ok {
		return nil, false
	}
	return &Nest{Axes: axes, Body: body}, true
}

// mapAffine rebuilds e with f applied to its largest affine integer
// subexpressions; where a subexpression is not affine, f sees its parts.
func mapAffine(e *Expr, f func(*Expr) *Expr) *Expr {
	if e.Kind == Int && e.Op != Get {
		if _, ok := e.ToAffine(); ok {
			return f(e)
		}
	}
	if len(e.Args) == 0 {
		return e
	}
	args := make([]*Expr, len(e.Args))
	for i, a := range e.Args {
		args[i] = mapAffine(a, f)
	}
	return rebuild(e, args)
}

// expr writes an affine form as an expression, its variables in the order of
// first, then the others by name.
func (a Affine) expr(first []*Var) *Expr {
	var rest []*Var
	for v := range a.Coef {
		if !slices.Contains(first, v) {
			rest = append(rest, v)
		}
	}
	slices.SortFunc(rest, func(v, w *Var) int {
		if v.Name < w.Name {
			return -1
		}
		return 1
	})
	e := I(0)
	for _, v := range slices.Concat(first, rest) {
		if c := a.Coef[v]; c != 0 {
			e = Plus(e, Times(R(v), I(c)))
		}
	}
	return Plus(e, I(a.Const))
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
	stmts = renamed(stmts, rename)
	for i := len(r.Axes) - 2; i >= 0; i-- {
		v := r.Axes[i]
		if v.Extent == 1 {
			stmts = l.guard(r, stmts, at, bind, []*Var{v}, nil)
			continue
		}
		local := &Var{Name: v.Name, Kind: Int}
		stmts = l.guard(r, stmts, at, bind, []*Var{v}, nil)
		stmts = []Stmt{&Loop{local, 0, v.Extent, 1, renamed(stmts, map[*Var]*Expr{v: R(local)})}}
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
	for i, lane := range lanes {
		term := r.Of.Substitute(step).Substitute(lane)
		term = term.Map(func(e *Expr) *Expr {
			if e.Op != Get || len(lanes) == 1 {
				return e
			}
			for k, s := range shared {
				if s.Equal(e) {
					return R(names[k])
				}
			}
			if !l.sharedInRow(r, lanes, i, e, step) {
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

// sharedInRow reports whether the lane after i loads the same element.
func (l *lowering) sharedInRow(r *Reduce, lanes []map[*Var]*Expr, i int, e *Expr, step map[*Var]*Expr) bool {
	if i+1 >= len(lanes) {
		return false
	}
	found := false
	r.Of.Substitute(step).Substitute(lanes[i+1]).Walk(func(x *Expr) {
		found = found || x.Op == Get && x.Equal(e)
	})
	return found
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

// renamed substitutes variables in lowered statements.
func renamed(body []Stmt, with map[*Var]*Expr) []Stmt {
	out := make([]Stmt, len(body))
	for i, s := range body {
		switch s := s.(type) {
		case *Declare:
			out[i] = &Declare{s.Var, s.Of.Substitute(with)}
		case *Assign:
			a := *s
			a.Of = s.Of.Substitute(with)
			if s.ArgOf != nil {
				a.ArgOf = s.ArgOf.Substitute(with)
			}
			out[i] = &a
		case *Loop:
			out[i] = &Loop{s.Var, s.From, s.To, s.Step, renamed(s.Body, with)}
		case *If:
			out[i] = &If{s.Cond.Substitute(with), renamed(s.Body, with)}
		default:
			out[i] = substitute([]Stmt{s}, with)[0]
		}
	}
	return out
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
			out = append(out, &Loop{local, 0, s.Axis.Extent, 1, renamed(l.body(s.Body), map[*Var]*Expr{s.Axis: R(local)})})
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
		stmts = []Stmt{&Loop{local, 0, v.Extent, 1, renamed(stmts, map[*Var]*Expr{v: R(local)})}}
	}
	if len(r.Body) == 0 {
		stmts = l.guard(r, stmts, everywhere, nil, nil, nil)
	}
	return append(out, stmts...)
}

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
