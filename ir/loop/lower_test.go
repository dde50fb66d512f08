package loop_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"netc/compiler/schedule"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/example"
	"netc/ir/loop"
	"netc/ir/op"
)

// TestLowerKeepsResults runs the nests of every operator's examples as they
// stand and lowered under plain, chosen and random schedules: the results must
// have the same bits, because no schedule may change the order of a sum.
func TestLowerKeepsResults(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for number, e := range example.All() {
		name := fmt.Sprintf("%d %s %s", number, e.Op.Mnemonic(), ir.Attributes(e.Op))
		x := e.Instance(t, uint64(number))
		nests, err := op.Nests(x.Node)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := run(x, nests, func(n *loop.Nest, tensors loop.Tensors) { loop.Interpret(n, tensors, eval.Uniform) })
		choices := map[string]func(*loop.Nest) loop.Schedule{
			"plain": schedule.Plain,
			"tiled": schedule.Tiled,
			"random": func(n *loop.Nest) loop.Schedule {
				return randomSchedule(random, n)
			},
		}
		for choice, choose := range choices {
			got := run(x, nests, func(n *loop.Nest, tensors loop.Tensors) {
				loop.InterpretCode(loop.Lower(n, choose(n)), tensors, eval.Uniform)
			})
			for v, w := range want {
				for i := range w {
					if got[v][i] != w[i] && !(math.IsNaN(got[v][i]) && math.IsNaN(w[i])) {
						t.Fatalf("%s under a %s schedule: %s[%d] is %v, the nest gives %v", name, choice, v, i, got[v][i], w[i])
					}
				}
			}
		}
	}
}

func run(x example.Instance, nests []*loop.Nest, one func(*loop.Nest, loop.Tensors)) map[string][]float64 {
	data := map[string][]float64{}
	for name, f := range x.Feeds {
		data[name] = f.Data
	}
	out := map[string][]float64{}
	for _, v := range x.Node.Out {
		out[v.Name] = make([]float64, v.Type.Shape.Count())
		for i := range out[v.Name] {
			out[v.Name][i] = math.NaN()
		}
		data[v.Name] = out[v.Name]
	}
	for _, n := range nests {
		one(n, func(v *ir.Value) []float64 { return data[v.Name] })
	}
	return out
}

// randomSchedule tiles a nest that schedule.Tiled would tile, by other sizes
// on other axes.
func randomSchedule(random *rand.Rand, n *loop.Nest) loop.Schedule {
	s := schedule.Tiled(n)
	s.Parallel = random.IntN(len(n.Axes) + 1)
	if len(s.Tiles) == 0 {
		return s
	}
	r := n.Body[0].(*loop.Reduce)
	s.Unroll = 1
	if random.IntN(2) == 0 {
		s.Unroll = r.Axes[len(r.Axes)-1].Extent
	}
	var free []*loop.Var
	for _, v := range n.Axes {
		if r.Where == nil || !r.Where.Uses(v) {
			free = append(free, v)
		}
	}
	random.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	s.Tiles = nil
	for _, v := range free[:min(2, len(free))] {
		s.Tiles = append(s.Tiles, loop.Tile{Axis: v, Size: 1 + random.IntN(v.Extent)})
	}
	return s
}

func TestPlusFoldsConstants(t *testing.T) {
	x := loop.R(loop.Axis("x", 9))
	for _, c := range []struct {
		got  *loop.Expr
		want string
	}{
		{loop.Minus(loop.Plus(x, loop.I(3)), loop.I(5)), "x - 2"},
		{loop.Plus(loop.Minus(x, loop.I(3)), loop.I(5)), "x + 2"},
		{loop.Plus(loop.I(3), loop.Minus(x, loop.I(3))), "x"},
		{loop.Minus(loop.Minus(x, loop.I(3)), loop.I(-1)), "x - 2"},
		{loop.Times(loop.Plus(x, loop.I(1)), loop.I(4)), "(x + 1)*4"},
	} {
		if got := loop.Format(c.got); got != c.want {
			t.Errorf("%s, not %s", got, c.want)
		}
	}
}

func TestParseExprRefuses(t *testing.T) {
	names := map[string]*loop.Expr{"a": loop.R(&loop.Var{Name: "a"})}
	for _, text := range []string{"", "a +", "a ? 1 : 2", "!a > 0", "-(a < 1)", "exp(a < 1)", "min(a)", "b", "a a", "(a", "1e", "a < 1"} {
		if e, err := loop.ParseExpr(text, names); err == nil {
			t.Errorf("%q parsed as %s", text, loop.Format(e))
		}
	}
}
