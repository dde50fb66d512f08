package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// net is one network of the benchmark.
type net struct {
	name  string // of models/NAME.net, and of the peers' version of it
	title string
	batch int  // samples of a training step
	large bool // a step takes seconds: fewer rounds
	// goals are the ratios to PyTorch that netc aims at; 0 where there is none.
	trainGoal, singleGoal float64
	gpuGoal               float64 // of a training step on a GPU
}

// nets are all networks, in the order of the tables.
var nets = []*net{
	{name: "mlp", title: "MLP 784-625-625-10", batch: 128, trainGoal: 1.5, singleGoal: 1.5, gpuGoal: 3},
	{name: "lenet", title: "LeNet", batch: 64, trainGoal: 2, singleGoal: 1.5, gpuGoal: 3},
	{name: "cifar10_quick", title: "cifar10_quick", batch: 100, trainGoal: 1.5, singleGoal: 1.5, gpuGoal: 3},
	{name: "resnet20", title: "CIFAR ResNet-20", batch: 128, trainGoal: 1.5, singleGoal: 1.5, gpuGoal: 1.5},
	{name: "alexnet", title: "AlexNet", batch: 32, large: true, trainGoal: 1.1, singleGoal: 1, gpuGoal: 0.7},
	{name: "googlenet", title: "GoogLeNet", batch: 32, large: true, trainGoal: 1.1, singleGoal: 1, gpuGoal: 0.7},
	{name: "resnet50", title: "ResNet-50", batch: 16, large: true, trainGoal: 1.1, singleGoal: 1, gpuGoal: 0.7},
}

func (n *net) file() string { return filepath.Join("models", n.name+".net") }

// netNamed finds a network, nil where there is none of that name.
func netNamed(name string) *net {
	if i := slices.IndexFunc(nets, func(n *net) bool { return n.name == name }); i >= 0 {
		return nets[i]
	}
	return nil
}

// parseNets reads the names of --nets.
func parseNets(list string) ([]*net, error) {
	var chosen []*net
	for _, name := range splitList(list) {
		n := netNamed(name)
		if n == nil {
			var names []string
			for _, n := range nets {
				names = append(names, n.name)
			}
			return nil, fmt.Errorf("--nets: there is no net %q, only %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, n)
	}
	return chosen, nil
}

// mode is what is computed in a step: a training step with the net's own batch
// (batch 0), or the scores of some samples.
type mode struct {
	train bool
	batch int
}

func (m mode) String() string {
	if m.train {
		return "train"
	}
	return "infer" + strconv.Itoa(m.batch)
}

// phase is the phase of the network that a mode computes.
func (m mode) phase() string {
	if m.train {
		return "train"
	}
	return "test"
}

// batchOf is how many samples a step of the net has.
func (m mode) batchOf(n *net) int {
	if m.train {
		return n.batch
	}
	return m.batch
}

// goal is the ratio to PyTorch aimed at on a device; 0 where there is none.
func (m mode) goal(n *net, device string) float64 {
	switch {
	case device != cpu && m.train:
		return n.gpuGoal
	case device != cpu:
		return 0
	case m.train:
		return n.trainGoal
	case m.batch == 1:
		return n.singleGoal
	}
	return 0
}

// title heads a table.
func (m mode) title() string {
	if m.train {
		return "Training step: forward, backward, update"
	}
	return fmt.Sprintf("Inference at batch %d: the scores", m.batch)
}

// parseMode reads "train" or "inferN".
func parseMode(word string) (mode, error) {
	if word == "train" {
		return mode{train: true}, nil
	}
	if digits, ok := strings.CutPrefix(word, "infer"); ok {
		if n, err := strconv.Atoi(digits); err == nil && n >= 1 {
			return mode{batch: n}, nil
		}
	}
	return mode{}, fmt.Errorf("--modes: %q is not train or infer with a batch size, as in infer32", word)
}

// parseModes reads the modes of --modes.
func parseModes(list string) ([]mode, error) {
	var modes []mode
	for _, word := range splitList(list) {
		m, err := parseMode(word)
		if err != nil {
			return nil, err
		}
		modes = append(modes, m)
	}
	return modes, nil
}

// splitList splits at commas; an empty list has no elements.
func splitList(list string) []string {
	var words []string
	for _, word := range strings.Split(list, ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}
