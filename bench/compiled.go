package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// driverText is the program that is put beside an emitted network; MODULE stands
// for the network's module.
//
//go:embed driver.go.txt
var driverText string

// compiled is netc's side: it builds each network's program, with a driver that
// computes steps on request, or finds it as a run with --build-only left it.
type compiled struct {
	netc      string // the executable; "" where everything is prebuilt
	folder    string // for what is compiled
	programs  string // for executables, and what is to be known of them
	prebuilt  bool
	commit    string
	threads   int
	isa       string // of its kernels, "" for the best here
	device    string
	precision string
	built     map[batches]map[*net]*built
}

// batches are the batch sizes of a program's two phases.
type batches struct{ train, test int }

// prebuiltFile says, in a folder of programs, what they were built from.
const prebuiltFile = "bench.json"

// origin is its content.
type origin struct {
	Commit    string `json:"commit"`
	Device    string `json:"device"`
	Precision string `json:"precision"`
}

// newCompiled builds netc itself, or opens the folder of what was built before.
func (b *bench) newCompiled(ctx context.Context, folder string) (*compiled, error) {
	o := b.options
	c := &compiled{folder: folder, programs: cmp.Or(o.programs, folder), threads: o.threads, isa: o.isa, device: o.device, precision: o.precision, built: map[batches]map[*net]*built{}}
	about := filepath.Join(c.programs, prebuiltFile)
	if c.prebuilt = o.programs != "" && !o.buildOnly; c.prebuilt {
		var from origin
		if err := readJSON(about, &from); err != nil {
			return nil, fmt.Errorf("%w: make the folder with --build-only", err)
		}
		if from.Device != o.device || from.Precision != o.precision {
			return nil, fmt.Errorf("%s holds programs for %s in %s, not for %s in %s", c.programs, from.Device, from.Precision, o.device, o.precision)
		}
		c.commit = from.Commit
		return c, nil
	}
	b.say("building netc")
	c.commit = thisCommit(ctx)
	c.netc = filepath.Join(folder, "netc.exe")
	if _, err := output(ctx, "", "go", "build", "-o", c.netc, "./cmd/netc"); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.programs, 0o777); err != nil {
		return nil, err
	}
	return c, writeJSON(about, origin{c.commit, o.device, o.precision})
}

// built is a program for one training batch and one test batch.
type built struct {
	executable string

	CompileSeconds float64             `json:"compile_seconds"` // as in caseResult
	GoSeconds      float64             `json:"go_seconds"`
	Facts          map[string]netFacts `json:"facts"` // by phase
}

// netFacts is what netc says of a network; the peers' versions must agree.
type netFacts struct {
	Parameters   int `json:"parameters"`
	MultiplyAdds int `json:"multiply_adds"` // of a forward pass
	layers       map[string]layerFacts
}

type layerFacts struct {
	kind         string
	multiplyAdds int
}

// compileRepeats is how often a network that compiles within a second is
// compiled, for the median of its time.
const compileRepeats = 5

// batchesFor are the batches of the program that a mode is measured with. What is
// trained and what infers one sample is the same program.
func batchesFor(n *net, m mode) batches {
	if m.train || m.batch == 1 {
		return batches{n.batch, 1}
	}
	return batches{1, m.batch}
}

// flags give the batches to netc.
func (b batches) flags() []string {
	return []string{"--set", fmt.Sprintf("train.batch=%d", b.train), "--set", fmt.Sprintf("test.batch=%d", b.test)}
}

// build makes a network's program for a mode, once for modes with the same
// batches.
func (c *compiled) build(ctx context.Context, n *net, m mode) (*built, error) {
	size := batchesFor(n, m)
	if b := c.built[size][n]; b != nil {
		return b, nil
	}
	b, err := c.compile(ctx, n, size)
	if err != nil {
		return nil, err
	}
	if c.built[size] == nil {
		c.built[size] = map[*net]*built{}
	}
	c.built[size][n] = b
	return b, nil
}

