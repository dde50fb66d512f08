package compiler

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/compiler/plan"
	"netc/ir"
	"netc/models"
	"netc/spec"
	"netc/spec/diag"
)

// model loads a network of the zoo with its run file.
func model(t *testing.T, name string, sets ...string) (*spec.File, *spec.Run) {
	t.Helper()
	base := filepath.Join("..", "models", name)
	file, list := spec.Load(base + ".net")
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	run, list := spec.LoadRun(base+".toml", sets)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	return file, run
}

// compiled compiles and fails on mistakes and bugs.
func compiled(t *testing.T, file *spec.File, run *spec.Run, o Options) *Unit {
	t.Helper()
	u, list, err := Compile(file, run, o)
	if err != nil || list.Errors() > 0 {
		t.Fatal(err, list)
	}
	return u
}

// source parses a network given as text.
func source(t *testing.T, text string) *spec.File {
	t.Helper()
	file, list := spec.Parse("some.net", []byte(text))
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	return file
}

// TestZoo compiles every model with -O and -O0: the plans are near their lower
// bound and the checker accepts them, and every node has kernels or is an alias.
func TestZoo(t *testing.T) {
	for _, name := range models.All() {
		t.Run(name, func(t *testing.T) {
			file, run := model(t, name)
			kernels := map[bool]int{}
			for _, unoptimized := range []bool{false, true} {
				u := compiled(t, file, run, Options{Unoptimized: unoptimized})
				var graphs []*ir.Graph
				for _, p := range u.Phases {
					graphs = append(graphs, p.Graph)
					if r := p.Plan.Ratio(); r > mostPlanRatio {
						t.Errorf("the arena of %s with -O0 %v is %.4f of its lower bound", p.Name, unoptimized, r)
					}
					has := map[*ir.Node]int{}
					for _, k := range p.Kernels {
						has[k.Node]++
						if k.Part != has[k.Node]-1 || k.Parts < has[k.Node] {
							t.Errorf("%s: part %d of %d comes as number %d", k.Node.Out[0].Name, k.Part+1, k.Parts, has[k.Node])
						}
					}
					for _, n := range p.Graph.Nodes {
						if (has[n] == 0) != p.Plan.IsAlias(n) {
							t.Errorf("%s has %d kernels", n.Out[0].Name, has[n])
						}
					}
					kernels[unoptimized] += len(p.Kernels)
				}
				if err := plan.CheckAll(graphs, u.Arena, nil); err != nil {
					t.Error(err)
				}
				if u.Phase("train") == nil || u.Phase("test") == nil || u.Phase("update") != nil {
					t.Errorf("%d phases", len(u.Phases))
				}
			}
			if kernels[false] >= kernels[true] {
				t.Errorf("%d kernels with -O, %d with -O0", kernels[false], kernels[true])
			}
		})
	}
}

// mostKernels bounds the kernels of the training and test passes, so that a
// fusion that stops working shows. The numbers are what the compiler reaches.
var mostKernels = map[string][2]int{
	"alexnet":       {44, 17},
	"autoencoder":   {33, 10},
	"cifar10_quick": {28, 11},
	"googlenet":     {401, 114},
	"lenet":         {22, 9},
	"mlp":           {16, 6},
	"resnet20":      {270, 89},  // the data gradient of each of 4 convolutions of stride 2 is 4 kernels
	"resnet50":      {660, 219}, // 6 such convolutions, of which each kernel but one of a 1x1 window stores zeros
}

func TestFusionsReach(t *testing.T) {
	for _, name := range models.All() {
		file, run := model(t, name)
		u := compiled(t, file, run, Options{})
		train, test := len(u.Phase("train").Kernels), len(u.Phase("test").Kernels)
		t.Logf("%s: %d kernels in training, %d in test", name, train, test)
		if most, ok := mostKernels[name]; ok && (train > most[0] || test > most[1]) {
			t.Errorf("%s has %d and %d kernels, it had %d and %d", name, train, test, most[0], most[1])
		}
	}
}

