// Package diag holds source positions and the messages that point at them.
//
// Every stage that can find a mistake in a user's file adds to a List; the
// command line renders the list once, sorted, with the source lines.
package diag

import "fmt"

// Pos is a place in a source file. Line and Column count from 1; Column counts
// characters, not bytes. The zero Pos means "no place".
type Pos struct {
	File   string
	Line   int
	Column int
}

// IsValid reports whether p names a place.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String gives "file:line:column".
func (p Pos) String() string {
	if !p.IsValid() {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Span is a Pos and the number of characters a caret line underlines there.
type Span struct {
	Pos
	Length int
}

// Severity says whether a message stops the compiler.
type Severity int

const (
	Error Severity = iota
	Warning
)

// Note adds a second place to a message, such as where a shape came from.
type Note struct {
	Pos  Pos
	Text string
}

// Diagnostic is one message. Code is a key of Explanations; Help says the way
// out, and is empty where none is plausible.
type Diagnostic struct {
	Severity Severity
	Code     string
	Span     Span
	Message  string
	Notes    []Note
	Help     string
}

// String gives the word that opens a rendered message.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}
