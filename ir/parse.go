package ir

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseError says what is wrong in IR text, and on which line.
type ParseError struct {
	Line    int
	Message string
}

// Error gives "line N: message".
func (e *ParseError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Limits that keep hostile text from using memory without bound.
const (
	maxRank    = 32
	maxElement = 1 << 40
	maxDepth   = 8
)

// Parse reads the text that Print writes. The graph is verified: result types
// must be what the operators infer. An error is a *ParseError.
func Parse(text string) (g *Graph, err error) {
	p := &parser{toks: scan(text)}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*ParseError)
			if !ok {
				panic(r)
			}
			g, err = nil, e
		}
	}()
	g = p.graph()
	if err := g.Verify(); err != nil {
		return nil, &ParseError{p.peek().line, err.Error()}
	}
	return g, nil
}

type tokenKind uint8

const (
	tokEnd     tokenKind = iota
	tokName              // a word
	tokString            // a quoted string, unquoted
	tokNumber            // a number
	tokPunct             // one character
	tokComment           // the text after #
	tokNewline
)

type token struct {
	kind tokenKind
	text string
	line int
}

// scan splits text into tokens; a byte that fits nowhere becomes punctuation
// and is refused by the parser.
func scan(text string) []token {
	var toks []token
	line := 1
	for i := 0; i < len(text); {
		c := text[i]
		start := i
		switch {
		case c == '\n':
			toks = append(toks, token{tokNewline, "\n", line})
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			toks = append(toks, token{tokComment, strings.TrimSpace(text[start+1 : i]), line})
		case c == '"':
			i++
			for i < len(text) && text[i] != '"' && text[i] != '\n' {
				if text[i] == '\\' && i+1 < len(text) {
					i++
				}
				i++
			}
			i = min(i+1, len(text))
			s, err := strconv.Unquote(text[start:i])
			if err != nil {
				toks = append(toks, token{tokPunct, "bad string", line})
				line += strings.Count(text[start:i], "\n")
				break
			}
			toks = append(toks, token{tokString, s, line})
		case isNameStart(rune(c)):
			for i < len(text) && isNameRune(rune(text[i])) {
				i++
			}
			toks = append(toks, token{tokName, text[start:i], line})
		case '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.':
			for i < len(text) && strings.IndexByte("0123456789+-.eEInfNa", text[i]) >= 0 {
				i++
			}
			toks = append(toks, token{tokNumber, text[start:i], line})
		default:
			_, size := utf8.DecodeRuneInString(text[i:])
			i += size
			toks = append(toks, token{tokPunct, text[start:i], line})
		}
	}
	return append(toks, token{tokEnd, "end of text", line})
}

type parser struct {
	toks []token
	pos  int
	g    *Graph
}

func (p *parser) peek() token { return p.toks[min(p.pos, len(p.toks)-1)] }

func (p *parser) next() token {
	t := p.peek()
	p.pos++
	return t
}

func (p *parser) fail(format string, args ...any) {
	panic(&ParseError{p.peek().line, fmt.Sprintf(format, args...)})
}

func (p *parser) is(kind tokenKind, text string) bool {
	t := p.peek()
	return t.kind == kind && t.text == text
}

