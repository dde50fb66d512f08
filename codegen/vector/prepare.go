package vector

import (
	"fmt"
	"math"
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// prepared is a nest on its way to assembly: positions are flat, the axis in
// lanes is cut into vectors, axes that run through memory as one are merged.
type prepared struct {
	width    int  // lanes of a vector
	ragged   bool // whether some lanes may be outside of a range while others are inside
	axes     []*loop.Var
	body     []loop.Stmt
	lane     *loop.Var                // the nest's own lanes, or nil
	row      *loop.Var                // where the lanes run through rows of memory: the axis of the vectors
	blocks   *loop.Var                // where the lanes are of blocks: the axis of the blocks
	half     *loop.Var                // and that of the vectors in one
	isLane   map[*loop.Var]bool       // variables that count lanes, of reductions and inner loops too
	parts    map[*loop.Var][]part     // how an axis is cut; an axis without an entry is one part
	unrolled map[*loop.Var]bool       // axes that are written out
	limits   map[*loop.Var]splitLimit // by inner variable of a split that does not divide its axis
	isSplit  map[*loop.Var]bool       // axes that quotients and remainders were cut into
	isRest   map[*loop.Var]bool       // the inner ones of those
	isGroup  map[*loop.Var]bool       // axes that count groups of points of a blocked contraction
	isVector map[*loop.Var]bool       // axes that step by a vector or a block of them

	inChannels bool               // the lanes are channels, not samples
	hasEdges   map[*loop.Var]bool // axes whose points at edges are parts of their own
	isWindow   bool               // the reduction is written out, see writeWindow
	passesOnce bool               // the body is sums for which everything passes by once, see areSums
	reloads    bool               // each step of a contraction loads its operands again
}

// splitLimit says that outer*size + inner must be below extent.
type splitLimit struct {
	outer        *loop.Var
	size, extent int
}

// part is a range of an axis that is emitted as one loop, size neighbouring
// points at a time.
type part struct {
	from, to, size int
	valid          int                  // lanes in use, or 0 for all
	inner          map[*loop.Var][]part // in this part, how an axis further in is cut
}

// endingWith cuts an axis into a last part and all before it, if there is any.
func endingWith(last part) []part {
	if last.from == 0 {
		return []part{last}
	}
	return []part{{from: 0, to: last.from, size: 1}, last}
}

// prepare rewrites a nest for vectors of a width. Without ragged, no range may
// tell lanes of a row apart.
func prepare(nest *loop.Nest, width int, ragged bool) (*prepared, error) {
	p := &prepared{width: width, ragged: ragged, isLane: map[*loop.Var]bool{}, parts: map[*loop.Var][]part{},
		unrolled: map[*loop.Var]bool{}, limits: map[*loop.Var]splitLimit{}, isVector: map[*loop.Var]bool{}, isGroup: map[*loop.Var]bool{}, isSplit: map[*loop.Var]bool{},
		isRest: map[*loop.Var]bool{}, hasEdges: map[*loop.Var]bool{}}
	nest, err := p.splitQuotients(nest)
	if err != nil {
		return nil, err
	}
	blocked := blockedAxes(nest)
	p.axes, p.body = nest.Axes, nest.Body
	if len(blocked) > 0 { // blocks are cut while indices are those of the tensors
		p.chooseBlocked(blocked)
	}
	p.body = flat(p.body)
	if err := affineLanes(p.body); err != nil {
		return nil, err
	}
	p.mergeOuter()
	p.body = p.mergeReductions(p.body)
	if len(blocked) == 0 { // rows are chosen among the axes that were merged
		p.chooseFlat()
	}
	return p, nil
}

// mergeable reports whether an axis may become part of a longer one.
func (p *prepared) mergeable(v *loop.Var) bool {
	return !p.isLane[v] && !p.unrolled[v] && !p.isSplit[v] && p.parts[v] == nil && p.limits[v].outer == nil && !p.isLimit(v)
}

func (p *prepared) isLimit(v *loop.Var) bool {
	for _, l := range p.limits {
		if l.outer == v {
			return true
		}
	}
	return false
}

// splitQuotients cuts the axes of which a quotient or remainder is taken, such
// as y/2, so that positions become affine: y = 2*yq + yp. With a constant
// added, as in (y+1)/2, the inner axis is written out.
func (p *prepared) splitQuotients(nest *loop.Nest) (*loop.Nest, error) {
	// An axis that is written out has a known value wherever a quotient of it is
	// needed.
	isKnown := func(v *loop.Var, size int) bool { return p.unrolled[v] && v.Extent <= size }
	for range 16 {
		axis, size, shifted := quotientOf(nest, isKnown)
		if axis == nil {
			break
		}
		if p.limits[axis].outer != nil || p.isLimit(axis) {
			return nil, fmt.Errorf("%s is cut twice", axis.Name)
		}
		outer := loop.Axis(axis.Name+"q", (axis.Extent+size-1)/size)
		inner := loop.Axis(axis.Name+"r", min(size, axis.Extent))
		p.isSplit[outer], p.isSplit[inner], p.isRest[inner] = true, true, true
		if p.unrolled[axis] {
			p.unrolled[outer], p.unrolled[inner] = true, true
		}
		if shifted {
			p.unrolled[inner] = true
		}
		if axis.Extent%size != 0 && axis.Extent > size {
			p.unrolled[inner] = true
			p.limits[inner] = splitLimit{outer, size, axis.Extent}
			p.parts[outer] = []part{{from: 0, to: axis.Extent / size, size: 1}, {from: axis.Extent / size, to: axis.Extent/size + 1, size: 1}}
		}
		value := loop.Plus(loop.Times(loop.R(outer), loop.I(size)), loop.R(inner))
		nest = replaceAxis(nest, axis, []*loop.Var{outer, inner}, value)
	}
	return &loop.Nest{Axes: nest.Axes, Body: loop.MapExprs(nest.Body, func(e *loop.Expr) *loop.Expr { return e.Map(divided) })}, nil
}

// divided computes a quotient or remainder of a sum in which every term is a
// multiple of the divisor, or together they stay below it.
func divided(e *loop.Expr) *loop.Expr {
	if e.Kind != loop.Int || e.Op != loop.Div && e.Op != loop.Mod || e.Args[1].Op != loop.Const {
		return e
	}
	a, ok := e.Args[0].ToAffine()
	n := e.Args[1].Int
	if !ok || n < 1 || a.Const < 0 {
		return e
	}
	quotient, rest := loop.I(a.Const/n), loop.I(a.Const%n)
	most := a.Const % n
	for _, v := range sortedVars(a) {
		c := a.Coef[v]
		switch {
		case v.Extent < 1 || c < 0:
			return e
		case c%n == 0:
			quotient = loop.Plus(loop.Times(loop.R(v), loop.I(c/n)), quotient)
		default:
			rest = loop.Plus(loop.Times(loop.R(v), loop.I(c)), rest)
			most += c * (v.Extent - 1)
		}
	}
	switch {
	case most >= n:
		return e
	case e.Op == loop.Div:
		return quotient
	}
	return rest
}

// quotientOf finds a quotient or remainder of one axis by a constant that is
// not affine as it stands, of axes that are not known.
func quotientOf(nest *loop.Nest, isKnown func(v *loop.Var, size int) bool) (axis *loop.Var, size int, shifted bool) {
	axes := allAxes(nest)
	loop.WalkExprs(nest.Body, func(e *loop.Expr) {
		if axis != nil || e.Op != loop.Div && e.Op != loop.Mod || e.Kind != loop.Int || e.Args[1].Op != loop.Const {
			return
		}
		a, ok := e.Args[0].ToAffine()
		if !ok {
			return
		}
		n := e.Args[1].Int
		// The terms that are no multiples of n must stay below n.
		rest, most, culprit := ((a.Const%n)+n)%n, 0, (*loop.Var)(nil)
		culprits := 0
		for v, c := range a.Coef {
			if c%n == 0 {
				continue
			}
			most += c * (v.Extent - 1)
			if c == 1 && slices.Contains(axes, v) && v.Extent > 1 && !isKnown(v, n) {
				culprit = v
			}
			culprits++
		}
		if culprits == 0 || rest+most < n {
			return
		}
		if culprits == 1 && culprit != nil && (culprit.Extent > n || rest != 0) {
			axis, size, shifted = culprit, min(n, culprit.Extent), rest != 0
		}
	})
	return axis, size, shifted
}

// allAxes lists the variables of the nest, its reductions and inner loops.
func allAxes(nest *loop.Nest) []*loop.Var {
	list := slices.Clone(nest.Axes)
	loop.WalkStmts(nest.Body, func(s loop.Stmt) {
		switch s := s.(type) {
		case *loop.Reduce:
			list = append(list, s.Axes...)
		case *loop.For:
			list = append(list, s.Axis)
		}
	})
	return list
}

// replaceAxis puts new variables in the place of one, whose value they give.
func replaceAxis(nest *loop.Nest, axis *loop.Var, by []*loop.Var, value *loop.Expr) *loop.Nest {
	return &loop.Nest{Axes: replaceIn(nest.Axes, axis, by), Body: replaceAxisIn(nest.Body, axis, by, value)}
}

func replaceIn(axes []*loop.Var, axis *loop.Var, by []*loop.Var) []*loop.Var {
	if i := slices.Index(axes, axis); i >= 0 {
		return slices.Concat(axes[:i], by, axes[i+1:])
	}
	return axes
}

func replaceAxisIn(body []loop.Stmt, axis *loop.Var, by []*loop.Var, value *loop.Expr) []loop.Stmt {
	with := map[*loop.Var]*loop.Expr{axis: value}
	body = loop.MapExprs(body, func(e *loop.Expr) *loop.Expr { return e.Substitute(with) })
	var loops func(body []loop.Stmt) []loop.Stmt
	loops = func(body []loop.Stmt) []loop.Stmt {
		out := make([]loop.Stmt, len(body))
		for i, s := range body {
			switch s := s.(type) {
			case *loop.Reduce:
				r := *s
				r.Axes, r.Body = replaceIn(s.Axes, axis, by), loops(s.Body)
				out[i] = &r
			case *loop.For:
				inner := loops(s.Body)
				if s.Axis != axis {
					out[i] = &loop.For{Axis: s.Axis, Body: inner}
					continue
				}
				for k := len(by) - 1; k >= 0; k-- {
					inner = []loop.Stmt{&loop.For{Axis: by[k], Body: inner}}
				}
				out[i] = inner[0]
			default:
				out[i] = s
			}
		}
		return out
	}
	return loops(body)
}

// blockedAxes lists the variables that index an axis in lanes.
func blockedAxes(nest *loop.Nest) []*loop.Var {
	axes := allAxes(nest)
	var list []*loop.Var
	for _, a := range loop.Accesses(nest.Body) {
		if a.Value.Type.Lanes == 0 {
			continue
		}
		for _, v := range axes {
			if a.Index[a.Value.Type.Lanes-1].Uses(v) && !slices.Contains(list, v) {
				list = append(list, v)
			}
		}
	}
	return list
}

// chooseBlocked cuts every axis that indexes blocks into blocks. Of those of
// the nest one becomes the lanes; where it has none, each reduction and inner
// loop takes its own.
func (p *prepared) chooseBlocked(blocked []*loop.Var) {
	var lane *loop.Var
	for _, v := range p.axes {
		if slices.Contains(blocked, v) && (lane == nil || !storesLanes(p.body, lane) && storesLanes(p.body, v)) {
			lane = v
		}
	}
	// Without a blocked axis of its own, the nest may still have one that runs
	// through memory: the blocked axes are then those of reductions and become
	// scalars. It pays where the reduction is short.
	if lane == nil {
		if v := p.contiguousOuter(); v != nil {
			for _, b := range blocked {
				p.cutScalar(b)
			}
			p.cutFlat(v)
			return
		}
	}
	taken := map[*loop.Var]bool{}
	if lane != nil {
		p.inChannels = slices.ContainsFunc(loop.Accesses(p.body), func(a loop.Access) bool { return a.Value.Type.Lanes == 2 })
		p.cutBlocks(lane, true)
		taken[lane] = true
	} else {
		p.innerLanes(p.body, blocked, taken)
	}
	for _, v := range blocked {
		if !taken[v] {
			p.cutScalar(v)
		}
	}
}

// storesLanes reports whether neighbours along an axis are neighbours in
// everything that is stored.
func storesLanes(body []loop.Stmt, v *loop.Var) bool {
	for _, a := range loop.Accesses(body) {
		if !a.IsStore {
			continue
		}
		if axis := a.Value.Type.Lanes - 1; axis >= 0 {
			at, ok := a.Index[axis].ToAffine()
			if !ok || at.Coef[v] != 1 {
				return false
			}
		} else if step, ok := stride(a, v); !ok || step != 1 {
			return false
		}
	}
	return true
}

// innerLanes gives each outermost reduction or loop the lanes of its own
// blocked axis.
func (p *prepared) innerLanes(body []loop.Stmt, blocked []*loop.Var, taken map[*loop.Var]bool) {
	var candidates []*loop.Var
	var find func(body []loop.Stmt)
	find = func(body []loop.Stmt) {
		for _, s := range body {
			switch s := s.(type) {
			case *loop.Reduce:
				found := false
				for _, v := range s.Axes {
					if slices.Contains(blocked, v) && !found {
						candidates = append(candidates, v)
						found = true
					}
				}
				if !found {
					find(s.Body)
				}
			case *loop.For:
				if slices.Contains(blocked, s.Axis) {
					candidates = append(candidates, s.Axis)
				} else {
					find(s.Body)
				}
			}
		}
	}
	find(body)
	for _, v := range candidates {
		if !taken[v] {
			taken[v] = true
			p.cutBlocks(v, false)
		}
	}
}

// cutBlocks makes an axis the lanes: v = 16*block + width*half + lane.
func (p *prepared) cutBlocks(v *loop.Var, own bool) {
	blocks := (v.Extent + ir.LaneBlock - 1) / ir.LaneBlock
	block := loop.Axis(v.Name+"b", blocks)
	lane := loop.Axis(v.Name+"l", p.width)
	p.isLane[lane] = true
	halves := ir.LaneBlock / p.width
	half := loop.Axis(v.Name+"h", halves)
	p.isVector[block], p.isVector[half] = true, true
	value := loop.Plus(loop.Plus(loop.Times(loop.R(block), loop.I(ir.LaneBlock)), loop.Times(loop.R(half), loop.I(p.width))), loop.R(lane))
	by := []*loop.Var{block, half, lane}
	if rest := v.Extent % ir.LaneBlock; rest != 0 {
		last := part{from: blocks - 1, to: blocks, size: 1}
		halfParts := []part{{from: 0, to: rest / p.width, size: 1}}
		if rest%p.width != 0 {
			halfParts = endingWith(part{from: rest / p.width, to: rest/p.width + 1, size: 1, valid: rest % p.width})
		}
		if halves == 1 {
			last.valid = rest
		} else {
			last.inner = map[*loop.Var][]part{half: halfParts}
		}
		p.parts[block] = endingWith(last)
		p.parts[half] = []part{{from: 0, to: halves, size: 1}}
	}
	if own {
		p.lane, p.blocks, p.half = lane, block, half
		// The lanes are no loop; the halves of a block go last, where they join
		// what is next to them in memory.
		axes := replaceIn(p.axes, v, []*loop.Var{block})
		p.axes = append(axes, half)
		p.body = replaceAxisIn(p.body, v, nil, value)
		return
	}
	nest := replaceAxis(&loop.Nest{Axes: p.axes, Body: p.body}, v, by, value)
	p.axes, p.body = nest.Axes, nest.Body
	p.body = halvesLast(p.body, half, lane)
}

// halvesLast moves the halves and lanes to the end of a reduction's axes.
func halvesLast(body []loop.Stmt, half, lane *loop.Var) []loop.Stmt {
	out := make([]loop.Stmt, len(body))
	for i, s := range body {
		switch s := s.(type) {
		case *loop.Reduce:
			r := *s
			r.Body = halvesLast(s.Body, half, lane)
			if slices.Contains(r.Axes, half) {
				r.Axes = slices.DeleteFunc(slices.Clone(r.Axes), func(v *loop.Var) bool { return v == half || v == lane })
				r.Axes = append(r.Axes, half, lane)
			}
			out[i] = &r
		case *loop.For:
			out[i] = &loop.For{Axis: s.Axis, Body: halvesLast(s.Body, half, lane)}
		default:
			out[i] = s
		}
	}
	return out
}

// cutScalar cuts an axis that indexes blocks and is not the lanes.
func (p *prepared) cutScalar(v *loop.Var) {
	blocks := (v.Extent + ir.LaneBlock - 1) / ir.LaneBlock
	if v.Extent <= ir.LaneBlock {
		return // the index is the lane
	}
	block, inner := loop.Axis(v.Name+"b", blocks), loop.Axis(v.Name+"i", ir.LaneBlock)
	if rest := v.Extent % ir.LaneBlock; rest != 0 {
		p.parts[inner] = []part{{from: 0, to: ir.LaneBlock, size: 1}}
		p.parts[block] = endingWith(part{from: blocks - 1, to: blocks, size: 1,
			inner: map[*loop.Var][]part{inner: {{from: 0, to: rest, size: 1}}}})
	}
	nest := replaceAxis(&loop.Nest{Axes: p.axes, Body: p.body}, v, []*loop.Var{block, inner},
		loop.Plus(loop.Times(loop.R(block), loop.I(ir.LaneBlock)), loop.R(inner)))
	p.axes, p.body = nest.Axes, nest.Body
}

// contiguousOuter finds an axis of the nest along which every access is to
// neighbours or to one element, and every store is to neighbours.
func (p *prepared) contiguousOuter() *loop.Var {
	var best *loop.Var
	for _, v := range p.axes {
		if p.unrolled[v] || p.isLimit(v) || v.Extent < p.width {
			continue
		}
		if strides(p.body, v) && (best == nil || v.Extent > best.Extent) {
			best = v
		}
	}
	return best
}

// strides reports whether v moves every store by one element and every load by
// one or none.
func strides(body []loop.Stmt, v *loop.Var) bool {
	stored := false
	for _, a := range loop.Accesses(body) {
		step, ok := stride(a, v)
		if !ok || step != 0 && step != 1 || a.IsStore && step != 1 {
			return false
		}
		stored = stored || a.IsStore
	}
	return stored
}

// stride is how many elements an access moves with a variable.
func stride(a loop.Access, v *loop.Var) (int, bool) {
	if a.Value.Type.Lanes != 0 && a.Index[a.Value.Type.Lanes-1].Uses(v) {
		return 0, false
	}
	size := 1
	if a.Value.Type.Lanes != 0 {
		size = ir.LaneBlock
	}
	step := 0
	order := a.Value.Type.Order()
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		if a.Index[i].Uses(v) {
			f, ok := a.Index[i].ToAffine()
			if !ok {
				return 0, false
			}
			step += f.Coef[v] * size
		}
		size *= a.Value.Type.Blocks(i)
	}
	return step, true
}

