// Package dl implements cuda.Driver and cuda.Compiler by opening NVIDIA's
// libraries at run time, without cgo and without a CUDA toolkit: a program
// that imports it starts on any machine and learns only when it asks for a GPU
// whether there is one. Importing it makes a Linux program depend on the
// system's loader; the build tag nocuda leaves all of it out.
package dl
