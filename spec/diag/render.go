package diag

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Sources maps a file's name, as positions hold it, to its text.
type Sources map[string][]byte

// widestLine is the number of characters of a source line that a message
// shows; of a longer line it shows the part around the cause.
const widestLine = 160

// Render writes each message with its source line and a caret under the cause:
//
//	models/mini.net:31:16: error: window 13 is larger than the padded input 12x12
//	   31 |   kernel_size: 13
//	      |                ^^
//	 note: models/mini.net:21:1: pool1 makes this input f32[64,20,12,12]
//	 help: use a smaller kernel_size, or add pad
//
// Messages are separated by an empty line. A message without a place, or whose
// file is not in sources, has no source line.
func Render(w io.Writer, l List, sources Sources) error {
	return (&renderer{out: bufio.NewWriter(w), sources: sources}).list(l)
}

// RenderColor is Render with terminal colours.
func RenderColor(w io.Writer, l List, sources Sources) error {
	return (&renderer{out: bufio.NewWriter(w), sources: sources, color: true}).list(l)
}

type renderer struct {
	out     *bufio.Writer
	sources Sources
	color   bool
	lines   map[string][]string // of the files shown so far
}

// The colours are the terminal's own: bold red, bold yellow, bold blue, bold green.
const (
	errorColor   = "1;31"
	warningColor = "1;33"
	gutterColor  = "1;34"
	helpColor    = "1;32"
)

func (r *renderer) paint(color, text string) string {
	if !r.color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

func (r *renderer) list(l List) error {
	for i, d := range l {
		if i > 0 {
			fmt.Fprintln(r.out)
		}
		r.message(d)
	}
	return r.out.Flush()
}

func (r *renderer) message(d Diagnostic) {
	color := errorColor
	if d.Severity == Warning {
		color = warningColor
	}
	if place := d.Span.Pos.String(); place != "" {
		fmt.Fprintf(r.out, "%s: ", place)
	}
	fmt.Fprintf(r.out, "%s: %s\n", r.paint(color, d.Severity.String()), paragraphs(d.Message))
	r.excerpt(d.Span, color)
	for _, n := range d.Notes {
		place := n.Pos.String()
		if place != "" {
			place += ": "
		}
		fmt.Fprintf(r.out, " %s %s%s\n", r.paint(gutterColor, "note:"), place, paragraphs(n.Text))
	}
	if d.Help != "" {
		fmt.Fprintf(r.out, " %s %s\n", r.paint(helpColor, "help:"), paragraphs(d.Help))
	}
}

// excerpt prints the source line and the caret line under it.
func (r *renderer) excerpt(at Span, color string) {
	line, ok := r.line(at.Pos)
	if !ok {
		return
	}
	text := []rune(line)
	start := min(max(at.Column-1, 0), len(text)) // a cause may lie just past the end
	end := min(start+max(at.Length, 1), len(text))
	text, start, end = window(text, start, end)

	// A tab stays a tab in both lines, so the caret stands under the cause
	// whatever the terminal's tab width is.
	var pad strings.Builder
	for _, c := range text[:start] {
		if c == '\t' {
			pad.WriteByte('\t')
		} else {
			pad.WriteByte(' ')
		}
	}
	fmt.Fprintf(r.out, "%s %s\n", r.paint(gutterColor, fmt.Sprintf("%5d |", at.Line)), visible(string(text)))
	fmt.Fprintf(r.out, "%s %s%s\n", r.paint(gutterColor, "      |"), pad.String(),
		r.paint(color, strings.Repeat("^", max(end-start, 1))))
}

// window cuts a long line down to the part around text[start:end].
func window(text []rune, start, end int) ([]rune, int, int) {
	if len(text) <= widestLine {
		return text, start, end
	}
	from := max(0, min(start-widestLine/3, len(text)-widestLine))
	to := from + widestLine
	shown := append([]rune(nil), text[from:to]...)
	if from > 0 {
		shown[0] = '…'
	}
	if to < len(text) {
		shown[len(shown)-1] = '…'
	}
	return shown, start - from, min(end, to) - from
}

func (r *renderer) line(at Pos) (string, bool) {
	source, ok := r.sources[at.File]
	if !ok || !at.IsValid() {
		return "", false
	}
	lines, ok := r.lines[at.File]
	if !ok {
		if r.lines == nil {
			r.lines = map[string][]string{}
		}
		lines = strings.Split(string(source), "\n")
		r.lines[at.File] = lines
	}
	if at.Line > len(lines) {
		return "", false
	}
	line := strings.TrimSuffix(lines[at.Line-1], "\r")
	if at.Line == 1 {
		line = strings.TrimPrefix(line, "\uFEFF") // the lexers do not count a byte order mark
	}
	return line, true
}

// visible replaces control characters, so that a source file cannot send
// commands to the terminal that shows its errors.
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		if c != '\t' && unicode.IsControl(c) {
			return unicode.ReplacementChar
		}
		return c
	}, text)
}

// paragraphs is visible text in which line ends stay; the lines after the
// first are indented, so that none looks like a message of its own.
func paragraphs(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return strings.Join(lines, "\n    ")
}
