package plan

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"netc/ir"
)

// randomTestGraph is a random graph that writes nothing, with its setup first.
func randomTestGraph(r *rand.Rand, size int) *ir.Graph {
	g := randomGraph(r, size)
	g.Phase, g.Writes = "test", nil
	invariant := g.Invariant()
	slices.SortStableFunc(g.Nodes, func(a, b *ir.Node) int {
		switch {
		case invariant[a] && !invariant[b]:
			return -1
		case invariant[b] && !invariant[a]:
			return 1
		}
		return 0
	})
	return g
}

// TestStepsFindTheSetup runs random graphs in their arena, and then twice more
// without the setup: the outputs stay.
func TestStepsFindTheSetup(t *testing.T) {
	setups := 0
	for seed := range int64(150) {
		g := randomTestGraph(rand.New(rand.NewSource(seed)), 30)
		p := planned(t, g)
		if p.Ratio() > 1.01 {
			t.Errorf("seed %d: %.3f of the lower bound\n%s", seed, p.Ratio(), p.Report())
		}
		arena := make([]float64, p.Size/4)
		inside := func(v *ir.Value) []float64 {
			lo := p.Offsets[v]
			return arena[lo/4 : lo/4+v.Type.Shape.Count()]
		}
		want := run(t, g, inside, p.IsAlias, nil)
		setup := g.Setup()
		setups += setup
		step := *g
		step.Nodes = g.Nodes[setup:]
		for again := range 2 {
			got := run(t, &step, inside, p.IsAlias, nil)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("seed %d, step %d: %v, at first %v\n%s\n%s", seed, again+2, got, want, g, p.Report())
			}
		}
	}
	if setups == 0 {
		t.Error("no graph had a setup")
	}
}

const setupGraph = `graph net test
input x : f32[32]
param w : f32[32]
state s : f32[32]
a = exp w : f32[32]
b = mul a, s : f32[32]
y = mul x, b : f32[32]
z = exp x : f32[32]
u = mul y, z : f32[32]
v = square u : f32[32]
output v
`

func TestSetupLivesThroughAllSteps(t *testing.T) {
	g := parse(t, setupGraph)
	p := planned(t, g)
	life := p.Lifetimes[g.Lookup("b")]
	if life != (Lifetime{1, 6}) {
		t.Errorf("b lives %+v", life)
	}
	if life := p.Lifetimes[g.Lookup("a")]; life != (Lifetime{0, 1}) {
		t.Errorf("a, which only the setup reads, lives %+v", life)
	}
	if p.SetupBytes() != 128 || !strings.Contains(p.Report(), "setup          128 B      made by the first 2 nodes for all steps") {
		t.Errorf("%d bytes are left for the steps\n%s", p.SetupBytes(), p.Report())
	}
}

// TestCheckRefusesALostSetup: in the first step all is well, because what is
// stored over the setup's results comes after their last reader.
func TestCheckRefusesALostSetup(t *testing.T) {
	g := parse(t, setupGraph)
	p := planned(t, g)
	p.Offsets[g.Lookup("u")] = p.Offsets[g.Lookup("b")]
	err := Check(g, p, nil)
	if err == nil || !strings.Contains(err.Error(), "without the setup: step 2, mul: reading b") || !strings.Contains(err.Error(), "hold u since step 4") {
		t.Errorf("u in the place of b: %v\n%s", err, p.Report())
	}

	refused := 0
	for seed := range int64(60) {
		g := randomTestGraph(rand.New(rand.NewSource(seed)), 20)
		p := planned(t, g)
		setup, last := g.Setup(), len(g.Nodes)
		for _, n := range g.Nodes[setup:] {
			for _, kept := range p.Buffers {
				v := n.Out[0]
				if kept.Persistent || kept.Start >= setup || kept.End != last || p.IsAlias(n) || p.Offsets[v] == kept.Offset {
					continue
				}
				isRead := slices.ContainsFunc(g.Nodes[setup:], func(m *ir.Node) bool {
					return slices.ContainsFunc(m.In, func(x *ir.Value) bool { return p.Offsets[x] == kept.Offset && p.Lifetimes[x].End == last })
				})
				if !isRead {
					continue
				}
				bad := *p
				bad.Offsets = maps.Clone(p.Offsets)
				bad.Size += 1 << 20
				bad.Offsets[v] = kept.Offset
				if err := Check(g, &bad, nil); err == nil {
					t.Fatalf("seed %d: %s at the place of %s is accepted\n%s\n%s", seed, v.Name, names(kept.Values), g, p.Report())
				}
				refused++
			}
		}
	}
	if refused < 100 {
		t.Errorf("only %d plans were tried", refused)
	}
}

// TestInputsSpareTheSetup: filling the larger batch of another phase leaves what
// the setup made, which CheckAll sees to.
func TestInputsSpareTheSetup(t *testing.T) {
	train := parse(t, "graph net train\ninput x : f32[1000]\nparam w : f32[32]\na = relu x : f32[1000]\noutput a\n")
	test := parse(t, setupGraph)
	graphs := []*ir.Graph{train, test}
	arena, err := BuildAll(graphs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckAll(graphs, arena, nil); err != nil {
		t.Fatal(err)
	}
	if ratio := arena.Plans[1].Ratio(); ratio != 1 {
		t.Errorf("%.3f of the lower bound", ratio)
	}
	alone := planned(t, test)
	alone.Persistent, arena.Plans[1] = arena.Plans[0].Persistent, alone
	err = CheckAll(graphs, arena, nil)
	if err == nil || !strings.Contains(err.Error(), "which the setup makes, lies at byte") || !strings.Contains(err.Error(), "input x of phase train") {
		t.Errorf("a setup among the inputs of another phase: %v", err)
	}
}