// TestCorruptedPlansAreRefused moves one tensor of LeNet at a time onto
// another, off its alignment, out of the arena, and away from its place in the
// other phase.
func TestCorruptedPlansAreRefused(t *testing.T) {
	file, run := model(t, "lenet")
	u := compiled(t, file, run, Options{})
	train, test := u.Phase("train"), u.Phase("test")
	graphs := []*ir.Graph{train.Graph, test.Graph}
	if err := plan.CheckAll(graphs, u.Arena, nil); err != nil {
		t.Fatal(err)
	}
	offsetOf := func(p *Phase, name string) int { return p.Plan.Offsets[p.Graph.Lookup(name)] }
	for _, c := range []struct {
		phase  *Phase
		name   string
		offset int
	}{
		{train, "conv1.weight", offsetOf(train, "conv2.weight")},          // onto another parameter
		{train, "conv1.weight.momentum", offsetOf(train, "conv1.weight")}, // a state onto a parameter
		{train, "pool1", offsetOf(train, "data")},                         // onto an input that is read later
		{train, "relu1", offsetOf(train, "ip1")},                          // onto a value that is stored beside it
		{train, "conv1", offsetOf(train, "conv1") + 4},                    // off the alignment
		{train, "ip1.weight", u.Arena.Size},                               // behind the arena
		{train, "pool2", -plan.Alignment},                                 // before the arena
		{test, "ip2.bias", offsetOf(test, "ip2.bias") + plan.Alignment},   // not where training leaves it
		{test, "relu1", offsetOf(test, "ip1.weight")},                     // onto what it is computed from
		{test, "accuracy", offsetOf(test, "loss")},                        // one output onto another
	} {
		v := c.phase.Graph.Lookup(c.name)
		sound := c.phase.Plan.Offsets[v]
		c.phase.Plan.Offsets[v] = c.offset
		if err := plan.CheckAll(graphs, u.Arena, nil); err == nil {
			t.Errorf("%s of %s may lie at %d instead of %d", c.name, c.phase.Name, c.offset, sound)
		}
		c.phase.Plan.Offsets[v] = sound
	}
	if err := plan.CheckAll(graphs, u.Arena, nil); err != nil {
		t.Errorf("the plan was not put back: %v", err)
	}
}

// withStep compiles LeNet with one more pass at a place of the table.
func withStep(t *testing.T, at int, s step, o Options) (*Unit, error) {
	t.Helper()
	defer func(saved []step) { steps = saved }(steps)
	steps = slices.Insert(slices.Clone(steps), at, s)
	file, run := model(t, "lenet")
	u, list, err := Compile(file, run, o)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	return u, err
}

// TestBugsNameThePass: a pass that panics, fails or breaks the graph is named,
// and the graph from before it can be read again.
func TestBugsNameThePass(t *testing.T) {
	for _, c := range []struct {
		name, cause string
		stack       bool
		run         func(c *compilation, p *Phase) error
	}{
		{"panics", "index out of range", true, func(_ *compilation, p *Phase) error {
			p.Graph.Nodes = p.Graph.Nodes[:3]
			p.Graph.Nodes[len(p.Graph.Nodes)] = nil
			return nil
		}},
		{"fails", "not today", false, func(_ *compilation, p *Phase) error {
			p.Graph.Nodes = nil
			return errors.New("not today")
		}},
		{"breaks", "before it is defined", false, func(_ *compilation, p *Phase) error {
			slices.Reverse(p.Graph.Nodes)
			return nil
		}},
	} {
		for _, at := range []int{0, 2, len(steps)} {
			var before, after string
			previous := "lower"
			if at > 0 {
				previous = steps[at-1].name
			}
			o := Options{Dump: func(pass string, g *ir.Graph) {
				if pass == previous {
					before = g.String()
				}
				after = pass
			}}
			u, err := withStep(t, at, step{name: c.name, phase: "train", run: c.run}, o)
			var bug *BugError
			if !errors.As(err, &bug) || u != nil {
				t.Fatalf("%s: error %v", c.name, err)
			}
			if bug.Pass != c.name || bug.Phase != "train" || !strings.Contains(bug.Cause, c.cause) || after != previous {
				t.Errorf("%s after %s: %v", c.name, previous, err)
			}
			if want := fmt.Sprintf("compiler bug in pass %s (train): ", c.name); !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: the message is %q", c.name, err)
			}
			if (bug.Stack != "") != c.stack {
				t.Errorf("%s: stack %q", c.name, bug.Stack)
			}
			if bug.Reproducer != before {
				t.Errorf("%s after %s: the reproducer is not the graph before the pass", c.name, previous)
			}
			if _, err := ir.Parse(bug.Reproducer); err != nil {
				t.Errorf("%s after %s: the reproducer: %v", c.name, previous, err)
			}
		}
	}
}

