package main

import (
	"fmt"
	"slices"

	"netc/compiler"
	"netc/compiler/layer"
	"netc/compiler/plan"
	"netc/ir"
	"netc/ir/op"
	"netc/spec"
)

// summaryCommand is "netc summary FILE".
type summaryCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Only    phaseFlag    `embed:""`
	Kernels isaFlag      `embed:""`
}

// summary is what "netc summary --json" prints. Shapes and operations are those
// of one batch; operations count two for each multiply-add of the forward pass.
// Memory and kernels are those of an instruction set.
type summary struct {
	Name         string                `json:"name"`
	Batch        int                   `json:"batch"`
	Parameters   int                   `json:"parameters"`
	FlopsForward int                   `json:"flops_forward"`
	Inputs       []tensorShape         `json:"inputs"`
	Layers       []layerSummary        `json:"layers"`
	ISA          string                `json:"isa"`
	Arena        map[string]arenaBytes `json:"arena"`
	Kernels      map[string]int        `json:"kernels"`       // of a step
	Setup        map[string]int        `json:"setup_kernels"` // computed once after the parameters have changed
}

// layerSummary is one layer. Parameters that it shares count at their first
// owner.
type layerSummary struct {
	Name       string        `json:"name"`
	Type       string        `json:"type"`
	Outputs    []tensorShape `json:"outputs"`
	Parameters int           `json:"parameters"`
	Flops      int           `json:"flops"`
	File       string        `json:"file"`
	Line       int           `json:"line"`
}

type tensorShape struct {
	Name  string   `json:"name"`
	Shape ir.Shape `json:"shape"`
	DType string   `json:"dtype"`
}

// Run prints the summary.
func (y *summaryCommand) Run(c *console) error {
	options, err := y.Kernels.options(&y.Network)
	if err != nil {
		return err
	}
	s := y.Network.load(y.Only.Phase)
	unit, err := y.Network.compile(c, s, options)
	if err != nil {
		return err
	}
	phases, err := y.Only.chosen(unit)
	if err != nil {
		return err
	}
	batch := s.run.Train.Batch
	if y.Only.Phase == "test" {
		batch = s.run.Test.Batch
	}
	result, err := summarize(s, unit.Name, batch, phases)
	if err != nil {
		return err
	}
	result.ISA = y.Kernels.ISA
	if y.Output.JSON {
		return c.printJSON(result)
	}
	result.print(c)
	return nil
}

// summarize describes the layers of a network as they were before any pass,
// and what the passes made of its phases. The forward pass is that of the test
// phase, or of the train phase where there is no other.
func summarize(s *source, name string, batch int, phases []*compiler.Phase) (*summary, error) {
	r := &summary{Name: name, Batch: batch, Layers: []layerSummary{}, Inputs: []tensorShape{}, Arena: map[string]arenaBytes{}, Kernels: map[string]int{}, Setup: setupCounts(phases)}
	counted := map[string]bool{}
	for _, phase := range slices.Backward(phases) { // test, then train
		r.Arena[phase.Name] = arenaBytes{phase.Plan.Size, phase.Plan.LowerBound, phase.Plan.WithoutReuse}
		r.Kernels[phase.Name] = kernelCount(phase)
		if phase.Name == "update" {
			continue // it has no layers
		}
		lowered, err := lower(s, phase.Name, batch)
		if err != nil {
			return nil, err
		}
		forward := len(r.Layers) == 0
		if forward {
			r.Inputs = inputShapes(lowered.Graph)
		}
		r.add(lowered, counted, forward)
	}
	return r, nil
}

// lower gives a phase of a network in operators of which none is fused yet. The
// error has all mistakes in the files.
func lower(s *source, phase string, batch int) (*layer.Lowered, error) {
	net, found := spec.Expand(s.file, s.run.Selection(phase))
	found = append(found, s.messages...)
	lowered, more := layer.Lower(net, layer.Options{Phase: phase, Batch: batch, Incomplete: found.Errors() > 0})
	found = append(found, more...)
	if found.Errors() > 0 {
		found.Sort()
		return nil, &mistakes{found, s.sources()}
	}
	return lowered, nil
}