// flatStride is how many elements a flat position moves with a variable.
func flatStride(e *loop.Expr, v *loop.Var) (int, bool) {
	if !e.Uses(v) {
		return 0, true
	}
	f, ok := e.ToAffine()
	return f.Coef[v], ok
}

// chooseFlat chooses lanes where all tensors are row-major: an axis of the nest
// if one runs through memory, else one of each reduction and loop.
func (p *prepared) chooseFlat() {
	longest := func(fits func([]loop.Stmt, *loop.Var) bool) (best *loop.Var) {
		for _, v := range p.axes {
			if p.unrolled[v] || p.isLimit(v) || v.Extent < 2 {
				continue
			}
			if fits(p.body, v) && (best == nil || v.Extent > best.Extent) {
				best = v
			}
		}
		return best
	}
	if best := longest(p.flatStrides); best != nil {
		p.cutFlat(best)
		return
	}
	var list []*loop.Var
	var find func(body []loop.Stmt)
	find = func(body []loop.Stmt) {
		for _, s := range body {
			switch s := s.(type) {
			case *loop.Reduce:
				if s.Arg == nil {
					for k := len(s.Axes) - 1; k >= 0; k-- {
						v := s.Axes[k]
						if v.Extent >= p.width && !p.unrolled[v] && !p.isLimit(v) && p.flatStrides([]loop.Stmt{s}, v) {
							list = append(list, v)
							break
						}
					}
				}
			case *loop.For:
				if s.Axis.Extent >= p.width && p.flatStrides([]loop.Stmt{s}, s.Axis) {
					list = append(list, s.Axis)
				} else {
					find(s.Body)
				}
			}
		}
	}
	find(p.body)
	for _, v := range list {
		p.cutFlat(v)
	}
	// What is left gathers, as a convolution with a stride does on one sample.
	if best := longest(p.storesRun); best != nil && len(list) == 0 && best.Extent >= p.width/2 {
		p.cutFlat(best)
	}
}