func (c *compiled) compile(ctx context.Context, n *net, size batches) (*built, error) {
	name := fmt.Sprintf("%s-%d-%d", n.name, size.train, size.test)
	b := &built{executable: filepath.Join(c.programs, name+".exe"), Facts: map[string]netFacts{}}
	about := filepath.Join(c.programs, name+".json")
	if c.prebuilt {
		return b, readJSON(about, b)
	}
	folder := filepath.Join(c.folder, name)
	args := append([]string{"build", n.file(), "--json", "--quiet", "-o", folder, "--device", c.device, "--set", "device.precision=" + c.precision}, size.flags()...)
	var times []float64
	for {
		text, err := output(ctx, "", c.netc, args...)
		if err != nil {
			return nil, err
		}
		var result struct {
			Milliseconds float64 `json:"time_ms"`
		}
		if err := json.Unmarshal(text, &result); err != nil {
			return nil, fmt.Errorf("netc build: %w", err)
		}
		times = append(times, result.Milliseconds/1000)
		if times[0] > 1 || len(times) == compileRepeats {
			break
		}
	}
	b.CompileSeconds = spreadOf(times).Median

	module, err := moduleName(filepath.Join(folder, "go.mod"))
	if err != nil {
		return nil, err
	}
	driver := filepath.Join(folder, "cmd", "bench", "main.go")
	if err := os.MkdirAll(filepath.Dir(driver), 0o777); err != nil {
		return nil, err
	}
	if err := os.WriteFile(driver, []byte(strings.ReplaceAll(driverText, "MODULE", module)), 0o666); err != nil {
		return nil, err
	}
	executable, err := filepath.Abs(b.executable)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if _, err := output(ctx, folder, "go", "build", "-ldflags=-s -w", "-o", executable, "./cmd/bench"); err != nil {
		return nil, err
	}
	b.GoSeconds = time.Since(begin).Seconds()
	for _, phase := range []string{"train", "test"} {
		if b.Facts[phase], err = c.facts(ctx, n, size, phase); err != nil {
			return nil, err
		}
	}
	return b, writeJSON(about, b)
}

// facts asks netc about a phase of a network.
func (c *compiled) facts(ctx context.Context, n *net, size batches, phase string) (netFacts, error) {
	flags := append(size.flags(), "--phase", phase)
	text, err := output(ctx, "", c.netc, append([]string{"summary", n.file(), "--json", "--quiet"}, flags...)...)
	if err != nil {
		return netFacts{}, err
	}
	return parseSummary(text)
}

// readJSON reads a file of JSON.
func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeJSON writes one.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o666)
}

// parseSummary reads what netc summary --json prints.
func parseSummary(text []byte) (netFacts, error) {
	var s struct {
		Parameters   int `json:"parameters"`
		FlopsForward int `json:"flops_forward"`
		Layers       []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Flops int    `json:"flops"`
		} `json:"layers"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return netFacts{}, fmt.Errorf("netc summary: %w", err)
	}
	f := netFacts{Parameters: s.Parameters, MultiplyAdds: s.FlopsForward / 2, layers: map[string]layerFacts{}}
	for _, l := range s.Layers {
		f.layers[l.Name] = layerFacts{l.Type, l.Flops / 2}
	}
	return f, nil
}

// start starts a built program.
func (c *compiled) start(ctx context.Context, b *built) (*child, error) {
	executable, err := filepath.Abs(b.executable)
	if err != nil {
		return nil, err
	}
	return startChild(ctx, nil, executable, fmt.Sprint(c.threads), c.isa)
}

// moduleName reads the module line of a go.mod file.
func moduleName(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", fmt.Errorf("%s names no module", path)
}

// output runs a command to its end; its error holds the last line of what the
// command said.
func output(ctx context.Context, folder, program string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	said := &tail{}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, said
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, said)
	}
	return out.Bytes(), nil
}
