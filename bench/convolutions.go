package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// timedKernel is a kernel as netc time --json has it.
type timedKernel struct {
	Name     string  `json:"name"`
	Layers   string  `json:"layers"`
	Pass     string  `json:"pass"`
	Launches int     `json:"launches"`
	MS       float64 `json:"ms"`
	Flops    int     `json:"flops"`
	GFlops   float64 `json:"gflops"`
}

// timedStep is what is read of netc time --json.
type timedStep struct {
	ISA        string                   `json:"isa"`
	Threads    int                      `json:"threads"`
	Batch      int                      `json:"batch"`
	PeakGFlops float64                  `json:"peak_gflops"`
	PeakOf     string                   `json:"peak_of"`
	StepMS     struct{ Median float64 } `json:"step_ms"`
	Kernels    []timedKernel            `json:"kernels"`
}

// convolutionPass sums the convolution kernels of one pass.
type convolutionPass struct {
	Pass       string  `json:"pass"` // "forward", "by data" or "by weights"
	Kernels    int     `json:"kernels"`
	Flops      int     `json:"flops"`
	MS         float64 `json:"ms"`
	GFlops     float64 `json:"gflops"`           // all operations in all the time
	Fraction   float64 `json:"fraction_of_peak"` // of the peak measured in the same run
	Costly     string  `json:"costly"`           // the kernel that loses most time against the peak
	CostlyOf   float64 `json:"costly_fraction"`  // its fraction of the peak
	StepsShare float64 `json:"share"`            // of the time of a step
}

// convolutionResult is the convolutions of one network's training step.
type convolutionResult struct {
	Net        string            `json:"net"`
	Batch      int               `json:"batch"`
	ISA        string            `json:"isa"`
	PeakGFlops float64           `json:"peak_gflops"`
	PeakOf     string            `json:"peak_of"`
	Passes     []convolutionPass `json:"passes"`
}

// The passes of a convolution, with the fraction of the peak that each aims at.
var convolutionGoals = []struct {
	pass string
	goal float64
}{{"forward", 0.70}, {"by data", 0.70}, {"by weights", 0.65}}

// timedIterations is how many steps netc time measures, as a whole and by kernels.
const timedIterations = 5

// convolutions lets netc time a training step and sums its convolutions.
func (c *compiled) convolutions(ctx context.Context, n *net) (*convolutionResult, error) {
	args := []string{"time", n.file(), "--json", "--quiet", "--phase", "train", "--batch", fmt.Sprint(n.batch), "--threads", fmt.Sprint(c.threads), "--iterations", fmt.Sprint(timedIterations)}
	if c.isa != "" {
		args = append(args, "--isa", c.isa)
	}
	text, err := output(ctx, "", c.netc, args...)
	if err != nil {
		return nil, err
	}
	var step timedStep
	if err := json.Unmarshal(text, &step); err != nil {
		return nil, fmt.Errorf("netc time: %w", err)
	}
	facts, err := c.facts(ctx, n, batchesFor(n, mode{train: true}), "train")
	if err != nil {
		return nil, err
	}
	return sumConvolutions(n.name, step, facts), nil
}

// sumConvolutions sorts the convolution kernels by pass.
func sumConvolutions(name string, step timedStep, facts netFacts) *convolutionResult {
	r := &convolutionResult{Net: name, Batch: step.Batch, ISA: step.ISA, PeakGFlops: step.PeakGFlops, PeakOf: step.PeakOf}
	for _, g := range convolutionGoals {
		p := convolutionPass{Pass: g.pass}
		most := 0.0 // milliseconds lost
		for _, k := range step.Kernels {
			if convolutionPassOf(k, facts) != g.pass {
				continue
			}
			p.Kernels += k.Launches
			p.Flops += k.Launches * k.Flops
			p.MS += float64(k.Launches) * k.MS
			fraction := k.GFlops / step.PeakGFlops
			if lost := float64(k.Launches) * k.MS * (1 - fraction); lost > most {
				most, p.Costly, p.CostlyOf = lost, fmt.Sprintf("%s (%s)", k.Name, k.Layers), fraction
			}
		}
		if p.Kernels == 0 {
			continue
		}
		p.GFlops = float64(p.Flops) / p.MS / 1e6
		p.Fraction = p.GFlops / step.PeakGFlops
		p.StepsShare = p.MS / step.StepMS.Median
		r.Passes = append(r.Passes, p)
	}
	return r
}

// leastPart is what part of its layer's multiply-adds a kernel has at least that
// computes the convolution, rather than something beside it such as the gradient
// of its bias. A data gradient with a stride is several kernels, of which the
// smallest has a ninth.
const leastPart = 0.05

// convolutionPassOf says which pass of a convolution a kernel computes, "" where
// it computes none. Kernels are named after the values they compute: the
// gradient or the next value of a weight has the weight's name.
func convolutionPassOf(k timedKernel, facts netFacts) string {
	isPart := slices.ContainsFunc(strings.Split(k.Layers, " + "), func(layer string) bool {
		l := facts.layers[layer]
		return l.kind == "Convolution" && float64(k.Flops) >= leastPart*2*float64(l.multiplyAdds)
	})
	switch {
	case !isPart || strings.Contains(k.Name, "Bias"):
		return ""
	case strings.HasPrefix(k.Pass, "forward"):
		return "forward"
	case strings.Contains(k.Name, "Weight"):
		return "by weights"
	}
	return "by data"
}
