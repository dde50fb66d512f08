package runtime

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// passOrder is the order of the columns of a layer table: the parts of a step,
// and kernels that compute two of them at once.
var passOrder = []string{"forward", "forward + backward", "backward", "backward + update", "update"}

// timeText writes an outcome for people.
func timeText(o *TimeOutcome) string {
	var b strings.Builder
	where := fmt.Sprintf("%d threads, %s kernels", o.Threads, o.ISA)
	if o.Processor != "" {
		where = fmt.Sprintf("%s on %s", o.Device, o.Processor)
	}
	fmt.Fprintf(&b, "%s, %s phase: a batch of %d, %s\n\n", o.Name, o.Phase, o.Batch, where)
	fmt.Fprintf(&b, "step     %s ms, median of %d (%s to %s), %.0f samples/s\n",
		significant(o.StepMS.Median), o.Iterations, significant(o.StepMS.Min), significant(o.StepMS.Max), float64(o.SamplesPerSecond))
	if o.SetupKernels > 0 {
		fmt.Fprintf(&b, "setup    %s ms once after the parameters have changed, kernels: %d\n", significant(o.SetupMS), o.SetupKernels)
	}
	fmt.Fprintf(&b, "work     %s GFLOP/s, %s of the peak\n", significant(o.GFlops), percent(o.FractionOfPeak))
	fmt.Fprintf(&b, "peak     %s GFLOP/s in this run: %s\n", significant(o.PeakGFlops), o.PeakOf)
	fmt.Fprintf(&b, "memory   %s GB/s in this run: copying an array larger than the caches\n", significant(o.PeakBandwidth))
	fmt.Fprintf(&b, "start    %s µs in this run: a kernel that does nothing\n\n", significant(o.LaunchUS))

	kernels := textTable{{"kernel", "layers", "pass", "ms", "of step", "GFLOP/s", "of peak", "GB/s", "of peak", "bound"}}
	repeated := false
	for _, k := range o.Kernels {
		name := k.Name
		if k.Launches > 1 {
			name = fmt.Sprintf("%s x%d", name, k.Launches)
			repeated = true
		}
		kernels = append(kernels, []string{name, layersText(k.Layers), k.Pass, significant(k.MS), percent(k.Share),
			significant(k.GFlops), percent(k.FractionOfPeak), significant(k.Bandwidth), percent(k.OfBandwidth), k.Bound})
	}
	kernels = append(kernels, []string{"all kernels", "", "", significant(o.KernelsMS), percent(o.KernelsMS / o.StepMS.Median)})
	kernels.write(&b, "lllrrrrrrl")
	b.WriteString("\n")
	layers := layerTable(o)
	layers.write(&b, "l"+strings.Repeat("r", len(layers[0])-1))

	b.WriteString(`
Times are medians; ms are those of one launch, kernels and whole steps measured
in turn. A step's operations are two for each multiply-add of its convolutions
and matrix products. A kernel's are the same, or its float arithmetic and
comparisons where it has neither; its bytes are the tensors it reads and writes,
each once, which may come from a cache and then exceed the peak of memory.
`)
	fmt.Fprintf(&b, "Bound: dispatch below %v or with fewer tasks than threads, otherwise what alone\nwould take longest: the operations or the bytes at their peak, or the start\n(dispatch).\n", dispatchTime)
	if repeated {
		b.WriteString("A number after a name is its launches in a step, one for each batch of an update.\n")
	}
	return b.String()
}

// layerTable has a column for each part of the step that occurs.
func layerTable(o *TimeOutcome) textTable {
	var passes []string
	for _, pass := range passOrder {
		if slices.ContainsFunc(o.Kernels, func(k KernelTime) bool { return k.Pass == pass }) {
			passes = append(passes, pass)
		}
	}
	for _, k := range o.Kernels { // whatever else kernels are
		if !slices.Contains(passes, k.Pass) {
			passes = append(passes, k.Pass)
		}
	}
	table := textTable{append(append([]string{"layers"}, passes...), "ms", "of step")}
	for _, l := range o.Layers {
		row := []string{layersText(l.Layers)}
		for _, pass := range passes {
			cell := ""
			if ms, occurs := l.Passes[pass]; occurs {
				cell = significant(ms)
			}
			row = append(row, cell)
		}
		table = append(table, append(row, significant(l.MS), percent(l.Share)))
	}
	return table
}

// namedLayers is how many layers of a kernel a row names.
const namedLayers = 3

// layersText shortens long lists of layers. Kernels without a layer compute what
// the solver needs once for all parameters.
func layersText(layers string) string {
	if layers == "" {
		return "(solver)"
	}
	const plus = " + "
	if names := strings.Split(layers, plus); len(names) > namedLayers {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namedLayers-1], plus), len(names)-namedLayers+1)
	}
	return layers
}

// significant writes a positive number with three significant digits.
func significant(x Number) string {
	switch v := float64(x); {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

func percent(fraction Number) string { return fmt.Sprintf("%.1f%%", 100*float64(fraction)) }

// textTable is rows of cells, the first one its head.
type textTable [][]string

// write aligns the columns, two blanks apart. align has "l" or "r" for each; a
// row may end early.
func (t textTable) write(b *strings.Builder, align string) {
	widths := make([]int, len(align))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			blanks := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if align[i] == 'r' {
				cell = blanks + cell
			} else {
				cell += blanks
			}
			line.WriteString(cell + "  ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
