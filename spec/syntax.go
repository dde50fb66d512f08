package spec

import (
	"fmt"
	"strings"

	"netc/spec/diag"

	"github.com/alecthomas/participle/v2/lexer"
)

// explainSyntax says in the language's own words what is wrong with the token
// at index at, where the grammar stopped. tokens is the statement and ends
// with EOF; what stands before at is correct.
func explainSyntax(tokens []lexer.Token, at int) diag.Diagnostic {
	s := syntaxError{tokens: tokens, at: at, found: tokens[at]}
	if at > 0 {
		s.prev = tokens[at-1]
	}
	s.replay()
	if s.isReservedName() {
		return s.reserved()
	}
	if len(s.open) == 0 {
		return s.outside()
	}
	return s.within(s.open[len(s.open)-1])
}

// place is what an open bracket holds.
type place int

const (
	inArgs   place = iota // of a call
	inParams              // of a block
	inGroup               // round brackets of an expression
	inList                // of a list or a shape
	inFields              // of a layer or a field
)

// opened is a bracket that is still open at the mistake.
type opened struct {
	place place
	by    lexer.Token
}

type syntaxError struct {
	tokens      []lexer.Token
	at          int
	found, prev lexer.Token
	open        []opened
	assigned    bool // "=" was read outside all brackets
}

// replay finds out which brackets are open at the mistake.
func (s *syntaxError) replay() {
	for i, t := range s.tokens[:s.at] {
		switch t.Value {
		case "=":
			s.assigned = s.assigned || len(s.open) == 0
		case "(":
			p := inGroup
			if len(s.open) == 0 && s.tokens[0].Value == "block" && s.tokens[0].Type == tokenKeyword {
				p = inParams
			} else if len(s.open) == 0 && isName(s.tokens[i-1]) {
				p = inArgs
			}
			s.open = append(s.open, opened{p, t})
		case "[":
			s.open = append(s.open, opened{inList, t})
		case "{":
			s.open = append(s.open, opened{inFields, t})
		case ")", "]", "}":
			if len(s.open) > 0 {
				s.open = s.open[:len(s.open)-1]
			}
		}
	}
}

func isName(t lexer.Token) bool { return t.Type == tokenIdent || t.Type == tokenString }

func isOperator(t lexer.Token) bool {
	return t.Type == tokenPunct && strings.Contains("+-*/%", t.Value)
}

// endsValue reports whether a complete value ends with t.
func endsValue(t lexer.Token) bool {
	switch t.Type {
	case tokenIdent, tokenKeyword, tokenString, tokenInt, tokenFloat:
		return true
	}
	return t.Value == ")" || t.Value == "]" || t.Value == "}"
}

// describe names a token inside a message.
func describe(t lexer.Token) string {
	switch t.Type {
	case lexer.EOF:
		return "the end of the statement"
	case tokenString:
		return t.Value
	}
	return fmt.Sprintf("%q", t.Value)
}

// quoted puts a token in quotes, unless it has its own.
func quotedToken(t lexer.Token) string {
	if t.Type == tokenString {
		return t.Value
	}
	return `"` + t.Value + `"`
}

func (s *syntaxError) message(format string, args ...any) diag.Diagnostic {
	return diag.Diagnostic{Code: codeSyntax, Span: tokenSpan(s.found), Message: fmt.Sprintf(format, args...)}
}

// expected says what should stand after the last correct token.
func (s *syntaxError) expected(what string) diag.Diagnostic {
	return s.message("expected %s after %s, but found %s", what, quotedToken(s.prev), describe(s.found))
}

func help(d diag.Diagnostic, format string, args ...any) diag.Diagnostic {
	d.Help = fmt.Sprintf(format, args...)
	return d
}

// isReservedName reports whether a keyword stands where a name belongs.
func (s *syntaxError) isReservedName() bool {
	if s.found.Type != tokenKeyword {
		return false
	}
	if s.at == 0 {
		return true // input, true or false: the others start a statement
	}
	next := s.tokens[s.at+1] // found is not EOF
	switch s.prev.Value {
	case "net", "const", "block", "repeat", "return":
		return s.prev.Type == tokenKeyword
	case "=":
		return len(s.open) == 0
	case ",", "(":
		return len(s.open) == 0 || s.open[len(s.open)-1].place == inParams
	}
	return len(s.open) == 0 && next.Value == "="
}

