package main

import (
	"netc/compiler"
	"netc/runtime"
)

// The instruction sets that a program may have kernels for.
const (
	isaPortable = "portable" // plain Go
	isaAVX2     = "avx2"
	isaAVX512   = "avx512"
)

// isaFlag chooses among the kernels of a program. What is shown must not depend
// on the machine that shows it, so the default is not the best set here.
type isaFlag struct {
	ISA string `name:"isa" enum:",portable,avx2,avx512" default:"" placeholder:"ISA" help:"Kernels to show: portable, avx2 or avx512; the last two differ in their code only (default avx2; portable with -O0 and with --device cuda)."`
}

// options choose the instruction set where the command line has not, and say
// what to compile.
func (f *isaFlag) options(n *networkFlags) (compiler.Options, error) {
	switch {
	case f.ISA == "" && (n.Level == 0 || n.Device != deviceCPU):
		f.ISA = isaPortable
	case f.ISA == "":
		f.ISA = isaAVX2
	case f.ISA != isaPortable && n.Level == 0:
		return compiler.Options{}, &usageError{"--isa " + f.ISA + ": with -O0 a program has portable kernels only", ""}
	}
	return compiler.Options{Lanes: f.ISA != isaPortable}, nil
}

// kernels is the chosen instruction set in words.
func (f *isaFlag) kernels() string { return f.ISA + " kernels" }

// running is the compilation that a program runs here. On a GPU, tensors lie
// where the portable kernels have them.
func running(u *compiler.Unit, n *networkFlags, isa string) *compiler.Unit {
	if isa == "" {
		isa = runtime.BestISA()
	}
	if u.Vector == nil || isa == isaPortable || n.Device != deviceCPU {
		return u
	}
	return u.Vector
}
