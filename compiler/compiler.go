// Package compiler turns an expanded network and its run file into graphs that
// are differentiated, fused, ordered and planned: everything the emitters print.
//
// The work is done by compiler/layer (layers to operators), the passes of
// compiler/pass in the order of the table in passes.go, compiler/plan (memory)
// and compiler/schedule (how each kernel runs).
package compiler

import (
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"netc/compiler/layer"
	"netc/compiler/pass"
	"netc/compiler/plan"
	"netc/compiler/schedule"
	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
	"netc/spec"
	"netc/spec/diag"
)

// Options say what to compile.
type Options struct {
	Unoptimized bool     // -O0: the required passes only
	Lanes       bool     // for vector kernels: runs the pass layouts
	Vector      bool     // also compiles Unit.Vector, unless Unoptimized is set
	TrainBatch  int      // samples of a training batch; 0 takes the run file's
	TestBatch   int      // samples of a test batch; 0 takes the run file's
	Keep        []string // tensors to keep as outputs, by the user's names
	Gradients   []string // tensors whose gradients to compute and keep as NAME.d, instead of training
	Phases      []string // phases to compile; nil for all: "train", "test"
	// Incomplete says that the file has mistakes already reported; compiling it
	// finds those in the rest of it.
	Incomplete bool
	// Dump, when set, is called with the graph after each pass ("lower" first), and
	// not with those that only Unit.Vector takes.
	Dump func(passName string, g *ir.Graph)
}

// Unit is a compiled network.
type Unit struct {
	Name   string
	Net    *spec.File
	Run    *spec.Run
	Phases []*Phase // train, update (only with iter_size above 1), test; those that exist
	Arena  *plan.Arena
	Passes []Timing

	// Vector is the same network for vector kernels. Its parameters and states
	// have the same places; its other tensors lie in another way.
	Vector *Unit
}

// Timing is how long a pass took on one phase.
type Timing struct {
	Phase, Pass string
	Time        time.Duration
}

// Phase is one compiled graph.
type Phase struct {
	Name    string // "train", "update" or "test"
	Batch   int
	Graph   *ir.Graph
	Names   map[string]*ir.Value // the user's names of tensors
	Plan    *plan.Plan
	Kernels []*Kernel // in the order in which they run
	Setup   int       // so many of Kernels, the first, are the graph's setup and not part of a step
}

// clone returns a copy whose graph can go its own way.
func (p *Phase) clone() *Phase {
	graph, copies := p.Graph.Clone()
	q := &Phase{Name: p.Name, Batch: p.Batch, Graph: graph, Names: map[string]*ir.Value{}}
	for name, v := range p.Names {
		if c := copies[v]; c != nil { // a pass may have removed it
			v = c
		}
		q.Names[name] = v
	}
	return q
}

// Kernel is one loop nest of a node, with its schedule.
type Kernel struct {
	Node     *ir.Node
	Nest     *loop.Nest
	Schedule loop.Schedule
	Part     int // the number of the nest within the node
	Parts    int // how many nests the node has
}