func (s *syntaxError) reserved() diag.Diagnostic {
	d := s.message("%q is a word of the language and cannot be a name here", s.found.Value)
	d.Code = codeReserved
	return help(d, `choose another name, or put it in quotes: "%s"`, s.found.Value)
}

// outside explains a mistake outside all brackets.
func (s *syntaxError) outside() diag.Diagnostic {
	if s.at == 0 {
		d := s.message("a statement cannot start with %s", describe(s.found))
		return help(d, "statements are net, import, const, block, repeat, return, and name = Layer(inputs) { fields }")
	}
	if strings.Contains(")]}", s.found.Value) && s.found.Type == tokenPunct {
		return s.message("this %q closes nothing", s.found.Value)
	}
	if s.prev.Value == "@" || s.prev.Value == "!" {
		return help(s.expected("a phase or stage"), "@train and @test are phases, any other word is a stage, and @!word excludes it")
	}
	if isOperator(s.prev) || s.prev.Value == ".." {
		return s.expected("an integer")
	}
	if first := s.tokens[0]; first.Type == tokenKeyword {
		return s.inKeywordStatement(first.Value)
	}
	return s.inAssign()
}

// inKeywordStatement explains a mistake in a statement that starts with a keyword.
func (s *syntaxError) inKeywordStatement(keyword string) diag.Diagnostic {
	if s.at == 1 {
		if keyword == "import" {
			return help(s.expected("a path in quotes"), `import "inception.net"`)
		}
		return s.expected("a name")
	}
	switch keyword {
	case "const", "repeat":
		if s.at == 2 {
			return s.expected(`"="`)
		}
		if s.prev.Value == "=" {
			return s.expected("an integer")
		}
		if keyword == "const" {
			if s.found.Type == tokenFloat {
				return s.expected("an integer")
			}
			break
		}
		for _, t := range s.tokens[:s.at] {
			if t.Value == ".." {
				return help(s.expected(`"{"`), "repeat i = 1..3 { … }")
			}
		}
		return help(s.expected(`".."`), "the bounds are written first..last: repeat i = 1..3 { … }")
	case "block":
		if s.at == 2 {
			return help(s.expected(`"("`), "block unit(x, n, stride = 1) { … }")
		}
		return s.expected(`"{"`)
	case "return":
		if s.prev.Value == "," {
			return s.expected("a name")
		}
		if s.found.Value == "(" {
			return help(s.expected("the end of the line"), "return takes names: give the result of the call a name first")
		}
	}
	return s.endOfLine()
}

// inAssign explains a mistake in "targets = …", outside its brackets.
func (s *syntaxError) inAssign() diag.Diagnostic {
	if !s.assigned {
		switch {
		case s.prev.Value == ",":
			return s.expected("a name")
		case s.found.Value == "(":
			return help(s.expected(`"="`), "give the result a name: name = %s(…)", s.prev.Value)
		case s.found.Value == ":":
			return help(s.expected(`"="`), "fields are written inside the braces of a layer")
		}
		return s.expected(`"="`)
	}
	switch {
	case s.prev.Value == "=":
		d := s.expected("a layer, a block, a tensor's name or input")
		if s.found.Type == tokenInt {
			d = help(d, "a constant is written const %s = %s", s.tokens[0].Value, s.found.Value)
		}
		return d
	case s.prev.Value == "input" && s.prev.Type == tokenKeyword:
		return help(s.expected(`"["`), "an input gives its shape without the batch: input [1, 28, 28]")
	case isOperator(s.found):
		return help(s.expected("the end of the line"), "tensors are combined by layers such as Eltwise; arithmetic is for integers")
	}
	return s.endOfLine()
}

// endOfLine explains something that follows a complete statement.
func (s *syntaxError) endOfLine() diag.Diagnostic {
	d := s.expected("the end of the line")
	switch {
	case s.found.Value == "{" && s.prev.Type != tokenPunct:
		return help(d, "a layer has its inputs in round brackets before its fields: Name(x) { … }")
	case s.found.Value == ":":
		return help(d, "fields stand in braces: { name: value }")
	case isName(s.found) && s.at+1 < len(s.tokens) && s.tokens[s.at+1].Value == ":":
		return help(d, "fields stand in braces: { %s: … }", s.found.Value)
	case s.found.Type == tokenKeyword || isName(s.found):
		return help(d, "each statement has a line of its own")
	case s.found.Value == ";":
		return help(d, "a statement ends with its line, without a semicolon")
	}
	return d
}

