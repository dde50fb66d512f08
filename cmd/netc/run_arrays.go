package main

import (
	"fmt"
	"strings"
	"time"

	"netc/compiler"
	"netc/runtime"
	"netc/spec"
)

// runCommand is "netc run FILE".
type runCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Machine machineFlags `embed:""`
	Only    phaseFlag    `embed:""`

	In   []string `placeholder:"NAME=X.npy" sep:"none" help:"Values of an input; repeatable. Inputs not given are zero."`
	Out  []string `placeholder:"NAME=Y.npy" sep:"none" help:"Where to write a tensor of the graph, or a parameter; repeatable."`
	Grad []string `placeholder:"NAME=G.npy" sep:"none" help:"Where to write the loss's gradient by a tensor; repeatable, in the train phase."`
}

// Run builds a program that keeps the wanted tensors, and lets it compute one
// pass.
func (r *runCommand) Run(c *console) error {
	start := time.Now()
	in, err := assignments("in", r.In)
	if err != nil {
		return err
	}
	out, err := assignments("out", r.Out)
	if err != nil {
		return err
	}
	grad, err := assignments("grad", r.Grad)
	if err != nil {
		return err
	}
	phase := r.Only.Phase
	switch {
	case len(out)+len(grad) == 0:
		return &usageError{"run writes nothing", "give --out NAME=Y.npy or --grad NAME=G.npy"}
	case len(grad) > 0 && phase == "test":
		return &usageError{"--grad needs the train phase, the test phase has no gradients", ""}
	case phase == "" && len(grad) > 0:
		phase = "train"
	case phase == "":
		phase = "test"
	}
	s := r.Network.load(phase)
	batch, err := r.batch(in)
	if err != nil {
		return err
	}
	names := newResolver(s, phase)
	options := compiler.Options{Vector: true, Phases: []string{phase}, TrainBatch: batch, TestBatch: batch}
	if len(grad) > 0 {
		options.Gradients = []string{}
	}
	for i := range out {
		out[i].name = names.full(out[i].name)
		options.Keep = append(options.Keep, out[i].name)
	}
	for i := range grad {
		full := names.full(grad[i].name)
		options.Gradients = append(options.Gradients, full)
		grad[i].name = compiler.GradientName(full)
	}
	unit, err := r.Network.compile(c, s, options)
	if err != nil {
		return err
	}
	executable, err := c.program(unit, s, &r.Network, &r.Machine, start)
	if err != nil {
		return err
	}
	a := r.Machine.shared("run", r.Output, &r.Network)
	a.text("phase", phase)
	for _, one := range in {
		a.text("in", names.full(one.name)+"="+one.file)
	}
	for _, one := range append(out, grad...) {
		a.text("out", one.name+"="+one.file)
	}
	return c.start(executable, a)
}

// assignment is one NAME=FILE.
type assignment struct{ name, file string }

func assignments(flag string, texts []string) ([]assignment, error) {
	var list []assignment
	for _, text := range texts {
		name, file, found := strings.Cut(text, "=")
		if !found || name == "" || file == "" {
			return nil, &usageError{fmt.Sprintf("--%s %s is not NAME=FILE.npy", flag, text), ""}
		}
		list = append(list, assignment{name, file})
	}
	return list, nil
}

// batch is how many samples the first array has, or what --batch says; 0 leaves
// it to the run file.
func (r *runCommand) batch(in []assignment) (int, error) {
	switch {
	case r.Network.Batch != nil:
		return *r.Network.Batch, nil
	case len(in) == 0:
		return 0, nil
	}
	array, err := runtime.ReadNPY(in[0].file)
	if err != nil {
		return 0, err
	}
	if len(array.Shape) == 0 || array.Shape[0] == 0 {
		return 0, fmt.Errorf("--in %s=%s: the array has no samples; its first axis is the batch", in[0].name, in[0].file)
	}
	return array.Shape[0], nil
}

// resolver finds the tensors that names of the source stand for.
type resolver struct{ aliases map[string]string }

func newResolver(s *source, phase string) resolver {
	// Mistakes of the net come up again when it is compiled.
	net, _ := spec.Expand(s.file, s.run.Selection(phase))
	if net == nil {
		return resolver{}
	}
	return resolver{net.Aliases}
}

func (r resolver) full(name string) string {
	if full, ok := r.aliases[name]; ok {
		return full
	}
	return name
}
