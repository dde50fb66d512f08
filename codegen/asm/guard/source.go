//go:build linux

package guard

import _ "embed"

// Source is the text of the file that holds this package's code, for programs
// that carry a copy of it.
//
//go:embed guard.go
var Source string