// Phase finds a phase by name, or returns nil.
func (u *Unit) Phase(name string) *Phase {
	for _, p := range u.Phases {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// BugError is a fault of the compiler itself: a pass failed or broke the
// graph. Reproducer is IR text that Parse reads; running the pass on it shows
// the fault again.
type BugError struct {
	Pass       string
	Phase      string
	Cause      string
	Stack      string
	Reproducer string
}

// Error names the pass and the cause.
func (e *BugError) Error() string {
	return fmt.Sprintf("compiler bug in pass %s (%s): %s", e.Pass, e.Phase, e.Cause)
}

// Compile compiles the phases of a network. Mistakes of the user come back as
// diagnostics, all of one run; err is a fault of the compiler (*BugError) or a
// setting that cannot be compiled.
func Compile(file *spec.File, run *spec.Run, o Options) (*Unit, diag.List, error) {
	unit, messages, err := (&compilation{options: o, run: run, solver: solverOf(run)}).unit(file)
	if bug, ok := err.(*BugError); ok && bug.Reproducer == "" {
		// Every compilation of a network is the same, so a second one tells what
		// the first would have had to write down before each pass.
		o.Dump = nil
		c := &compilation{options: o, run: run, solver: solverOf(run), remembers: true}
		if _, _, again := c.unit(file); again != nil {
			err = again
		}
	}
	return unit, messages, err
}

// unit compiles all phases and plans them together.
func (c *compilation) unit(file *spec.File) (*Unit, diag.List, error) {
	o, run := c.options, c.run
	unit := &Unit{Net: file, Run: run}
	var messages diag.List
	for _, name := range []string{"train", "test"} {
		if o.Phases != nil && !slices.Contains(o.Phases, name) {
			continue
		}
		phase, list, err := c.phase(file, name)
		messages = append(messages, unsaid(messages, list)...)
		if err != nil {
			return nil, messages, err
		}
		if phase == nil {
			continue
		}
		unit.Name = phase.Graph.Name
		unit.Phases = append(unit.Phases, phase)
		if c.updateGraph != nil {
			update := &Phase{Name: "update", Graph: c.updateGraph}
			c.updateGraph = nil
			if err := c.passes(update); err != nil {
				return nil, messages, err
			}
			unit.Phases = append(unit.Phases, update)
		}
	}
	unit.Passes = c.timings
	if messages.Errors() > 0 {
		return nil, messages, nil
	}
	if c.forks() {
		unit.Vector = &Unit{Name: unit.Name, Net: file, Run: run, Phases: c.vectors}
		if err := unit.Vector.plan(true); err != nil {
			return nil, messages, err
		}
	}
	if err := unit.plan(!o.Unoptimized); err != nil {
		return nil, messages, err
	}
	return unit, messages, nil
}

// plan gives every tensor its place, and every node its kernels.
func (u *Unit) plan(optimize bool) error {
	var graphs []*ir.Graph
	for _, p := range u.Phases {
		graphs = append(graphs, p.Graph)
	}
	arena, err := plan.BuildAll(graphs, nil)
	if err != nil {
		return &BugError{Pass: "plan", Cause: err.Error()}
	}
	u.Arena = arena
	if err := plan.CheckAll(graphs, arena, nil); err != nil {
		return &BugError{Pass: "check-plan", Cause: err.Error()}
	}
	for i, p := range u.Phases {
		p.Plan = arena.Plans[i]
		if err := p.kernels(optimize); err != nil {
			return &BugError{Pass: "schedule", Phase: p.Name, Cause: err.Error(), Reproducer: p.Graph.String()}
		}
	}
	return nil
}

// unsaid leaves out what an earlier phase said about the same place: the shapes
// in the messages differ by the batch, the mistake is one.
func unsaid(earlier, list diag.List) diag.List {
	return slices.DeleteFunc(slices.Clone(list), func(d diag.Diagnostic) bool {
		return slices.ContainsFunc(earlier, func(e diag.Diagnostic) bool { return e.Span == d.Span && e.Code == d.Code })
	})
}

type compilation struct {
	options     Options
	run         *spec.Run
	solver      pass.Solver
	gradients   map[*ir.Value]*ir.Value
	updateGraph *ir.Graph
	vectors     []*Phase // of Unit.Vector
	timings     []Timing
	remembers   bool // keeps each pass's graph for the case that it fails
}

// phase expands, lowers and transforms one phase; nil when the network has no
// layers in it, no loss to train, or mistakes.
func (c *compilation) phase(file *spec.File, name string) (*Phase, diag.List, error) {
	net, messages := spec.Expand(file, c.run.Selection(name))
	incomplete := c.options.Incomplete || messages.Errors() > 0
	if len(net.Layers) == 0 {
		return nil, messages, nil
	}
	batch := c.options.TrainBatch
	if batch == 0 {
		batch = c.run.Train.Batch
	}
	if name == "test" {
		if batch = c.options.TestBatch; batch == 0 {
			batch = c.run.Test.Batch
		}
	}
	if c.options.Incomplete {
		batch = max(batch, 1) // a wrong one was reported with the run file
	}
	start := time.Now()
	keep := c.options.Keep
	if name == "test" {
		keep = append(slices.Clone(keep), judged(net, keep)...)
	}
	lowered, list := layer.Lower(net, layer.Options{Phase: name, Batch: batch, Keep: keep, Incomplete: incomplete})
	c.timings = append(c.timings, Timing{name, "lower", time.Since(start)})
	messages = append(messages, list...)
	if incomplete || messages.Errors() > 0 {
		return nil, messages, nil
	}
	if name == "train" && lowered.Graph.Loss == nil {
		if c.options.Gradients != nil {
			return nil, messages, &SettingError{"the network has no loss in the training phase, so there are no gradients"}
		}
		return nil, messages, nil // nothing to train; the test phase is the network
	}
	p := &Phase{Name: name, Batch: batch, Graph: lowered.Graph, Names: lowered.Tensors}
	if err := p.Graph.Verify(); err != nil {
		return nil, messages, &BugError{Pass: "lower", Phase: name, Cause: err.Error(), Reproducer: p.Graph.String()}
	}
	if c.options.Dump != nil {
		c.options.Dump("lower", p.Graph)
	}
	return p, messages, c.passes(p)
}

// judged lists the tensors that losses and accuracies read: the network's
// answer, which whoever runs the test pass wants to see.
func judged(net *spec.Net, kept []string) []string {
	var list []string
	for _, l := range net.Layers {
		if !layer.Judges(l.Type) {
			continue
		}
		for _, b := range l.Bottoms {
			isInput := slices.ContainsFunc(net.Inputs, func(i *spec.Input) bool { return i.Name == b.Name })
			if !isInput && !slices.Contains(kept, b.Name) && !slices.Contains(list, b.Name) {
				list = append(list, b.Name)
			}
		}
	}
	return list
}

// forks reports whether Unit.Vector is compiled too.
func (c *compilation) forks() bool { return c.options.Vector && !c.options.Unoptimized }

// passes runs the pipeline on one graph. That of Unit.Vector is a copy from
// where the two differ.
func (c *compilation) passes(p *Phase) error {
	differ := slices.IndexFunc(steps, func(s step) bool { return s.lanes })
	if err := c.steps(steps[:differ], p, c.options.Lanes, ""); err != nil {
		return err
	}
	if c.forks() {
		v := p.clone()
		c.vectors = append(c.vectors, v)
		if err := c.steps(steps[differ:], v, true, " in vectors"); err != nil {
			return err
		}
	}
	return c.steps(steps[differ:], p, c.options.Lanes, "")
}

// steps runs some of the passes; those in a fork, which has a name, are not
// dumped.
func (c *compilation) steps(list []step, p *Phase, lanes bool, fork string) error {
	for _, s := range list {
		if s.phase != "" && s.phase != p.Name || c.options.Unoptimized && !s.required || s.lanes && !lanes {
			continue
		}
		if err := c.step(s, p, fork); err != nil {
			return err
		}
	}
	return nil
}

// step runs one pass: verified, timed, dumped; a fault names the pass and, if
// the compilation remembers it, carries the graph from before.
func (c *compilation) step(s step, p *Phase, fork string) (err error) {
	before := ""
	if c.remembers {
		before = p.Graph.String()
	}
	bug := func(cause any, stack string) error {
		return &BugError{Pass: s.name, Phase: p.Name, Cause: fmt.Sprint(cause), Stack: stack, Reproducer: before}
	}
	defer func() {
		if r := recover(); r != nil {
			err = bug(r, string(debug.Stack()))
		}
	}()
	start := time.Now()
	if err := s.run(c, p); err != nil {
		if setting, ok := err.(*SettingError); ok {
			return setting
		}
		return bug(err, "")
	}
	c.timings = append(c.timings, Timing{p.Name + fork, s.name, time.Since(start)})
	if err := p.Graph.Verify(); err != nil {
		return bug(err, "")
	}
	if c.options.Dump != nil && fork == "" {
		c.options.Dump(s.name, p.Graph)
	}
	return nil
}

// SettingError is a setting of the run file or command line that the network
// cannot be compiled with.
type SettingError struct{ Message string }

// Error gives the message.
func (e *SettingError) Error() string { return e.Message }

// wanted lists the values to differentiate by: the parameters that learn, or
// those of Options.Gradients.
func (c *compilation) wanted(p *Phase) []*ir.Value {
	var list []*ir.Value
	if c.options.Gradients != nil {
		for _, name := range c.options.Gradients {
			if v := p.named(name); v != nil {
				list = append(list, v)
			}
		}
		return list
	}
	for _, v := range p.Graph.Params {
		if v.Param.LrMult != 0 {
			list = append(list, v)
		}
	}
	return list
}

// named finds a tensor by the user's name or, for a parameter, the graph's.
func (p *Phase) named(name string) *ir.Value {
	if v := p.Names[name]; v != nil {
		return v
	}
	return p.Graph.Lookup(name)
}

// update appends the solver's update, or keeps the wanted gradients as outputs.
func (c *compilation) update(p *Phase) error {
	g := p.Graph
	if c.options.Gradients == nil {
		if err := pass.Update(c.solver)(g, c.gradients); err != nil {
			return &SettingError{err.Error()}
		}
		update, err := pass.UpdateGraph(g, c.solver)
		c.updateGraph = update
		return err
	}
	for _, name := range c.options.Gradients {
		v := p.named(name)
		if v == nil {
			return &SettingError{fmt.Sprintf("there is no tensor %q to take a gradient of", name)}
		}
		d := c.gradients[v]
		if d == nil {
			return &SettingError{fmt.Sprintf("the loss does not depend on %q, so it has no gradient", name)}
		}
		// The output is a value of its own, named for the tensor; a gradient may
		// serve several tensors or be an operand elsewhere.
		out := g.Must(&op.Reshape{Shape: d.Type.Shape}, GradientName(name), nil, d)
		g.Rename(out, GradientName(name))
		g.Outputs = append(g.Outputs, out)
	}
	return nil
}

// GradientName is the name of the output that holds a tensor's gradient.
func GradientName(tensor string) string { return tensor + ".grad" }

// kernels lists the nests to emit, in order; reshapes that are aliases need none.
func (p *Phase) kernels(optimize bool) error {
	setup := p.Graph.Setup()
	for node, n := range p.Graph.Nodes {
		if p.Plan.IsAlias(n) {
			continue
		}
		nests, err := op.Nests(n)
		if err != nil {
			return err
		}
		schedules := schedule.All(nests, optimize)
		for i, nest := range nests {
			p.Kernels = append(p.Kernels, &Kernel{n, nest, schedules[i], i, len(nests)})
		}
		if node < setup {
			p.Setup = len(p.Kernels)
		}
	}
	return nil
}

func solverOf(run *spec.Run) pass.Solver {
	s := run.Solver
	return pass.Solver{
		Type: s.Type, Momentum: s.Momentum, Momentum2: s.Momentum2, RMSDecay: s.RMSDecay, Delta: s.Delta,
		WeightDecay: s.WeightDecay, Regularization: s.Regularization, ClipGradients: s.ClipGradients, Accumulate: s.Accumulate,
	}
}
