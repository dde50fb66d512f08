package gopkg

import (
	"go/token"
	"slices"
	"strings"

	"netc/codegen/cpu"
)

// reserved are names that a module and its package cannot have: those of the
// files beside the package's own, those that the go command gives a meaning, and
// the standard library's, which an import would find first.
var reserved = strings.Fields(`
	train test update
	all cmd std tool main init internal vendor testdata work go con prn aux nul
	archive arena bufio builtin bytes cmp compress container context crypto database debug embed encoding errors expvar
	flag fmt hash html image index io iter json log maps math mime net os path plugin reflect regexp runtime simd slices
	sort strconv strings structs sync syscall testing text time unicode unique unsafe uuid weak`)

// PackageName makes a Go package name, which is the module's too, from a
// network's name. Words of the language and reserved names get "net" appended.
func PackageName(name string) string {
	s := strings.ToLower(strings.TrimSuffix(cpu.Identifier(name), "_"))
	if token.IsKeyword(s) || slices.Contains(reserved, s) {
		s += "net"
	}
	return s
}
