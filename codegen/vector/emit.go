package vector

import (
	"fmt"
	"slices"
	"sort"
	"strconv"

	"netc/codegen/asm"
	"netc/ir"
	"netc/ir/loop"
)

// emitter walks a scheduled nest and emits its instructions. It walks twice:
// the first time it learns which addresses each loop needs, so that the second
// time they can be set up before the loop and stepped in it.
type emitter struct {
	*prepared
	f       *asm.Func
	s       schedule
	args    []*ir.Value
	written map[*ir.Value]bool

	learning bool
	needs    map[int]map[string]pointer // addresses that each loop needs, by loop number
	loops    int                        // loops opened so far in this walk
	symbols  int
	scopes   []*scope
	task     map[*loop.Var]asm.Reg

	at      map[*loop.Var]affine // what an axis is
	size    map[*loop.Var]int    // points of an axis that are emitted together
	over    map[*loop.Var][]part // the cut of axes in the current part of another
	vals    map[*loop.Var]value  // scalars
	lane    *symbol              // the lanes in use, or nil
	own     *symbol              // the nest's own lanes: one symbol, so that points find what others have loaded
	valid   int                  // lanes in use of a last vector, or 0 for all
	inRange asm.Reg              // the lanes inside of the ranges of a reduction, if not all are
	masks   []asm.Reg            // conditions under which what is evaluated counts

	streams []stream
	scratch int // bytes of scratch
}

// scope is a stretch of code in which registers stay valid.
type scope struct {
	sym      *symbol // the loop's iteration number; nil for other scopes
	loop     int
	pointers map[string]asm.Reg
	loads    map[string]asm.Reg
	hoisted  map[*loop.Expr]value
	consts   map[uint32]asm.Reg
}

// pointer is an address in a tensor, or with arg below 0 an integer: a sum of
// symbols, without the constant.
type pointer struct {
	arg   int
	terms []term
}

func (p pointer) key() string { return strconv.Itoa(p.arg) + ":" + key(p.terms) }

// value is what an expression is: one of its fields.
type value struct {
	vec     asm.Reg // floats, or integers that differ by lane
	isInt   bool    // vec holds integers
	aff     *affine // an integer
	gp      asm.Reg // an integer that all lanes share
	mask    asm.Reg // a condition by lane
	truth   *bool   // a condition known now
	uniform []test  // a condition that all lanes share: all tests hold
}

// test compares an integer with 0.
type test struct {
	of   affine
	cond asm.Cond
}

// fault is why a nest cannot be emitted; it ends the walk.
type fault struct{ error }

func (e *emitter) fail(format string, args ...any) {
	panic(fault{fmt.Errorf(format, args...)})
}

func (e *emitter) push(sym *symbol, number int) {
	e.scopes = append(e.scopes, &scope{sym: sym, loop: number, pointers: map[string]asm.Reg{}, loads: map[string]asm.Reg{},
		hoisted: map[*loop.Expr]value{}, consts: map[uint32]asm.Reg{}})
}

func (e *emitter) pop() { e.scopes = e.scopes[:len(e.scopes)-1] }

func (e *emitter) top() *scope { return e.scopes[len(e.scopes)-1] }

func (e *emitter) symbol(extent int) *symbol {
	e.symbols++
	return &symbol{id: e.symbols, extent: extent}
}

// depth orders symbols and scopes: twice the number of the scope that a symbol
// opens, or one more than that of the scope in which it was computed.
func (e *emitter) depth(s *symbol) int {
	if s.level > 0 {
		return 2*(s.level-1) + 1
	}
	for i, sc := range e.scopes {
		if sc.sym == s {
			return 2 * i
		}
	}
	return -1
}

// computed makes a symbol of a register that all lanes share.
func (e *emitter) computed(r asm.Reg) *symbol {
	s := e.symbol(1 << 28)
	s.reg, s.level = r, len(e.scopes)
	return s
}

