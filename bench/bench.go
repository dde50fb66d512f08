package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// bench is a run under way.
type bench struct {
	options *options
	netc    *compiled
	python  *python
	peers   []*peer // present on this machine
	report  *report
	begin   time.Time
}

// newBench builds netc and finds the peers.
func newBench(ctx context.Context, o *options, folder string) (*bench, error) {
	b := &bench{options: o, begin: time.Now()}
	b.report = &report{Machine: thisMachine(), Date: b.begin.UTC().Format(time.DateOnly), Device: o.device, Precision: o.precision, Threads: o.threads, Seconds: o.seconds, Load: loadNow()}
	if o.device != cpu {
		b.report.GPU = thisGPU(ctx)
	}
	b.report.Rounds = fmt.Sprintf("%d rounds (large networks %d)", smallRounds, largeRounds)
	if o.rounds > 0 {
		b.report.Rounds = fmt.Sprintf("%d rounds", o.rounds)
	}
	if load, err := strconv.ParseFloat(b.report.Load, 64); err == nil && load > 0.5 {
		b.say("note: other processes are computing here (load average %s), which disturbs the sides unequally", b.report.Load)
	}
	var err error
	if b.netc, err = b.newCompiled(ctx, folder); err != nil {
		return nil, err
	}
	b.report.Machine.Commit = b.netc.commit
	if o.buildOnly {
		return b, ctx.Err()
	}
	if b.python, err = newPython(o, folder); err != nil {
		return nil, err
	}
	for _, p := range o.peers {
		if err := b.python.has(ctx, p); err != nil {
			b.miss("%s is not installed for %s (%v)", p.name, o.python, err)
			continue
		}
		b.peers = append(b.peers, p)
	}
	return b, ctx.Err()
}

// say reports progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(b.begin).Seconds(), fmt.Sprintf(format, args...))
}

// miss notes what is not measured.
func (b *bench) miss(format string, args ...any) {
	text := cell(fmt.Sprintf(format, args...))
	b.say("%s", text)
	b.report.Missing = append(b.report.Missing, text)
}

// net measures one network in all modes. Only an interrupt is an error; what
// fails otherwise is noted.
func (b *bench) net(ctx context.Context, n *net) error {
	if !b.netc.prebuilt && !exists(n) {
		b.miss("%s: there is no %s", n.title, n.file())
		return nil
	}
	sides := b.startPeers(ctx, n)
	defer func() {
		for _, s := range sides {
			s.child.close()
		}
	}()
	for _, m := range b.options.modes {
		if err := b.mode(ctx, n, m, sides); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.miss("%s, %s: %v", n.title, m, err)
		}
	}
	return ctx.Err()
}

// build builds the programs of a network for all modes, for a later run.
func (b *bench) build(ctx context.Context, n *net) error {
	for _, m := range b.options.modes {
		b.say("%s, %s: compiling", n.title, m)
		if _, err := b.netc.build(ctx, n, m); err != nil {
			return fmt.Errorf("%s, %s: %w", n.title, m, err)
		}
	}
	return nil
}

// startPeers starts a process for each variant of each peer, all at once, as none
// measures yet. They stay for all modes of the network.
func (b *bench) startPeers(ctx context.Context, n *net) []*side {
	type start struct {
		peer    *peer
		variant string
		child   *child
		err     error
	}
	var starts []*start
	infers := slices.ContainsFunc(b.options.modes, func(m mode) bool { return !m.train })
	for _, p := range b.peers {
		for _, v := range p.variantsOn(b.options.device, b.options.variants) {
			if appliesTo(v, n) && (infers || !p.infers) {
				starts = append(starts, &start{peer: p, variant: v})
			}
		}
	}
	var all sync.WaitGroup
	for _, s := range starts {
		all.Go(func() { s.child, s.err = b.python.start(ctx, s.peer, s.variant, n) })
	}
	all.Wait()
	var sides []*side
	for _, s := range starts {
		if s.err != nil {
			b.miss("%s: %s %s: %v", n.title, s.peer.name, s.variant, s.err)
			continue
		}
		sides = append(sides, &side{peer: s.peer.name, variant: s.variant, child: s.child})
		b.meet(presence{s.peer.name, s.child.hello.Version, s.child.hello.Details})
	}
	return sides
}

// meet notes who takes part.
func (b *bench) meet(p presence) {
	if !slices.Contains(b.report.Peers, p) {
		b.report.Peers = append(b.report.Peers, p)
	}
}

// mode measures one network in one mode.
func (b *bench) mode(ctx context.Context, n *net, m mode, others []*side) error {
	if !b.netc.prebuilt {
		b.say("%s, %s: compiling", n.title, m)
	}
	program, err := b.netc.build(ctx, n, m)
	if err != nil {
		return err
	}
	facts := program.Facts[m.phase()]
	own, err := b.netc.start(ctx, program)
	if err != nil {
		return err
	}
	defer own.close()
	b.report.ISA = own.hello.Version

	sides := []*side{{peer: "netc", variant: own.hello.Version, child: own}}
	for _, s := range others {
		if !m.train || !b.infersOnly(s.peer) {
			sides = append(sides, s)
		}
	}
	b.say("%s, %s: opening on %d sides", n.title, m, len(sides))
	t := timing{rounds: b.options.rounds, seconds: b.options.seconds, openLimit: b.options.compileLimit}
	if t.rounds == 0 {
		t.rounds = smallRounds
		if n.large {
			t.rounds = largeRounds
		}
	}
	before := processorTimeNow()
	word := "infer"
	if m.train {
		word = "train"
	}
	results, err := measure(ctx, sides, request{Do: "open", Mode: word, Batch: m.batchOf(n), Rate: rate}, t)
	if err != nil {
		return err
	}
	c := caseResult{Net: n.name, Mode: m.String(), Batch: m.batchOf(n), Sides: results, Steal: processorTimeNow().stealSince(before),
		CompileSeconds: program.CompileSeconds, GoSeconds: program.GoSeconds}
	for _, r := range results[1:] {
		if note := disagreement(r, facts); note != "" && !slices.Contains(c.Notes, note) {
			c.Notes = append(c.Notes, note)
		}
	}
	b.report.Cases = append(b.report.Cases, c)
	b.sayResult(n, m, &c)
	return nil
}

func (b *bench) infersOnly(name string) bool {
	return slices.ContainsFunc(b.peers, func(p *peer) bool { return p.name == name && p.infers })
}

// sayResult reports the medians.
func (b *bench) sayResult(n *net, m mode, c *caseResult) {
	for _, s := range c.Sides {
		text := "failed: " + s.Failed
		if s.Failed == "" {
			text = milliseconds(spreadOf(s.Seconds)) + " ms"
		}
		b.say("%s, %s: %s %s: %s", n.title, m, s.Peer, s.Variant, text)
	}
	for _, note := range c.Notes {
		b.say("%s, %s: %s", n.title, m, note)
	}
}

// sumConvolutions measures the convolution kernels of a network.
func (b *bench) sumConvolutions(ctx context.Context, n *net) {
	if !exists(n) {
		b.miss("convolutions of %s: there is no %s", n.title, n.file())
		return
	}
	b.say("convolutions of %s", n.title)
	r, err := b.netc.convolutions(ctx, n)
	switch {
	case err != nil:
		b.miss("convolutions of %s: %v", n.title, err)
	case len(r.Passes) == 0:
		b.miss("convolutions of %s: netc time shows no convolution kernels", n.title)
	default:
		b.report.Convolutions = append(b.report.Convolutions, r)
	}
}
