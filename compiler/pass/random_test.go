package pass

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"netc/compiler/plan"
	"netc/ir"
	"netc/ir/op"
)

// randomGraph makes a graph with constants, repeated expressions, operators
// that do nothing, dead nodes, and parameters and states that the step writes.
func randomGraph(r *rand.Rand, size int) *ir.Graph {
	g := ir.New("random", "train")
	shapes := [][]int{{2, 3}, {6}, {3, 2}, {3}, {}}
	info := ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}, LrMult: 1}
	var values, targets []*ir.Value
	for i, shape := range shapes {
		values = append(values, g.AddInput(fmt.Sprintf("x%d", i), ir.Float(shape...)))
		targets = append(targets, g.AddParam(fmt.Sprintf("w%d", i), ir.Float(shape...), info))
		targets = append(targets, g.AddState(fmt.Sprintf("s%d", i), ir.Float(shape...), info))
	}
	values = append(values, targets...)
	for i := range size {
		pick := func() *ir.Value { return values[len(values)-1-r.Intn(min(14, len(values)))] }
		x, name := pick(), fmt.Sprintf("v%d", i)
		like := func() *ir.Value {
			for range 10 {
				if y := pick(); y.Type.Equal(x.Type) {
					return y
				}
			}
			return x
		}
		var v *ir.Value
		switch rank := len(x.Type.Shape); r.Intn(12) {
		case 0:
			v = g.Must(&op.Constant{Value: []float64{0, 1, 2}[r.Intn(3)], Shape: slices.Clone(x.Type.Shape)}, name, nil)
		case 1:
			if x.Type.Shape.Count() == 6 {
				v = g.Must(&op.Reshape{Shape: [][]int{{2, 3}, {6}, {3, 2}}[r.Intn(3)]}, name, nil, x)
			}
		case 2:
			if rank == 2 {
				v = g.Must(&op.Transpose{Perm: [][]int{{1, 0}, {0, 1}}[r.Intn(2)]}, name, nil, x)
			}
		case 3:
			if rank > 0 {
				v = g.Must(&op.Sum{Axes: []int{r.Intn(rank)}}, name, nil, x)
			}
		case 4:
			if rank == 0 {
				v = g.Must(&op.Broadcast{Shape: slices.Clone(shapes[r.Intn(len(shapes))])}, name, nil, x)
			}
		case 5:
			o := op.Point([]string{"scale", "offset"}[r.Intn(2)])
			o.By = float64(r.Intn(2))
			v = g.Must(o, name, nil, x)
		case 6, 7:
			v = g.Must(op.Point([]string{"add", "mul", "sub", "max"}[r.Intn(4)]), name, nil, x, like())
		case 8:
			v = g.Must(&op.Map{Formula: "a > 0.5 ? b*c : b - 0.25"}, name, nil, x, like(), like())
		}
		if v == nil {
			v = g.Must(op.Point([]string{"tanh", "sigmoid", "abs"}[r.Intn(3)]), name, nil, x)
		}
		values = append(values, v)
	}
	for _, target := range targets {
		for range 20 {
			v := values[r.Intn(len(values))]
			if v.Kind == ir.Result && v.Type.Equal(target.Type) && r.Intn(2) == 0 {
				g.Writes = append(g.Writes, ir.Write{Target: target, Value: v})
				break
			}
		}
	}
	for range 4 {
		if v := values[r.Intn(len(values))]; v.Kind == ir.Result && !slices.Contains(g.Outputs, v) {
			g.Outputs = append(g.Outputs, v)
		}
	}
	return g
}

// addLoss appends normalisations of some values, a loss, and behind it what may
// be the gradients that read them.
func addLoss(r *rand.Rand, g *ir.Graph) {
	x := g.Inputs[0]
	for i := range 3 {
		norm := g.MustAll(&op.BatchNorm{Eps: 0.1}, fmt.Sprintf("norm%d", i), nil, x)
		x = g.Must(op.Point("mul"), fmt.Sprintf("scaled%d", i), nil, norm[0], x)
	}
	g.Loss = g.Must(&op.Sum{Axes: []int{0, 1}}, "loss", nil, x)
	for i := range 3 {
		y := g.Lookup(fmt.Sprintf("norm%d", i))
		late := y
		for range r.Intn(3) {
			late = g.Must(op.Point([]string{"add", "mul", "sub"}[r.Intn(3)]), "late", nil, late, y)
		}
		if r.Intn(2) == 0 || late == y {
			late = g.Must(&op.Sum{Axes: []int{0}}, "late", nil, late)
		}
		g.Outputs = append(g.Outputs, late)
	}
}

