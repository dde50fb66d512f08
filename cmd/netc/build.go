package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/compiler/plan"
)

// buildCommand is "netc build FILE".
type buildCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Data    dataFlag     `embed:""`

	Out string `short:"o" placeholder:"DIR" help:"Folder to write (default build/NAME)."`
}

// buildResult is what "netc build --json" prints.
type buildResult struct {
	Name    string                `json:"name"`
	Folder  string                `json:"folder"`
	Files   []builtFile           `json:"files"`
	Kernels map[string]int        `json:"kernels"`       // of a step
	Setup   map[string]int        `json:"setup_kernels"` // computed once after the parameters have changed
	Arena   arenaBytes            `json:"arena"`
	Phases  map[string]arenaBytes `json:"phases"`
	Passes  []passTime            `json:"passes"`
	TimeMS  float64               `json:"time_ms"`
}

type builtFile struct {
	Path  string `json:"path"`
	Bytes int    `json:"bytes"`
}

type passTime struct {
	Phase string  `json:"phase"`
	Pass  string  `json:"pass"`
	MS    float64 `json:"ms"`
}

// Run writes the program.
func (b *buildCommand) Run(c *console) error {
	start := time.Now()
	var settings []string
	if b.Data.Data != "" {
		settings = []string{"data.source=" + b.Data.Data, "data.otherwise="}
	}
	s := b.Network.load("train", settings...)
	unit, err := b.Network.compile(c, s, compiler.Options{Vector: true})
	if err != nil {
		return err
	}
	module, err := b.Network.emit(unit, s)
	if err != nil {
		return err
	}
	folder := b.Out
	if folder == "" {
		folder = filepath.Join("build", s.name())
	}
	if err := c.writeBuild(folder, module); err != nil {
		return err
	}
	result := resultOf(unit, module, folder)
	result.TimeMS = milliseconds(time.Since(start))
	if b.Output.JSON {
		return c.printJSON(result)
	}
	result.print(c, module)
	return nil
}

func resultOf(u *compiler.Unit, m *gopkg.Module, folder string) *buildResult {
	r := &buildResult{Name: u.Name, Folder: folder, Kernels: kernelCounts(u), Setup: setupCounts(u.Phases), Arena: arenaOf(u), Phases: phaseBytes(u)}
	for _, path := range m.Paths() {
		r.Files = append(r.Files, builtFile{path, len(m.Files[path])})
	}
	for _, p := range u.Passes {
		r.Passes = append(r.Passes, passTime{p.Phase, p.Pass, milliseconds(p.Time)})
	}
	return r
}

func (r *buildResult) print(c *console, m *gopkg.Module) {
	var files, passes table
	for _, f := range r.Files {
		if !strings.HasPrefix(f.Path, "runtime/") {
			files.row("  "+f.Path, plan.Bytes(f.Bytes))
		}
	}
	fmt.Fprintf(c.out, "wrote %s in %s: %d files\n", r.Folder, shortMS(r.TimeMS), len(r.Files))
	files.print(c.out, "lr")
	fmt.Fprintf(c.out, "  runtime/, %d files\n\n", len(r.Files)-files.rows())
	var phases table
	phases.row("phase", "kernels", "setup", "bytes", "lower bound", "without reuse")
	for _, p := range []string{"train", "update", "test"} {
		if a, exists := r.Phases[p]; exists {
			phases.row(p, fmt.Sprint(r.Kernels[p]), countText(r.Setup[p]), plan.Bytes(a.Bytes), plan.Bytes(a.LowerBound), plan.Bytes(a.WithoutReuse))
		}
	}
	phases.print(c.out, "lrrrrr")
	fmt.Fprintf(c.out, "arena %s, %.3f of the lower bound\n\n", plan.Bytes(r.Arena.Bytes), ratio(r.Arena.Bytes, r.Arena.LowerBound))
	for _, p := range r.Passes {
		passes.row(p.Phase, p.Pass, shortMS(p.MS))
	}
	passes.print(c.out, "llr")
	fmt.Fprintf(c.out, "\ncd %s && go build ./cmd/%s\n", r.Folder, m.Name)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func shortMS(ms float64) string { return fmt.Sprintf("%.3g ms", ms) }
