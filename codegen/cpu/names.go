package cpu

import (
	"go/token"
	"strconv"
	"strings"
	"unicode"
)

// Identifier turns a name of the user's network into a Go identifier: "a.conv"
// and "inception_3a/1x1" become aConv and inception3a1x1. The result is not
// exported and is no keyword.
func Identifier(name string) string {
	var b strings.Builder
	upper := false
	for _, r := range name {
		switch {
		case r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			if b.Len() == 0 {
				if unicode.IsDigit(r) {
					b.WriteByte('x')
				}
				r = unicode.ToLower(r)
			} else if upper {
				r = unicode.ToUpper(r)
			}
			b.WriteRune(r)
			upper = false
		default:
			upper = b.Len() > 0
		}
	}
	s := b.String()
	if s == "" {
		s = "x"
	}
	if token.IsKeyword(s) {
		s += "_"
	}
	return s
}

// Scope gives out identifiers, each once.
type Scope struct {
	taken map[string]bool
}

// NewScope returns a scope in which the given identifiers are taken.
func NewScope(taken ...string) *Scope {
	s := &Scope{map[string]bool{}}
	for _, t := range taken {
		s.taken[t] = true
	}
	return s
}

// Take returns want, or want with the least number appended that is free.
func (s *Scope) Take(want string) string {
	name := want
	for i := 2; s.taken[name]; i++ {
		name = want + strconv.Itoa(i)
		if last := want[len(want)-1]; '0' <= last && last <= '9' {
			name = want + "_" + strconv.Itoa(i)
		}
	}
	s.taken[name] = true
	return name
}

// Child returns a scope in which everything taken here is taken too.
func (s *Scope) Child() *Scope {
	c := &Scope{make(map[string]bool, len(s.taken))}
	for k := range s.taken {
		c.taken[k] = true
	}
	return c
}
