package main

import (
	"fmt"
	goruntime "runtime"
	"strings"

	"netc/compiler/layer"
	"netc/ir"
	"netc/spec"
	"netc/spec/diag"
)

// gradcheckCommand is "netc gradcheck FILE" or "netc gradcheck --layers".
type gradcheckCommand struct {
	Output  outputFlags `embed:""`
	File    string      `arg:"" optional:"" help:"Net file (.net)."`
	Layers  bool        `help:"Check the example of every layer's help text instead of a file."`
	Config  string      `placeholder:"FILE" help:"Run file (default NAME.toml beside NAME.net, where there is one)."`
	Set     []string    `placeholder:"KEY=VALUE" sep:"none" help:"Change a key of the run file; repeatable."`
	Batch   int         `placeholder:"N" default:"2" help:"Samples a batch (default 2)."`
	Samples *int        `placeholder:"N" help:"Elements to check of each tensor, 0 for all (default ${fileSamples}, fewer in nets of many tensors; with --layers ${layerSamples})."`
	Seed    int32       `placeholder:"N" default:"1" help:"Number that inputs and parameters are drawn from (default 1)."`
	Threads int         `placeholder:"N" help:"Threads (default all cores)."`
}

// How many elements of a tensor are checked when nobody says: those of a net
// cost some forward passes each, so that a net of many tensors gets fewer; the
// examples of the layers are small.
const (
	fileSamples  = 8
	netSamples   = 128
	layerSamples = 48
)

func (g *gradcheckCommand) samples(graph *ir.Graph) int {
	switch {
	case g.Samples != nil:
		return *g.Samples
	case g.Layers:
		return layerSamples
	}
	return min(fileSamples, max(1, netSamples/(len(graph.Params)+1)))
}

// layersResult is what "netc gradcheck --layers --json" prints.
type layersResult struct {
	OK     bool             `json:"ok"`
	Layers []*gradientCheck `json:"layers"`
}

// Run checks a net, or every layer.
func (g *gradcheckCommand) Run(c *console) error {
	switch {
	case g.Layers && g.File != "":
		return &usageError{"--layers checks netc's own examples: leave the file out", ""}
	case !g.Layers && g.File == "":
		return &usageError{`expected a net file or --layers`, `"netc gradcheck --help" says more`}
	case g.Batch < 1 || g.Samples != nil && *g.Samples < 0 || g.Threads < 0:
		return &usageError{"--batch is at least 1, --samples and --threads at least 0", ""}
	}
	if g.Threads == 0 {
		g.Threads = goruntime.GOMAXPROCS(0)
	}
	if g.Layers {
		return g.layers(c)
	}
	flags := networkFlags{File: g.File, Config: g.Config, Set: g.Set}
	s := flags.load("train")
	lowered, err := lower(s, "train", g.Batch)
	if err != nil {
		return err
	}
	check, err := g.check(c, lowered.Graph.Name, lowered, inputRanges)
	if err != nil {
		return err
	}
	if check.Ranges == 0 {
		return fmt.Errorf("%s: the loss is not a finite number for random inputs, so its gradients cannot be checked", check.Name)
	}
	if g.Output.JSON {
		err = c.printJSON(check)
	} else {
		check.print(c)
	}
	if err == nil && !check.OK {
		err = ended(exitFailed)
	}
	return err
}

// layers checks the example of each layer type.
func (g *gradcheckCommand) layers(c *console) error {
	result := layersResult{OK: true}
	var t table
	t.row("layer", "tensors", "checked", "at kinks", "worst error", "")
	for _, name := range layer.Types() {
		lowered, err := lowerExample(name, g.Batch)
		if err != nil {
			return err
		}
		var check *gradientCheck
		for _, bounds := range inputRanges { // some layers are flat on one side of zero
			one, err := g.check(c, name, lowered, [][2]float64{bounds})
			if err != nil {
				return err
			}
			check = check.joined(one)
		}
		result.Layers = append(result.Layers, check)
		result.OK = result.OK && check.OK
		checked, kinks, worst := check.totals()
		t.row(name, fmt.Sprint(len(check.Tensors)), fmt.Sprint(checked), fmt.Sprint(kinks), errorText(worst, checked), verdict(check.OK))
	}
	var err error
	if g.Output.JSON {
		err = c.printJSON(result)
	} else {
		t.print(c.out, "lrrrrl")
	}
	if err == nil && !result.OK {
		err = ended(exitFailed)
	}
	return err
}

// lowerExample compiles the example of a layer's help text.
func lowerExample(name string, batch int) (*layer.Lowered, error) {
	source := []byte("net " + name + "\n" + exampleOf(layer.Doc(name)))
	file, found := spec.Parse(name, source)
	net, more := spec.Expand(file, spec.Selection{Phase: "train"})
	found = append(found, more...)
	if found.Errors() > 0 {
		return nil, &mistakes{found, diag.Sources{name: source}}
	}
	lowered, found := layer.Lower(net, layer.Options{Phase: "train", Batch: batch})
	if found.Errors() > 0 {
		return nil, &mistakes{found, diag.Sources{name: source}}
	}
	return lowered, nil
}

// exampleOf cuts the example out of a layer's help text: the indented lines
// below the line "example".
func exampleOf(doc string) string {
	_, after, _ := strings.Cut(doc, "\nexample\n")
	example, _, _ := strings.Cut(after, "\n\n")
	return example + "\n"
}

// check draws inputs from the first of the ranges that gives a finite loss.
func (g *gradcheckCommand) check(c *console, name string, lowered *layer.Lowered, ranges [][2]float64) (*gradientCheck, error) {
	check := &gradientCheck{Name: name, Batch: g.Batch, Seed: g.Seed, Tolerance: gradientTolerance, OK: true, Tensors: []tensorCheck{}}
	graph, err := copied(lowered.Graph)
	if err != nil {
		return nil, err
	}
	c.say("checking %s …", name)
	return check, check.run(c.ctx, graph, ranges, g.samples(graph), g.Threads)
}

// joined puts two checks of one network together; k may be nil.
func (k *gradientCheck) joined(other *gradientCheck) *gradientCheck {
	if k == nil {
		return other
	}
	k.Ranges += other.Ranges
	k.OK = k.OK && other.OK
	k.Tensors = append(k.Tensors, other.Tensors...)
	return k
}

func (k *gradientCheck) print(c *console) {
	var t table
	t.row("tensor", "", "shape", "checked", "at kinks", "largest gradient", "worst error", "")
	for _, one := range k.Tensors {
		if !one.Differentiable {
			t.row(one.Name, one.Kind, one.Shape.String(), "", "", "", "", "no gradient flows to it")
			continue
		}
		t.row(one.Name, one.Kind, one.Shape.String(), fmt.Sprintf("%d of %d", one.Checked, one.Shape.Count()), fmt.Sprint(one.Kinks),
			fmt.Sprintf("%.3g", one.Largest), errorText(one.WorstError, one.Checked), verdict(one.OK))
	}
	fmt.Fprintf(c.out, "%s, a batch of %d, seed %d: gradients in float64 against central differences, tolerance %g\n\n", k.Name, k.Batch, k.Seed, k.Tolerance)
	t.print(c.out, "lllrrrrl")
}

// totals sums up the elements and gives the worst error.
func (k *gradientCheck) totals() (checked, kinks int, worst float64) {
	for _, one := range k.Tensors {
		checked, kinks, worst = checked+one.Checked, kinks+one.Kinks, max(worst, one.WorstError)
	}
	return checked, kinks, worst
}

func errorText(worst float64, checked int) string {
	if checked == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1e", worst)
}

func verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "WRONG"
}