// storesRun is flatStrides with loads of any distance.
func (p *prepared) storesRun(body []loop.Stmt, v *loop.Var) bool { return p.strided(body, v, true) }

// flatStrides is strides for flat positions; integers that are no positions
// may use the axis only in an affine way.
func (p *prepared) flatStrides(body []loop.Stmt, v *loop.Var) bool { return p.strided(body, v, false) }

func (p *prepared) strided(body []loop.Stmt, v *loop.Var, gathers bool) bool {
	fits := true
	loop.WalkExprs(body, func(e *loop.Expr) {
		if e.Op == loop.Get {
			step, ok := flatStride(e.Args[0], v)
			fits = fits && ok && (step == 0 || step == 1 || gathers)
		}
		fits = fits && !dividesBy(e, v)
	})
	loop.WalkStmts(body, func(s loop.Stmt) {
		switch s := s.(type) {
		case *loop.Put:
			step, ok := flatStride(s.At, v)
			fits = fits && ok && step == 1
		case *loop.Reduce:
			for _, w := range s.Within { // lanes outside of a range are left out, one by one
				step, ok := flatStride(w.Index, v)
				fits = fits && ok && (step == 0 || p.ragged && step > 0 && !slices.Contains(s.Axes, v) && len(s.Body) == 0)
			}
			fits = fits && (s.Arg == nil || s.ArgOf == nil || !s.ArgOf.Uses(v) || !slices.Contains(s.Axes, v))
		}
	})
	return fits
}

