package plan

import (
	"testing"

	"netc/ir"
	"netc/ir/loop"
)

func TestInPlace(t *testing.T) {
	x := &ir.Value{Name: "x", Type: ir.Float(4, 4)}
	y := &ir.Value{Name: "y", Type: ir.Float(4, 4)}
	z := &ir.Value{Name: "z", Type: ir.Float(4, 4)}
	other := &ir.Value{Name: "other", Type: ir.Float(16)}
	i, j, k := loop.Axis("i", 4), loop.Axis("j", 4), loop.Axis("k", 4)
	sum := &loop.Var{Name: "sum"}
	place := &loop.Var{Name: "place", Kind: loop.Int}
	load := func(a, b *loop.Expr) *loop.Expr { return loop.At(x, a, b) }
	ij := loop.Refs(i, j)
	here := load(ij[0], ij[1])
	store := func(v *ir.Value, of *loop.Expr) *loop.Store { return &loop.Store{Value: v, Index: ij, Of: of} }
	over := func(axes ...*loop.Var) func(body ...loop.Stmt) []*loop.Nest {
		return func(body ...loop.Stmt) []*loop.Nest { return []*loop.Nest{{Axes: axes, Body: body}} }
	}
	points := over(i, j)
	// Two kernels that store rows 2 half + first and 2 half + second; that those
	// differ is what an operator promises of its nests, and the checker proves.
	half := loop.Axis("half", 2)
	row := func(k int) []*loop.Expr {
		return []*loop.Expr{loop.Plus(loop.Times(loop.R(half), loop.I(2)), loop.I(k)), ij[1]}
	}
	halves := func(first, second int) (list []*loop.Nest) {
		for _, k := range []int{first, second} {
			list = append(list, over(half, j)(&loop.Store{Value: y, Index: row(k), Of: load(row(k)[0], row(k)[1])})...)
		}
		return list
	}
	// Two kernels that store the rows from first on and those from second on, as
	// a concatenation does.
	pieces := func(first, second int) (list []*loop.Nest) {
		for _, k := range []int{first, second} {
			at := []*loop.Expr{loop.Plus(loop.R(half), loop.I(k)), ij[1]}
			list = append(list, over(half, j)(&loop.Store{Value: y, Index: at, Of: load(at[0], at[1])})...)
		}
		return list
	}
	for _, c := range []struct {
		name    string
		nests   []*loop.Nest
		want    bool
		checker bool // what the checker, whose rule is wider, may say
	}{
		{"same element", points(store(y, loop.Times(here, here))), true, true},
		{"transposed", points(store(y, load(ij[1], ij[0]))), false, false},
		{"the element after", points(store(y, load(ij[0], loop.Plus(ij[1], loop.I(1))))), false, false},
		{"a fixed element", points(store(y, load(loop.I(0), loop.I(0)))), false, false},
		{"a neighbour too", points(store(y, loop.Plus(here, load(ij[0], loop.Remainder(loop.Plus(ij[1], loop.I(1)), loop.I(4)))))), false, false},
		{"through a scalar", points(&loop.Let{Var: sum, Of: here}, store(y, loop.R(sum))), true, true},
		{"at a computed place", points(&loop.Let{Var: place, Of: ij[1]}, store(y, load(ij[0], loop.R(place)))), false, false},
		{"a row in a reduction", points(&loop.Reduce{Var: sum, Axes: []*loop.Var{k}, Of: load(ij[0], loop.R(k))}, store(y, loop.R(sum))), false, false},
		{"its element in a reduction", points(&loop.Reduce{Var: sum, Axes: []*loop.Var{k}, Of: here}, store(y, loop.R(sum))), false, true},
		{"after the store", points(store(y, here), store(z, here)), false, false},
		{"before the store", points(store(z, here), store(y, here)), true, true},
		{"stored twice", points(store(y, here), store(y, here)), false, false},
		{"two kernels", append(points(store(z, here)), points(store(y, here))...), false, true},
		{"a kernel after the store", append(points(store(y, here)), points(store(z, here))...), false, false},
		{"each of two kernels its rows", halves(0, 1), true, true},
		{"each of two kernels all rows", halves(0, 0), true, false},
		{"the first rows and the last", pieces(2, 0), true, true},
		{"pieces that share a row", pieces(1, 0), true, false},
		{"a kernel that reads the other's rows", append(halves(0, 1)[:1], over(half, j)(
			&loop.Store{Value: y, Index: row(1), Of: load(loop.I(0), ij[1])})...), false, false},
		{"two kernels, one of which stores no part of it", append(halves(0, 1), points(store(z, load(ij[1], ij[0])))...), false, false},
		{"inside a loop over a row", over(i)(&loop.For{Axis: j, Body: []loop.Stmt{store(y, here)}}), true, true},
		{"a loop that stores one element again", points(&loop.For{Axis: k, Body: []loop.Stmt{store(y, here)}}), false, false},
		{"the row again after the loop", over(i)(&loop.For{Axis: j, Body: []loop.Stmt{store(y, here)}}, &loop.For{Axis: j, Body: []loop.Stmt{store(z, here)}}), false, false},
		{"another tensor anywhere", points(store(y, loop.Plus(here, loop.At(other, loop.Remainder(ij[0], loop.I(2)))))), true, true},
		{"the result is not stored", points(store(z, here)), false, false},
		{"unknown kernels", nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			nests := func(*ir.Node) []*loop.Nest { return c.nests }
			n := &ir.Node{In: []*ir.Value{x}, Out: []*ir.Value{y, z}}
			if got := InPlace(n, x, y, nests); got != c.want {
				t.Errorf("InPlace is %v", got)
			}
			judge := checker{nests: nests}
			if err := judge.elementwise(n, x, y); (err == nil) != c.checker {
				t.Errorf("the checker says %v", err)
			}
		})
	}
	if InPlace(&ir.Node{}, other, y, func(*ir.Node) []*loop.Nest { return points(store(y, loop.N(0))) }) {
		t.Errorf("values of two shapes share a place")
	}
}
