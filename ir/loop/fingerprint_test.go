package loop_test

import (
	"fmt"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/example"
	"netc/ir/loop"
	"netc/ir/op"
)

// scaledSum is out[i] = sum over k where k < limit of x[i,k] * y[k], times by.
func scaledSum(name string, rows int, x, y *ir.Value, limit int, by float64) *loop.Nest {
	out := &ir.Value{Name: name + "out", Type: ir.Float(rows)}
	i, k := loop.Axis(name+"i", rows), loop.Axis(name+"k", 6)
	sum := &loop.Var{Name: name + "sum"}
	return &loop.Nest{Axes: []*loop.Var{i}, Body: []loop.Stmt{
		&loop.Reduce{Var: sum, Axes: []*loop.Var{k}, Within: []loop.Range{{Index: loop.R(k), Extent: limit}},
			Of: loop.Times(loop.At(x, loop.R(i), loop.R(k)), loop.At(y, loop.R(k), loop.R(k)))},
		&loop.Store{Value: out, Index: loop.Refs(i), Of: loop.Times(loop.R(sum), loop.N(by))},
	}}
}

// TestFingerprint: names do not matter, everything else does.
func TestFingerprint(t *testing.T) {
	square := func(name string) *ir.Value { return &ir.Value{Name: name, Type: ir.Float(6, 6)} }
	a, b, c, d := square("a"), square("b"), square("c"), square("d")
	swapped := &ir.Value{Name: "a", Type: ir.Float(6, 6).Swapped()}
	lanes := &ir.Value{Name: "a", Type: ir.Float(6, 6).InLanes(0)}
	base := scaledSum("", 6, a, b, 5, 2)
	want, tensors := base.Fingerprint()
	if !slices.Equal(tensors, []*ir.Value{a, b, base.Stores()[0]}) {
		t.Errorf("tensors %v", tensors)
	}
	again := scaledSum("other ", 6, c, d, 5, 2)
	got, others := again.Fingerprint()
	if got != want || !slices.Equal(others, []*ir.Value{c, d, again.Stores()[0]}) {
		t.Errorf("the same on other tensors has another fingerprint:\n%s\n%s", want, got)
	}
	for name, n := range map[string]*loop.Nest{
		"one tensor twice":  scaledSum("", 6, a, a, 5, 2),
		"a tensor in lanes": scaledSum("", 6, lanes, b, 5, 2),
		"a swapped tensor":  scaledSum("", 6, swapped, b, 5, 2),
		"fewer rows":        scaledSum("", 5, a, b, 5, 2),
		"another limit":     scaledSum("", 6, a, b, 4, 2),
		"another factor":    scaledSum("", 6, a, b, 5, 3),
	} {
		if text, _ := n.Fingerprint(); text == want {
			t.Errorf("%s: the same fingerprint", name)
		}
	}
}

// TestFingerprintsTellOperatorsApart: of all examples, those with one
// fingerprint are one operator on operands of the same types, by its text.
func TestFingerprintsTellOperatorsApart(t *testing.T) {
	known := map[string]string{}
	for i, e := range example.All() {
		x := e.Instance(t, uint64(i))
		nests, err := op.Nests(x.Node)
		if err != nil {
			t.Fatal(err)
		}
		for part, n := range nests {
			what := fmt.Sprint(formula(n), " ", part)
			text, tensors := n.Fingerprint()
			if before, ok := known[text]; ok && before != what {
				t.Errorf("one fingerprint for\n%s\n%s", before, what)
			}
			known[text] = what
			for _, v := range append(n.Loads(), n.Stores()...) {
				if !slices.Contains(tensors, v) {
					t.Errorf("%s is no tensor of %s", v.Name, text)
				}
			}
		}
	}
}

// formula prints the expressions of a nest, whose tensors are named by their
// place among those that it uses.
func formula(n *loop.Nest) string {
	names := map[*ir.Value]string{}
	for i, v := range append(n.Loads(), n.Stores()...) {
		if names[v] == "" {
			names[v] = fmt.Sprint("tensor", i, v.Type)
		}
	}
	text := ""
	loop.WalkExprs(n.Body, func(e *loop.Expr) {
		text += fmt.Sprintf("%d %d %g %d %s;", e.Op, e.Kind, e.Num, e.Int, e.Name)
		if e.Op == loop.Load {
			text += names[e.Value]
		}
	})
	return text
}
