package runtime

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Progress tells a person how a run goes: one line that is redrawn on a
// terminal, a line at each report elsewhere, nothing when quiet. It is also
// where notices are written, which stay visible even when quiet, because they
// change what the results mean. A nil Progress says nothing.
type Progress struct {
	w        io.Writer
	terminal bool
	quiet    bool
	drawn    bool // the cursor stands behind a redrawn line
	last     time.Time
}

// redrawEvery is the least time between two redraws on a terminal.
const redrawEvery = 100 * time.Millisecond

// clearLine returns to the line's start and erases it.
const clearLine = "\r\x1b[K"

// NewProgress writes to w, which counts as a terminal when it is a character
// device and $TERM is not "dumb".
func NewProgress(w io.Writer, quiet bool) *Progress {
	p := &Progress{w: w, quiet: quiet}
	if file, isFile := w.(*os.File); isFile && os.Getenv("TERM") != "dumb" {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Write shows a notice above the redrawn line.
func (p *Progress) Write(text []byte) (int, error) {
	if p == nil {
		return len(text), nil
	}
	p.clear()
	return p.w.Write(text)
}

// standing is where a run stands.
type standing struct {
	iteration, iterations int
	epoch, loss, rate     float64
	samplesPerSecond      float64
	left                  time.Duration
}

func (s standing) String() string {
	return fmt.Sprintf("iteration %d of %d  epoch %.2f  loss %.4g  lr %.4g  %.0f samples/s  %s left",
		s.iteration, s.iterations, s.epoch, s.loss, s.rate, s.samplesPerSecond, roundTime(s.left))
}

// roundTime drops digits that nobody reads.
func roundTime(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// wantsStep tells whether it is time to redraw, so that the caller need not
// work out a standing that nobody sees.
func (p *Progress) wantsStep() bool {
	return p != nil && p.terminal && !p.quiet && time.Since(p.last) >= redrawEvery
}

// step redraws the line.
func (p *Progress) step(s standing) {
	p.last = time.Now()
	p.drawn = true
	fmt.Fprintf(p.w, "%s%v", clearLine, s)
}

// report shows the standing at a display interval.
func (p *Progress) report(s standing) {
	if p == nil || p.quiet || p.terminal {
		return
	}
	fmt.Fprintln(p.w, s)
}

// say shows a line about the work, unless quiet.
func (p *Progress) say(format string, args ...any) {
	if p == nil || p.quiet {
		return
	}
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// test shows a test's results.
func (p *Progress) test(iteration int, results map[string]Number) {
	if p == nil || p.quiet {
		return
	}
	p.clear()
	fmt.Fprintf(p.w, "iteration %d  test %s\n", iteration, metricsText(results))
}

// clear removes the redrawn line, so that others can write.
func (p *Progress) clear() {
	if p != nil && p.drawn {
		fmt.Fprint(p.w, clearLine)
		p.drawn = false
	}
}

// metricsText writes results as "accuracy 0.9876  loss 0.0412", by name.
func metricsText(results map[string]Number) string {
	var parts []string
	for name, value := range results {
		parts = append(parts, fmt.Sprintf("%s %.4g", name, float64(value)))
	}
	slices.Sort(parts)
	return strings.Join(parts, "  ")
}
