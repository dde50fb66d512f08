package spec

import (
	"errors"
	"fmt"
	"slices"

	"netc/spec/diag"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

const (
	// maxSource is the greatest size of one file in bytes. The largest nets
	// people write are a hundred times smaller.
	maxSource = 4 << 20
	// maxNesting bounds brackets inside brackets, so that no input can exhaust
	// the stack.
	maxNesting = 100
)

// Parse reads one file without following its imports. The file is complete but
// for the statements that did not parse; those are Broken.
func Parse(name string, source []byte) (*File, diag.List) {
	file := &File{Name: name, Source: source}
	var found diag.List
	if len(source) > maxSource {
		found.Errorf(codeTooLarge, diag.Span{Pos: diag.Pos{File: name, Line: 1, Column: 1}, Length: 1},
			"the file has %d bytes, more than the %d that netc reads", len(source), maxSource)
		return file, found
	}
	text := scan(name, source, &found)
	p := parser{tokens: text.tokens, found: &found}
	file.Items = p.statements(nil)
	attachComments(file, text)
	found.Sort()
	return file, found
}

type parser struct {
	tokens []lexer.Token // ends with EOF
	next   int           // index of the first token not read yet
	depth  int           // bodies around it
	// forgiven counts the closing braces to pass over, because the head that
	// should have opened them was reported.
	forgiven int
	found    *diag.List
}

func (p *parser) peek() lexer.Token { return p.tokens[p.next] }

// statements reads up to the brace that closes open, which stays unread, or to
// the end of the file, for which open is nil.
func (p *parser) statements(open *lexer.Token) []*Statement {
	var list []*Statement
	for {
		t := p.peek()
		switch {
		case t.EOF():
			if open != nil {
				p.found.Errorf(codeUnclosed, tokenSpan(t), `expected "}", but the file ends`).
					Note(position(open.Pos), `the "{" opened here is still open`)
			}
			return list
		case t.Value == "}" && open != nil:
			return list
		case t.Value == "}":
			p.next++
			if p.forgiven > 0 {
				p.forgiven--
			} else {
				p.found.Errorf(codeSyntax, tokenSpan(t), `this "}" closes nothing`)
			}
		default:
			list = append(list, p.statement())
		}
	}
}

func (p *parser) statement() *Statement {
	tokens, fault := p.slice()
	s := &Statement{Span: firstLine(tokens), Trivia: Trivia{at: extentOf(tokens)}}
	head := isHead(tokens[0])
	opens := head && tokens[len(tokens)-1].Value == "{"
	isBad := slices.ContainsFunc(tokens, func(t lexer.Token) bool { return t.Type == tokenBad })
	if fault != nil {
		p.found.Add(*fault)
	} else if !isBad {
		p.parse(s, tokens)
	}
	if s.Node == nil {
		s.Node = broken(tokens)
	}
	if !opens {
		if head {
			p.forgiven++
		}
		return s
	}

	open := tokens[len(tokens)-1]
	body := &Bracket[*Statement]{Inside: Inside{at: extentOf(tokens[len(tokens)-1:])}}
	p.depth++
	if p.depth > maxNesting {
		p.skipBody()
	} else {
		body.Items = p.statements(&open)
	}
	p.depth--
	end := p.peek()
	if !end.EOF() {
		p.next++
	}
	body.at.end, body.at.endLine = end.Pos.Offset+len(end.Value), end.Pos.Line
	s.at.end, s.at.endLine = body.at.end, body.at.endLine
	switch node := s.Node.(type) {
	case *BlockDef:
		node.Body = body
	case *Repeat:
		node.Body = body
	case *Broken:
		node.Body = body
	}
	if end := p.peek(); !end.EOF() && end.Value != "}" && end.Pos.Line == s.at.endLine {
		p.found.Errorf(codeSyntax, tokenSpan(end), `expected the end of the line after "}", but found %s`, describe(end))
	}
	return s
}

// skipBody reports a body that is nested too deeply and passes over it.
func (p *parser) skipBody() {
	p.found.Errorf(codeTooDeep, tokenSpan(p.peek()), "blocks and repeats are nested more than %d deep", maxNesting)
	for open := 1; !p.peek().EOF(); p.next++ {
		switch p.peek().Value {
		case "{":
			open++
		case "}":
			if open--; open == 0 {
				return
			}
		}
	}
}

// isHead reports whether a statement that starts with t has a body.
func isHead(t lexer.Token) bool {
	return t.Type == tokenKeyword && (t.Value == "block" || t.Value == "repeat")
}

// slice takes the tokens of the next statement, at least one. A statement ends
// with its line, unless a bracket is open or the next line goes on with "{" or
// "@". An open bracket does not swallow the rest of the file: it ends where a
// line that starts no further right than the statement looks like a statement.
func (p *parser) slice() ([]lexer.Token, *diag.Diagnostic) {
	from := p.next
	first := p.tokens[from]
	var open []string // the closing brackets that are due
	var fault *diag.Diagnostic
	for ; ; p.next++ {
		t := p.peek()
		if t.EOF() {
			break
		}
		if p.next > from && t.Pos.Line > p.tokens[p.next-1].Pos.Line {
			goesOn := t.Value == "{" || t.Value == "@"
			if len(open) == 0 && !goesOn {
				break
			}
			if len(open) > 0 && t.Pos.Column <= first.Pos.Column && p.startsStatement(first) {
				break
			}
		}
		switch t.Value {
		case "(":
			open = append(open, ")")
		case "[":
			open = append(open, "]")
		case "{":
			if isHead(first) { // even where ")" is missing: no brace stands in a head
				p.next++
				return p.tokens[from:p.next], fault
			}
			open = append(open, "}")
		case ")", "]", "}":
			due := lastIndex(open, t.Value)
			if due < 0 && t.Value == "}" && p.next > from {
				return p.tokens[from:p.next], fault // it closes the body around the statement
			}
			if due >= 0 {
				open = open[:due]
			}
		}
		if len(open) > maxNesting && fault == nil {
			fault = &diag.Diagnostic{Code: codeTooDeep, Span: tokenSpan(t)}
			fault.Message = fmt.Sprintf("brackets are nested more than %d deep", maxNesting)
		}
	}
	return p.tokens[from:p.next], fault
}

// startsStatement reports whether the tokens at p.next can only start a
// statement, and not be the inside of a bracket of a statement that starts
// with first.
func (p *parser) startsStatement(first lexer.Token) bool {
	t, after := p.peek(), p.tokens[p.next+1] // p.peek is not EOF, so there is a next one
	if t.Type == tokenKeyword {
		return t.Value != "true" && t.Value != "false" && after.Value != ":"
	}
	if t.Value == "}" {
		return false
	}
	if isHead(first) { // the lines of a parameter list look like assignments
		return false
	}
	for i := p.next; ; i += 2 {
		if kind := p.tokens[i].Type; kind != tokenIdent && kind != tokenString {
			return false
		}
		switch p.tokens[i+1].Value {
		case "=":
			return true
		case ",":
		default:
			return false
		}
	}
}

func lastIndex(list []string, value string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == value {
			return i
		}
	}
	return -1
}