// TestSettingsAreNoBugs: what the user set wrong is not reported as a bug.
func TestSettingsAreNoBugs(t *testing.T) {
	for _, c := range []struct {
		options Options
		sets    []string
		message string
	}{
		{Options{Gradients: []string{"conv3"}}, nil, `there is no tensor "conv3"`},
		{Options{Gradients: []string{"accuracy"}}, nil, `there is no tensor "accuracy"`}, // a layer of the test phase
		{Options{Gradients: []string{"label"}}, nil, `the loss does not depend on "label"`},
	} {
		file, run := model(t, "lenet", c.sets...)
		u, _, err := Compile(file, run, c.options)
		var setting *SettingError
		if !errors.As(err, &setting) || !strings.Contains(err.Error(), c.message) || u != nil {
			t.Errorf("%+v: error %v, want %s", c.options, err, c.message)
		}
	}
}

// TestMistakesAreDiagnostics: a mistake of the net is in the list, and there is
// neither a unit nor an error.
func TestMistakesAreDiagnostics(t *testing.T) {
	file := source(t, "net X\nx = input [4]\ny = InnerProduct(x) { num_output: 0 }\nloss = EuclideanLoss(y, x)\n")
	u, list, err := Compile(file, spec.DefaultRun(), Options{})
	if u != nil || err != nil || list.Errors() == 0 {
		t.Errorf("unit %v, error %v, messages %v", u != nil, err, list)
	}
	if _, list, err := Compile(source(t, "net X\nx = input [4]\ny = ReLU(x)\n"), spec.DefaultRun(), Options{Keep: []string{"z"}}); err != nil || !mentions(list, `there is no tensor "z"`) {
		t.Errorf("error %v, messages %v", err, list)
	}
}

func mentions(list diag.List, text string) bool {
	return slices.ContainsFunc(list, func(d diag.Diagnostic) bool { return strings.Contains(d.Message, text) })
}