// addAffine appends a chain of normalisations, scales and shifts by what are
// parameters and states, and reads one of its links once more.
func addAffine(r *rand.Rand, g *ir.Graph) {
	x, p, s := g.Lookup("x0"), g.Lookup("w3"), g.Lookup("s3")
	variance := g.Must(op.Point("square"), "positive", nil, s)
	extra := r.Intn(10)
	for i := range 7 {
		name := fmt.Sprintf("link%d", i)
		spread := g.Must(&op.Broadcast{Shape: slices.Clone(x.Type.Shape), Axes: []int{1}}, name+".spread", nil, []*ir.Value{p, s, variance}[r.Intn(3)])
		switch y := r.Intn(6); y {
		case 0, 1:
			x = g.Must(&op.Normalize{Eps: 0.5}, name, nil, x, p, variance)
		case 2:
			x = g.Must(op.Point("sub"), name, nil, spread, x)
		case 3:
			x = g.Must(op.Point([]string{"add", "mul"}[r.Intn(2)]), name, nil, spread, x)
		default:
			x = g.Must(op.Point([]string{"add", "mul", "sub"}[r.Intn(3)]), name, nil, x, spread)
		}
		if i == extra {
			g.Outputs = append(g.Outputs, g.Must(op.Point("tanh"), "extra", nil, x))
		}
	}
	g.Outputs = append(g.Outputs, x)
}

// addSums appends sums over images and their samples, and normalises images.
func addSums(r *rand.Rand, g *ir.Graph) {
	image := g.AddInput("image", ir.Float(2, 3, 4, 1+r.Intn(5)))
	images := []*ir.Value{image}
	for i := range 4 {
		name, x := fmt.Sprintf("image%d", i), images[r.Intn(len(images))]
		switch r.Intn(3) {
		case 0:
			images = append(images, g.MustAll(&op.BatchNorm{Eps: 0.1}, name, nil, x)[0])
		default:
			images = append(images, g.Must(op.Point("mul"), name, nil, x, image))
		}
		sum := g.Must(&op.Sum{Axes: []int{0, 2, 3}}, name+".sum", nil, x)
		g.Outputs = append(g.Outputs, g.Must(op.Point("square"), name+".square", nil, sum), images[len(images)-1])
	}
}

// results runs two steps from fixed contents and gives what can be seen.
func results(t *testing.T, g *ir.Graph) map[string][]float64 {
	t.Helper()
	m := memory{}
	for i, list := range [][]*ir.Value{g.Inputs, g.Params, g.States} {
		for j, v := range list {
			for k := range m.of(v) {
				m.of(v)[k] = math.Sin(float64(1 + 31*i + 7*j + k))
			}
		}
	}
	m.step(t, g)
	m.step(t, g)
	seen := map[string][]float64{}
	for _, list := range [][]*ir.Value{g.Params, g.States, g.Outputs} {
		for _, v := range list {
			seen[v.Name] = m.of(v)
		}
	}
	return seen
}

