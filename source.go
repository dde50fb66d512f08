// Package netc carries the source of the runtime that emitted programs are
// built with, so that netc needs nothing but itself to write one.
package netc

import "embed"

// Runtime holds the Go and assembly files of package runtime under "runtime/".
//
//go:embed runtime/*.go runtime/*.s
var Runtime embed.FS
