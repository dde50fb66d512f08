package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// side is one process that takes part in a measurement.
type side struct {
	peer, variant string
	child         *child
}

// sideResult is what was measured of one side. Step times are those of whole
// rounds divided by their steps, in seconds, one a round.
type sideResult struct {
	Peer    string    `json:"peer"` // "netc" or the peer's name
	Variant string    `json:"variant"`
	Failed  string    `json:"failed,omitempty"` // why nothing was measured
	Steps   int       `json:"steps_per_round"`
	Seconds []float64 `json:"step_seconds"`

	FirstSeconds float64 `json:"first_seconds"`           // of opening the network with its first step; peers compile here
	Parameters   int     `json:"parameters,omitempty"`    // learnable numbers, as the side counts them
	MultiplyAdds int     `json:"multiply_adds,omitempty"` // of convolutions and products in a forward pass
	PeakBytes    int64   `json:"peak_bytes"`              // most memory resident during the rounds, or on the device
	ArenaBytes   int64   `json:"arena_bytes,omitempty"`
}

// caseResult is one network in one mode.
type caseResult struct {
	Net   string       `json:"net"`
	Mode  string       `json:"mode"`
	Batch int          `json:"batch"`
	Steal float64      `json:"steal"` // part of the processors' time that the hypervisor gave to others meanwhile
	Sides []sideResult `json:"sides"` // netc first

	CompileSeconds float64  `json:"compile_seconds"` // netc build: both phases, from text to files
	GoSeconds      float64  `json:"go_seconds"`      // the Go compiler on what netc wrote, its standard library compiled before
	Notes          []string `json:"notes,omitempty"`
}

// netcSide is netc's result, nil where nothing was measured.
func (c *caseResult) netcSide() *sideResult {
	for i := range c.Sides {
		if s := &c.Sides[i]; s.Peer == "netc" && len(s.Seconds) > 0 {
			return s
		}
	}
	return nil
}

// best is the peer's variant with the least median, nil where there is none.
func (c *caseResult) best(peer string) *sideResult {
	var best *sideResult
	for i := range c.Sides {
		s := &c.Sides[i]
		if s.Peer != peer || len(s.Seconds) == 0 {
			continue
		}
		if best == nil || spreadOf(s.Seconds).Median < spreadOf(best.Seconds).Median {
			best = s
		}
	}
	return best
}

const (
	// trialRounds is after how many rounds a variant that is clearly not the
	// best of its peer takes no more part.
	trialRounds = 2
	// clearlySlower is by how much.
	clearlySlower = 1.25
	// pause lets the threads of the process before go to sleep.
	pause = 30 * time.Millisecond
	// runTimeout is the time for the steps of one round.
	runTimeout = 5 * time.Minute
)

// timing says how much to measure.
type timing struct {
	rounds    int
	seconds   float64       // about how long a side computes in a round; at least one step
	openLimit time.Duration // for opening a network, with compiling
}

// measure opens a network on each side, then lets the sides compute in turn. In
// each round every side computes once; the one that begins changes.
func measure(ctx context.Context, sides []*side, open request, t timing) ([]sideResult, error) {
	results := make([]sideResult, len(sides))
	for i, s := range sides {
		results[i] = sideResult{Peer: s.peer, Variant: s.variant}
		if err := s.open(ctx, open, t, &results[i]); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			results[i].Failed = err.Error()
		}
	}
	for _, s := range sides {
		s.child.resetPeak()
	}
	beaten := make([]bool, len(sides))
	for round := range t.rounds {
		for turn := range sides {
			i := (turn + round) % len(sides)
			r := &results[i]
			beaten[i] = beaten[i] || round >= trialRounds && isBeaten(results, i)
			if r.Failed != "" || beaten[i] {
				continue
			}
			time.Sleep(pause)
			a, err := sides[i].child.ask(ctx, request{Do: "run", Steps: r.Steps}, runTimeout)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case err != nil:
				r.Failed, r.Seconds = err.Error(), nil
			default:
				r.Seconds = append(r.Seconds, a.Seconds/float64(r.Steps))
				r.PeakBytes = a.PeakBytes
			}
		}
	}
	for i, s := range sides {
		if results[i].Failed == "" && results[i].PeakBytes == 0 {
			results[i].PeakBytes = s.child.peak()
		}
	}
	return results, nil
}

// open opens the network, computes steps that do not count, and chooses the steps
// of a round by the fastest of them.
func (s *side) open(ctx context.Context, open request, t timing, r *sideResult) error {
	a, err := s.child.ask(ctx, open, t.openLimit)
	if err != nil {
		return err
	}
	r.FirstSeconds, r.ArenaBytes = a.FirstSeconds, a.ArenaBytes
	r.Parameters, r.MultiplyAdds = a.Parameters, a.MultiplyAdds
	r.Steps = 1
	fastest := math.Inf(1)
	for spent := 0.0; spent < t.seconds; { // caches, allocators and clocks settle
		a, err := s.child.ask(ctx, request{Do: "run", Steps: r.Steps}, runTimeout)
		if err != nil {
			return err
		}
		spent += a.Seconds
		fastest = min(fastest, a.Seconds/float64(r.Steps))
		r.Steps = stepsFor(t.seconds, fastest)
	}
	return nil
}

// stepsFor is how many steps take about a time, at least one.
func stepsFor(seconds, step float64) int {
	return int(min(max(math.Round(seconds/max(step, 1e-9)), 1), 1e6))
}

// isBeaten reports whether variant i is clearly slower than another of the same
// peer.
func isBeaten(results []sideResult, i int) bool {
	return len(results[i].Seconds) > 0 && slices.ContainsFunc(results, func(other sideResult) bool {
		return other.Peer == results[i].Peer && len(other.Seconds) > 0 &&
			slices.Min(results[i].Seconds) > clearlySlower*spreadOf(other.Seconds).Median
	})
}

// disagreement says where a peer's network is not netc's, "" where both have the
// same parameters and multiply-adds. A peer that does not count gives 0.
func disagreement(r sideResult, f netFacts) string {
	switch {
	case r.Parameters != 0 && r.Parameters != f.Parameters:
		return fmt.Sprintf("%s's network has %d parameters, netc's %d", r.Peer, r.Parameters, f.Parameters)
	case r.MultiplyAdds != 0 && r.MultiplyAdds != f.MultiplyAdds:
		return fmt.Sprintf("%s's network has %d multiply-adds forward, netc's %d", r.Peer, r.MultiplyAdds, f.MultiplyAdds)
	}
	return ""
}
