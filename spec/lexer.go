package spec

import (
	"io"
	"unicode/utf8"

	"netc/spec/diag"

	"github.com/alecthomas/participle/v2/lexer"
)

// The kinds of token of a .net file. Comments are kept apart for the formatter
// and never reach the grammar.
const (
	tokenIdent   lexer.TokenType = iota + 1 // letters, digits and _; a dot joins the parts of a full name such as a.conv
	tokenKeyword                            // one of keywords
	tokenInt                                // decimal digits
	tokenFloat                              // digits with a point or an exponent
	tokenString                             // with its quotes and escapes as written
	tokenPunct                              // brackets, operators and separators
	tokenComment                            // from # to the end of the line
	tokenBad                                // reported already; keeps its statement from being parsed
)

// keywords are reserved: a tensor of this name must be written in quotes.
var keywords = map[string]bool{
	"net": true, "import": true, "const": true, "input": true, "block": true,
	"repeat": true, "return": true, "true": true, "false": true,
}

// scanned is the outcome of scanning one file. Both token lists end with EOF.
type scanned struct {
	tokens   []lexer.Token // without comments
	comments []lexer.Token
}

// scan splits a file into tokens. Every mistake is reported and leaves a
// tokenBad, so that scanning always reaches the end of the file.
func scan(file string, source []byte, found *diag.List) scanned {
	s := scanner{source: string(source), found: found}
	s.at = lexer.Position{Filename: file, Line: 1, Column: 1}
	if len(source) >= 3 && s.source[:3] == "\uFEFF" {
		s.at.Offset = 3 // a byte order mark takes no column
	}
	var out scanned
	for {
		switch t := s.next(); t.Type {
		case tokenComment:
			out.comments = append(out.comments, t)
		case lexer.EOF:
			out.tokens = append(out.tokens, t)
			return out
		default:
			out.tokens = append(out.tokens, t)
		}
	}
}

type scanner struct {
	source string
	at     lexer.Position
	found  *diag.List
}

// peek gives the byte n places ahead, 0 past the end.
func (s *scanner) peek(n int) byte {
	if i := s.at.Offset + n; i < len(s.source) {
		return s.source[i]
	}
	return 0
}

func (s *scanner) next() lexer.Token {
	for c := s.peek(0); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = s.peek(0) {
		s.at.Advance(s.source[s.at.Offset : s.at.Offset+1])
	}
	if s.at.Offset >= len(s.source) {
		return lexer.EOFToken(s.at)
	}
	switch c := s.peek(0); {
	case c == '#':
		return s.take(tokenComment, s.lineEnd())
	case isLetter(c):
		n := s.nameLength()
		kind := tokenIdent
		if keywords[s.source[s.at.Offset:s.at.Offset+n]] {
			kind = tokenKeyword
		}
		return s.take(kind, n)
	case isDigit(c), c == '.' && isDigit(s.peek(1)):
		return s.number()
	case c == '"':
		return s.quoted()
	case c == '.' && s.peek(1) == '.':
		return s.take(tokenPunct, 2)
	}
	switch s.peek(0) {
	case '(', ')', '[', ']', '{', '}', '=', ':', ',', ';', '@', '!', '+', '-', '*', '/', '%':
		return s.take(tokenPunct, 1)
	}
	return s.unexpected()
}

// take makes a token of the next n bytes.
func (s *scanner) take(kind lexer.TokenType, n int) lexer.Token {
	t := lexer.Token{Type: kind, Value: s.source[s.at.Offset : s.at.Offset+n], Pos: s.at}
	s.at.Advance(t.Value)
	return t
}

// lineEnd is the number of bytes before the end of the line.
func (s *scanner) lineEnd() int {
	n := 0
	for s.at.Offset+n < len(s.source) && s.peek(n) != '\n' {
		n++
	}
	if n > 0 && s.peek(n-1) == '\r' {
		n--
	}
	return n
}

// nameLength measures a name. A dot belongs to it only where another part
// follows, so that the bounds in "repeat i = first..last" stay two names.
func (s *scanner) nameLength() int {
	n := 1
	for {
		c := s.peek(n)
		isJoint := c == '.' && (isLetter(s.peek(n+1)) || isDigit(s.peek(n+1)))
		if !isLetter(c) && !isDigit(c) && !isJoint {
			return n
		}
		n++
	}
}