// loop runs body n times with a new symbol for the number of the iteration.
func (e *emitter) loop(n int, body func(it affine)) {
	if n == 1 {
		body(number(0))
		return
	}
	num := e.loops
	e.loops++
	sym := e.symbol(n)
	var stepped []pointer
	if !e.learning {
		for _, k := range sortedKeys(e.needs[num]) {
			p := e.needs[num][k]
			if coefficient(p.terms, e.symbolNumber(sym, p.terms)) == 0 {
				e.pointer(p)
			} else {
				stepped = append(stepped, p)
			}
		}
	}
	starts := make([]asm.Reg, len(stepped))
	for i, p := range stepped {
		starts[i] = e.f.NewGP()
		e.f.Move(starts[i], e.pointer(pointer{p.arg, without(p.terms, sym)}))
	}
	e.f.Repeat(n, func() {
		e.push(sym, num)
		for i, p := range stepped {
			e.top().pointers[p.key()] = starts[i]
		}
		body(sym.affine())
		for i, p := range stepped {
			e.f.AddInt(starts[i], coefficient(p.terms, sym)*e.unit(p))
		}
		e.pop()
	})
}

// symbolNumber finds the symbol of the same number, since both walks number
// their symbols alike.
func (e *emitter) symbolNumber(s *symbol, terms []term) *symbol {
	for i := range terms {
		if terms[i].sym.id == s.id {
			terms[i].sym = s
		}
	}
	return s
}

// unit is what an address moves by where its position grows by one.
func (e *emitter) unit(p pointer) int {
	switch {
	case p.arg < 0:
		return 1
	case p.arg < len(e.args):
		return e.args[p.arg].Type.DType.Size()
	}
	return 4
}

func coefficient(terms []term, s *symbol) int {
	for _, t := range terms {
		if t.sym.id == s.id {
			return t.coef
		}
	}
	return 0
}