// TestPassesKeepResults runs random graphs, of which every third writes nothing,
// before and after each pass, and after all of them.
func TestPassesKeepResults(t *testing.T) {
	all := func(g *ir.Graph) error {
		for _, pass := range []func(*ir.Graph) error{FoldConstants, CommonSubexpressions, FoldAffine, DropDead, Order} {
			if err := pass(g); err != nil {
				return err
			}
		}
		return nil
	}
	passes := map[string]func(*ir.Graph) error{"all": all}
	for name, pass := range archivePasses {
		passes[name] = pass
	}
	delete(passes, "lanes") // wants a batch; the compiler's random networks have one
	for name, pass := range passes {
		t.Run(name, func(t *testing.T) {
			changed := 0
			for seed := range int64(60) {
				r := rand.New(rand.NewSource(seed))
				g := randomGraph(r, 40)
				addLoss(r, g)
				addSums(r, g)
				if seed%3 == 0 {
					g.Writes = nil
					addAffine(r, g)
				}
				before, want := g.String(), results(t, g)
				if err := pass(g); err != nil {
					t.Fatal(err)
				}
				after, got := g.String(), results(t, g)
				if before != after {
					changed++
				}
				if len(got) != len(want) {
					t.Fatalf("seed %d: %d results, not %d", seed, len(got), len(want))
				}
				for v := range want {
					for i := range want[v] {
						if math.Abs(got[v][i]-want[v][i]) > 1e-9*(1+math.Abs(want[v][i])) {
							t.Fatalf("seed %d: %s is %v, not %v\nbefore\n%s\nafter\n%s", seed, v, got[v], want[v], before, after)
						}
					}
				}
				if err := pass(g); err != nil {
					t.Fatal(err)
				}
				if name != "all" && g.String() != after {
					t.Fatalf("seed %d: a second run changes\n%s\nto\n%s", seed, after, g)
				}
			}
			if changed == 0 {
				t.Errorf("the pass never changed a graph")
			}
		})
	}
}

// TestOrderNeverCostsMore compares the peak and the end-of-step copies of
// random graphs before and after.
func TestOrderNeverCostsMore(t *testing.T) {
	lower := 0
	for seed := range int64(60) {
		g := randomGraph(rand.New(rand.NewSource(seed)), 40)
		if err := DropDead(g); err != nil {
			t.Fatal(err)
		}
		before, _, err := plan.Peak(g, plan.Composed())
		if err != nil {
			t.Fatal(err)
		}
		if err := Order(g); err != nil {
			t.Fatal(err)
		}
		p, err := plan.Build(g, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Check(g, p, nil); err != nil {
			t.Fatal(err)
		}
		after, _, err := plan.Peak(g, plan.Composed())
		if err != nil {
			t.Fatal(err)
		}
		if after > before {
			t.Errorf("seed %d: the peak rises from %d to %d", seed, before, after)
		}
		if after < before {
			lower++
		}
	}
	if lower == 0 {
		t.Errorf("no order was improved")
	}
}

// TestOrderStoresUpdatesInPlace: a written value moves behind the other readers
// of the old contents, so that no copy is left; where two states need each
// other's old contents, one copy is.
func TestOrderStoresUpdatesInPlace(t *testing.T) {
	for _, c := range []struct {
		text   string
		copies int
	}{
		{`graph g train
input d : f32[64]
param w : f32[64]
w.next = sub w, d : f32[64]
y = mul w, d : f32[64]
v = reshape w {shape: [8, 8]} : f32[8,8]
z = transpose v {perm: [1, 0]} : f32[8,8]
write w = w.next
output y, z
`, 0},
		{`graph g train
state a : f32[64]
state b : f32[64]
a.next = exp b : f32[64]
b.next = exp a : f32[64]
write a = a.next
write b = b.next
`, 1},
	} {
		g, err := ir.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if err := Order(g); err != nil {
			t.Fatal(err)
		}
		p, err := plan.Build(g, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Copies) != c.copies {
			t.Errorf("%d copies, not %d\n%s", len(p.Copies), c.copies, g)
		}
	}
}

// TestEachStrategyHelps leaves out one strategy of Order at a time: some graph
// then needs more memory.
func TestEachStrategyHelps(t *testing.T) {
	all := strategies
	defer func() { strategies = all }()
	peak := func(seed int64, with []strategy) int {
		strategies = with
		g := randomGraph(rand.New(rand.NewSource(seed)), 40)
		if err := DropDead(g); err != nil {
			t.Fatal(err)
		}
		if err := Order(g); err != nil {
			t.Fatal(err)
		}
		bytes, _, err := plan.Peak(g, plan.Composed())
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	for i, left := range all {
		without := slices.Delete(slices.Clone(all), i, i+1)
		helps := false
		for seed := int64(0); seed < 200 && !helps; seed++ {
			helps = peak(seed, without) > peak(seed, all)
		}
		if !helps {
			t.Errorf("no graph needs %+v", left)
		}
	}
}
