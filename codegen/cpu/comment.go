package cpu

import (
	"strings"
	"unicode"
)

// Comment makes text that holds names of the user's safe inside a line comment:
// what would end the line, or what Go source may not contain, becomes "_".
func Comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '_'
	}, text)
}