// parse applies the grammar to the tokens of one statement. On a mistake it
// leaves s without a node.
func (p *parser) parse(s *Statement, tokens []lexer.Token) {
	last := tokens[len(tokens)-1]
	end := last.Pos
	end.Advance(last.Value)
	withEnd := append(slices.Clone(tokens), lexer.EOFToken(end))
	stream, err := lexer.Upgrade(&tokenList{tokens: withEnd})
	if err != nil {
		p.found.Errorf(codeSyntax, s.Span, "%v", err)
		return
	}
	tree, err := statementParser().ParseFromLexer(stream)
	if err == nil {
		c := converter{found: p.found}
		s.Node = c.statement(tree)
		return
	}
	var unexpected *participle.UnexpectedTokenError
	if !errors.As(err, &unexpected) {
		// Only the library's cap on repetitions ends here.
		p.found.Errorf(codeTooLarge, s.Span, "this statement is too long")
		return
	}
	at := slices.IndexFunc(withEnd, func(t lexer.Token) bool { return t.Pos.Offset == unexpected.Unexpected.Pos.Offset })
	p.found.Add(explainSyntax(withEnd, at))
}

// broken keeps the names that an unreadable statement would have defined.
func broken(tokens []lexer.Token) *Broken {
	node := &Broken{}
	first := tokens[0]
	switch {
	case first.Type == tokenKeyword && (first.Value == "block" || first.Value == "const"):
		node.IsBlock = first.Value == "block"
		tokens = tokens[1:min(2, len(tokens))]
	case first.Type == tokenKeyword:
		return node
	}
	for _, t := range tokens {
		if t.Value == "=" || t.Value == "(" || t.Value == "{" {
			break
		}
		if t.Type == tokenIdent || t.Type == tokenString {
			node.Targets = append(node.Targets, nameOf(t))
		}
	}
	return node
}

// firstLine underlines the part of tokens that stands on the first line.
func firstLine(tokens []lexer.Token) diag.Span {
	span := tokenSpan(tokens[0])
	for _, t := range tokens[1:] {
		if t.Pos.Line != span.Line {
			break
		}
		last := tokenSpan(t)
		span.Length = last.Column + last.Length - span.Column
	}
	return span
}

// extentOf says where tokens stand, of which there is at least one.
func extentOf(tokens []lexer.Token) extent {
	first, last := tokens[0], tokens[len(tokens)-1]
	return extent{
		start: first.Pos.Offset, startLine: first.Pos.Line, startColumn: first.Pos.Column,
		end: last.Pos.Offset + len(last.Value), endLine: last.Pos.Line,
	}
}