// add merges the layers of a phase into the list: those that it has already
// are the same, others stand behind the layer before them. counted holds the
// names of the parameters so far.
func (r *summary) add(l *layer.Lowered, counted map[string]bool, forward bool) {
	flops := flopsByLayer(l.Graph)
	at := 0
	for _, info := range l.Layers {
		if known := slices.IndexFunc(r.Layers, func(other layerSummary) bool { return other.Name == info.Name }); known >= 0 {
			at = known + 1
			continue
		}
		one := layerSummary{Name: info.Name, Type: info.Type, Flops: flops[info.Name], File: info.Pos.File, Line: info.Pos.Line, Outputs: shapesOf(info.Outputs)}
		for _, p := range info.Params {
			if !counted[p.Name] {
				counted[p.Name] = true
				one.Parameters += p.Type.Shape.Count()
			}
		}
		r.Layers = slices.Insert(r.Layers, at, one)
		at++
		r.Parameters += one.Parameters
		if forward {
			r.FlopsForward += one.Flops
		}
	}
}

// flopsByLayer counts two operations for each multiply-add, under the name of
// the layer that an operator comes from.
func flopsByLayer(g *ir.Graph) map[string]int {
	flops := map[string]int{}
	for _, n := range g.Nodes {
		if o, ok := n.Op.(op.Contraction); ok && len(n.From) > 0 {
			flops[n.From[0].Layer] += 2 * o.MultiplyAdds(n)
		}
	}
	return flops
}

func shapesOf(values []*ir.Value) []tensorShape {
	list := []tensorShape{}
	for _, v := range values {
		shape := v.Type.Shape
		if shape == nil {
			shape = ir.Shape{} // a scalar is [] in JSON
		}
		list = append(list, tensorShape{v.Name, shape, v.Type.DType.String()})
	}
	return list
}

// inputShapes lists what a data set feeds.
func inputShapes(g *ir.Graph) []tensorShape {
	var fed []*ir.Value
	for _, v := range g.Inputs {
		if !isSolverInput(v) {
			fed = append(fed, v)
		}
	}
	return shapesOf(fed)
}

func (r *summary) print(c *console) {
	var t table
	t.row("layer", "type", "output", "parameters", "operations", "place")
	for _, in := range r.Inputs {
		t.row(in.Name, "input", in.DType+in.Shape.String())
	}
	for _, l := range r.Layers {
		place := fmt.Sprintf("%s:%d", l.File, l.Line)
		for i, out := range l.Outputs {
			if i > 0 {
				t.row("", "", out.Name+" "+out.DType+out.Shape.String())
				continue
			}
			t.row(l.Name, l.Type, out.DType+out.Shape.String(), countText(l.Parameters), countText(l.Flops), place)
		}
		if len(l.Outputs) == 0 {
			t.row(l.Name, l.Type, "", countText(l.Parameters), countText(l.Flops), place)
		}
	}
	t.row("total", "", "", digits(r.Parameters), digits(r.FlopsForward))
	fmt.Fprintf(c.out, "%s, a batch of %d; an operation is one multiplication or addition of a contraction, forward\n\n", r.Name, r.Batch)
	t.print(c.out, "lllrrl")
	fmt.Fprintln(c.out)

	var phases table
	phases.row("phase", r.ISA+" kernels", "setup", "bytes", "lower bound", "without reuse")
	for _, name := range []string{"train", "update", "test"} {
		if a, exists := r.Arena[name]; exists {
			phases.row(name, fmt.Sprint(r.Kernels[name]), countText(r.Setup[name]), plan.Bytes(a.Bytes), plan.Bytes(a.LowerBound), plan.Bytes(a.WithoutReuse))
		}
	}
	phases.print(c.out, "lrrrrr")
}

// countText leaves out zeros, which say nothing in a table.
func countText(n int) string {
	if n == 0 {
		return ""
	}
	return digits(n)
}

// digits writes a number with a comma every three digits.
func digits(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
