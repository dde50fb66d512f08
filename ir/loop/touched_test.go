package loop_test

import (
	"maps"
	"testing"

	"netc/ir"
	"netc/ir/loop"
)

// TestTouched counts by hand what a nest over every second row uses.
func TestTouched(t *testing.T) {
	value := func(name string, shape ...int) *ir.Value {
		return &ir.Value{Name: name, Type: ir.Float(shape...)}
	}
	x, w, bias, out := value("x", 3, 6), value("w", 6, 5), value("bias", 5), value("out", 6, 5)
	table, places := value("table", 100), &ir.Value{Name: "places", Type: ir.Int(7)}
	row, column, k := loop.Axis("row", 3), loop.Axis("column", 5), loop.Axis("k", 6)
	sum := &loop.Var{Name: "sum"}
	everySecond := loop.Plus(loop.Times(loop.R(row), loop.I(2)), loop.I(1))
	nest := &loop.Nest{Axes: []*loop.Var{row, column}, Body: []loop.Stmt{
		&loop.Reduce{Var: sum, Axes: []*loop.Var{k}, Of: loop.Times(loop.At(x, loop.R(row), loop.R(k)), loop.At(w, loop.R(k), loop.R(column)))},
		&loop.Store{Value: out, Index: []*loop.Expr{everySecond, loop.R(column)},
			Of: loop.Plus(loop.R(sum), loop.Plus(loop.At(bias, loop.R(column)), loop.At(table, loop.At(places, loop.R(row)))))},
	}}
	want := map[*ir.Value]int{x: 18, w: 30, bias: 5, out: 15, table: 100, places: 3}
	if got := nest.Touched(); !maps.Equal(got, want) {
		for v, n := range want {
			t.Errorf("%s: %d elements, want %d", v.Name, got[v], n)
		}
	}
}
