package compiler

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"netc/compiler/pass"
	"netc/compiler/plan"
	"netc/compiler/schedule"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/loop"
	"netc/ir/op"
)

// randomNets is how many random networks are compiled as they train.
const randomNets = 150

// wideNets is how many networks of wide convolutions are compiled.
const wideNets = 24

// passTolerance is how far a pass may move a float64 result, relative to the
// largest element of its tensor: passes reorder a few operations.
const passTolerance = 1e-9

// exactPasses only regroup what is computed: their results keep every bit.
var exactPasses = []string{"drop-dead", "spread-views", "fuse-epilogues", "fuse-pointwise", "fuse-prologues", "order"}

// mostPlanRatio is how much larger than the most bytes live at once an arena may be.
const mostPlanRatio = 1.01

// TestPassesKeepRandomNets runs the pipeline on random networks, all as they
// train and some as they are tested. After each pass the outputs, the loss and what is written are what they were, in
// the reference and in the loop nests of the kernels. At the end schedules keep
// every bit, and the memory plan is sound and near its lower bound.
func TestPassesKeepRandomNets(t *testing.T) {
	changed := map[string]int{}
	exact, kernels, nodes, setups := 0, 0, 0, 0
	const networks = randomNets + randomNets/3
	for number := range uint64(networks) {
		seed, phase := number, "train"
		if number >= randomNets {
			seed, phase = number-randomNets, "test"
		}
		r := newRandomRun(t, seed, randomNet(seed, phase))
		r.lower()
		for _, s := range steps {
			if (s.phase == "" || s.phase == phase) && r.apply(s) {
				changed[s.name]++
			}
		}
		setups += r.g.Setup()
		r.compare("plain schedules instead of none", r.scheduled(schedule.Plain), r.nested, 0)
		r.compare("tiled schedules instead of none", r.scheduled(schedule.Tiled), r.nested, 0)
		nodes += r.lowered
		kernels += len(r.g.Nodes)
		if r.plan(r.g) && (r.update == nil || r.plan(r.update)) {
			exact++
		}
	}
	for _, s := range steps {
		if changed[s.name] == 0 {
			t.Errorf("the pass %s never changed a network", s.name)
		}
	}
	if setups == 0 {
		t.Error("no network had a setup")
	}
	t.Logf("%d networks: %d operators became %d kernels; %d plans are exactly the bytes live at once", networks, nodes, kernels, exact)
}

// TestLayoutsKeepWideNets: on networks of wide convolutions layouts change no
// result, whatever they choose, and a second time nothing.
func TestLayoutsKeepWideNets(t *testing.T) {
	changed := 0
	for seed := range uint64(wideNets) {
		r := newRandomRun(t, seed, wideNet(seed, "train"))
		for _, s := range randomSteps(seed) {
			if s.name != "layouts" {
				if err := r.c.step(s, r.phase(), ""); err != nil {
					r.fatalf("%v", err)
				}
				continue
			}
			r.lower()
			if r.apply(s) {
				changed++
			}
			if r.apply(s) {
				r.fatalf("a second run changes the network")
			}
		}
		r.plan(r.g)
	}
	if changed < wideNets*3/4 {
		t.Errorf("only %d of %d networks have other layouts", changed, wideNets)
	}
}

// randomSteps is the pipeline with random times of nodes, by which layouts choose.
func randomSteps(seed uint64) []step {
	list := slices.Clone(steps)
	i := slices.IndexFunc(list, func(s step) bool { return s.name == "layouts" })
	list[i].run = func(_ *compilation, p *Phase) error {
		_, err := pass.LayoutsBy(p.Graph, p.Batch, func(n *ir.Node, wide bool) float64 {
			h := fnv.New64a()
			fmt.Fprint(h, seed, n.Out[0].Name, wide)
			time := float64(h.Sum64() % 1000)
			if wide {
				time /= 2
			}
			return time
		})
		return err
	}
	return list
}

// randomRun is one random network on its way through the pipeline.
type randomRun struct {
	t       *testing.T
	seed    uint64
	batch   int
	c       *compilation
	g       *ir.Graph
	update  *ir.Graph // of gradients that were added up over batches, or nil
	feeds   map[string]*eval.Tensor
	values  map[string][]float64 // what the reference gave after the last pass
	nested  map[string][]float64 // what the loop nests gave
	lowered int                  // operators before the optimizing passes
}

