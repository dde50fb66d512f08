package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"netc/compiler"
	"netc/ir"
	"netc/spec"
	"netc/spec/diag"
)

// networkFlags name a network, its run file and how to compile it.
type networkFlags struct {
	File   string   `arg:"" help:"Net file (.net)."`
	Config string   `placeholder:"FILE" help:"Run file (default NAME.toml beside NAME.net, where there is one)."`
	Set    []string `placeholder:"KEY=VALUE" sep:"none" help:"Change a key of the run file, as in solver.lr=0.05; repeatable."`
	Batch  *int     `placeholder:"N" help:"Samples a batch, instead of the run file's."`
	Device string   `enum:"cpu,cuda" default:"cpu" help:"Device to compile for: cpu, or cuda, whose program has kernels in plain Go besides (default cpu)."`
	Level  int      `short:"O" name:"optimize" enum:"0,1" default:"1" help:"0 runs the required passes only (default 1)."`
}

// deviceCPU is the device that every program computes on.
const deviceCPU = "cpu"

// phaseFlag chooses one phase.
type phaseFlag struct {
	Phase string `enum:",train,test" default:"" help:"Only this phase: train or test."`
}

// source is a network that was read, with its run file.
type source struct {
	path     string
	file     *spec.File
	run      *spec.Run
	messages diag.List // of the syntax and of the run file
}

// name is the file's name without folder and extension, by which netc names
// what it writes about a network.
func (s *source) name() string {
	base := filepath.Base(s.path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// sources are the texts that messages quote.
func (s *source) sources() diag.Sources {
	all := s.file.Sources()
	for name, text := range s.run.Sources() {
		all[name] = text
	}
	return all
}

// AfterApply checks what kong cannot.
func (f *networkFlags) AfterApply() error {
	if f.Batch != nil && *f.Batch < 1 {
		return &usageError{fmt.Sprintf("--batch %d: a batch has at least one sample", *f.Batch), ""}
	}
	return nil
}

// load reads the network and its run file, and applies --set and then --batch
// to the batch of the given phase; more settings come before --set.
func (f *networkFlags) load(batchOf string, settings ...string) *source {
	config := f.Config
	if config == "" {
		config = runFileOf(f.File)
	}
	s := &source{path: f.File}
	s.file, s.messages = spec.Load(f.File)
	run, found := spec.LoadRun(config, append(settings, f.Set...))
	s.run = run
	s.messages = append(s.messages, found...)
	if f.Batch != nil && batchOf == "test" {
		run.Test.Batch = *f.Batch
	} else if f.Batch != nil {
		run.Train.Batch = *f.Batch
	}
	return s
}

// runFileOf is NAME.toml beside NAME.net, or "" where there is none.
func runFileOf(net string) string {
	path := strings.TrimSuffix(net, filepath.Ext(net)) + ".toml"
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return path
}

// compile compiles a network that was loaded. Warnings are shown; mistakes are
// the error, those of the syntax together with those of what could be read.
func (f *networkFlags) compile(c *console, s *source, o compiler.Options) (*compiler.Unit, error) {
	o.Unoptimized = f.Level == 0
	if f.Device != deviceCPU { // the processor is there to compare with
		o.Vector = false
	}
	unit, messages, err := check(s, o)
	if err != nil {
		return nil, err
	}
	if messages.Errors() > 0 {
		return nil, &mistakes{messages, s.sources()}
	}
	c.diagnose(messages, s.sources())
	return unit, c.ctx.Err()
}

// check compiles and collects every message, sorted; the unit is nil where
// there are errors.
func check(s *source, o compiler.Options) (*compiler.Unit, diag.List, error) {
	messages := append(diag.List{}, s.messages...)
	o.Incomplete = messages.Errors() > 0
	unit, found, err := compiler.Compile(s.file, s.run, o)
	messages = append(messages, found...)
	if unit != nil {
		messages = append(messages, compiler.CheckExpectations(unit)...)
	}
	messages.Sort()
	var setting *compiler.SettingError
	switch {
	case errors.As(err, &setting):
		messages.Errorf(compiler.CodeSetting, diag.Span{Pos: diag.Pos{File: s.path}}, "%s", setting.Message)
		err = nil
	case err == nil && messages.Errors() == 0 && len(unit.Phases) == 0:
		messages.Errorf(compiler.CodeNoLayers, diag.Span{Pos: diag.Pos{File: s.path}}, "the net has no layers")
	}
	return unit, messages, err
}

// kernelCount is the length of a phase's schedule.
func kernelCount(p *compiler.Phase) int { return len(p.Kernels) - p.Setup + len(p.Plan.Copies) }

// setupCounts gives the length of the setup of each phase that has one.
func setupCounts(phases []*compiler.Phase) map[string]int {
	counts := map[string]int{}
	for _, p := range phases {
		if p.Setup > 0 {
			counts[p.Name] = p.Setup
		}
	}
	return counts
}

// kernelCounts gives the schedule's length of each phase.
func kernelCounts(u *compiler.Unit) map[string]int {
	counts := map[string]int{}
	for _, p := range u.Phases {
		counts[p.Name] = kernelCount(p)
	}
	return counts
}

// chosen gives the phases that --phase leaves.
func (f phaseFlag) chosen(u *compiler.Unit) ([]*compiler.Phase, error) {
	if f.Phase == "" {
		return u.Phases, nil
	}
	p := u.Phase(f.Phase)
	if p == nil {
		return nil, fmt.Errorf("%s has no layers in the %s phase", u.Name, f.Phase)
	}
	return []*compiler.Phase{p}, nil
}

// since is a duration as progress lines show it.
func since(start time.Time) string {
	d := time.Since(start)
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// isSolverInput reports whether the compiler itself made an input: the learning
// rate, the iteration, the seed. No data set feeds it.
func isSolverInput(v *ir.Value) bool { return strings.HasPrefix(v.Name, "solver.") }
