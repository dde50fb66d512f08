// Package netc carries the source of the runtime that emitted programs are
// built with, so that netc needs nothing but itself to write one.
package netc

import "embed"

// Runtime holds the Go and assembly files of package runtime under "runtime/".
//
//go:embed runtime/*.go runtime/*.s
var Runtime embed.FS

// CUDA holds the packages below runtime that a program for a GPU has besides.
//
//go:embed runtime/cuda/*.go runtime/cuda/dl/*.go
var CUDA embed.FS