func newRandomRun(t *testing.T, seed uint64, g *ir.Graph) *randomRun {
	r := rand.New(rand.NewPCG(seed, 4))
	return &randomRun{t: t, seed: seed, batch: g.Inputs[0].Type.Shape[0], g: g, c: &compilation{solver: randomSolver(r)}, feeds: map[string]*eval.Tensor{}}
}

// phase is the network as a phase whose batch is that of its inputs.
func (r *randomRun) phase() *Phase {
	return &Phase{Name: r.g.Phase, Batch: r.batch, Graph: r.g}
}

func (r *randomRun) fatalf(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("seed %d: %s\n%s", r.seed, fmt.Sprintf(format, args...), r.g)
}

// lower records what the network computes before any pass.
func (r *randomRun) lower() {
	r.t.Helper()
	if err := r.g.Verify(); err != nil {
		r.fatalf("%v", err)
	}
	r.values, r.nested = r.reference(), r.nests()
}

// feed gives every input, parameter and state fixed contents: labels are small
// numbers, states are positive as sums of squares are.
func (r *randomRun) feed() {
	random := rand.New(rand.NewPCG(r.seed, 5))
	for _, list := range [][]*ir.Value{r.g.Inputs, r.g.Params, r.g.States} {
		for _, v := range list {
			if r.feeds[v.Name] != nil {
				continue
			}
			x := eval.Zeros(v.Type)
			for i := range x.Data {
				switch {
				case v.Type.DType == ir.I32:
					x.Data[i] = float64(random.IntN(labelClasses))
				case v.Kind == ir.State:
					x.Data[i] = 0.1 + random.Float64()
				default:
					x.Data[i] = 2*random.Float64() - 1
				}
			}
			r.feeds[v.Name] = x
		}
	}
}

// reference gives the outputs, the loss and the written tensors by ir/eval.
func (r *randomRun) reference() map[string][]float64 {
	r.t.Helper()
	r.feed()
	values, stored, err := eval.Step(r.g, r.feeds)
	if err != nil {
		r.fatalf("%v", err)
	}
	return r.seen(func(v *ir.Value) []float64 { return values[v.Name].Data }, func(w ir.Write) []float64 { return stored[w.Target.Name].Data })
}

// nests gives the same by the loop nests of the nodes.
func (r *randomRun) nests() map[string][]float64 {
	r.t.Helper()
	return r.kernels(func(nest *loop.Nest, tensors loop.Tensors) { loop.Interpret(nest, tensors, eval.Uniform) })
}

// scheduled gives the same by the code that the emitters print.
func (r *randomRun) scheduled(choose func(*loop.Nest) loop.Schedule) map[string][]float64 {
	r.t.Helper()
	return r.kernels(func(nest *loop.Nest, tensors loop.Tensors) {
		loop.InterpretCode(loop.Lower(nest, choose(nest)), tensors, eval.Uniform)
	})
}

func (r *randomRun) kernels(run func(*loop.Nest, loop.Tensors)) map[string][]float64 {
	r.t.Helper()
	data := map[*ir.Value][]float64{}
	for _, list := range [][]*ir.Value{r.g.Inputs, r.g.Params, r.g.States} {
		for _, v := range list {
			data[v] = r.feeds[v.Name].Data
		}
	}
	for _, n := range r.g.Nodes {
		list, err := op.Nests(n)
		if err != nil {
			r.fatalf("%v", err)
		}
		for _, v := range n.Out {
			data[v] = slices.Repeat([]float64{math.NaN()}, v.Type.Shape.Count())
		}
		for _, nest := range list {
			run(nest, func(v *ir.Value) []float64 { return data[v] })
		}
	}
	return r.seen(func(v *ir.Value) []float64 { return data[v] }, func(w ir.Write) []float64 { return data[w.Value] })
}

func (r *randomRun) seen(of func(*ir.Value) []float64, written func(ir.Write) []float64) map[string][]float64 {
	list := map[string][]float64{}
	for _, v := range r.g.Outputs {
		list[v.Name] = of(v)
	}
	if l := r.g.Loss; l != nil {
		list[l.Name] = of(l)
	}
	for _, w := range r.g.Writes {
		list["new "+w.Target.Name] = written(w)
	}
	return list
}

