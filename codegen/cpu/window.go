package cpu

import (
	"fmt"
	"maps"

	"netc/ir"
	"netc/ir/loop"
)

// A window is an array that covers all of a block's accesses to a tensor whose
// positions differ by constants only. Converting a slice to an array pointer
// checks its length once; the accesses then need no checks.
type window struct {
	value *ir.Value
	name  string
	key   key       // of the accesses' positions
	least int       // the smallest constant part
	over  *loop.Var // the loop variable that the window spans, or nil
	from  int       // its first value
	index string    // for a tensor sliced to the task range: the index
}

// key tells positions apart that differ in more than a constant: it is what a
// position multiplies each variable by.
type key map[*loop.Var]int

func (k key) equals(other key) bool { return maps.Equal(k, other) }

// at prints the index of a position inside the window.
func (w *window) at(p *printer, a loop.Affine) string {
	offset := a.Const - w.least
	if w.over == nil {
		return fmt.Sprint(offset)
	}
	switch offset -= w.from; {
	case offset == 0:
		return p.vars[w.over]
	case offset < 0:
		return fmt.Sprintf("%s-%d", p.vars[w.over], -offset)
	}
	return fmt.Sprintf("%s+%d", p.vars[w.over], offset)
}

// accesses collects the affine accesses of a block by tensor and key, in order
// of first use. Accesses under a condition are left out: they may lie outside
// the tensor where the condition does not hold.
type accesses struct {
	value       *ir.Value
	key         key
	first       *loop.Expr
	least, most int
	count       int
}

func (p *printer) accessesOf(body []loop.Stmt) []*accesses {
	var list []*accesses
	find := func(v *ir.Value, at *loop.Expr) {
		a, ok := p.affine(at)
		if !ok {
			return
		}
		for _, x := range list {
			if x.value == v && x.key.equals(a.Coef) {
				x.least, x.most = min(x.least, a.Const), max(x.most, a.Const)
				x.count++
				return
			}
		}
		list = append(list, &accesses{v, a.Coef, at, a.Const, a.Const, 1})
	}
	conditional := map[*loop.Expr]bool{}
	eachExpr(body, func(e *loop.Expr) {
		if e.Op == loop.Select || e.Op == loop.And || e.Op == loop.Or {
			for _, a := range e.Args[1:] {
				a.Walk(func(x *loop.Expr) { conditional[x] = true })
			}
		}
	})
	for _, s := range body {
		if put, ok := s.(*loop.Put); ok {
			find(put.Value, put.At)
		}
	}
	eachExpr(body, func(e *loop.Expr) {
		if e.Op == loop.Get && !conditional[e] {
			find(e.Value, e.Args[0])
		}
	})
	return list
}

func (p *printer) windowed(v *ir.Value, k key) bool {
	for _, w := range p.windows {
		if w.value == v && w.index == "" && w.key.equals(k) {
			return true
		}
	}
	return false
}

// insideWindows opens windows at the start of a straight-line block, for
// tensors that it accesses at several constant distances.
func (p *printer) insideWindows(body []loop.Stmt) {
	for _, x := range p.accessesOf(body) {
		if x.count < 2 || p.windowed(x.value, x.key) || !p.bindable(x) {
			continue
		}
		w := &window{value: x.value, key: x.key, least: x.least}
		p.open(w, x, x.most-x.least+1, nil)
	}
}

// outsideWindows opens windows before an innermost loop, for tensors that the
// loop walks through element by element.
func (p *printer) outsideWindows(s *loop.Loop) {
	if s.Step != 1 {
		return
	}
	for _, x := range p.accessesOf(s.Body) {
		if x.key[s.Var] != 1 || !p.bindable(x, s.Var) {
			continue
		}
		w := &window{value: x.value, key: x.key, least: x.least, over: s.Var, from: s.From}
		p.open(w, x, s.To-s.From+x.most-x.least, map[*loop.Var]*loop.Expr{s.Var: loop.I(s.From)})
	}
}

// bindable reports whether all variables of an access are known before the
// block begins.
func (p *printer) bindable(x *accesses, except ...*loop.Var) bool {
	for v := range x.key {
		if _, ok := p.vars[v]; !ok && (len(except) == 0 || v != except[0]) {
			return false
		}
	}
	return true
}

// opening is a declared window variable.
type opening struct {
	value string // what it was declared as
	name  string
}

// open declares "nameAt := (*[size]float32)(name[base:])" for a window, or
// takes a variable that was declared as the same.
func (p *printer) open(w *window, x *accesses, size int, with map[*loop.Var]*loop.Expr) {
	a, _ := p.affine(x.first)
	base := p.expr(loop.Plus(x.first.Substitute(with), loop.I(x.least-a.Const)))
	if base == "0" {
		base = ""
	}
	value := fmt.Sprintf("(*[%d]%s)(%s[%s:])", size, goType(x.value), p.names[x.value], base)
	p.windows = append(p.windows, w)
	for _, o := range p.opened {
		if o.value == value {
			w.name = o.name
			return
		}
	}
	w.name = p.scope.Take(p.names[x.value] + "At")
	p.printf("%s := %s", w.name, value)
	p.opened = append(p.opened, opening{value, w.name})
}
