package cpu

import (
	"strings"
	"unicode"
)

// Comment makes a line of text that holds names of the user's safe inside a line
// comment: what would end the line, or what Go source may not contain, becomes
// "_", and so does the sign that would make gofmt take the line for a build
// constraint.
func Comment(line string) string {
	line = strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '_'
	}, line)
	if blank := len(line) - len(strings.TrimLeft(line, " \t")); strings.HasPrefix(line[blank:], "+build") {
		line = line[:blank] + "_" + line[blank+1:]
	}
	return line
}