// within explains a mistake inside a bracket.
func (s *syntaxError) within(in opened) diag.Diagnostic {
	closing := map[string]string{"(": ")", "[": "]", "{": "}"}[in.by.Value]
	if s.found.EOF() && (endsValue(s.prev) || s.prev.Value == "," || s.prev.Value == ";" || s.prev.Value == in.by.Value) {
		d := s.message("expected %q, but the statement ends here", closing)
		d.Code = codeUnclosed
		d.Note(position(in.by.Pos), "the %q opened here is still open", in.by.Value)
		return d
	}
	if isOperator(s.prev) {
		return s.expected("a number")
	}
	d := s.inside(in.place)
	if strings.Contains(")]}", s.found.Value) && s.found.Type == tokenPunct && endsValue(s.prev) || s.found.Value == "{" && closing == ")" {
		d.Note(position(in.by.Pos), "the %q opened here is still open", in.by.Value)
	}
	return d
}

func (s *syntaxError) inside(p place) diag.Diagnostic {
	switch p {
	case inFields:
		return s.inFields()
	case inArgs:
		switch {
		case s.prev.Value == ":":
			return s.expected("a tensor or an integer")
		case s.prev.Value == "(" || s.prev.Value == ",":
			return s.expected("a tensor or an integer")
		case s.found.Value == "(":
			return help(s.expected(`"," or ")"`), "a call cannot stand inside a call: give it a line of its own, name = %s(…)", s.prev.Value)
		case s.found.Value == "=":
			return help(s.expected(`"," or ")"`), "an argument is named with a colon: %s: …", s.prev.Value)
		case isName(s.found):
			return help(s.expected(`"," or ")"`), "arguments are separated by commas")
		}
		return s.expected(`"," or ")"`)
	case inParams:
		switch {
		case s.prev.Value == "(" || s.prev.Value == ",":
			return s.expected("a parameter's name")
		case s.prev.Value == "=":
			return s.expected("an integer")
		case s.found.Value == ":":
			return help(s.expected(`"," or ")"`), "a default is written %s = …", s.prev.Value)
		}
		return s.expected(`"," or ")"`)
	case inList:
		if s.prev.Value == "[" || s.prev.Value == "," {
			return s.expected(`a value or "]"`)
		}
		if s.found.Type == tokenInt || s.found.Type == tokenFloat {
			return help(s.expected(`"," or "]"`), "the items of a list are separated by commas")
		}
		return s.expected(`"," or "]"`)
	}
	if s.prev.Value == "(" {
		return s.expected("an integer")
	}
	return s.expected(`an operator or ")"`)
}

// inFields explains a mistake between the braces of a layer or of a field.
func (s *syntaxError) inFields() diag.Diagnostic {
	if s.prev.Value == ":" {
		return s.message("expected a value after %q, but found %s", s.tokens[s.at-2].Value+":", describe(s.found))
	}
	if s.isFieldName() {
		d := s.expected(`":"`)
		next := s.tokens[min(s.at+1, len(s.tokens)-1)]
		switch {
		case s.found.Value == "=" && endsValue(next):
			return help(d, `a field is written with a colon: %s: %s`, s.prev.Value, next.Value)
		case s.found.Type == tokenInt || s.found.Type == tokenFloat || isName(s.found):
			return help(d, `a field is written with a colon: %s: %s`, s.prev.Value, s.found.Value)
		}
		return d
	}
	d := s.expected(`a field's name or "}"`)
	switch {
	case (s.found.Type == tokenInt || s.found.Type == tokenFloat) && (s.prev.Type == tokenInt || s.prev.Type == tokenFloat):
		return help(d, "a list stands in square brackets: [%s, %s]", s.prev.Value, s.found.Value)
	case s.found.Value == "(":
		return help(d, "a word with settings takes braces: %s { … }", s.prev.Value)
	}
	return d
}

// isFieldName reports whether the last correct token is a field's name, which
// waits for its value.
func (s *syntaxError) isFieldName() bool {
	if s.prev.Type != tokenIdent && s.prev.Type != tokenKeyword {
		return false
	}
	before := s.tokens[s.at-2] // at least the brace
	return before.Value != ":" && before.Value != "(" && !isOperator(before)
}
