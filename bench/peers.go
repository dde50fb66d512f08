package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed peers/*.py
var scripts embed.FS

// peer is another way to compute the networks, served by a script in Python.
type peer struct {
	name     string // as the tables have it
	key      string // as --peers has it
	script   string
	imports  string   // the Python packages it needs
	variants []string // its settings, each measured; the best counts
	infers   bool     // inference only
}

var peers = []*peer{
	{name: "PyTorch", key: "pytorch", script: "pytorch.py", imports: "torch", variants: []string{"eager", "channels_last", "compile"}},
	{name: "ONNX Runtime", key: "onnxruntime", script: "onnxruntime_cpu.py", imports: "torch, onnxruntime, onnx, onnxscript, numpy", variants: []string{"default"}, infers: true},
}

// parsePeers reads --peers.
func parsePeers(list string) ([]*peer, error) {
	var chosen []*peer
	for _, key := range splitList(list) {
		var keys []string
		found := false
		for _, p := range peers {
			keys = append(keys, p.key)
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
	interpreter string
	folder      string // of the scripts
	cache       string // of what torch.compile compiled
	threads     int
}

// newPython writes the scripts into a folder, so that running them leaves
// nothing in the source tree.
func newPython(interpreter, folder, cache string, threads int) (*python, error) {
	p := &python{interpreter: interpreter, folder: filepath.Join(folder, "peers"), cache: cache, threads: threads}
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
	return n.name != "mlp" || variant != "channels_last"
}

func (p *python) start(ctx context.Context, peer *peer, variant string, n *net) (*child, error) {
	threads := fmt.Sprint(p.threads)
	environment := []string{"OMP_NUM_THREADS=" + threads, "MKL_NUM_THREADS=" + threads, "TORCHINDUCTOR_CACHE_DIR=" + p.cache, "PYTHONWARNINGS=ignore"}
	return startChild(ctx, environment, p.interpreter, filepath.Join(p.folder, peer.script), "--net", n.name, "--threads", threads, "--variant", variant)
}
