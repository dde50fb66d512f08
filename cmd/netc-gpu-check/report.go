package main

import (
	"fmt"
	"strings"
	"time"

	"netc/runtime"
)

// report is what was found.
type report struct {
	driver, compiler string // versions
	peaks            *runtime.DevicePeaks
	suites           []*suiteResult
	models           []*modelResult
	sanitizers       []sanitizerResult
	sanitizerMissing string
	faults           []string // what could not be checked
	failures         int
	took             time.Duration
}

// newReport opens NVIDIA's libraries; an error says what is missing.
func newReport() (*report, error) {
	driver, err := libraries.Driver()
	if err != nil {
		return nil, err
	}
	version, err := driver.Version()
	if err != nil {
		return nil, err
	}
	compiler, err := libraries.Compiler(version)
	if err != nil {
		return nil, err
	}
	major, minor, err := compiler.Version()
	if err != nil {
		return nil, err
	}
	return &report{driver: fmt.Sprintf("CUDA %d.%d", version/1000, version%1000/10), compiler: fmt.Sprintf("%d.%d", major, minor)}, nil
}

// broken notes what could not be checked.
func (r *report) broken(what string, err error) {
	r.faults = append(r.faults, what+" "+verdictText(err.Error()))
	r.failures++
}

func (r *report) suite(s *suiteResult) {
	r.suites = append(r.suites, s)
	for _, o := range s.operators {
		r.failures += len(o.faults)
	}
	if !s.sameBits {
		r.failures++
	}
}

func (r *report) model(m *modelResult) {
	r.models = append(r.models, m)
	if m.fault != "" {
		r.failures++
	}
}

func (r *report) sanitized(s sanitizerResult) {
	r.sanitizers = append(r.sanitizers, s)
	if s.fault != "" {
		r.failures++
	}
}

// commit is the source's version; the linker sets it (-X main.commit=).
var commit = "unknown"

// markdown is the report as a page.
func (r *report) markdown() string {
	var b strings.Builder
	verdict := "Everything agrees."
	if r.failures > 0 {
		verdict = fmt.Sprintf("**%d checks FAILED.**", r.failures)
	}
	fmt.Fprintf(&b, "# Check on a GPU\n\n%s\n\n", verdict)
	for _, fault := range r.faults {
		fmt.Fprintf(&b, "- %s\n", fault)
	}
	if r.peaks != nil {
		fmt.Fprintf(&b, "- GPU: %s, %d multiprocessors; measured: %.1f TFLOP/s (%s), %.0f GB/s of copying\n", r.peaks.Device, r.peaks.Processors, r.peaks.Arithmetic/1e12, r.peaks.What, r.peaks.Memory/1e9)
	}
	fmt.Fprintf(&b, "- Driver for %s, NVRTC %s\n- netc: commit %s\n- Run: %s, took %s\n\n", r.driver, r.compiler, commit, time.Now().UTC().Format(time.DateOnly), r.took.Round(time.Second))
	for _, s := range r.suites {
		s.print(&b)
	}
	r.printModels(&b)
	r.printSanitizers(&b)
	return strings.TrimSpace(b.String()) + "\n"
}

func (s *suiteResult) print(b *strings.Builder) {
	title := "Operators in float32"
	if s.name != "operators" {
		title = "Contractions on tensor cores, " + s.name
	}
	fmt.Fprintf(b, "## %s\n\nAgainst the float64 reference, relative to the largest result. A second run gives %s.\n\n| operator | cases | largest error | bound | |\n|---|---|---|---|---|\n", title, bitsText(s.sameBits))
	for _, o := range s.operators {
		fmt.Fprintf(b, "| %s | %d | %.2g | %.2g | %s |\n", o.name, o.cases, o.worst, o.bound, verdictText(strings.Join(o.faults, "; ")))
	}
	b.WriteString("\n")
}

func (r *report) printModels(b *strings.Builder) {
	if len(r.models) == 0 {
		return
	}
	fmt.Fprintf(b, "## Training\n\n%d steps of each model's own program, on random images with its run file's batch, on the GPU and by the program for the processor. Losses may differ by %.0e, relative where they are above 1; a second run on the GPU must give the same bits. The times are of whole steps of so short a run and no measurement.\n\n", steps, lossBound)
	b.WriteString("| model | batch | losses on the GPU | largest difference | ms a step, GPU | processor | |\n|---|---|---|---|---|---|---|\n")
	for _, m := range r.models {
		losses := "–"
		if len(m.gpu) > 0 {
			losses = fmt.Sprintf("%.5g … %.5g", m.gpu[0], m.gpu[len(m.gpu)-1])
		}
		fmt.Fprintf(b, "| %s | %d | %s | %.2g | %.3g | %.3g | %s |\n", m.name, m.batch, losses, m.worst, m.stepMS[1], m.stepMS[0], verdictText(m.fault))
	}
	b.WriteString("\n")
}

func (r *report) printSanitizers(b *strings.Builder) {
	if len(r.sanitizers) == 0 && r.sanitizerMissing == "" {
		return
	}
	b.WriteString("## compute-sanitizer\n\n")
	if r.sanitizerMissing != "" {
		fmt.Fprintf(b, "Not run: %s.\n", r.sanitizerMissing)
		return
	}
	b.WriteString("| tool | finds | of | |\n|---|---|---|---|\n")
	for _, s := range r.sanitizers {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", s.tool, s.finds, s.of, verdictText(s.fault))
	}
}

func bitsText(same bool) string {
	if same {
		return "the same bits"
	}
	return "other bits: FAILED"
}

// verdictText is a cell: "right", or what is wrong.
func verdictText(fault string) string {
	if fault == "" {
		return "right"
	}
	return "FAILED: " + strings.NewReplacer("|", "/", "\n", " ").Replace(fault)
}
