package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"netc/ir"
)

// largest is how many of the biggest buffers a report lists.
const largest = 12

// Report is the plan as text: bytes of the arena, the lower bound and their ratio, what
// lives across steps, and the largest buffers with their steps and values.
func (p *Plan) Report() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s %s\n", p.Graph.Name, p.Graph.Phase)
	row := func(cells ...string) { fmt.Fprintf(w, "  %s\n", strings.Join(cells, "\t")) }
	row("of the arena", Bytes(p.Size), fmt.Sprintf("%.3f of the lower bound", p.Ratio()))
	row("lower bound", Bytes(p.LowerBound), "most bytes live at once")
	row("parameters", Bytes(p.Params))
	row("states", Bytes(p.States))
	if setup := p.Graph.Setup(); setup > 0 {
		row("setup", Bytes(p.SetupBytes()), fmt.Sprintf("made by the first %d nodes for all steps", setup))
	}
	row("this phase", Bytes(p.Size-p.Persistent), "inputs and intermediate results")
	row("without reuse", Bytes(p.WithoutReuse), "one buffer for each value")
	for _, c := range p.Copies {
		row("copied at the end", Bytes(c.Value.Type.Bytes()), c.Value.Name+" to "+c.Target.Name)
	}
	w.Flush()

	buffers := slices.Clone(p.Buffers)
	slices.SortStableFunc(buffers, func(x, y Buffer) int { return cmp.Compare(y.Bytes, x.Bytes) })
	fmt.Fprintf(w, "\n  offset\tbytes\tsteps\tvalues\n")
	for _, buffer := range buffers[:min(largest, len(buffers))] {
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s\n", buffer.Offset, Bytes(buffer.Bytes), p.steps(buffer), names(buffer.Values))
	}
	if rest := len(buffers) - largest; rest > 0 {
		fmt.Fprintf(w, "  … and %d smaller\n", rest)
	}
	w.Flush()
	return b.String()
}

// SetupBytes is what the setup leaves for the steps.
func (p *Plan) SetupBytes() int {
	bytes, setup, last := 0, p.Graph.Setup(), len(p.Graph.Nodes)
	for _, b := range p.Buffers {
		if !b.Persistent && b.Start < setup && b.End == last {
			bytes += b.Bytes
		}
	}
	return bytes
}

// steps gives the steps during which a buffer is in use, as in "3-9".
func (p *Plan) steps(b Buffer) string {
	last := len(p.Graph.Nodes) - 1
	if b.Persistent {
		return "all"
	}
	return fmt.Sprintf("%d-%d", max(b.Start, 0), min(b.End, max(last, 0)))
}

func names(values []*ir.Value) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.Name
	}
	return strings.Join(list, ", ")
}

// Bytes prints a size in the unit that keeps it short, as in "64 B", "1.5 KiB"
// or "722 MiB".
func Bytes(n int) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	x := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB"} {
		if x /= 1024; x < 1024 {
			return fmt.Sprintf("%.4g %s", x, unit)
		}
	}
	return fmt.Sprintf("%.4g TiB", x/1024)
}
