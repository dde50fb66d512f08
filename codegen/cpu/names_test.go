package cpu

import (
	"go/token"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// hostile are names that a network may have and an identifier may not.
var hostile = []string{
	"", " ", "_", "1", "1x1", "conv1/7x7_s2", "a.b", "a-b", "type", "func", "go", "Type", "FUNC", "nil", "int", "\n", "x\ny", "\"", "`", "*/", "//",
	"ünïcode", "中文", "\xff", "\u2028", "é", "ß", "x²", "٣", "a\x00b", "}", "{", "%d", "a b", "A_B", "__", "a__b", "range.9",
}

func TestIdentifier(t *testing.T) {
	for name, want := range map[string]string{
		"conv1":            "conv1",
		"a.conv":           "aConv",
		"inception_3a/1x1": "inception3a1x1",
		"conv1/7x7_s2":     "conv17x7S2",
		"Conv":             "conv",
		"1x1":              "x1x1",
		"x_":               "x",
		"":                 "x",
		"..":               "x",
		"type":             "type_",
		"TYPE":             "tYPE",
		"Func":             "func_",
		"é1":               "x1",
		"größe":            "grE",
		"loss.d":           "lossD",
	} {
		if got := Identifier(name); got != want {
			t.Errorf("%q becomes %q, not %q", name, got, want)
		}
	}
	for _, name := range hostile {
		got := Identifier(name)
		first, _ := utf8.DecodeRuneInString(got)
		if !token.IsIdentifier(got) || unicode.IsUpper(first) || got == "_" || strings.IndexFunc(got, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
			t.Errorf("%q becomes %q", name, got)
		}
	}
}

// TestScopeGivesEachNameOnce takes all hostile names several times.
func TestScopeGivesEachNameOnce(t *testing.T) {
	s := NewScope("x", "math")
	taken := map[string]bool{"x": true, "math": true}
	take := func(want string) string {
		got := s.Take(want)
		if taken[got] || !token.IsIdentifier(got) {
			t.Fatalf("%q gives %q, which is taken or no identifier", want, got)
		}
		taken[got] = true
		return got
	}
	for range 3 {
		for _, name := range hostile {
			take(Identifier(name))
		}
	}
	for _, want := range []string{"conv", "conv2", "conv", "conv", "conv2", "conv2_2", "conv_2"} {
		take(want)
	}
	child := s.Child()
	if got := child.Take("math"); got == "math" {
		t.Error("a child gives out what its parent gave")
	}
	inner := child.Take("inner")
	if got := s.Take("inner"); got != inner {
		t.Errorf("what a child took is %q outside", got)
	}
}

func TestScopeNames(t *testing.T) {
	s := NewScope()
	for _, c := range []struct{ want, got string }{
		{"conv", "conv"}, {"conv", "conv2"}, {"conv", "conv3"}, {"conv1", "conv1"}, {"conv1", "conv1_2"}, {"conv2", "conv2_2"},
	} {
		if got := s.Take(c.want); got != c.got {
			t.Errorf("%s gives %s, not %s", c.want, got, c.got)
		}
	}
}
