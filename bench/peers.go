package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed peers/*.py
var scripts embed.FS

// The devices that the benchmark knows.
const (
	cpu  = "cpu"
	cuda = "cuda"
)

// peer is another way to compute the networks, served by a script in Python.
type peer struct {
	name     string // as the tables have it
	key      string // as --peers has it
	script   string
	imports  string // the Python packages it needs
	variants map[string]variants
	infers   bool // inference only
}

// variants are a peer's settings on a device. Each of the usual ones is measured
// where the command line says nothing else, and the best counts.
type variants struct{ usual, more []string }

var peers = []*peer{
	{name: "PyTorch", key: "pytorch", script: "pytorch.py", imports: "torch", variants: map[string]variants{
		cpu:  {usual: []string{"eager", "channels_last", "compile"}, more: []string{"compile_plain"}},
		cuda: {usual: []string{"eager", "channels_last", "graphs", "graphs_channels_last", "compile", "reduce_overhead", "compile_graphs"}},
	}},
	{name: "ONNX Runtime", key: "onnxruntime", script: "onnxruntime_cpu.py", imports: "torch, onnxruntime, onnx, onnxscript, numpy", infers: true,
		variants: map[string]variants{cpu: {usual: []string{"default"}}}},
}

// variantsOn are the settings of a peer to measure on a device: of the named
// ones those that it has, or its usual ones where none are named.
func (p *peer) variantsOn(device string, named []string) []string {
	v := p.variants[device]
	if len(named) == 0 {
		return v.usual
	}
	var list []string
	for _, name := range named {
		if slices.Contains(v.usual, name) || slices.Contains(v.more, name) {
			list = append(list, name)
		}
	}
	return list
}

// checkVariants finds a name that is no variant of any of the peers.
func checkVariants(named []string, chosen []*peer, device string) error {
	var known []string
	for _, p := range chosen {
		known = append(append(known, p.variants[device].usual...), p.variants[device].more...)
	}
	for _, name := range named {
		if !slices.Contains(known, name) {
			return fmt.Errorf("--variants: there is no variant %q on %s, only %s", name, device, strings.Join(known, ", "))
		}
	}
	return nil
}

// parsePeers reads --peers.
func parsePeers(list, device string) ([]*peer, error) {
	var chosen []*peer
	if list == "" { // all that the device has
		for _, p := range peers {
			if len(p.variants[device].usual) > 0 {
				chosen = append(chosen, p)
			}
		}
		return chosen, nil
	}
	for _, key := range splitList(list) {
		var keys []string
		found := false
		for _, p := range peers {
			keys = append(keys, p.key)
			if p.key == key && len(p.variants[device].usual) == 0 {
				return nil, fmt.Errorf("--peers: %s is not measured on %s", p.name, device)
			}
			if p.key == key {
				chosen, found = append(chosen, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("--peers: there is no peer %q, only %s", key, strings.Join(keys, ", "))
		}
	}
	return chosen, nil
}

// python starts the peers' scripts.
type python struct {
	device      string
	precision   string
	interpreter string
	folder      string // of the scripts
	cache       string // of what torch.compile compiled
	threads     int
}

// newPython writes the scripts into a folder, so that running them leaves
// nothing in the source tree.
func newPython(o *options, folder string) (*python, error) {
	p := &python{device: o.device, precision: o.precision, interpreter: o.python, folder: filepath.Join(folder, "peers"), cache: o.cache, threads: o.threads}
	if p.cache == "" {
		p.cache = filepath.Join(folder, "inductor")
	}
	if err := os.MkdirAll(p.folder, 0o777); err != nil {
		return nil, err
	}
	entries, err := scripts.ReadDir("peers")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := scripts.ReadFile("peers/" + e.Name())
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(p.folder, e.Name()), text, 0o666); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// has says whether a peer's packages import here, and the error if not.
func (p *python) has(ctx context.Context, peer *peer) error {
	_, err := output(ctx, "", p.interpreter, "-c", "import "+peer.imports)
	return err
}

// appliesTo leaves out what would measure the same thing twice: without images
// there is no memory format.
func appliesTo(variant string, n *net) bool {
	return n.name != "mlp" || !strings.HasSuffix(variant, "channels_last")
}

// start starts a peer's script. Its device's flags go to those scripts only that
// know devices besides the processor.
func (p *python) start(ctx context.Context, peer *peer, variant string, n *net) (*child, error) {
	threads := fmt.Sprint(p.threads)
	environment := []string{"OMP_NUM_THREADS=" + threads, "MKL_NUM_THREADS=" + threads, "TORCHINDUCTOR_CACHE_DIR=" + p.cache, "PYTHONWARNINGS=ignore"}
	args := []string{filepath.Join(p.folder, peer.script), "--net", n.name, "--threads", threads, "--variant", variant}
	if p.device != cpu {
		args = append(args, "--device", p.device, "--precision", p.precision)
	}
	return startChild(ctx, environment, p.interpreter, args...)
}
