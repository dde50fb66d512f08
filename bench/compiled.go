package main

import (
	"bytes"
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
// computes steps on request.
type compiled struct {
	netc    string // the executable
	folder  string // for the programs
	threads int
	isa     string // of its kernels, "" for the best here
	built   map[batches]map[*net]*built
}

// batches are the batch sizes of a program's two phases.
type batches struct{ train, test int }

// newCompiled builds netc itself.
func newCompiled(ctx context.Context, folder string, threads int, isa string) (*compiled, error) {
	c := &compiled{netc: filepath.Join(folder, "netc.exe"), folder: folder, threads: threads, isa: isa, built: map[batches]map[*net]*built{}}
	if _, err := output(ctx, "", "go", "build", "-o", c.netc, "./cmd/netc"); err != nil {
		return nil, err
	}
	return c, nil
}

// built is a program for one training batch and one test batch.
type built struct {
	executable                string
	compileSeconds, goSeconds float64 // as in caseResult
}

// netFacts is what netc says of a network; the peers' versions must agree.
type netFacts struct {
	parameters   int
	multiplyAdds int // of a forward pass
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
	folder := filepath.Join(c.folder, fmt.Sprintf("%s-%d-%d", n.name, size.train, size.test))
	b := &built{executable: filepath.Join(folder, "bench.exe")}
	var times []float64
	for {
		text, err := output(ctx, "", c.netc, append([]string{"build", n.file(), "--json", "--quiet", "-o", folder}, size.flags()...)...)
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
	b.compileSeconds = spreadOf(times).Median

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
	begin := time.Now()
	if _, err := output(ctx, folder, "go", "build", "-o", b.executable, "./cmd/bench"); err != nil {
		return nil, err
	}
	b.goSeconds = time.Since(begin).Seconds()
	return b, nil
}

// facts asks netc about a network in a mode.
func (c *compiled) facts(ctx context.Context, n *net, m mode) (netFacts, error) {
	phase := "test"
	if m.train {
		phase = "train"
	}
	flags := append(batchesFor(n, m).flags(), "--phase", phase)
	text, err := output(ctx, "", c.netc, append([]string{"summary", n.file(), "--json", "--quiet"}, flags...)...)
	if err != nil {
		return netFacts{}, err
	}
	return parseSummary(text)
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
	f := netFacts{parameters: s.Parameters, multiplyAdds: s.FlopsForward / 2, layers: map[string]layerFacts{}}
	for _, l := range s.Layers {
		f.layers[l.Name] = layerFacts{l.Type, l.Flops / 2}
	}
	return f, nil
}

// start starts a built program.
func (c *compiled) start(ctx context.Context, b *built) (*child, error) {
	return startChild(ctx, nil, b.executable, fmt.Sprint(c.threads), c.isa)
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
