package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is everything that was measured in one run.
type report struct {
	Machine      machine              `json:"machine"`
	Date         string               `json:"date"`
	Device       string               `json:"device"`
	Precision    string               `json:"precision"`
	GPU          string               `json:"gpu,omitempty"` // where the device is one
	Threads      int                  `json:"threads"`
	Rounds       string               `json:"rounds"`
	Seconds      float64              `json:"seconds_per_round"`
	Peers        []presence           `json:"peers"`
	ISA          string               `json:"isa"`   // of netc's kernels
	Steal        float64              `json:"steal"` // during the whole run
	Load         string               `json:"load"`  // processes that wanted to compute in the minute before
	Took         float64              `json:"took_seconds"`
	Cases        []caseResult         `json:"cases"`
	Convolutions []*convolutionResult `json:"convolutions,omitempty"`
	Missing      []string             `json:"missing,omitempty"` // what was asked for and not measured, with the reason
}

// presence says whether a peer is on this machine.
type presence struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Details string `json:"details"`
}

// markdown is the report as a page.
func (r *report) markdown() string {
	var b strings.Builder
	title, readme, with := "Benchmarks", "bench/README.md", "with the same number of threads"
	if r.onGPU() {
		title, readme, with = "Benchmarks on a GPU", "../../bench/README.md", fmt.Sprintf("on the same GPU in %s", r.Precision)
	}
	fmt.Fprintf(&b, "# %s\n\nnetc and its peers, in turn in one run, on the same networks, batches and random data %s. A ratio is the peer's time divided by netc's: above 1, netc is faster. [bench/README.md](%s) says what is timed and what is not equal.\n\n", title, with, readme)
	r.setting(&b)
	for _, m := range r.modes() {
		r.ratios(&b, m)
	}
	r.settings(&b)
	r.compileTimes(&b)
	r.memory(&b)
	for _, c := range r.Convolutions {
		c.table(&b, r.Threads)
	}
	if len(r.Missing) > 0 {
		b.WriteString("## Not measured\n\n")
		for _, m := range r.Missing {
			fmt.Fprintf(&b, "- %s\n", m)
		}
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// onGPU reports whether the sides computed on a GPU.
func (r *report) onGPU() bool { return r.Device == cuda }

// command is the command line that measures one network in a mode.
func (r *report) command(net, mode string) string {
	text := fmt.Sprintf("go run ./bench --nets %s --modes %s --threads %d", net, mode, r.Threads)
	if r.onGPU() {
		text += fmt.Sprintf(" --device %s --precision %s", r.Device, r.Precision)
	}
	return text
}

func (r *report) setting(b *strings.Builder) {
	if r.onGPU() {
		fmt.Fprintf(b, "- GPU: %s\n", r.GPU)
	}
	fmt.Fprintf(b, "- Machine: %s\n- netc: commit %s, %s kernels\n", r.Machine, r.Machine.Commit, r.ISA)
	for _, p := range r.Peers {
		fmt.Fprintf(b, "- %s %s (%s)\n", p.Name, p.Version, p.Details)
	}
	worst := 0.0
	for _, c := range r.Cases {
		worst = max(worst, c.Steal)
	}
	fmt.Fprintf(b, "- Run: %s, %d threads, %s, took %s; steal %s of the processors' time, at most %s during one network; load average before it %s\n\n",
		r.Date, r.Threads, r.Rounds, time.Duration(r.Took*float64(time.Second)).Round(time.Second), percent(r.Steal), percent(worst), r.Load)
}

// modes are the modes that were measured, in order.
func (r *report) modes() []mode {
	var list []mode
	for _, c := range r.Cases {
		if m, err := parseMode(c.Mode); err == nil && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

// peersOf are the peers that were measured in a mode, in order.
func (r *report) peersOf(m mode) []string {
	var names []string
	for _, c := range r.Cases {
		for _, s := range c.Sides {
			if c.Mode == m.String() && s.Peer != "netc" && len(s.Seconds) > 0 && !slices.Contains(names, s.Peer) {
				names = append(names, s.Peer)
			}
		}
	}
	return names
}

// ratios prints the table of one mode.
func (r *report) ratios(b *strings.Builder, m mode) {
	names := r.peersOf(m)
	head := []string{"net", "batch", "netc ms"}
	for _, name := range names {
		head = append(head, name+" ms", "its best", "ratio")
	}
	head = append(head, "goal", "command")
	var rows [][]string
	for i := range r.Cases {
		c := &r.Cases[i]
		netc := c.netcSide()
		if c.Mode != m.String() || netc == nil {
			continue
		}
		n := netNamed(c.Net)
		row := []string{n.title, fmt.Sprint(c.Batch), milliseconds(spreadOf(netc.Seconds))}
		goal := "–"
		for _, name := range names {
			best := c.best(name)
			if best == nil {
				row = append(row, "–", "–", "–")
				continue
			}
			ratio := ratioOf(best.Seconds, netc.Seconds)
			row = append(row, milliseconds(spreadOf(best.Seconds)), best.Variant, fmt.Sprintf("**%.2f** (%.2f–%.2f)", ratio.Median, ratio.Min, ratio.Max))
			if g := m.goal(n, r.Device); g > 0 && name == peers[0].name {
				goal = fmt.Sprintf("≥ %.1f %s", g, met(ratio.Median >= g))
			}
		}
		row = append(row, goal, "`"+r.command(c.Net, c.Mode)+"`")
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\nMedian of the rounds, least and greatest in parentheses.\n\n", m.title())
	table(b, head, rows)
	for i := range r.Cases {
		if c := &r.Cases[i]; c.Mode == m.String() {
			for _, note := range c.Notes {
				fmt.Fprintf(b, "- %s: %s\n", netNamed(c.Net).title, note)
			}
		}
	}
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "**missed**"
}

// settings prints every variant that was measured.
func (r *report) settings(b *strings.Builder) {
	var rows [][]string
	for i := range r.Cases {
		c := &r.Cases[i]
		for _, s := range c.Sides {
			row := []string{netNamed(c.Net).title, c.Mode, s.Peer, s.Variant}
			if s.Failed != "" {
				rows = append(rows, append(row, "failed: "+cell(s.Failed), "", "", ""))
				continue
			}
			ratio := "–"
			if netc := c.netcSide(); netc != nil && s.Peer != "netc" {
				ratio = fmt.Sprintf("%.2f", ratioOf(s.Seconds, netc.Seconds).Median)
			}
			rows = append(rows, append(row, milliseconds(spreadOf(s.Seconds)), ratio, fmt.Sprint(len(s.Seconds)), fmt.Sprint(s.Steps)))
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "## Every setting\n\nA variant that was clearly slower than another of its peer in the first %d rounds took no part in the others.\n\n", trialRounds)
	table(b, []string{"net", "mode", "peer", "variant", "ms", "ratio", "rounds", "steps a round"}, rows)
}

// compileTimes prints how long each side takes to get ready.
func (r *report) compileTimes(b *strings.Builder) {
	modes := r.modes()
	head := []string{"net", "netc build", "Go compiler"}
	for _, m := range modes {
		head = append(head, "torch.compile, "+m.String())
	}
	var rows [][]string
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.netcSide() == nil {
			continue
		}
		title := netNamed(c.Net).title
		at := slices.IndexFunc(rows, func(row []string) bool { return row[0] == title })
		if at < 0 {
			at = len(rows)
			rows = append(rows, append([]string{title, seconds(c.CompileSeconds), seconds(c.GoSeconds)}, slices.Repeat([]string{"–"}, len(modes))...))
		}
		for column, m := range modes {
			if m.String() == c.Mode {
				rows[at][3+column] = c.torchCompile()
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	b.WriteString("## Compile time\n\n\"netc build\" goes from text to files, for training and test at once; the Go compiler then makes a program of them, with its standard library compiled before. torch.compile is its first step without the time of a step, for one mode.\n\n")
	table(b, head, rows)
	b.WriteString("Command: `netc build models/NET.net --json` (`time_ms`); the others as above.\n\n")
}

// torchCompile is how long torch.compile took, "–" where it was not measured.
func (c *caseResult) torchCompile() string {
	for _, s := range c.Sides {
		if s.Peer == peers[0].name && s.Variant == "compile" && len(s.Seconds) > 0 {
			return seconds(max(s.FirstSeconds-spreadOf(s.Seconds).Median, 0))
		}
	}
	return "–"
}

// memory prints the most memory that a training step needs.
func (r *report) memory(b *strings.Builder) {
	var rows [][]string
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.Mode != (mode{train: true}).String() {
			continue
		}
		netc := c.netcSide()
		if netc == nil || netc.PeakBytes == 0 {
			continue
		}
		row := []string{netNamed(c.Net).title, fmt.Sprint(c.Batch), megabytes(netc.ArenaBytes), megabytes(netc.PeakBytes)}
		list := []string{}
		least := int64(0)
		for _, s := range c.Sides {
			if s.Peer == peers[0].name && s.PeakBytes > 0 {
				list = append(list, fmt.Sprintf("%s %s", s.Variant, megabytes(s.PeakBytes)))
				if least == 0 || s.PeakBytes < least {
					least = s.PeakBytes
				}
			}
		}
		ratio := "–"
		if least > 0 {
			ratio = fmt.Sprintf("%.2f", float64(least)/float64(netc.PeakBytes))
		}
		rows = append(rows, append(row, strings.Join(list, ", "), ratio))
	}
	if len(rows) == 0 {
		return
	}
	what, of := "Most resident memory of the whole process while it computed the rounds (VmHWM); a process of PyTorch holds some hundred MB before it has a network.", "process"
	if r.onGPU() {
		what, of = "Memory on the GPU: netc's arena, beside which lie a batch or two and parts of sums, and the most that PyTorch's allocator had reserved.", "on the GPU"
	}
	fmt.Fprintf(b, "## Memory of a training step\n\n%s The ratio is that of PyTorch's most frugal variant to netc.\n\n", what)
	table(b, []string{"net", "batch", "netc arena", "netc " + of, "PyTorch " + of, "ratio"}, rows)
	fmt.Fprintf(b, "Command: `%s`\n\n", r.command("NET", "train"))
}

// table prints the convolutions of one network.
func (c *convolutionResult) table(b *strings.Builder, threads int) {
	fmt.Fprintf(b, "## Convolutions of %s, batch %d\n\n%s kernels; the peak, measured in the same run, is %.1f GFLOP/s (%s). Each row sums all kernels of a pass, with what is fused into them.\n\n",
		netNamed(c.Net).title, c.Batch, c.ISA, c.PeakGFlops, c.PeakOf)
	var rows [][]string
	for _, p := range c.Passes {
		goal := "–"
		for _, g := range convolutionGoals {
			if g.pass == p.Pass {
				goal = fmt.Sprintf("≥ %s %s", percent(g.goal), met(p.Fraction >= g.goal))
			}
		}
		rows = append(rows, []string{p.Pass, fmt.Sprint(p.Kernels), fmt.Sprintf("%.2f", float64(p.Flops)/1e9), fmt.Sprintf("%.2f", p.MS), percent(p.StepsShare),
			fmt.Sprintf("%.1f", p.GFlops), percent(p.Fraction), goal, fmt.Sprintf("%s %s", percent(p.CostlyOf), p.Costly)})
	}
	table(b, []string{"pass", "kernels", "GFLOP", "ms", "of the step", "GFLOP/s", "of the peak", "goal", "loses most"}, rows)
	fmt.Fprintf(b, "Command: `netc time models/%s.net --phase train --batch %d --threads %d --iterations %d --json`\n\n", c.Net, c.Batch, threads, timedIterations)
}

// table prints a table in Markdown, with columns aligned for those who read the
// text.
func table(b *strings.Builder, head []string, rows [][]string) {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, text := range row {
			widths[i] = max(widths[i], len([]rune(text)))
		}
	}
	line := func(row []string) {
		for i, text := range row {
			b.WriteString("| " + text + strings.Repeat(" ", widths[i]-len([]rune(text))) + " ")
		}
		b.WriteString("|\n")
	}
	line(head)
	for _, w := range widths {
		b.WriteString("|" + strings.Repeat("-", w+2))
	}
	b.WriteString("|\n")
	for _, row := range rows {
		line(row)
	}
	b.WriteString("\n")
}

// cell makes a text fit into a table's cell.
func cell(text string) string {
	return strings.NewReplacer("|", "/", "\n", " ").Replace(text)
}

// milliseconds shows a spread of seconds.
func milliseconds(s spread) string {
	return fmt.Sprintf("%s (%s–%s)", threeDigits(1000*s.Median), threeDigits(1000*s.Min), threeDigits(1000*s.Max))
}

// threeDigits shows a positive number with about three digits.
func threeDigits(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

func seconds(x float64) string { return threeDigits(x) + " s" }

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

func megabytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

func gigabytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