// dividesBy reports whether an integer is a quotient, remainder, minimum or
// choice that depends on a variable: it could differ by lane in a way that
// vectors do not compute, or decide which loads are valid.
func dividesBy(e *loop.Expr, v *loop.Var) bool {
	switch e.Op {
	case loop.Div, loop.Mod, loop.Min, loop.Max:
		return e.Kind == loop.Int && e.Uses(v)
	case loop.Less, loop.LessEq, loop.Eq, loop.NotEq:
		return e.Args[0].Kind == loop.Int && !loads(e) && e.Uses(v)
	}
	return false
}

// cutFlat makes an axis the lanes of row-major tensors: v = width*q + lane.
func (p *prepared) cutFlat(v *loop.Var) {
	q := loop.Axis(v.Name+"v", (v.Extent+p.width-1)/p.width)
	lane := loop.Axis(v.Name+"l", p.width)
	p.isLane[lane], p.isVector[q] = true, true
	if rest := v.Extent % p.width; rest != 0 {
		p.parts[q] = endingWith(part{from: v.Extent / p.width, to: v.Extent/p.width + 1, size: 1, valid: rest})
	}
	value := loop.Plus(loop.Times(loop.R(q), loop.I(p.width)), loop.R(lane))
	if slices.Contains(p.axes, v) {
		p.lane, p.row = lane, q
		p.axes = replaceIn(p.axes, v, []*loop.Var{q})
		p.body = replaceAxisIn(p.body, v, nil, value)
		return
	}
	nest := replaceAxis(&loop.Nest{Axes: p.axes, Body: p.body}, v, []*loop.Var{q, lane}, value)
	p.axes, p.body = nest.Axes, nest.Body
}

