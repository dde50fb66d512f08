package loop_test

import (
	"testing"

	"netc/ir"
	"netc/ir/loop"
)

// TestOperations counts by hand what small nests do.
func TestOperations(t *testing.T) {
	value := func(name string, shape ...int) *ir.Value {
		return &ir.Value{Name: name, Type: ir.Float(shape...)}
	}
	x, y, out := value("x", 4, 6), value("y", 6), value("out", 4)
	i, k := loop.Axis("i", 4), loop.Axis("k", 6)
	sum := &loop.Var{Name: "sum"}
	at := loop.At(x, loop.R(i), loop.R(k))
	elementwise := func(of func(e *loop.Expr) *loop.Expr) *loop.Nest {
		return &loop.Nest{Axes: []*loop.Var{k}, Body: []loop.Stmt{
			&loop.Store{Value: y, Index: loop.Refs(k), Of: of(loop.At(y, loop.R(k)))},
		}}
	}
	reduce := func(of, where *loop.Expr) *loop.Nest {
		return &loop.Nest{Axes: []*loop.Var{i}, Body: []loop.Stmt{
			&loop.Reduce{Var: sum, Kind: loop.Sum, Axes: []*loop.Var{k}, Of: of, Where: where},
			&loop.Store{Value: out, Index: loop.Refs(i), Of: loop.R(sum)},
		}}
	}
	product := reduce(loop.Times(at, loop.At(y, loop.R(k))), nil)
	for _, c := range []struct {
		name     string
		nest     *loop.Nest
		schedule loop.Schedule
		want     int
	}{
		{"a copy does nothing", elementwise(func(e *loop.Expr) *loop.Expr { return e }), loop.Schedule{}, 0},
		{"a product and a sum a term", product, loop.Schedule{}, 4 * 6 * 2},
		{"tiles and unrolling change nothing", product, loop.Schedule{Tiles: []loop.Tile{{Axis: i, Size: 3}}, Unroll: 2}, 4 * 6 * 2},
		{"tasks change nothing", product, loop.Schedule{Parallel: 1}, 4 * 6 * 2},
		{"a condition counts and holds", reduce(at, loop.Compare(loop.Less, at, loop.N(0))), loop.Schedule{}, 4 * 6 * 2},
		{"a condition on the index is free", reduce(at, loop.Compare(loop.Less, loop.R(k), loop.I(2))), loop.Schedule{}, 4 * 6},
		{"the longer side of a choice", elementwise(func(e *loop.Expr) *loop.Expr {
			return loop.Choose(loop.Compare(loop.Less, e, loop.N(0)), loop.Apply("exp", loop.Times(e, e)), loop.N(0))
		}), loop.Schedule{}, 6 * 3},
	} {
		if got := loop.Lower(c.nest, c.schedule).Operations(); got != c.want {
			t.Errorf("%s: %d operations, want %d", c.name, got, c.want)
		}
	}
}
