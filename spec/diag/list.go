package diag

import (
	"cmp"
	"fmt"
	"slices"
)

// List collects the messages of one run. The zero List is ready to use.
type List []Diagnostic

// Add appends one message.
func (l *List) Add(d Diagnostic) { *l = append(*l, d) }

// Errorf appends an error and returns it, so that the caller can attach notes
// and help. The pointer holds until the next message is added.
func (l *List) Errorf(code string, at Span, format string, args ...any) *Diagnostic {
	return l.addf(Error, code, at, format, args)
}

// Warnf appends a warning, on the same terms as Errorf.
func (l *List) Warnf(code string, at Span, format string, args ...any) *Diagnostic {
	return l.addf(Warning, code, at, format, args)
}

func (l *List) addf(severity Severity, code string, at Span, format string, args []any) *Diagnostic {
	l.Add(Diagnostic{Severity: severity, Code: code, Span: at, Message: fmt.Sprintf(format, args...)})
	return &(*l)[len(*l)-1]
}

// Note attaches a second place to d and returns d.
func (d *Diagnostic) Note(at Pos, format string, args ...any) *Diagnostic {
	d.Notes = append(d.Notes, Note{Pos: at, Text: fmt.Sprintf(format, args...)})
	return d
}

// Helpf sets the way out and returns d.
func (d *Diagnostic) Helpf(format string, args ...any) *Diagnostic {
	d.Help = fmt.Sprintf(format, args...)
	return d
}

// Errors counts the messages that stop the compiler.
func (l List) Errors() int {
	count := 0
	for _, d := range l {
		if d.Severity == Error {
			count++
		}
	}
	return count
}

// Sort orders the list by file, line, column and code, and drops messages that
// say the same thing about the same place: a block expanded twice, or a file
// checked for two phases, reports each mistake once.
func (l *List) Sort() {
	slices.SortStableFunc(*l, compare)
	*l = slices.CompactFunc(*l, func(a, b Diagnostic) bool {
		return a.Span == b.Span && a.Code == b.Code && a.Message == b.Message
	})
}

func compare(a, b Diagnostic) int {
	return cmp.Or(
		cmp.Compare(a.Span.File, b.Span.File),
		cmp.Compare(a.Span.Line, b.Span.Line),
		cmp.Compare(a.Span.Column, b.Span.Column),
		cmp.Compare(a.Code, b.Code),
		cmp.Compare(a.Message, b.Message),
	)
}