// flat replaces loads and stores by their positions in memory.
func flat(body []loop.Stmt) []loop.Stmt {
	body = loop.MapExprs(body, func(e *loop.Expr) *loop.Expr {
		return e.Map(func(x *loop.Expr) *loop.Expr {
			if x.Op == loop.Load {
				return &loop.Expr{Op: loop.Get, Kind: x.Kind, Value: x.Value, Args: []*loop.Expr{flatPosition(x.Value, x.Args)}}
			}
			return x
		})
	})
	return flatStores(body)
}

func flatStores(body []loop.Stmt) []loop.Stmt {
	out := make([]loop.Stmt, len(body))
	for i, s := range body {
		switch s := s.(type) {
		case *loop.Store:
			out[i] = &loop.Put{Value: s.Value, At: flatPosition(s.Value, s.Index), Of: s.Of}
		case *loop.For:
			out[i] = &loop.For{Axis: s.Axis, Body: flatStores(s.Body)}
		case *loop.Reduce:
			r := *s
			r.Body = flatStores(s.Body)
			out[i] = &r
		default:
			out[i] = s
		}
	}
	return out
}

// flatPosition is the place of an element in memory. On an axis in lanes the
// index is affine; what is no multiple of a block is the lane.
func flatPosition(v *ir.Value, index []*loop.Expr) *loop.Expr {
	if v.Type.Lanes == 0 {
		return loop.Position(v.Type, index)
	}
	position := loop.I(0)
	size := ir.LaneBlock
	order := v.Type.Order()
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		if i != v.Type.Lanes-1 {
			position = loop.Plus(loop.Times(index[i], loop.I(size)), position)
			size *= v.Type.Shape[i]
			continue
		}
		a, ok := index[i].ToAffine()
		if !ok || a.Const%ir.LaneBlock != 0 {
			return outside
		}
		block, lane, most := loop.I(a.Const/ir.LaneBlock), loop.I(0), 0
		for _, u := range sortedVars(a) {
			c := a.Coef[u]
			if c%ir.LaneBlock == 0 {
				block = loop.Plus(loop.Times(loop.R(u), loop.I(c/ir.LaneBlock)), block)
				continue
			}
			if u.Extent < 1 || c < 0 { // a number from data may be in any block
				return outside
			}
			most += c * (u.Extent - 1)
			lane = loop.Plus(loop.Times(loop.R(u), loop.I(c)), lane)
		}
		if most >= ir.LaneBlock {
			return outside
		}
		position = loop.Plus(loop.Plus(loop.Times(block, loop.I(size)), position), lane)
		size *= v.Type.Blocks(i)
	}
	return position
}

