package spec

import (
	"slices"
	"strings"
	"unicode/utf8"

	"netc/spec/diag"
)

// lineWidth is the widest line that a statement is kept on, before alignment.
const lineWidth = 100

// Format gives a .net file its canonical layout: one way to write each file,
// with every comment and every group of lines kept. Formatting its output
// again changes nothing. A file that does not parse is left alone: the list
// then says why, and the text is nil.
func Format(name string, source []byte) ([]byte, diag.List) {
	file, found := Parse(name, source)
	if found.Errors() > 0 {
		return nil, found
	}
	return Print(file), found
}

// Print writes a syntax tree in the canonical layout. The tree has no Broken
// statements.
func Print(file *File) []byte {
	p := printer{top: true}
	p.statements(&file.Bracket, 0)
	return p.text()
}

// printer collects lines. Where brackets hold no comment and fit, everything
// stays on one line (the flat functions); else each item has a line of its own.
type printer struct {
	lines []printedLine
	top   bool // nothing but an opening bracket stands above: no empty line here
}

type printedLine struct {
	indent  int // steps of two blanks
	text    string
	comment string // with its #, or ""
}

func (p *printer) line(indent int, text string, after *Comment) {
	l := printedLine{indent: indent, text: text}
	if after != nil {
		l.comment = after.Text
	}
	p.lines = append(p.lines, l)
	p.top = false
}

// open prints a line that ends with an opening bracket.
func (p *printer) open(indent int, text string, in *Inside) {
	p.line(indent, text, in.First)
	p.top = true
}

func (p *printer) blank() {
	if !p.top {
		p.lines = append(p.lines, printedLine{})
		p.top = true
	}
}

// before prints what stands above an item: its comments and, if the bracket
// keeps them, empty lines.
func (p *printer) before(t *Trivia, indent int, keepsBlanks bool) {
	p.comments(t.Before, indent, keepsBlanks)
	if t.Blank && keepsBlanks {
		p.blank()
	}
}

func (p *printer) comments(list []Comment, indent int, keepsBlanks bool) {
	for _, c := range list {
		if c.Blank && keepsBlanks {
			p.blank()
		}
		p.line(indent, c.Text, nil)
	}
}

// statements prints a body, aligning runs of similar lines.
func (p *printer) statements(b *Bracket[*Statement], indent int) {
	for i := 0; i < len(b.Items); {
		run := oneLiners(b.Items[i:], indent)
		if len(run) == 0 {
			p.before(&b.Items[i].Trivia, indent, true)
			p.statement(b.Items[i], indent)
			i++
			continue
		}
		align(run)
		for j, l := range run {
			s := b.Items[i+j]
			p.before(&s.Trivia, indent, true)
			p.line(indent, l.text(), s.After)
		}
		i += len(run)
	}
	p.comments(b.Last, indent, true)
}

// statement prints what does not fit on one line.
func (p *printer) statement(s *Statement, indent int) {
	switch node := s.Node.(type) {
	case *BlockDef:
		p.brackets(indent, "block "+flatName(node.Name)+"(", node.Params, flatParam, ") {", func(text string) {
			p.body(indent, text, node.Body, s.After)
		})
	case *Repeat:
		p.body(indent, flatRepeat(node), node.Body, s.After)
	case *Assign:
		p.assign(node, indent, s.After)
	default: // a long constant, return or import has no place to break
		l, _ := flatStatement(s)
		p.line(indent, l.text(), s.After)
	}
}

func (p *printer) body(indent int, head string, b *Bracket[*Statement], after *Comment) {
	p.open(indent, head, &b.Inside)
	p.statements(b, indent+1)
	p.line(indent, "}", after)
}

// brackets prints items separated by commas after a head that ends with the
// opening bracket, and hands the line that ends with tail to done.
func (p *printer) brackets(indent int, head string, b bracket, flat func(item) string, tail string, done func(string)) {
	if !keepsLines(b) {
		if text := head + flatItems(b, flat) + tail; fits(indent, text) {
			done(text)
			return
		}
	}
	p.open(indent, head, b.inside())
	for i := range b.count() {
		it := b.item(i)
		p.before(it.trivia(), indent+1, false)
		p.line(indent+1, flat(it)+",", it.trivia().After)
	}
	p.comments(b.inside().Last, indent+1, false)
	done(tail)
}

