package plan

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// parse reads IR text that the test wrote.
func parse(t *testing.T, text string) *ir.Graph {
	t.Helper()
	g, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// planned plans and checks a graph.
func planned(t *testing.T, g *ir.Graph) *Plan {
	t.Helper()
	p, err := Build(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(g, p, nil); err != nil {
		t.Fatalf("%v\n%s\n%s", err, g, p.Report())
	}
	return p
}

// run executes a graph in float64 and returns its outputs and what is written,
// by name. place gives the storage of a value.
func run(t *testing.T, g *ir.Graph, place loop.Tensors, skip func(*ir.Node) bool, copies []ir.Write) map[string][]float64 {
	t.Helper()
	for i, list := range [][]*ir.Value{g.Inputs, g.Params, g.States} {
		for j, v := range list {
			for k := range place(v) {
				place(v)[k] = float64(i+1) + 0.25*float64(j) - 0.125*float64(k)
			}
		}
	}
	for _, n := range g.Nodes {
		if skip(n) {
			continue
		}
		nests, err := op.Nests(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, nest := range nests {
			loop.Interpret(nest, place, nil)
		}
	}
	result := map[string][]float64{}
	for _, w := range copies {
		copy(place(w.Target), place(w.Value))
	}
	for _, list := range [][]*ir.Value{g.Params, g.States, g.Outputs} {
		for _, v := range list {
			result[v.Name] = append([]float64{}, place(v)...)
		}
	}
	return result
}

// TestPlannedGraphsComputeTheSame runs random graphs once with a buffer for
// each value and once inside the arena.
func TestPlannedGraphsComputeTheSame(t *testing.T) {
	inPlace, copies, direct := 0, 0, 0
	for seed := range int64(150) {
		g := randomGraph(rand.New(rand.NewSource(seed)), 30)
		p := planned(t, g)
		apart := map[*ir.Value][]float64{}
		own := func(v *ir.Value) []float64 {
			if apart[v] == nil {
				apart[v] = make([]float64, v.Type.Shape.Count())
			}
			return apart[v]
		}
		want := run(t, g, own, func(*ir.Node) bool { return false }, g.Writes)
		arena := make([]float64, p.Size/4)
		inside := func(v *ir.Value) []float64 {
			lo, ok := p.Offsets[v]
			if !ok {
				t.Fatalf("%s has no place", v.Name)
			}
			return arena[lo/4 : lo/4+v.Type.Shape.Count()]
		}
		got := run(t, g, inside, p.IsAlias, p.Copies)
		for name := range want {
			if fmt.Sprint(got[name]) != fmt.Sprint(want[name]) {
				t.Fatalf("seed %d: %s is %v in the arena and %v apart\n%s\n%s", seed, name, got[name], want[name], g, p.Report())
			}
		}
		for _, b := range p.Buffers {
			if len(b.Values) > 1 && !b.Persistent {
				inPlace++
			}
		}
		copies += len(p.Copies)
		direct += len(g.Writes) - len(p.Copies)
	}
	if inPlace == 0 || copies == 0 || direct == 0 {
		t.Errorf("nothing was tried: %d shared buffers, %d copies, %d values stored in their target", inPlace, copies, direct)
	}
}

func TestAliases(t *testing.T) {
	for _, c := range []struct {
		name, text string
		same       [][2]string // values that lie in one place
		apart      [][2]string // values that do not
		copies     string
	}{
		{"a chain of pointwise operators works in place", `graph g test
input x : f32[100]
a = relu x : f32[100]
b = exp a : f32[100]
c = neg b : f32[100]
output c
`, [][2]string{{"a", "b"}, {"b", "c"}}, [][2]string{{"x", "a"}}, ""},
		{"an operand that is read later keeps its place", `graph g test
input x : f32[100]
a = relu x : f32[100]
b = exp a : f32[100]
c = mul a, b : f32[100]
output c
`, [][2]string{{"a", "c"}}, [][2]string{{"a", "b"}}, ""},
		{"a transpose reads elements that it has not stored over", `graph g test
input x : f32[10,10]
a = relu x : f32[10,10]
b = transpose a {perm: [1, 0]} : f32[10,10]
output b
`, nil, [][2]string{{"a", "b"}}, ""},
		{"a reshape is the same bytes, though both are read later", `graph g test
input x : f32[2,50]
a = relu x : f32[2,50]
b = reshape a {shape: [100]} : f32[100]
c = exp b : f32[100]
d = neg a : f32[2,50]
output c, d
`, [][2]string{{"a", "b"}}, [][2]string{{"b", "c"}}, ""},
		{"after its last reader a reshape can be worked on in place", `graph g test
input x : f32[2,50]
a = relu x : f32[2,50]
b = reshape a {shape: [100]} : f32[100]
c = exp b : f32[100]
output c
`, [][2]string{{"a", "c"}}, nil, ""},
		{"an output keeps its bytes", `graph g test
input x : f32[100]
a = relu x : f32[100]
b = exp a : f32[100]
output a, b
`, nil, [][2]string{{"a", "b"}}, ""},
		{"a new value is stored over its target", `graph g train
input d : f32[100]
param w : f32[100]
state h : f32[100]
h.next = map h, d {formula: "0.9*a + b"} : f32[100]
w.next = sub w, h.next : f32[100]
write h = h.next
write w = w.next
`, [][2]string{{"w", "w.next"}, {"h", "h.next"}}, nil, ""},
		{"a target that is read later is copied to at the end", `graph g train
input d : f32[100]
param w : f32[100]
w.next = sub w, d : f32[100]
y = mul w, d : f32[100]
write w = w.next
output y
`, nil, [][2]string{{"w", "w.next"}}, "w"},
		{"two states that change places are copied through buffers", `graph g train
state a : f32[100]
state b : f32[100]
a.next = scale b {by: 1} : f32[100]
b.next = scale a {by: 1} : f32[100]
write a = a.next
write b = b.next
`, [][2]string{{"b", "b.next"}}, [][2]string{{"a", "a.next"}}, "a"},
		{"a reshape of a state that is overwritten is a copy", `graph g train
state a : f32[100]
state b : f32[10,10]
a.next = reshape b {shape: [100]} : f32[100]
b.next = reshape a {shape: [10, 10]} : f32[10,10]
write a = a.next
write b = b.next
`, [][2]string{{"b", "b.next"}}, [][2]string{{"a", "a.next"}, {"b", "a.next"}}, "a"},
		{"one value written twice is stored once and copied once", `graph g train
input x : f32[100]
state a : f32[100]
state b : f32[100]
y = relu x : f32[100]
write a = y
write b = y
`, [][2]string{{"a", "y"}}, nil, "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := parse(t, c.text)
			p := planned(t, g)
			at := func(name string) int { return p.Offsets[g.Lookup(name)] }
			for _, pair := range c.same {
				if at(pair[0]) != at(pair[1]) {
					t.Errorf("%s and %s lie apart\n%s", pair[0], pair[1], p.Report())
				}
			}
			for _, pair := range c.apart {
				if at(pair[0]) == at(pair[1]) {
					t.Errorf("%s and %s lie in one place\n%s", pair[0], pair[1], p.Report())
				}
			}
			var copies []string
			for _, w := range p.Copies {
				copies = append(copies, w.Target.Name)
			}
			if got := strings.Join(copies, " "); got != c.copies {
				t.Errorf("copies %q, want %q", got, c.copies)
			}
		})
	}
}

func TestPhasesShareTheArena(t *testing.T) {
	train := parse(t, `graph net train
input data : f32[64,10]
input rate : f32[]
param w : f32[10]
state w.momentum : f32[10]
a = relu data : f32[64,10]
s = sum a {axes: [0]} : f32[10]
r = broadcast rate {shape: [10]} : f32[10]
w.momentum.next = map w.momentum, s, r {formula: "0.9*a + b*c"} : f32[10]
w.next = sub w, w.momentum.next : f32[10]
write w.momentum = w.momentum.next
write w = w.next
`)
	test := parse(t, `graph net test
input data : f32[100,10]
param w : f32[10]
state mean : f32[]
b = broadcast w {shape: [100, 10], axes: [1]} : f32[100,10]
y = mul b, data : f32[100,10]
output y
`)
	update := parse(t, `graph net update
input rate : f32[]
state mean : f32[]
m = map mean, rate {formula: "a + b"} : f32[]
write mean = m
`)
	graphs := []*ir.Graph{train, test, update}
	arena, err := BuildAll(graphs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckAll(graphs, arena, nil); err != nil {
		t.Fatal(err)
	}
	place := func(i int, name string) int {
		offset, ok := arena.Plans[i].Offsets[graphs[i].Lookup(name)]
		if !ok {
			t.Fatalf("%s has no place in phase %d", name, i)
		}
		return offset
	}
	for _, c := range []struct {
		name           string
		phase, another int
	}{{"w", 0, 1}, {"mean", 1, 2}, {"rate", 0, 2}} {
		if place(c.phase, c.name) != place(c.another, c.name) {
			t.Errorf("%s has two places", c.name)
		}
	}
	shared := arena.Plans[0].Persistent
	if shared != 64+64+64+64 {
		t.Errorf("w, w.momentum, mean and rate take %d bytes", shared)
	}
	if place(0, "data") != shared || place(1, "data") != shared {
		t.Errorf("the phases' own bytes do not begin at %d", shared)
	}
	// The broadcast of w is there in every step, so y does not take its place.
	if want := shared + 3*(4000+32); arena.Size != want || arena.Plans[1].Size != want {
		t.Errorf("arena of %d bytes, phase of %d, want %d", arena.Size, arena.Plans[1].Size, want)
	}
}

func TestBuildRefusesGraphs(t *testing.T) {
	a := parse(t, "graph net train\nparam w : f32[3]\n")
	b := parse(t, "graph net test\nparam w : f32[4]\n")
	if _, err := BuildAll([]*ir.Graph{a, b}, nil); err == nil || !strings.Contains(err.Error(), "w is f32[3] in one phase and f32[4] in phase test") {
		t.Errorf("a parameter of two shapes: %v", err)
	}
	g := parse(t, "graph net test\ninput x : f32[3]\na = relu x : f32[3]\nb = exp a : f32[3]\noutput b\n")
	g.Nodes[0], g.Nodes[1] = g.Nodes[1], g.Nodes[0]
	if _, err := Build(g, nil); err == nil || !strings.Contains(err.Error(), "reads a before it is defined") {
		t.Errorf("a use before its definition: %v", err)
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	texts := map[string]bool{}
	for range 3 {
		g := randomGraph(rand.New(rand.NewSource(5)), 60)
		texts[planned(t, g).Report()] = true
	}
	if len(texts) != 1 {
		t.Errorf("three plans of one graph differ")
	}
}