// outside marks a position that blocks cannot express.
var outside = loop.I(math.MinInt32)

// isOutside finds the mark: expressions are rebuilt on the way.
func isOutside(x *loop.Expr) bool { return x.Op == loop.Const && x.Int == outside.Int }

func affineLanes(body []loop.Stmt) error {
	var err error
	loop.WalkExprs(body, func(e *loop.Expr) {
		if e.Op == loop.Get && isOutside(e.Args[0]) {
			err = fmt.Errorf("%s is read across its blocks", e.Value.Name)
		}
	})
	loop.WalkStmts(body, func(s loop.Stmt) {
		if s, ok := s.(*loop.Put); ok && isOutside(s.At) {
			err = fmt.Errorf("%s is written across its blocks", s.Value.Name)
		}
	})
	return err
}

func sortedVars(a loop.Affine) []*loop.Var {
	var list []*loop.Var
	for v := range a.Coef {
		list = append(list, v)
	}
	slices.SortFunc(list, func(x, y *loop.Var) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	return list
}

// mergeOuter joins neighbouring axes of the nest that every position uses as one.
func (p *prepared) mergeOuter() {
	p.axes = slices.DeleteFunc(slices.Clone(p.axes), func(v *loop.Var) bool { return v.Extent == 1 && p.mergeable(v) })
	for i := len(p.axes) - 2; i >= 0; i-- {
		if !p.mergeable(p.axes[i]) || !p.mergeable(p.axes[i+1]) {
			continue
		}
		if merged, body, ok := loop.MergeAxes(p.axes, i, p.body); ok {
			p.axes, p.body = merged, body
		}
	}
}

// mergeReductions joins neighbouring axes of each reduction and inner loop.
func (p *prepared) mergeReductions(body []loop.Stmt) []loop.Stmt {
	out := make([]loop.Stmt, len(body))
	for i, s := range body {
		switch s := s.(type) {
		case *loop.Reduce:
			r := *s
			r.Body = p.mergeReductions(s.Body)
			axes := slices.DeleteFunc(slices.Clone(r.Axes), func(v *loop.Var) bool { return v.Extent == 1 && p.mergeable(v) })
			for k := len(axes) - 2; k >= 0; k-- {
				if !p.mergeable(axes[k]) || !p.mergeable(axes[k+1]) {
					continue
				}
				if merged, inner, ok := loop.MergeAxes(axes, k, []loop.Stmt{&r}); ok {
					axes, r = merged, *inner[0].(*loop.Reduce)
				}
			}
			r.Axes = axes
			out[i] = &r
		case *loop.For:
			f := &loop.For{Axis: s.Axis, Body: p.mergeReductions(s.Body)}
			for len(f.Body) == 1 {
				inner, ok := f.Body[0].(*loop.For)
				if !ok || !p.mergeable(f.Axis) || !p.mergeable(inner.Axis) {
					break
				}
				merged, body, ok := loop.MergeAxes([]*loop.Var{f.Axis, inner.Axis}, 0, inner.Body)
				if !ok {
					break
				}
				f = &loop.For{Axis: merged[0], Body: body}
			}
			out[i] = f
		default:
			out[i] = s
		}
	}
	return out
}
