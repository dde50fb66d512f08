package cuda

import (
	"fmt"

	"netc/ir"
	"netc/ir/loop"
)

// quad says how a thread does with four neighbouring columns of a contraction at
// once what the nest does with each sum: tensors whose elements lie side by side
// there are loaded and stored as four.
type quad struct {
	columns []*loop.Var // in the place of the contraction's; the last is the one that the four differ in
	rest    []loop.Stmt // with positions in memory
	places  map[*ir.Value]*loop.Expr
	tensors []*ir.Value // those of places, in the order of the arguments
	loaded  map[*ir.Value]bool
	stored  map[*ir.Value]bool
}

// quadOf gives nil where the columns do not come in fours, or nothing that is
// stored lies in their direction.
func quadOf(c *contraction, args []argument) *quad {
	flat := (&loop.Nest{Body: c.rest}).Flat()
	q := &quad{columns: c.columns, rest: flat.Body, places: map[*ir.Value]*loop.Expr{}, loaded: map[*ir.Value]bool{}, stored: map[*ir.Value]bool{}}
	for i := len(q.columns) - 2; i >= 0; i-- {
		if axes, body, ok := loop.MergeAxes(q.columns, i, q.rest); ok {
			q.columns, q.rest = axes, body
		}
	}
	along := q.columns[len(q.columns)-1]
	if along.Extent%4 != 0 {
		return nil
	}
	scattered := map[*ir.Value]bool{} // tensors that are read or written elsewhere too
	note := func(v *ir.Value, at *loop.Expr) {
		if place := q.places[v]; place != nil && !place.Equal(at) || !isQuad(v, at, along) {
			scattered[v] = true
		}
		q.places[v] = at
	}
	loop.WalkExprs(q.rest, func(e *loop.Expr) {
		if e.Op == loop.Get {
			note(e.Value, e.Args[0])
			q.loaded[e.Value] = true
		}
	})
	for _, s := range q.rest {
		if put, ok := s.(*loop.Put); ok {
			note(put.Value, put.At)
			q.stored[put.Value] = true
		}
	}
	stores := false
	for _, a := range args {
		switch v := a.value; {
		case v == nil || q.places[v] == nil:
		case scattered[v]:
			delete(q.places, v)
		default:
			q.tensors = append(q.tensors, v)
			stores = stores || q.stored[v]
		}
	}
	if !stores {
		return nil
	}
	return q
}

// isQuad reports whether elements at a position lie side by side, and where four
// begin, for four neighbouring values of an axis that begin at a multiple of four.
func isQuad(v *ir.Value, at *loop.Expr, along *loop.Var) bool {
	a, ok := at.ToAffine()
	if !ok || a.Coef[along] != 1 || a.Const%4 != 0 {
		return false
	}
	for axis, k := range a.Coef {
		if axis != along && k%4 != 0 {
			return false
		}
	}
	least, most := a.Bounds()
	return least >= 0 && most < v.Type.Shape.Count()
}

// quadSums prints what is done with a thread's sums, four columns at once.
func (p *printer) quadSums(c *contraction, t tile, sums string) {
	q := c.quad
	outer := p.scope
	p.scope = outer.Child()
	i, four, j := p.scope.Take("i"), p.scope.Take("four"), p.scope.Take("j")
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", i, t.rowsEach)
	p.printf("const int row = blockIdx.y*%d + %s;", t.rows, place("ty", i, t.rowsEach, t.rows))
	first, number := fmt.Sprintf("blockIdx.x*%d + tx*4", t.columns), j
	if t.columnsEach > 4 {
		p.printf("#pragma unroll")
		p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", four, t.columnsEach/4)
		first = fmt.Sprintf("blockIdx.x*%d + %s*%d + tx*4", t.columns, four, t.columns*4/t.columnsEach)
		number = four + "*4 + " + j
	}
	p.printf("const int column = %s;", first)
	p.printf("if (row < %d && column < %d) {", points(c.rows), points(c.columns))
	p.decode(c.rows, "row")
	p.decode(q.columns, "column")
	along := q.columns[len(q.columns)-1]
	column := p.vars[along]
	p.inFours(q.tensors, q.places, q.loaded, q.stored, j, func() {
		if usesBeside(q.rest, along, q.places) {
			p.vars[along] = p.scope.Take(p.variable(along))
			p.printf("const int %s = %s + %s;", p.vars[along], column, j)
		}
		p.vars[c.reduce.Var] = fmt.Sprintf("%s[%s][%s]", sums, i, number)
		p.statements(q.rest)
		p.vars[along] = column
	})
	p.printf("}")
	if t.columnsEach > 4 {
		p.printf("}")
	}
	p.printf("}")
	p.scope = outer
}

// inFours prints a loop over four neighbours, whose number is lane. The elements
// of some tensors at these places are loaded before it and stored behind it as
// four; the body finds them in arrays.
func (p *printer) inFours(tensors []*ir.Value, places map[*ir.Value]*loop.Expr, loaded, stored map[*ir.Value]bool, lane string, body func()) {
	arrays, at := map[*ir.Value]string{}, map[*ir.Value]string{}
	p.quads, p.places = map[*ir.Value]string{}, places
	for _, v := range tensors {
		arrays[v], at[v] = p.scope.Take(p.names[v]+"4"), p.names[v]+" + "+p.bound(places[v], bindSum)
		p.printf("%s %s[4];", cType(v), arrays[v])
		p.quads[v] = arrays[v] + "[" + lane + "]"
		if loaded[v] {
			p.printf("%s(%s, %s);", p.helper("load4"), arrays[v], at[v])
		}
	}
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < 4; %[1]s++) {", lane)
	outer := p.scope
	p.scope = outer.Child()
	body()
	p.scope = outer
	p.printf("}")
	p.quads, p.places = nil, nil
	for _, v := range tensors {
		if stored[v] {
			p.printf("%s(%s, %s);", p.helper("store4"), at[v], arrays[v])
		}
	}
}

// usesBeside reports whether statements use a variable other than for the places
// of tensors that are in fours.
func usesBeside(body []loop.Stmt, v *loop.Var, places map[*ir.Value]*loop.Expr) bool {
	used := false
	var walk func(e *loop.Expr)
	walk = func(e *loop.Expr) {
		if e.Op == loop.Get && places[e.Value] != nil {
			return
		}
		used = used || e.Op == loop.Ref && e.Var == v
		for _, a := range e.Args {
			walk(a)
		}
	}
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			walk(s.Of)
		case *loop.Put:
			walk(s.Of)
			if places[s.Value] == nil {
				walk(s.At)
			}
		}
	}
	return used
}
