package spec

import (
	"strings"
	"unicode/utf8"

	"netc/spec/diag"

	"github.com/BurntSushi/toml"
)

// tomlPlace is where a key and its value stand. The value has no place where
// the key is a table.
type tomlPlace struct{ key, value diag.Span }

// findTOMLPlaces finds every key of a valid TOML document by its dotted path.
// The library checks the document but keeps no places.
func findTOMLPlaces(file string, source []byte) map[string]tomlPlace {
	f := placeFinder{file: file, source: string(source), places: map[string]tomlPlace{}}
	for f.skipBlank(true); f.offset < len(f.source); f.skipBlank(true) {
		if f.peek() != '[' {
			f.pair(f.table)
			continue
		}
		for f.peek() == '[' {
			f.offset++
		}
		f.skipBlank(false)
		path, at := f.key("")
		f.add(path, tomlPlace{key: at})
		f.table = path
		f.skipLine()
	}
	return f.places
}

type placeFinder struct {
	file   string
	source string
	offset int
	table  string
	places map[string]tomlPlace
}

func (f *placeFinder) peek() byte {
	if f.offset < len(f.source) {
		return f.source[f.offset]
	}
	return 0
}

// add keeps the first place of a path: of an array of tables, the first one's.
func (f *placeFinder) add(path string, p tomlPlace) {
	if _, known := f.places[path]; !known {
		f.places[path] = p
	}
}

// span underlines the source from an offset to the current one, up to the end
// of the first line.
func (f *placeFinder) span(from int) diag.Span {
	before := f.source[:from]
	text, _, _ := strings.Cut(f.source[from:f.offset], "\n")
	return diag.Span{
		Pos: diag.Pos{
			File:   f.file,
			Line:   1 + strings.Count(before, "\n"),
			Column: 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]),
		},
		Length: max(1, utf8.RuneCountInString(strings.TrimRight(text, " \t\r"))),
	}
}

func (f *placeFinder) skipLine() {
	for f.offset < len(f.source) && f.source[f.offset] != '\n' {
		f.offset++
	}
}

// skipBlank passes blanks, and line ends and comments where those may stand.
func (f *placeFinder) skipBlank(lines bool) {
	for {
		switch c := f.peek(); {
		case c == ' ' || c == '\t':
			f.offset++
		case lines && (c == '\n' || c == '\r'):
			f.offset++
		case lines && c == '#':
			f.skipLine()
		default:
			return
		}
	}
}

// key reads a dotted key. Its path continues prefix.
func (f *placeFinder) key(prefix string) (string, diag.Span) {
	from := f.offset
	var end int
	path := prefix
	for {
		part := f.keyPart()
		if path != "" {
			path += "."
		}
		path += part
		end = f.offset
		f.skipBlank(false)
		if f.peek() != '.' {
			break
		}
		f.offset++
		f.skipBlank(false)
	}
	resume := f.offset
	f.offset = end
	at := f.span(from)
	f.offset = resume
	return path, at
}

func (f *placeFinder) keyPart() string {
	from := f.offset
	if c := f.peek(); c == '"' || c == '\'' {
		f.text()
		var key map[string]string
		if _, err := toml.Decode("key = "+f.source[from:f.offset], &key); err != nil {
			return f.source[from:f.offset]
		}
		return key["key"]
	}
	for f.offset < len(f.source) && !strings.ContainsRune(" \t\r\n.=]", rune(f.peek())) {
		f.offset++
	}
	return f.source[from:f.offset]
}

// pair reads "key = value".
func (f *placeFinder) pair(prefix string) {
	path, at := f.key(prefix)
	if f.peek() != '=' {
		f.offset++ // no valid document comes here
		return
	}
	f.offset++
	f.skipBlank(false)
	from := f.offset
	f.value(path)
	f.add(path, tomlPlace{key: at, value: f.span(from)})
}

// value passes over a value; path is its key, for the keys of inline tables.
func (f *placeFinder) value(path string) {
	switch f.peek() {
	case '"', '\'':
		f.text()
	case '[':
		f.offset++
		for f.skipBlank(true); f.offset < len(f.source) && f.peek() != ']'; f.skipBlank(true) {
			if f.peek() == ',' {
				f.offset++
				continue
			}
			f.value(path)
		}
		f.offset = min(f.offset+1, len(f.source))
	case '{':
		f.offset++
		for f.skipBlank(true); f.offset < len(f.source) && f.peek() != '}'; f.skipBlank(true) {
			if f.peek() == ',' {
				f.offset++
				continue
			}
			f.pair(path)
		}
		f.offset = min(f.offset+1, len(f.source))
	default: // a number, a date, true or false: up to what ends a value
		from := f.offset
		for f.offset < len(f.source) && !strings.ContainsRune(",]}#\r\n", rune(f.peek())) {
			f.offset++
		}
		if f.offset == from {
			f.offset++ // no valid document comes here
		}
	}
}

// text passes over a string of any of the four kinds.
func (f *placeFinder) text() {
	quote := f.source[f.offset : f.offset+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(f.source[f.offset:], long) {
		f.offset += 3
		for f.offset < len(f.source) && !strings.HasPrefix(f.source[f.offset:], long) {
			f.pass(quote)
		}
		f.offset = min(f.offset+3, len(f.source))
		for f.offset < len(f.source) && f.source[f.offset:f.offset+1] == quote {
			f.offset++ // up to two quotes may belong to the text
		}
		return
	}
	f.offset++
	for f.offset < len(f.source) && f.source[f.offset:f.offset+1] != quote {
		f.pass(quote)
	}
	f.offset = min(f.offset+1, len(f.source))
}

// pass goes on by one character, or by an escape.
func (f *placeFinder) pass(quote string) {
	if quote == `"` && f.peek() == '\\' {
		f.offset++
	}
	f.offset = min(f.offset+1, len(f.source))
}
