package ir

import (
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// Columns at which the parts of a line start where they fit, so that lists of
// nodes read as tables and an edit to one layer changes few lines.
const (
	nameColumn = 16
	typeColumn = 72
	fromColumn = 104
)

// Print writes the graph as text that Parse reads back. File names are printed
// without their folders, so that the text is the same wherever the file lies.
func (g *Graph) Print(w io.Writer) error {
	_, err := io.WriteString(w, g.String())
	return err
}

// String is the graph's text; see Print.
func (g *Graph) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "graph %s %s\n", quoteName(g.Name), quoteName(g.Phase))
	section := func(values []*Value, keyword string) {
		if len(values) > 0 {
			b.WriteByte('\n')
		}
		for _, v := range values {
			attrs := ""
			if v.Param != nil {
				attrs = formatAttributes(reflect.ValueOf(v.Param.attributes(v.Kind)))
			}
			b.WriteString(line("", keyword+" "+quoteName(v.Name)+" : "+v.Type.String()+spaced(attrs), "", formatOrigins(v.From)))
		}
	}
	section(g.Inputs, "input")
	section(g.Params, "param")
	section(g.States, "state")
	if len(g.Nodes) > 0 {
		b.WriteByte('\n')
	}
	for _, n := range g.Nodes {
		printNode(&b, n, "")
	}
	if len(g.Writes)+len(g.Outputs) > 0 || g.Loss != nil {
		b.WriteByte('\n')
	}
	for _, w := range g.Writes {
		fmt.Fprintf(&b, "write %s = %s\n", quoteName(w.Target.Name), quoteName(w.Value.Name))
	}
	if len(g.Outputs) > 0 {
		fmt.Fprintf(&b, "output %s\n", joinNames(g.Outputs))
	}
	if g.Loss != nil {
		fmt.Fprintf(&b, "loss %s\n", quoteName(g.Loss.Name))
	}
	return b.String()
}

func printNode(b *strings.Builder, n *Node, indent string) {
	types := make([]string, len(n.Out))
	for i, v := range n.Out {
		types[i] = v.Type.String()
	}
	lhs := indent + pad(joinNames(n.Out), nameColumn) + "= "
	if n.Body != nil {
		b.WriteString(lhs + "fuse {\n")
		for _, inner := range n.Body {
			printNode(b, inner, indent+"    ")
		}
		b.WriteString(indent + "}\n")
		return
	}
	rhs := n.Op.Mnemonic()
	if len(n.In) > 0 {
		rhs += " " + joinNames(n.In)
	}
	rhs += spaced(Attributes(n.Op))
	b.WriteString(line(lhs, rhs, " : "+strings.Join(types, ", "), formatOrigins(n.From)))
}

func line(lhs, rhs, types, from string) string {
	s := lhs + rhs
	if types != "" {
		s = pad(s, typeColumn) + types
	}
	if from != "" {
		s = pad(s, fromColumn) + "  # " + from
	}
	return s + "\n"
}

func pad(s string, width int) string {
	if len(s) >= width {
		return s + " "
	}
	return s + strings.Repeat(" ", width-len(s))
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

func joinNames(values []*Value) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = quoteName(v.Name)
	}
	return strings.Join(names, ", ")
}

// formatOrigins prints "conv1 lenet.net:6, relu1 lenet.net:7".
func formatOrigins(from []Origin) string {
	parts := make([]string, len(from))
	for i, o := range from {
		parts[i] = quoteName(o.Layer)
		if o.File != "" {
			parts[i] += " " + quoteName(filepath.Base(o.File)) + ":" + strconv.Itoa(o.Line)
		}
	}
	return strings.Join(parts, ", ")
}

// quoteName prints a name as it is where the scanner reads it as one word, and
// quoted otherwise.
func quoteName(s string) string {
	if s == "" || s == "true" || s == "false" {
		return strconv.Quote(s)
	}
	for i, r := range s {
		if !isNameRune(r) || i == 0 && !isNameStart(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

func isNameStart(r rune) bool {
	return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func isNameRune(r rune) bool {
	return isNameStart(r) || '0' <= r && r <= '9' || r == '.' || r == '/' || r == '-'
}
