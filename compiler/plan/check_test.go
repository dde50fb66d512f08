package plan

import (
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/loop"
)

const checkedGraph = `graph net train
input x : f32[32]
input rate : f32[]
param w : f32[32]
state h : f32[32]
a = relu x : f32[32]
b = exp a : f32[32]
c = mul a, w : f32[32]
r = broadcast rate {shape: [32]} : f32[32]
h.next = map h, b, r {formula: "0.9*a + b*c"} : f32[32]
w.next = sub w, h.next : f32[32]
y = reshape c {shape: [4, 8]} : f32[4,8]
z = transpose y {perm: [1, 0]} : f32[8,4]
write h = h.next
write w = w.next
output z
`

// TestCheckRefusesCorruptedPlans changes a good plan in one way each and wants
// the checker to say what is wrong.
func TestCheckRefusesCorruptedPlans(t *testing.T) {
	for _, c := range []struct {
		name    string
		corrupt func(p *Plan, v func(string) *ir.Value)
		want    []string
	}{
		{"an offset that is not aligned", func(p *Plan, v func(string) *ir.Value) { p.Offsets[v("b")] += 4 },
			[]string{"b lies at byte", "not a multiple of 64"}},
		{"a smaller arena", func(p *Plan, v func(string) *ir.Value) { p.Size -= Alignment },
			[]string{"outside of the"}},
		{"a negative offset", func(p *Plan, v func(string) *ir.Value) { p.Offsets[v("b")] = -Alignment },
			[]string{"b lies at bytes -64 to 64, outside"}},
		{"a value without a place", func(p *Plan, v func(string) *ir.Value) { delete(p.Offsets, v("c")) },
			[]string{"step 2, mul", "c has no place"}},
		{"a value over one that is read later", func(p *Plan, v func(string) *ir.Value) { p.Offsets[v("b")] = p.Offsets[v("a")] },
			[]string{"step 2, mul: reading a", "hold b since step 1"}},
		{"a value over a part of one that is read later", func(p *Plan, v func(string) *ir.Value) {
			p.Size = 4096
			for _, name := range []string{"c", "y"} {
				p.Offsets[v(name)] = 2048
			}
			p.Offsets[v("r")] = 2048 + 64
		}, []string{"step 6, reshape: reading c: c lies at bytes 2048 to 2176, but bytes 2112 to 2176 hold r since step 3"}},
		{"two values exchanged", func(p *Plan, v func(string) *ir.Value) {
			p.Offsets[v("w")], p.Offsets[v("h")] = p.Offsets[v("h")], p.Offsets[v("w")]
		}, []string{"h.next"}},
		{"an input among the parameters", func(p *Plan, v func(string) *ir.Value) { p.Offsets[v("x")] = p.Offsets[v("w")] },
			[]string{"wrong side of the shared"}},
		{"two parameters in one place", func(p *Plan, v func(string) *ir.Value) { p.Offsets[v("h")] = p.Offsets[v("w")] },
			[]string{"w and h both lie at byte"}},
		{"a transpose over its operand", func(p *Plan, v func(string) *ir.Value) { p.Offsets[v("z")] = p.Offsets[v("y")] },
			[]string{"step 7, transpose", "z is stored over its operand", "another element"}},
		{"a part of an operand", func(p *Plan, v func(string) *ir.Value) {
			p.Size = 4096
			p.Offsets[v("z")] = p.Offsets[v("y")] + Alignment
		}, []string{"overlaps its operand y"}},
		{"an output that is stored over", func(p *Plan, v func(string) *ir.Value) { p.Offsets[v("z")] = p.Offsets[v("x")] },
			[]string{"after the step: x lies at", "hold z since step 7"}},
		{"a result among the parameters", func(p *Plan, v func(string) *ir.Value) { p.Offsets[v("b")] = p.Offsets[v("rate")] },
			[]string{"b lies at byte", "among the values that live across steps"}},
		{"an update that is not stored", func(p *Plan, v func(string) *ir.Value) {
			p.Size = 4096
			p.Offsets[v("w.next")] = 2048
		}, []string{"after the step: w lies at"}},
		{"a copy that the graph does not ask for", func(p *Plan, v func(string) *ir.Value) {
			p.Copies = append(p.Copies, ir.Write{Target: v("w"), Value: v("z")})
		}, []string{"the copy of z to w is not a write of the graph"}},
		{"a copy of what is gone", func(p *Plan, v func(string) *ir.Value) {
			p.Offsets[v("w.next")] = p.Offsets[v("b")]
			p.Offsets[v("z")] = p.Offsets[v("b")]
			p.Copies = append(p.Copies, ir.Write{Target: v("w"), Value: v("w.next")})
		}, []string{"copying w.next to w", "hold z"}},
		{"a copy over itself", func(p *Plan, v func(string) *ir.Value) {
			p.Copies = append(p.Copies, ir.Write{Target: v("w"), Value: v("w.next")})
		}, []string{"overlaps itself"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := parse(t, checkedGraph)
			p := planned(t, g)
			c.corrupt(p, g.Lookup)
			err := Check(g, p, nil)
			if err == nil {
				t.Fatalf("accepted\n%s", p.Report())
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// TestCheckAcceptsACopy: a plan that keeps a written value apart is as good.
func TestCheckAcceptsACopy(t *testing.T) {
	g := parse(t, checkedGraph)
	p := planned(t, g)
	p.Size = 4096
	p.Offsets[g.Lookup("w.next")] = 2048
	p.Copies = []ir.Write{{Target: g.Lookup("w"), Value: g.Lookup("w.next")}}
	if err := Check(g, p, nil); err != nil {
		t.Error(err)
	}
}

// TestCheckFindsEveryOverlap shifts values of random plans and compares the
// verdict with the lifetimes: a value moved to where another is live is refused.
func TestCheckFindsEveryOverlap(t *testing.T) {
	refused := 0
	for seed := range int64(20) {
		r := rand.New(rand.NewSource(seed))
		g := randomGraph(r, 20)
		p := planned(t, g)
		n := g.Nodes[r.Intn(len(g.Nodes))]
		moved := n.Out[0]
		life := p.Lifetimes[moved]
		if p.IsAlias(n) || life.End == life.Start {
			continue
		}
		for _, b := range p.Buffers {
			if b.Offset == p.Offsets[moved] || slices.ContainsFunc(n.In, func(v *ir.Value) bool { return p.Offsets[v] == b.Offset }) {
				continue
			}
			for _, v := range b.Values {
				other := p.Lifetimes[v]
				// Both must still be read, or defined, after the later one begins.
				if other.Start == life.Start || max(other.Start, life.Start) >= min(other.End, life.End) {
					continue
				}
				bad := *p
				bad.Offsets = maps.Clone(p.Offsets)
				bad.Size = p.Size + 1<<20
				for _, w := range p.Buffers {
					if slices.Contains(w.Values, moved) {
						for _, x := range w.Values {
							if p.Lifetimes[x] == life && x.Kind == ir.Result {
								bad.Offsets[x] = b.Offset
							}
						}
					}
				}
				if err := Check(g, &bad, nil); err == nil {
					t.Fatalf("seed %d: %s at the place of %s is accepted\n%s\n%s", seed, moved.Name, v.Name, g, p.Report())
				}
				refused++
			}
		}
	}
	if refused < 100 {
		t.Errorf("only %d plans were tried", refused)
	}
}

func TestCheckAllWantsOnePlace(t *testing.T) {
	build := func() ([]*ir.Graph, *Arena) {
		graphs := []*ir.Graph{
			parse(t, "graph net train\ninput x : f32[8]\nparam v : f32[8]\nparam w : f32[8]\nstate s : f32[8]\na = mul x, w : f32[8]\nb = mul v, s : f32[8]\noutput a, b\n"),
			parse(t, "graph net test\ninput x : f32[8]\nparam w : f32[8]\na = mul x, w : f32[8]\noutput a\n"),
		}
		arena, err := BuildAll(graphs, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckAll(graphs, arena, nil); err != nil {
			t.Fatal(err)
		}
		return graphs, arena
	}
	for _, c := range []struct {
		name    string
		corrupt func(graphs []*ir.Graph, a *Arena)
		want    string
	}{
		{"a parameter moved", func(graphs []*ir.Graph, a *Arena) { a.Plans[1].Offsets[graphs[1].Lookup("w")] = 0 }, "w lies at byte 0 in phase test and at 64 before"},
		{"an arena too small", func(graphs []*ir.Graph, a *Arena) { a.Size -= 64 }, "of an arena of"},
		{"a plan missing", func(graphs []*ir.Graph, a *Arena) { a.Plans = a.Plans[:1] }, "1 plans for 2 phases"},
		{"a phase over the others' states", func(graphs []*ir.Graph, a *Arena) {
			a.Plans[1].Persistent -= 64
			a.Plans[1].Offsets[graphs[1].Lookup("x")] -= 64
		}, "phase test begins at byte 128"},
	} {
		graphs, arena := build()
		c.corrupt(graphs, arena)
		if err := CheckAll(graphs, arena, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestOneToOne(t *testing.T) {
	i, j, one := loop.Axis("i", 4), loop.Axis("j", 3), loop.Axis("one", 1)
	linear := func(a, b int) loop.Affine { return loop.Affine{Coef: map[*loop.Var]int{i: a, j: b}} }
	for _, c := range []struct {
		at    loop.Affine
		loops []*loop.Var
		want  bool
	}{
		{linear(3, 1), []*loop.Var{i, j}, true},
		{linear(1, 4), []*loop.Var{i, j}, true},
		{linear(2, 1), []*loop.Var{i, j}, false}, // i=0,j=2 and i=1,j=0
		{linear(-3, 1), []*loop.Var{i, j}, true},
		{linear(3, 1), []*loop.Var{i}, false}, // j is not a loop
		{loop.Affine{Coef: map[*loop.Var]int{i: 1}}, []*loop.Var{i, j}, false},
		{loop.Affine{Coef: map[*loop.Var]int{i: 1}}, []*loop.Var{i, one}, true},
	} {
		if got := isOneToOne(c.at, c.loops); got != c.want {
			t.Errorf("%v over %d loops: %v", c.at.Coef, len(c.loops), got)
		}
	}
}