func without(terms []term, s *symbol) []term {
	return slices.DeleteFunc(slices.Clone(terms), func(t term) bool { return t.sym.id == s.id })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// pointer gives a register with an address or integer.
func (e *emitter) pointer(p pointer) asm.Reg {
	if e.learning {
		e.need(p)
	}
	k := p.key()
	for i := len(e.scopes) - 1; i >= 0; i-- {
		if r, ok := e.scopes[i].pointers[k]; ok {
			return r
		}
	}
	if len(p.terms) == 0 { // an argument is loaded when the function starts; an integer is 0
		r := e.f.Int(0)
		e.top().pointers[k] = r
		return r
	}
	if e.learning {
		r := e.f.NewGP()
		e.f.SetInt(r, 0)
		e.top().pointers[k] = r
		return r
	}
	// What is left are symbols with a register of their own.
	last := p.terms[0]
	for _, t := range p.terms {
		if e.depth(t.sym) >= e.depth(last.sym) {
			last = t
		}
	}
	if last.sym.reg == 0 {
		e.fail("an address is needed outside of its loop")
	}
	base := e.pointer(pointer{p.arg, without(p.terms, last.sym)})
	r := e.f.MulInt(last.sym.reg, last.coef*e.unit(p))
	e.f.AddGP(r, base)
	e.top().pointers[k] = r
	return r
}

// need notes, for each loop around, which address it has to provide.
func (e *emitter) need(p pointer) {
	for i, sc := range e.scopes {
		if sc.sym == nil || sc.sym.reg != 0 {
			continue
		}
		var terms []term
		for _, t := range p.terms {
			if e.depth(t.sym) <= 2*i {
				terms = append(terms, t)
			}
		}
		q := pointer{p.arg, terms}
		if e.needs[sc.loop] == nil {
			e.needs[sc.loop] = map[string]pointer{}
		}
		e.needs[sc.loop][q.key()] = q
	}
}

// integer gives a register with the value of a.
func (e *emitter) integer(a affine) asm.Reg {
	if a.isConst() {
		return e.f.Int(a.konst)
	}
	r := e.pointer(pointer{-1, a.terms})
	if a.konst != 0 {
		return e.f.Lea(asm.Mem{Base: r, Disp: a.konst})
	}
	return r
}

// argument is the number of a tensor among the kernel's arguments.
func (e *emitter) argument(v *ir.Value) int {
	i := slices.Index(e.args, v)
	if i < 0 {
		e.fail("%s is no argument", v.Name)
	}
	return i
}

// memory is the operand for a position in a tensor, the lane left out.
func (e *emitter) memory(v *ir.Value, at affine) asm.Mem {
	at = at.withoutLane()
	return asm.Mem{Base: e.pointer(pointer{e.argument(v), at.terms}), Disp: v.Type.DType.Size() * at.konst}
}

// test runs body where all tests hold.
func (e *emitter) branch(tests []test, body func()) {
	if len(tests) == 0 {
		e.push(nil, -1)
		body()
		e.pop()
		return
	}
	t := tests[0]
	reg := e.pointer(pointer{-1, t.of.terms})
	e.f.If(reg, t.cond, -t.of.konst, func() { e.branch(tests[1:], body) })
}

// cut gives the parts of an axis here.
func (e *emitter) cut(v *loop.Var) []part {
	if list, ok := e.over[v]; ok {
		return list
	}
	if list, ok := e.parts[v]; ok {
		return list
	}
	return []part{{from: 0, to: v.Extent, size: 1}}
}

// along emits body for every point of an axis.
func (e *emitter) along(v *loop.Var, body func()) {
	for _, p := range e.cut(v) {
		e.inPart(v, p, func() {
			if e.unrolled[v] {
				for k := p.from; k < p.to; k++ {
					e.at[v] = number(k)
					if e.within(v) {
						body()
					}
				}
				return
			}
			e.say(v, p)
			e.loop((p.to-p.from)/p.size, func(it affine) {
				e.at[v] = it.times(p.size).plus(number(p.from), 1)
				body()
			})
		})
	}
	delete(e.at, v)
}

// say comments on the part of an axis that follows.
func (e *emitter) say(v *loop.Var, p part) {
	switch {
	case p.to-p.from == 1:
		e.f.Comment("%s = %d", v.Name, p.from)
	case p.to-p.from == p.size:
		e.f.Comment("%s = %d to %d, together", v.Name, p.from, p.to-1)
	case p.size > 1:
		e.f.Comment("for %s = %d to %d, %d at a time", v.Name, p.from, p.to-1, p.size)
	default:
		e.f.Comment("for %s = %d to %d", v.Name, p.from, p.to-1)
	}
}

// inPart runs body with what a part of an axis says.
func (e *emitter) inPart(v *loop.Var, p part, body func()) {
	valid := e.valid
	if p.valid != 0 {
		e.valid = p.valid
	}
	e.size[v] = p.size
	for u, list := range p.inner {
		e.over[u] = list
	}
	body()
	for u := range p.inner {
		delete(e.over, u)
	}
	delete(e.size, v)
	e.valid = valid
}

// within reports whether the inner axis of a split is inside its whole axis.
func (e *emitter) within(v *loop.Var) bool {
	l, ok := e.limits[v]
	if !ok {
		return true
	}
	whole := e.at[l.outer].times(l.size).plus(e.at[v], 1)
	least, most := whole.bounds()
	if most < l.extent {
		return true
	}
	if least < l.extent {
		e.fail("an axis of %d is cut by %d in a loop", l.extent, l.size)
	}
	return false
}

// nest emits the axes from number i on; the first parallel ones are tasks.
func (e *emitter) nest(i int) {
	if e.s.blocking != nil && i == e.s.parallel {
		e.blocked(e.s.blocking)
		return
	}
	if i == len(e.axes) {
		e.points()
		return
	}
	v := e.axes[i]
	if i >= e.s.parallel {
		e.hoist(e.axes[i:])
		e.along(v, func() { e.nest(i + 1) })
		return
	}
	tile := e.task[v]
	first := 0
	parts := e.cut(v)
	for _, p := range parts {
		count := (p.to - p.from) / p.size
		emit := func() {
			e.inPart(v, p, func() {
				sym := e.symbol(count)
				if count == 1 {
					e.at[v] = number(p.from)
				} else {
					sym.reg = tile
					e.at[v] = sym.affine().times(p.size).plus(number(p.from-first*p.size), 1)
					// The register counts from the first part on.
					sym.from, sym.extent = first, first+count
				}
				e.push(sym, -1)
				e.nest(i + 1)
				e.pop()
			})
		}
		lo, hi := first, first+count
		switch {
		case len(parts) == 1:
			emit()
		case lo == 0:
			e.f.If(tile, asm.Lt, hi, func() { e.push(nil, -1); emit(); e.pop() })
		case hi == tilesIn(parts):
			e.f.If(tile, asm.Ge, lo, func() { e.push(nil, -1); emit(); e.pop() })
		default:
			e.f.If(tile, asm.Ge, lo, func() {
				e.f.If(tile, asm.Lt, hi, func() { e.push(nil, -1); emit(); e.pop() })
			})
		}
		first = hi
	}
	delete(e.at, v)
}

func tilesIn(parts []part) int {
	n := 0
	for _, p := range parts {
		n += (p.to - p.from) / p.size
	}
	return n
}

// decode computes each task axis' tile number from the task's number.
func (e *emitter) decode() {
	total := e.s.tasks(e.prepared)
	divisor := total
	task := e.f.Task()
	for i, v := range e.axes[:e.s.parallel] {
		n := tilesIn(e.cut(v))
		divisor /= n
		if n == 1 {
			e.task[v] = task // never read
			continue
		}
		r := task
		if divisor > 1 {
			r = e.f.DivInt(r, divisor)
		}
		if i > 0 && divisor*n < total {
			r = e.f.ModInt(r, n)
		}
		e.task[v] = r
	}
}

// point is one element of a tile: how far each tiled axis is from its start.
type point struct {
	axes   []*loop.Var
	offset []int
}

// text names a point, as "sum at k+1 x+0".
func (p point) text(what string) string {
	for i, v := range p.axes {
		if i == 0 {
			what += " at"
		}
		what += fmt.Sprintf(" %s+%d", v.Name, p.offset[i])
	}
	return what
}

// tilePoints lists the points of the tile, the last axis innermost.
func (e *emitter) tilePoints() []point {
	list := []point{{}}
	for _, v := range e.axes {
		n := e.size[v]
		if n <= 1 {
			continue
		}
		var next []point
		for _, p := range list {
			for k := range n {
				next = append(next, point{append(slices.Clone(p.axes), v), append(slices.Clone(p.offset), k)})
			}
		}
		list = next
	}
	return list
}

// atPoint runs body with the axes at one point of the tile.
func (e *emitter) atPoint(p point, body func()) {
	saved := make([]affine, len(p.axes))
	for i, v := range p.axes {
		saved[i] = e.at[v]
		e.at[v] = saved[i].plus(number(p.offset[i]), 1)
	}
	body()
	for i, v := range p.axes {
		e.at[v] = saved[i]
	}
}

// points emits the body for the tile that the axes are at.
func (e *emitter) points() {
	if e.prepared.lane != nil {
		if e.own == nil {
			e.own = e.laneSymbol()
		}
		e.lane = e.own
		e.at[e.prepared.lane] = e.lane.affine()
		defer func() { e.lane = nil }()
	}
	points := e.tilePoints()
	if e.passesOnce {
		e.joined(points)
		return
	}
	if r, ok := e.body[0].(*loop.Reduce); ok && len(points) > 1 && r.Kind == loop.Sum && r.Arg == nil && len(r.Body) == 0 {
		e.contraction(r, points)
		return
	}
	for _, p := range points {
		e.atPoint(p, func() { e.statements(e.body) })
	}
}

func (e *emitter) laneSymbol() *symbol {
	s := e.symbol(e.width)
	s.isLane = true
	return s
}

// statements emits the body at one point.
func (e *emitter) statements(body []loop.Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			if _, done := e.hoistedLet(s); !done {
				e.vals[s.Var] = e.scalar(s.Of)
			}
		case *loop.Reduce:
			e.reduce(s)
		case *loop.For:
			e.inner(s)
		case *loop.Put:
			e.put(s)
		}
	}
}

// scalar evaluates an expression of any kind.
func (e *emitter) scalar(x *loop.Expr) value {
	switch x.Kind {
	case loop.Float:
		return value{vec: e.float(x)}
	case loop.Int:
		return e.int(x)
	}
	return e.bool(x)
}

// inner emits a loop of the body.
func (e *emitter) inner(s *loop.For) {
	if e.isLane[s.Axis] {
		outer := e.lane
		e.lane = e.laneSymbol()
		e.at[s.Axis] = e.lane.affine()
		e.statements(s.Body)
		delete(e.at, s.Axis)
		e.lane = outer
		return
	}
	e.along(s.Axis, func() { e.statements(s.Body) })
}