func (p *parser) accept(punct string) bool {
	if p.is(tokPunct, punct) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(punct string) {
	if !p.accept(punct) {
		p.fail("expected %q, found %q", punct, p.peek().text)
	}
}

func (p *parser) name() string {
	t := p.next()
	if t.kind != tokName && t.kind != tokString {
		p.pos--
		p.fail("expected a name, found %q", t.text)
	}
	return t.text
}

func (p *parser) skipLines() {
	for p.peek().kind == tokNewline || p.peek().kind == tokComment {
		p.pos++
	}
}

// endLine reads the origin comment, if any, and the end of the line.
func (p *parser) endLine() []Origin {
	var from []Origin
	if p.peek().kind == tokComment {
		from = parseOrigins(p.next().text)
	}
	if t := p.peek(); t.kind != tokNewline && t.kind != tokEnd {
		p.fail("expected the end of the line, found %q", t.text)
	}
	p.skipNewline()
	return from
}

func (p *parser) skipNewline() {
	if p.peek().kind == tokNewline {
		p.pos++
	}
}

// parseOrigins reads "conv1 lenet.net:6, relu1"; other comments give none.
func parseOrigins(text string) []Origin {
	p := &parser{toks: scan(text)}
	var from []Origin
	for {
		t := p.next()
		if t.kind != tokName && t.kind != tokString {
			return nil
		}
		o := Origin{Layer: t.text}
		if f := p.peek(); f.kind == tokName || f.kind == tokString {
			p.pos++
			line, err := 0, error(nil)
			if p.accept(":") {
				line, err = strconv.Atoi(p.next().text)
			}
			if line <= 0 || err != nil {
				return nil
			}
			o.File, o.Line = f.text, line
		}
		from = append(from, o)
		if p.peek().kind == tokEnd {
			return from
		}
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *parser) graph() *Graph {
	p.skipLines()
	if !p.is(tokName, "graph") {
		p.fail("expected \"graph NAME PHASE\", found %q", p.peek().text)
	}
	p.pos++
	g := New(p.name(), "")
	g.Phase = p.name()
	p.g = g
	p.endLine()
	for {
		p.skipLines()
		if p.peek().kind == tokEnd {
			return g
		}
		p.statement()
	}
}

// A statement starting with a keyword could also be a node whose first result
// has that name; the token after it decides.
func (p *parser) statement() {
	start := p.pos
	keyword := p.name()
	after := p.peek()
	if after.kind != tokName && after.kind != tokString {
		p.pos = start
		p.node(&p.g.Nodes, 0)
		return
	}
	switch keyword {
	case "input", "param", "state":
		p.declaration(keyword)
	case "write":
		target := p.use()
		p.expect("=")
		p.g.Writes = append(p.g.Writes, Write{target, p.use()})
		p.endLine()
	case "output":
		p.g.Outputs = append(p.g.Outputs, p.uses()...)
		p.endLine()
	case "loss":
		p.g.Loss = p.use()
		p.endLine()
	default:
		p.pos = start
		p.fail("unknown statement %q", keyword)
	}
}

func (p *parser) declaration(keyword string) {
	v := &Value{Name: p.name()}
	p.expect(":")
	v.Type = p.typ()
	switch keyword {
	case "input":
		v.Kind = Input
		p.g.Inputs = append(p.g.Inputs, v)
	case "param":
		v.Kind = Param
		p.g.Params = append(p.g.Params, v)
	case "state":
		v.Kind = State
		p.g.States = append(p.g.States, v)
	}
	if v.Kind != Input {
		var attrs paramAttributes
		p.attributes(reflect.ValueOf(&attrs).Elem())
		info := attrs.info(v.Kind)
		v.Param = &info
	}
	p.define(v)
	v.From = p.endLine()
}

func (p *parser) define(v *Value) {
	if p.g.names[v.Name] != nil {
		p.fail("%q is defined twice", v.Name)
	}
	p.g.names[v.Name] = v
}

func (p *parser) use() *Value {
	name := p.name()
	v := p.g.names[name]
	if v == nil {
		p.pos--
		p.fail("%q is not defined above", name)
	}
	return v
}

func (p *parser) uses() []*Value {
	list := []*Value{p.use()}
	for p.accept(",") {
		list = append(list, p.use())
	}
	return list
}

func (p *parser) node(into *[]*Node, depth int) {
	names := []string{p.name()}
	for p.accept(",") {
		names = append(names, p.name())
	}
	p.expect("=")
	mnemonic := p.name()
	if mnemonic == "fuse" && p.accept("{") {
		p.group(into, names, depth)
		return
	}
	create := registry[mnemonic]
	if create == nil {
		p.fail("unknown operator %q", mnemonic)
	}
	n := &Node{Op: create()}
	if k := p.peek().kind; k == tokName || k == tokString {
		n.In = p.uses()
	}
	p.attributes(operatorOf(n.Op))
	p.expect(":")
	types := []Type{p.typ()}
	for p.accept(",") {
		types = append(types, p.typ())
	}
	if len(types) != len(names) {
		p.fail("%d results, but %d types", len(names), len(types))
	}
	for i, name := range names {
		v := &Value{Name: name, Type: types[i], Def: n}
		p.define(v)
		n.Out = append(n.Out, v)
	}
	n.From = p.endLine()
	*into = append(*into, n)
}

func (p *parser) group(into *[]*Node, names []string, depth int) {
	if depth >= maxDepth {
		p.fail("groups nested too deeply")
	}
	n := &Node{Op: &Fuse{}, Body: []*Node{}}
	p.endLine()
	for {
		p.skipLines()
		if p.accept("}") {
			break
		}
		if p.peek().kind == tokEnd {
			p.fail("a fused group is not closed")
		}
		p.node(&n.Body, depth+1)
	}
	inside := map[*Value]bool{}
	seen := map[*Value]bool{}
	for _, inner := range n.Body {
		for _, v := range inner.In {
			if !inside[v] && !seen[v] {
				seen[v] = true
				n.In = append(n.In, v)
			}
		}
		for _, v := range inner.Out {
			inside[v] = true
		}
	}
	for _, name := range names {
		v := p.g.names[name]
		if v == nil || !inside[v] {
			p.fail("the group does not compute %q", name)
		}
		v.Def = n
		n.Out = append(n.Out, v)
	}
	n.From = Origins(n.Body...)
	p.endLine()
	*into = append(*into, n)
}

func (p *parser) typ() Type {
	var t Type
	switch name := p.name(); name {
	case "f32":
		t.DType = F32
	case "i32":
		t.DType = I32
	case "u8":
		t.DType = U8
	default:
		p.fail("unknown element type %q", name)
	}
	p.expect("[")
	count := 1
	for !p.accept("]") {
		if len(t.Shape) > 0 {
			p.expect(",")
		}
		d, err := strconv.Atoi(p.peek().text)
		if err != nil || d <= 0 || d > maxElement/count {
			p.fail("bad extent %q", p.peek().text)
		}
		p.pos++
		count *= d
		if p.accept("/") {
			if p.peek().text != strconv.Itoa(LaneBlock) || t.Lanes != 0 {
				p.fail("one axis can be in lanes, of %d, not %q", LaneBlock, p.peek().text)
			}
			p.pos++
			t.Lanes = len(t.Shape) + 1
		}
		if t.Shape = append(t.Shape, d); len(t.Shape) > maxRank {
			p.fail("more than %d axes", maxRank)
		}
	}
	if p.accept("^") {
		if len(t.Shape) < 2 {
			p.fail("there are no two axes to exchange")
		}
		t.Swap = true
	}
	return t
}

// attributes reads "{name: value, …}" into the tagged fields of s, after
// setting the defaults.
func (p *parser) attributes(s reflect.Value) {
	known := attributesOf(s.Type())
	for _, a := range known {
		def := a.def
		if def.Kind() == reflect.Slice { // operators never share one
			def = reflect.AppendSlice(reflect.MakeSlice(def.Type(), 0, def.Len()), def)
		}
		s.Field(a.index).Set(def)
	}
	if !p.accept("{") {
		return
	}
	for !p.accept("}") {
		name := p.name()
		p.expect(":")
		found := false
		for _, a := range known {
			if a.name == name {
				p.setAttribute(s.Field(a.index))
				found = true
			}
		}
		if !found {
			p.fail("unknown attribute %q", name)
		}
		if !p.is(tokPunct, "}") {
			p.expect(",")
		}
	}
}

func (p *parser) setAttribute(f reflect.Value) {
	t := p.next()
	bad := func() {
		p.pos--
		p.fail("bad value %q", t.text)
	}
	switch f.Kind() {
	case reflect.Int:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			bad()
		}
		f.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			bad()
		}
		f.SetFloat(x)
	case reflect.Bool:
		b, err := strconv.ParseBool(t.text)
		if err != nil {
			bad()
		}
		f.SetBool(b)
	case reflect.String:
		if t.kind != tokName && t.kind != tokString {
			bad()
		}
		f.SetString(t.text)
	case reflect.Slice:
		if t.kind != tokPunct || t.text != "[" {
			bad()
		}
		list := reflect.MakeSlice(f.Type(), 0, 4)
		for !p.accept("]") {
			if list.Len() > 0 {
				p.expect(",")
			}
			item := reflect.New(f.Type().Elem()).Elem()
			p.setAttribute(item)
			list = reflect.Append(list, item)
		}
		f.Set(list)
	}
}