// TestPhases: the options choose phases and batches; iter_size adds the phase
// that applies the gradients.
func TestPhases(t *testing.T) {
	file, run := model(t, "mlp")
	for _, c := range []struct {
		options Options
		sets    []string
		want    string
	}{
		{Options{}, nil, "train 128, test 100"},
		{Options{TrainBatch: 3, TestBatch: 5}, nil, "train 3, test 5"},
		{Options{Phases: []string{"test"}}, nil, "test 100"},
		{Options{Phases: []string{"train"}}, []string{"train.batch=7"}, "train 7"},
		{Options{}, []string{"solver.iter_size=4"}, "train 128, update 0, test 100"},
		{Options{Unoptimized: true}, []string{"solver.iter_size=4"}, "train 128, update 0, test 100"},
		{Options{Phases: []string{}}, nil, ""},
	} {
		run := run
		if c.sets != nil {
			_, run = model(t, "mlp", c.sets...)
		}
		u := compiled(t, file, run, c.options)
		var got []string
		for _, p := range u.Phases {
			got = append(got, fmt.Sprintf("%s %d", p.Name, p.Batch))
			if p.Batch != 0 && p.Graph.Inputs[0].Type.Shape[0] != p.Batch {
				t.Errorf("%s has the batch %d, its input is %s", p.Name, p.Batch, p.Graph.Inputs[0].Type)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%+v %v gives %s, want %s", c.options, c.sets, strings.Join(got, ", "), c.want)
		}
	}
}

// TestKeep: kept tensors are outputs under the user's names, whatever was fused.
func TestKeep(t *testing.T) {
	file, run := model(t, "lenet")
	for _, unoptimized := range []bool{false, true} {
		u := compiled(t, file, run, Options{Unoptimized: unoptimized, Keep: []string{"conv1", "relu1", "data"}})
		for _, p := range u.Phases {
			for _, name := range []string{"conv1", "relu1"} {
				v := p.Graph.Lookup(name)
				if v == nil || !slices.Contains(p.Graph.Outputs, v) {
					t.Errorf("%s of %s is no output", name, p.Name)
				} else if _, ok := p.Plan.Offsets[v]; !ok {
					t.Errorf("%s of %s has no place", name, p.Name)
				}
			}
			if p.Names["relu1"] == nil {
				t.Errorf("%s does not know relu1 by its name", p.Name)
			}
		}
	}
}

// TestGradients: the wanted gradients are outputs, of tensors of any kind, and
// nothing is updated.
func TestGradients(t *testing.T) {
	file, run := model(t, "lenet")
	wanted := []string{"data", "conv1.weight", "pool1", "ip2", "loss"}
	for _, unoptimized := range []bool{false, true} {
		u := compiled(t, file, run, Options{Unoptimized: unoptimized, Phases: []string{"train"}, Gradients: wanted})
		g := u.Phase("train").Graph
		if len(g.Writes) != 0 || len(g.States) != 0 || g.Lookup("solver.rate") != nil {
			t.Errorf("the network is trained\n%s", g)
		}
		for _, name := range wanted {
			v := g.Lookup(GradientName(name))
			if v == nil || !slices.Contains(g.Outputs, v) {
				t.Errorf("%s is no output", GradientName(name))
			} else if of := u.Phase("train").Names[name]; of != nil && !v.Type.Equal(of.Type) {
				t.Errorf("the gradient of %s %s is %s", name, of.Type, v.Type)
			}
		}
		if g.Lookup(GradientName("ip1.weight")) != nil {
			t.Error("a gradient that is not wanted is there")
		}
	}
	// Two names of one tensor have a gradient each.
	two := source(t, "net X\nx = input [4]\nu, v = Split(x)\ny = ReLU(u)\nloss = EuclideanLoss(y, v)\n")
	u := compiled(t, two, spec.DefaultRun(), Options{Phases: []string{"train"}, Gradients: []string{"x", "u"}})
	if g := u.Phase("train").Graph; g.Lookup("x.grad") == nil || g.Lookup("u.grad") == nil || len(g.Outputs) != 3 {
		t.Errorf("outputs are missing\n%s", g)
	}
}

// TestPassesRunInOrder: the dump shows "lower" and then the passes of the table
// that the phase and -O0 leave, and each is timed.
func TestPassesRunInOrder(t *testing.T) {
	file, run := model(t, "lenet")
	for _, unoptimized := range []bool{false, true} {
		got := map[string][]string{}
		u := compiled(t, file, run, Options{Unoptimized: unoptimized, Dump: func(pass string, g *ir.Graph) {
			got[g.Phase] = append(got[g.Phase], pass)
			if err := g.Verify(); err != nil {
				t.Errorf("after %s: %v", pass, err)
			}
		}})
		want := map[string][]string{}
		for _, p := range Passes() {
			if p.Does == "" || p.Because == "" {
				t.Errorf("the pass %s does not say what it does, or why there", p.Name)
			}
			if unoptimized && !p.Required || p.Lanes {
				continue
			}
			want["train"] = append(want["train"], p.Name)
			if p.Name != "differentiate" && p.Name != "update" && p.Name != "recompute" {
				want["test"] = append(want["test"], p.Name)
			}
		}
		if !maps.EqualFunc(got, want, func(a, b []string) bool { return slices.Equal(a, b) }) {
			t.Errorf("passes %v, want %v", got, want)
		}
		if len(u.Passes) != len(got["train"])+len(got["test"]) {
			t.Errorf("%d passes are timed", len(u.Passes))
		}
	}
}

// TestDegenerateNets: networks without a loss, without parameters, without
// layers, with frozen parameters and with gradients of 0 are no bugs.
func TestDegenerateNets(t *testing.T) {
	for _, text := range []string{
		"",
		"x = input [3]\n",
		"x = input [3]\ny = InnerProduct(x) { num_output: 2 }\n",
		"x = input [3]\ny = ReLU(x)\nloss = EuclideanLoss(y, x)\n",
		"x = input [3]\ny = InnerProduct(x) { num_output: 3  param { lr_mult: 0 }  param { lr_mult: 0 } }\nloss = EuclideanLoss(y, x)\n",
		"x = input [3]\ny = InnerProduct(x) { num_output: 3 }\nloss = EuclideanLoss(y, x) { loss_weight: 0 }\n",
		"x = input [3]\ny = InnerProduct(x) { num_output: 3 }\nz = Power(y) { scale: 0 }\nloss = EuclideanLoss(z, x)\n",
		"x = input [3]\ny = InnerProduct(x) { num_output: 3 }\nz = Power(y) { power: 0  scale: 2 }\nloss = EuclideanLoss(z, x)\n",
		"x = input [3]\ny = InnerProduct(x) { num_output: 3 }\nz = Power(y) { power: -1e300  scale: 1e300 }\nloss = EuclideanLoss(z, x) { loss_weight: 1e300 }\n",
		"x = input [3]\ny = InnerProduct(x) { num_output: 3 }\nloss = EuclideanLoss(y, y)\n",
		"repeats = input [1]\nloss = Reduction(repeats) { loss_weight: 1 }\n",
		chainOfActivations(40),
	} {
		file := source(t, "net X\n"+text)
		for _, unoptimized := range []bool{false, true} {
			u, list, err := Compile(file, spec.DefaultRun(), Options{Unoptimized: unoptimized, TrainBatch: 2, TestBatch: 2})
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			if u == nil || list.Errors() > 0 {
				t.Errorf("%s: unit %v, messages %v", text, u != nil, list)
			}
		}
	}
}

// chainOfActivations is a net whose loss adds up what many layers in a row make.
func chainOfActivations(length int) string {
	var b strings.Builder
	b.WriteString("x0 = input [3]\n")
	for i := range length {
		fmt.Fprintf(&b, "x%d = ReLU(x%d) { negative_slope: 0.1 }\n", i+1, i)
	}
	fmt.Fprintf(&b, "loss = Reduction(x%d) { loss_weight: 1 }\n", length)
	return b.String()
}

// TestFork: both kinds of kernels compiled together are what each is alone.
func TestFork(t *testing.T) {
	for _, name := range []string{"lenet", "autoencoder"} {
		file, run := model(t, name, "solver.iter_size=2")
		both := compiled(t, file, run, Options{Vector: true})
		compareUnits(t, both, compiled(t, file, run, Options{}))
		compareUnits(t, both.Vector, compiled(t, file, run, Options{Lanes: true}))
	}
}

func compareUnits(t *testing.T, a, b *Unit) {
	t.Helper()
	if len(a.Phases) != len(b.Phases) || a.Arena.Size != b.Arena.Size {
		t.Fatalf("%d phases in %d bytes, and %d in %d", len(a.Phases), a.Arena.Size, len(b.Phases), b.Arena.Size)
	}
	for i, p := range a.Phases {
		q := b.Phases[i]
		if p.Graph.String() != q.Graph.String() || p.Plan.Report() != q.Plan.Report() || len(p.Kernels) != len(q.Kernels) {
			t.Errorf("%s differs:\n%s\nand\n%s", p.Name, p.Graph, q.Graph)
		}
		for name, v := range p.Names {
			if own := p.Graph.Lookup(v.Name); own != nil && own != v {
				t.Errorf("%s is a tensor of another graph", name)
			}
		}
	}
}
