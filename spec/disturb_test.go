package spec

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"netc/spec/diag"
)

// Texts made of the tokens of a correct file, with comments and line ends at
// random places, and every second one with lost and doubled tokens, keep the
// promises of the parser and the formatter. The seed is fixed.
func TestDisturbedFiles(t *testing.T) {
	const rounds = 50
	random := rand.New(rand.NewPCG(1, 2))
	for _, path := range []string{"testdata/nets/every.net", "testdata/nets/parts.net"} {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range rounds {
			breaks := random.IntN(2) == 0
			text := disturb(random, source, breaks)
			file, found := Parse("f.net", text)
			_, more := expandWithin(limits{layers: 1000, steps: 5000}, file, Selection{Phase: "test"})
			checkMessages(t, append(found, more...), file.Sources())
			if !checkFormat(t, text) && !breaks {
				t.Errorf("does not parse: %v\n%s", found, text)
			}
			if t.Failed() {
				return
			}
		}
	}
}

func disturb(random *rand.Rand, source []byte, breaks bool) []byte {
	var found diag.List
	tokens := scan("f.net", source, &found).tokens
	var b strings.Builder
	depth, line := 0, 1
	from := 0
	if breaks {
		from = random.IntN(len(tokens))
	}
	for i, tok := range tokens[from:] {
		if tok.EOF() {
			break
		}
		switch tok.Value {
		case "(", "[": // braces may be a body's, where line ends count
			depth++
		case ")", "]":
			depth--
		}
		if tok.Pos.Line != line {
			b.WriteString(strings.Repeat("\n", 1+random.IntN(2)))
			line = tok.Pos.Line
		}
		if breaks && random.IntN(40) == 0 {
			if random.IntN(2) == 0 {
				continue
			}
			b.WriteString(tok.Value + " ")
		}
		b.WriteString(tok.Value)
		switch n := random.IntN(20); {
		case n == 0 && depth > 0:
			fmt.Fprintf(&b, " # c%d\n", i)
		case n == 1 && depth > 0:
			b.WriteString(" \n\n  ")
		default:
			b.WriteString(" ")
		}
	}
	return []byte(b.String())
}
