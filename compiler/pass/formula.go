package pass

import (
	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// formula builds op.Maps from texts over names, each of which stands for a
// value of the graph or for an expression over other names.
type formula struct {
	names  map[string]*loop.Expr // what each name stands for
	vars   map[*loop.Var]string
	values map[string]*ir.Value        // the bound names
	later  map[string]func() *ir.Value // bound names whose value is made on first use
}

// bind makes a name stand for a value.
func (f *formula) bind(name string, v *ir.Value) {
	f.bindLater(name, 1, nil)
	f.values[name] = v
}

// bindLater makes a name stand for factor times a value, which create makes
// when a formula first needs it.
func (f *formula) bindLater(name string, factor float64, create func() *ir.Value) {
	if f.values == nil {
		f.values, f.later, f.vars = map[string]*ir.Value{}, map[string]func() *ir.Value{}, map[*loop.Var]string{}
	}
	v := &loop.Var{Name: name, Kind: loop.Float}
	f.vars[v] = name
	f.later[name] = create
	f.names[name] = loop.Times(loop.N(factor), loop.R(v))
}

// define makes a name stand for a text over the names known so far.
func (f *formula) define(name, text string) { f.names[name] = f.parse(text) }

// parse reads a text that this package wrote; a mistake in it is a mistake in
// this package.
func (f *formula) parse(text string) *loop.Expr {
	e, err := loop.ParseExpr(text, f.names)
	if err != nil {
		panic(err)
	}
	return e
}

// add appends a Map that computes the text.
func (f *formula) add(g *ir.Graph, text, name string, from []ir.Origin) *ir.Value {
	e, in := f.compose(text)
	return g.Must(&op.Map{Formula: loop.Format(e)}, name, from, in...)
}

// compose gives a text as an expression over a, b, c, …, the values that it
// uses in the order in which they occur.
func (f *formula) compose(text string) (*loop.Expr, []*ir.Value) {
	e := f.parse(text)
	var in []*ir.Value
	letter := map[*loop.Var]*loop.Expr{}
	e.Walk(func(x *loop.Expr) {
		if x.Op != loop.Ref || letter[x.Var] != nil {
			return
		}
		bound := f.vars[x.Var]
		if f.values[bound] == nil {
			f.values[bound] = f.later[bound]()
		}
		letter[x.Var] = loop.R(&loop.Var{Name: string(rune('a' + len(in))), Kind: loop.Float})
		in = append(in, f.values[bound])
	})
	return e.Substitute(letter), in
}
