package spec

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// oneLiner is a statement that fits on one line, cut where columns may be
// aligned: left = right { fields } tail.
type oneLiner struct {
	keyword string   // "const", "input" and so on, "" for a layer: only like lines align
	left    string   // up to the equals sign; all of it where there is none
	right   string   // after the equals sign, "" where there is none
	fields  []string // nil where there are no braces
	names   []string // of the fields
	tail    string   // the guards, with a blank before them
	braces  bool
}

func (l oneLiner) text() string {
	var b strings.Builder
	b.WriteString(l.left)
	if l.right != "" {
		b.WriteString(" = " + l.right)
	}
	if l.braces {
		b.WriteString(" " + inBraces(l.fields, "  "))
	}
	b.WriteString(l.tail)
	return b.String()
}

// A line that would need more padding than this starts a new column.
const (
	leftSpread  = 4
	rightSpread = 12
)

// oneLiners takes the statements, from the first on, that stand together as
// one group of lines and align their equals signs. It is empty where the first
// does not fit on one line.
func oneLiners(statements []*Statement, indent int) []oneLiner {
	var run []oneLiner
	var least, most int
	for i, s := range statements {
		l, ok := flatStatement(s)
		if !ok || !fits(indent, l.text()) {
			break
		}
		width := utf8.RuneCountInString(l.left)
		if i == 0 {
			run, least, most = []oneLiner{l}, width, width
			if l.right == "" {
				break
			}
			continue
		}
		least, most = min(least, width), max(most, width)
		if s.Blank || len(s.Before) > 0 || l.keyword != run[0].keyword || l.right == "" || most-least > leftSpread {
			break
		}
		run = append(run, l)
	}
	return run
}

// align pads the parts of a run so that equals signs, braces, and the fields
// of neighbours with the same fields, stand in columns.
func align(run []oneLiner) {
	left := 0
	for _, l := range run {
		left = max(left, utf8.RuneCountInString(l.left))
	}
	var braced []*oneLiner
	for i := range run {
		if run[i].right != "" {
			run[i].left = pad(run[i].left, left)
		}
		if run[i].braces {
			braced = append(braced, &run[i])
		}
	}
	alignBraces(braced)
	for len(braced) > 0 {
		n := 1
		for n < len(braced) && slices.Equal(braced[n].names, braced[0].names) {
			n++
		}
		alignFields(braced[:n])
		braced = braced[n:]
	}
}

func alignBraces(lines []*oneLiner) {
	for len(lines) > 0 {
		least := utf8.RuneCountInString(lines[0].right)
		most, n := least, 1
		for ; n < len(lines); n++ {
			width := utf8.RuneCountInString(lines[n].right)
			if max(most, width)-min(least, width) > rightSpread {
				break
			}
			least, most = min(least, width), max(most, width)
		}
		for _, l := range lines[:n] {
			l.right = pad(l.right, most)
		}
		lines = lines[n:]
	}
}

func alignFields(lines []*oneLiner) {
	for column := range len(lines[0].fields) - 1 { // nothing stands after the last one
		width := 0
		for _, l := range lines {
			width = max(width, utf8.RuneCountInString(l.fields[column]))
		}
		for _, l := range lines {
			l.fields[column] = pad(l.fields[column], width)
		}
	}
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}