// apply runs one pass as the compiler does, and compares.
func (r *randomRun) apply(s step) (changed bool) {
	r.t.Helper()
	before := r.g.String()
	if err := r.c.step(s, r.phase(), ""); err != nil {
		r.fatalf("%v", err)
	}
	if s.name == "update" {
		r.update = r.c.updateGraph
		r.lowered = len(r.g.Nodes)
	}
	values := r.reference()
	nested := r.nests()
	tolerance := passTolerance
	if slices.Contains(exactPasses, s.name) {
		tolerance = 0
	}
	r.compare("after "+s.name+" the reference", values, r.values, tolerance)
	r.compare("after "+s.name+" the kernels", nested, r.nested, tolerance)
	r.compare("the kernels instead of the reference after "+s.name, nested, values, passTolerance)
	r.values, r.nested = values, nested
	if s.name == "differentiate" {
		r.slopes()
	}
	return r.g.String() != before
}

// compare fails where got lacks or changes something of want.
func (r *randomRun) compare(what string, got, want map[string][]float64, tolerance float64) {
	r.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if len(got[name]) != len(want[name]) {
			r.fatalf("%s: %s has %d elements, not %d", what, name, len(got[name]), len(want[name]))
		}
		scale := 1.0
		for _, x := range want[name] {
			scale = max(scale, math.Abs(x))
		}
		for i, x := range want[name] {
			if !(math.Abs(got[name][i]-x) <= tolerance*scale) {
				r.fatalf("%s gives %v for %s[%d], not %v", what, got[name][i], name, i, x)
			}
		}
	}
}

// slopes compares a few elements of gradients with differences of the loss.
func (r *randomRun) slopes() {
	r.t.Helper()
	values, err := eval.Run(r.g, r.feeds)
	if err != nil {
		r.fatalf("%v", err)
	}
	for p, d := range r.c.gradients {
		list, err := eval.Slopes(r.g, r.feeds, r.g.Loss.Name, p.Name, []int{int(r.seed) % p.Type.Shape.Count()}, 1e-4)
		if err != nil {
			r.fatalf("%v", err)
		}
		steepest := 1.0
		for _, x := range values[d.Name].Data {
			steepest = max(steepest, math.Abs(x))
		}
		if got := values[d.Name].Data[list[0].Element]; !list[0].Kink && math.Abs(got-list[0].Value) > 1e-4*steepest {
			r.fatalf("the gradient of %s[%d] is %v, differences give %v", p.Name, list[0].Element, got, list[0].Value)
		}
	}
}

// plan plans a graph's memory and reports whether the arena is as small as the
// bytes live at once.
func (r *randomRun) plan(g *ir.Graph) bool {
	r.t.Helper()
	p, err := plan.Build(g, nil)
	if err != nil {
		r.fatalf("%v", err)
	}
	if err := plan.Check(g, p, nil); err != nil {
		r.fatalf("%v", err)
	}
	if p.Ratio() > mostPlanRatio {
		r.fatalf("the arena is %.4f of its lower bound", p.Ratio())
	}
	return p.Size == p.LowerBound
}

// TestFusionsReachTheirEnd: on random networks, each pass after the first run
// has nothing left to do.
func TestFusionsReachTheirEnd(t *testing.T) {
	for seed := range uint64(randomNets) {
		r := newRandomRun(t, seed, randomNet(seed, "train"))
		for _, s := range steps {
			if err := r.c.step(s, r.phase(), ""); err != nil {
				r.fatalf("%v", err)
			}
			if s.required {
				continue // differentiating again is another derivative
			}
			once := r.g.String()
			if err := r.c.step(s, r.phase(), ""); err != nil {
				r.fatalf("%v", err)
			}
			if twice := r.g.String(); twice != once {
				t.Fatalf("seed %d: a second %s changes\n%s\nto\n%s", seed, s.name, once, twice)
			}
		}
	}
}

// TestUpdateGraphsKeepResults runs the passes on the graphs that apply
// accumulated gradients.
func TestUpdateGraphsKeepResults(t *testing.T) {
	for seed := range uint64(randomNets) {
		r := newRandomRun(t, seed, randomNet(seed, "train"))
		r.c.solver.Accumulate = 3
		var err error
		if r.c.gradients, err = pass.Differentiate(r.g, r.c.wanted(r.phase())); err != nil {
			r.fatalf("%v", err)
		}
		if err := r.c.update(r.phase()); err != nil {
			r.fatalf("%v", err)
		}
		if r.c.updateGraph == nil {
			continue // no parameter learns
		}
		r.g = r.c.updateGraph
		r.lower()
		for _, s := range steps {
			if s.phase == "" {
				r.apply(s)
			}
		}
		r.plan(r.g)
	}
}
