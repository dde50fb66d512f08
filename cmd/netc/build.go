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

// buildResult is what "netc build --json" prints. The kernels and memory are those
// of the best instruction set that the program has kernels for; Variants has all.
type buildResult struct {
	Name   string      `json:"name"`
	Folder string      `json:"folder"`
	Files  []builtFile `json:"files"`
	builtVariant
	Variants []builtVariant `json:"variants"`
	Passes   []passTime     `json:"passes"`
	TimeMS   float64        `json:"time_ms"`
}

// builtVariant is the program for some instruction sets.
type builtVariant struct {
	ISAs    []string              `json:"isas"`
	Kernels map[string]int        `json:"kernels"`       // of a step
	Setup   map[string]int        `json:"setup_kernels"` // computed once after the parameters have changed
	Arena   arenaBytes            `json:"arena"`
	Phases  map[string]arenaBytes `json:"phases"`
}

func variantOf(u *compiler.Unit, isas ...string) builtVariant {
	return builtVariant{ISAs: isas, Kernels: kernelCounts(u), Setup: setupCounts(u.Phases), Arena: arenaOf(u), Phases: phaseBytes(u)}
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
	r := &buildResult{Name: u.Name, Folder: folder, Variants: []builtVariant{variantOf(u, isaPortable)}}
	if u.Vector != nil {
		r.Variants = append(r.Variants, variantOf(u.Vector, isaAVX2, isaAVX512))
	}
	r.builtVariant = r.Variants[len(r.Variants)-1]
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
	for _, v := range r.Variants {
		v.print(c)
	}
	for _, p := range r.Passes {
		passes.row(p.Phase, p.Pass, shortMS(p.MS))
	}
	passes.print(c.out, "llr")
	fmt.Fprintf(c.out, "\ncd %s && go build ./cmd/%s\n", r.Folder, m.Name)
}

func (v *builtVariant) print(c *console) {
	var phases table
	phases.row("phase", "kernels", "setup", "bytes", "lower bound", "without reuse")
	for _, p := range []string{"train", "update", "test"} {
		if a, exists := v.Phases[p]; exists {
			phases.row(p, fmt.Sprint(v.Kernels[p]), countText(v.Setup[p]), plan.Bytes(a.Bytes), plan.Bytes(a.LowerBound), plan.Bytes(a.WithoutReuse))
		}
	}
	fmt.Fprintf(c.out, "%s: arena %s, %.3f of the lower bound\n", strings.Join(v.ISAs, ", "), plan.Bytes(v.Arena.Bytes), ratio(v.Arena.Bytes, v.Arena.LowerBound))
	phases.print(c.out, "lrrrrr")
	fmt.Fprintln(c.out)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func shortMS(ms float64) string { return fmt.Sprintf("%.3g ms", ms) }
