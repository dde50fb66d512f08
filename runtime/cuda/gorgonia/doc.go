// Package gorgonia implements cuda.Driver once more, with gorgonia.org/cu, for
// those who build with cgo and a CUDA toolkit of version 11 or 12: with the
// build tag cuda, as in
//
//	go build -tags cuda
//
// It is a module of its own because a program that links cu does not start
// where there is no driver (its initialization ends the process), cannot be
// built without CUDA's headers or with those of CUDA 13, and brings the modules
// that cu requires. What cu lacks (contexts that are retained, pinned memory,
// stream capture, the launch of graphs, clusters, attributes of functions) is
// called through cgo here.
package gorgonia