func (p *printer) assign(node *Assign, indent int, after *Comment) {
	head, tail := flatTargets(node.Targets)+" = ", flatGuards(node.Guards)
	switch {
	case node.Input != nil:
		if node.Input.DType != nil {
			tail = " " + flatName(*node.Input.DType) + tail
		}
		p.list(indent, head+"input ", node.Input.Shape, tail, after)
	case node.Alias != nil:
		p.line(indent, head+flatName(*node.Alias)+tail, after)
	case node.Call.Fields == nil:
		p.brackets(indent, head+flatName(node.Call.Callee)+"(", node.Call.Args, flatArg, ")"+tail, func(text string) {
			p.line(indent, text, after)
		})
	default:
		p.brackets(indent, head+flatName(node.Call.Callee)+"(", node.Call.Args, flatArg, ") {", func(text string) {
			p.fields(indent, text, node.Call.Fields, tail, after)
		})
	}
}

// fields prints each field on a line of its own, after a head that ends with
// the opening brace.
func (p *printer) fields(indent int, head string, b *Bracket[*FieldItem], tail string, after *Comment) {
	p.open(indent, head, &b.Inside)
	for _, f := range b.Items {
		p.before(&f.Trivia, indent+1, true)
		p.value(indent+1, flatFieldHead(f), f.Value, "", f.After)
	}
	p.comments(b.Last, indent+1, true)
	p.line(indent, "}"+tail, after)
}

func (p *printer) value(indent int, head string, v *ValueExpr, tail string, after *Comment) {
	if !anyKeepsLines(v.brackets()) {
		if text := head + flatValue(v) + tail; fits(indent, text) || v.List == nil && v.Fields == nil {
			p.line(indent, text, after)
			return
		}
	}
	switch {
	case v.List != nil:
		p.list(indent, head, v.List, tail, after)
	case v.Expr != nil:
		p.fields(indent, head+flatExpr(v.Expr)+" {", v.Fields, tail, after)
	default:
		p.fields(indent, head+"{", v.Fields, tail, after)
	}
}

// list prints a list that has comments one item a line, and a long one on
// lines filled up.
func (p *printer) list(indent int, head string, b *Bracket[*Element], tail string, after *Comment) {
	if !keepsLines(b) {
		if text := head + flatList(b) + tail; fits(indent, text) {
			p.line(indent, text, after)
			return
		}
	}
	p.open(indent, head+"[", &b.Inside)
	if keepsLines(b) {
		for _, element := range b.Items {
			p.before(&element.Trivia, indent+1, false)
			p.value(indent+1, "", element.Value, ",", element.After)
		}
		p.comments(b.Last, indent+1, false)
	} else {
		row := ""
		for _, element := range b.Items {
			text := flatValue(element.Value) + ","
			if row != "" && !fits(indent+1, row+" "+text) {
				p.line(indent+1, row, nil)
				row = ""
			}
			if row != "" {
				row += " "
			}
			row += text
		}
		if row != "" {
			p.line(indent+1, row, nil)
		}
	}
	p.line(indent, "]"+tail, after)
}

// keepsLines reports whether a bracket cannot become one line: a comment stands
// inside, or an empty line groups its fields.
func keepsLines(b bracket) bool {
	in := b.inside()
	if in.First != nil || len(in.Last) > 0 {
		return true
	}
	_, groups := b.(*Bracket[*FieldItem])
	for i := range b.count() {
		it := b.item(i)
		t := it.trivia()
		if len(t.Before) > 0 || t.After != nil || groups && i > 0 && t.Blank || anyKeepsLines(it.brackets()) {
			return true
		}
	}
	return false
}

func anyKeepsLines(list []bracket) bool { return slices.ContainsFunc(list, keepsLines) }

func fits(indent int, text string) bool { return 2*indent+utf8.RuneCountInString(text) <= lineWidth }

// text joins the lines, with the comments of neighbouring lines in one column.
func (p *printer) text() []byte {
	var b strings.Builder
	for i := 0; i < len(p.lines); {
		n := commentRun(p.lines[i:])
		column := 0
		for _, l := range p.lines[i : i+n] {
			column = max(column, 2*l.indent+utf8.RuneCountInString(l.text))
		}
		for _, l := range p.lines[i : i+n] {
			if l.text != "" {
				b.WriteString(strings.Repeat("  ", l.indent))
				b.WriteString(l.text)
			}
			if l.comment != "" {
				b.WriteString(strings.Repeat(" ", column-2*l.indent-utf8.RuneCountInString(l.text)+2))
				b.WriteString(l.comment)
			}
			b.WriteByte('\n')
		}
		i += n
	}
	return []byte(b.String())
}

// commentRun counts the lines from the first on that share one comment column.
func commentRun(lines []printedLine) int {
	const spread = 30 // a line much longer than its neighbours starts a new column
	var least, most int
	for i, l := range lines {
		width := 2*l.indent + utf8.RuneCountInString(l.text)
		if i == 0 {
			least, most = width, width
		}
		least, most = min(least, width), max(most, width)
		if l.comment == "" || most-least > spread {
			return max(i, 1)
		}
	}
	return len(lines)
}