func (s *scanner) number() lexer.Token {
	n, kind := 0, tokenInt
	digits := func() {
		for isDigit(s.peek(n)) {
			n++
		}
	}
	digits()
	if s.peek(n) == '.' && s.peek(n+1) != '.' {
		kind = tokenFloat
		n++
		digits()
	}
	if c := s.peek(n); c == 'e' || c == 'E' {
		sign := 0
		if c := s.peek(n + 1); c == '+' || c == '-' {
			sign = 1
		}
		if isDigit(s.peek(n + 1 + sign)) {
			kind = tokenFloat
			n += 1 + sign
			digits()
		}
	}
	if c := s.peek(n); isLetter(c) {
		for isLetter(s.peek(n)) || isDigit(s.peek(n)) {
			n++
		}
		t := s.take(tokenBad, n)
		s.found.Errorf(codeNumber, tokenSpan(t), "%q is neither a number nor a name", t.Value).
			Helpf("a name starts with a letter; put blanks between a number and the next word")
		return t
	}
	return s.take(kind, n)
}

func (s *scanner) quoted() lexer.Token {
	limit := s.lineEnd()
	for n := 1; n < limit; n++ {
		switch s.peek(n) {
		case '\\':
			n++
		case '"':
			t := s.take(tokenString, n+1)
			if !utf8.ValidString(t.Value) {
				s.found.Errorf(codeString, tokenSpan(t), "this string is not valid UTF-8")
				t.Type = tokenBad
			} else if _, bad := unquote(t.Value); bad != "" {
				s.found.Errorf(codeString, tokenSpan(t), "unknown escape %q in a string", bad).
					Helpf(`the escapes are \" \\ \n \r \t`)
				t.Type = tokenBad
			}
			return t
		}
	}
	t := s.take(tokenBad, limit)
	s.found.Errorf(codeString, diag.Span{Pos: position(t.Pos), Length: 1}, "this string has no closing quote").
		Helpf("a string ends on the line where it starts")
	return t
}

// unexpected reports a run of characters that no token starts with.
func (s *scanner) unexpected() lexer.Token {
	r, n := utf8.DecodeRuneInString(s.source[s.at.Offset:])
	t := s.take(tokenBad, n)
	at := diag.Span{Pos: position(t.Pos), Length: 1}
	switch {
	case r == utf8.RuneError && n == 1:
		s.found.Errorf(codeCharacter, at, "byte %#02x is not UTF-8 text", t.Value[0])
	case r == '\'' || r == '“' || r == '”' || r == '‘' || r == '’' || r == '`':
		s.found.Errorf(codeCharacter, at, "unexpected character %q", r).Helpf(`strings stand in straight double quotes: "text"`)
	default:
		s.found.Errorf(codeCharacter, at, "unexpected character %q", r)
	}
	return t
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// position converts the parsing library's position into ours.
func position(p lexer.Position) diag.Pos {
	return diag.Pos{File: p.Filename, Line: p.Line, Column: p.Column}
}

// tokenSpan underlines one token, at least one character.
func tokenSpan(t lexer.Token) diag.Span {
	return diag.Span{Pos: position(t.Pos), Length: max(1, utf8.RuneCountInString(t.Value))}
}

// definition presents the scanner to participle, which asks for the names of
// the kinds while it builds the grammar.
type definition struct{}

// Symbols names the kinds of token that the grammar mentions.
func (definition) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Ident": tokenIdent, "Keyword": tokenKeyword, "Int": tokenInt,
		"Float": tokenFloat, "String": tokenString, "Punct": tokenPunct, "Bad": tokenBad,
	}
}

// Lex scans a whole file, without its comments.
func (definition) Lex(filename string, r io.Reader) (lexer.Lexer, error) {
	source, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var found diag.List
	return &tokenList{tokens: scan(filename, source, &found).tokens}, nil
}

// tokenList hands out tokens that were scanned before. The last one is EOF.
type tokenList struct{ tokens []lexer.Token }

// Next gives the next token, and EOF for ever at the end.
func (l *tokenList) Next() (lexer.Token, error) {
	t := l.tokens[0]
	if len(l.tokens) > 1 {
		l.tokens = l.tokens[1:]
	}
	return t, nil
}
