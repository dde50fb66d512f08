package spec

import (
	"strings"
	"testing"

	"github.com/alecthomas/participle/v2/lexer"

	"netc/spec/diag"
)

func TestScan(t *testing.T) {
	source := "\uFEFFa.b1 _x 12 1.5 .5 1e-3 1. 1..3 lo..hi \"s\\\"\" @!{}# c \r\n net nets"
	want := []struct {
		kind   lexer.TokenType
		text   string
		line   int
		column int
	}{
		{tokenIdent, "a.b1", 1, 1}, {tokenIdent, "_x", 1, 6}, {tokenInt, "12", 1, 9}, {tokenFloat, "1.5", 1, 12},
		{tokenFloat, ".5", 1, 16}, {tokenFloat, "1e-3", 1, 19}, {tokenFloat, "1.", 1, 24}, {tokenInt, "1", 1, 27},
		{tokenPunct, "..", 1, 28}, {tokenInt, "3", 1, 30}, {tokenIdent, "lo", 1, 32}, {tokenPunct, "..", 1, 34},
		{tokenIdent, "hi", 1, 36}, {tokenString, `"s\""`, 1, 39}, {tokenPunct, "@", 1, 45}, {tokenPunct, "!", 1, 46},
		{tokenPunct, "{", 1, 47}, {tokenPunct, "}", 1, 48}, {tokenKeyword, "net", 2, 2}, {tokenIdent, "nets", 2, 6},
		{lexer.EOF, "", 2, 10},
	}
	var found diag.List
	got := scan("f.net", []byte(source), &found)
	if len(found) > 0 || len(got.comments) != 1 || got.comments[0].Value != "# c " {
		t.Errorf("got messages %v and comments %v", found, got.comments)
	}
	if len(got.tokens) != len(want) {
		t.Fatalf("got %d tokens, want %d: %v", len(got.tokens), len(want), got.tokens)
	}
	for i, w := range want {
		tok := got.tokens[i]
		if tok.Type != w.kind || tok.Value != w.text || tok.Pos.Line != w.line || tok.Pos.Column != w.column {
			t.Errorf("token %d: got %v %q at %v, want %v", i, tok.Type, tok.Value, tok.Pos, w)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, text := range []string{"", "plain", "a \"b\" \\ c", "line\nend\r\ttab", "é ✓"} {
		got, bad := unquote(quote(text))
		if got != text || bad != "" {
			t.Errorf("%q comes back as %q, bad %q", text, got, bad)
		}
	}
	if strings.ContainsAny(quote("a\nb\rc"), "\n\r") {
		t.Error("a quoted string spans lines")
	}
}

// Names from a statement that does not parse are not reported as unknown.
func TestBrokenStatementsDefineTheirNames(t *testing.T) {
	source := `data = input [1]
a, b = Slice(data) { axis 1 }
const n = = 3
block f(x,, y) {
  return x
}
c = f(a, b)
d = ReLU(c) { size: n  bad: 2*n }
`
	found := everyMistake("f.net", source)
	if len(found) != 3 {
		t.Errorf("got %d messages, want the 3 of the syntax: %v", len(found), found)
	}
}

func TestFileTooLarge(t *testing.T) {
	_, found := Parse("f.net", make([]byte, maxSource+1))
	if len(found) != 1 || found[0].Code != codeTooLarge {
		t.Errorf("got %v", found)
	}
}

// No depth of nesting exhausts the stack.
func TestDeepNesting(t *testing.T) {
	const depth = 20_000
	sources := []string{
		"a = F(x) { b: " + strings.Repeat("[", depth),
		"a = F(x) " + strings.Repeat("{ a ", depth),
		strings.Repeat("repeat i = 1..1 {\n", depth) + strings.Repeat("}\n", depth),
		strings.Repeat("block f(x) {\n", depth),
		"const a = " + strings.Repeat("(", depth) + "1" + strings.Repeat(")", depth),
		"const a = " + strings.Repeat("- ", depth) + "1",
		"const a = 1" + strings.Repeat("+1", depth),
		strings.Repeat(")", depth), strings.Repeat("}", depth),
	}
	for _, source := range sources {
		everyMistake("f.net", source)
		Format("f.net", []byte(source))
	}
}
