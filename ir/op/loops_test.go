package op_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/loop"
	"netc/ir/op"
)

// TestLoops compares what the loop nests compute with the reference evaluator.
func TestLoops(t *testing.T) {
	each(t, 40, func(t *testing.T, x trial, r *rand.Rand) {
		g, n, e := build(t, x, r)
		e.run(g.Nodes)
		feeds := map[string]*eval.Tensor{}
		for _, v := range g.Inputs {
			feeds[v.Name] = &eval.Tensor{Type: v.Type, Data: e[v]}
		}
		want, err := eval.Run(g, feeds)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range n.Out {
			for i, w := range want[v.Name].Data {
				if !near(e[v][i], w, 1e-12) {
					t.Fatalf("%s\n%s[%d]: the loops give %v, the reference %v", g, v.Name, i, e[v][i], w)
				}
			}
		}
	})
}

// TestStoresOnce checks what lets the points of a nest run in parallel: each
// element of a result is stored by one point of one nest, and no nest reads
// what it stores.
func TestStoresOnce(t *testing.T) {
	each(t, 10, func(t *testing.T, x trial, r *rand.Rand) {
		g, n, e := build(t, x, r)
		e.run(g.Nodes)
		stored := map[*ir.Value][]bool{}
		for _, v := range n.Out {
			stored[v] = make([]bool, v.Type.Shape.Count())
		}
		for _, nest := range x.op.Loops(n) {
			results := map[*ir.Value]bool{}
			for _, v := range nest.Stores() {
				results[v] = true
			}
			for _, v := range nest.Loads() {
				if results[v] {
					t.Fatalf("%s\na nest reads %s, which it stores", g, v.Name)
				}
			}
			points(nest, func(point *loop.Nest) {
				fresh := elements{}
				for v := range results {
					fresh[v] = unset(v)
				}
				loop.Interpret(point, func(v *ir.Value) []float64 {
					if results[v] {
						return fresh[v]
					}
					return e[v]
				}, eval.Uniform)
				for v, list := range fresh {
					for i, y := range list {
						if math.IsNaN(y) {
							continue
						}
						if stored[v][i] {
							t.Fatalf("%s\n%s[%d] is stored by two points", g, v.Name, i)
						}
						stored[v][i] = true
					}
				}
			})
		}
		for v, list := range stored {
			for i, is := range list {
				if !is {
					t.Fatalf("%s\n%s[%d] is not stored", g, v.Name, i)
				}
			}
		}
	})
}

// points gives a nest for each single point of a nest.
func points(n *loop.Nest, visit func(*loop.Nest)) {
	if len(n.Axes) == 0 {
		visit(n)
		return
	}
	for i := range n.Axes[0].Extent {
		set := &loop.Let{Var: n.Axes[0], Of: loop.I(i)}
		points(&loop.Nest{Axes: n.Axes[1:], Body: append([]loop.Stmt{set}, n.Body...)}, visit)
	}
}

// TestWithinIsAffine checks what schedules rely on when they turn ranges into
// loop bounds.
func TestWithinIsAffine(t *testing.T) {
	each(t, 10, func(t *testing.T, x trial, r *rand.Rand) {
		g, n, _ := build(t, x, r)
		var walk func(body []loop.Stmt)
		walk = func(body []loop.Stmt) {
			for _, s := range body {
				switch s := s.(type) {
				case *loop.For:
					walk(s.Body)
				case *loop.Reduce:
					walk(s.Body)
					for _, w := range s.Within {
						if _, ok := w.Index.ToAffine(); !ok {
							t.Errorf("%s\n%s is not affine", g, loop.Format(w.Index))
						}
					}
				}
			}
		}
		for _, nest := range x.op.Loops(n) {
			walk(nest.Body)
		}
	})
}

// TestElementMatchesLoops checks that the expression that fusion uses is the one
// that the nest stores.
func TestElementMatchesLoops(t *testing.T) {
	each(t, 5, func(t *testing.T, x trial, r *rand.Rand) {
		o, ok := x.op.(op.Elementwise)
		if !ok {
			t.Skip("not elementwise")
		}
		g, n, e := build(t, x, r)
		e.run(g.Nodes)
		want := e[n.Out[0]]
		e[n.Out[0]] = unset(n.Out[0])
		for _, nest := range op.ElementLoops(o, n) {
			loop.Interpret(nest, e.of, eval.Uniform)
		}
		for i, w := range want {
			if e[n.Out[0]][i] != w {
				t.Fatalf("%s\nelement %d is %v by the expression, %v by the loops", g, i, e[n.Out[0]][i], w)
			}
		}
	})
}
