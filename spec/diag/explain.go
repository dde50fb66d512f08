package diag

import "fmt"

// Explanations maps a code such as "N012" to a paragraph with an example of the
// mistake and of its cure, for "netc explain". Each package that reports codes
// adds its own with Explain: N0xx the language, N1xx layers and shapes, N2xx
// run files.
var Explanations = map[string]string{}

// Explain registers the text of a code. It is called from init functions, and
// panics when two packages claim one code, because that is a mistake in netc.
func Explain(code, text string) {
	if _, taken := Explanations[code]; taken {
		panic(fmt.Sprintf("diag: code %s is explained twice", code))
	}
	Explanations[code] = text
}
