package spec

import (
	"strings"
	"unicode/utf8"
)

// escapes pairs the character after a backslash with what it stands for.
var escapes = []struct{ written, means byte }{
	{'"', '"'}, {'\\', '\\'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'},
}

// unquote gives the text of a quoted string; bad is its first unknown escape.
func unquote(quoted string) (text, bad string) {
	inner := quoted[1 : len(quoted)-1]
	var b strings.Builder
next:
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' {
			b.WriteByte(inner[i])
			continue
		}
		i++
		for _, e := range escapes {
			if inner[i] == e.written {
				b.WriteByte(e.means)
				continue next
			}
		}
		_, size := utf8.DecodeRuneInString(inner[i:])
		return "", `\` + inner[i:i+size]
	}
	return b.String(), ""
}

// quote writes text so that unquote gives it back.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
next:
	for i := 0; i < len(text); i++ {
		for _, e := range escapes {
			if text[i] == e.means {
				b.WriteByte('\\')
				b.WriteByte(e.written)
				continue next
			}
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('"')
	return b.String()
}

// isPlainName reports whether a name can stand without quotes.
func isPlainName(name string) bool {
	if name == "" || !isLetter(name[0]) || keywords[name] {
		return false
	}
	for i := 1; i < len(name); i++ {
		joint := name[i] == '.' && i+1 < len(name) && name[i+1] != '.'
		if !isLetter(name[i]) && !isDigit(name[i]) && !joint {
			return false
		}
	}
	return true
}
