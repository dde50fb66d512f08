package main

import (
	"path/filepath"
	"strconv"
	"strings"

	"netc/runtime"
)

// machineFlags say how a built program runs; they are passed on to it.
type machineFlags struct {
	Threads int    `placeholder:"N" help:"Threads (default all cores)."`
	Seed    *int64 `placeholder:"N" help:"Number that all randomness comes from (default 1)."`
	ISA     string `name:"isa" placeholder:"ISA" help:"Instruction set: portable, avx2 or avx512 (default the best here)."`
	Weights string `placeholder:"FILE" help:"Weights file (.safetensors, .npz) or run folder."`
}

// AfterApply checks what kong cannot.
func (f *machineFlags) AfterApply() error {
	switch extension := strings.ToLower(filepath.Ext(f.Weights)); {
	case f.Threads < 0:
		return &usageError{"--threads " + strconv.Itoa(f.Threads) + ": give at least 1, or leave it out for all cores", ""}
	case f.Seed != nil && int64(int32(*f.Seed)) != *f.Seed:
		return &usageError{"--seed " + strconv.FormatInt(*f.Seed, 10) + " does not fit 32 bits", ""}
	case extension == ".caffemodel":
		return &usageError{"--weights " + f.Weights + ": weights are read from .safetensors and .npz files", ""}
	}
	return runtime.CheckISA(f.ISA) // before anything is compiled; the program checks again
}

// arguments is a command line under construction: flags at their default are
// left out, so that the program's own defaults hold.
type arguments []string

func (a *arguments) text(flag, value string) {
	if value != "" {
		*a = append(*a, "--"+flag, value)
	}
}

func (a *arguments) number(flag string, value int) {
	if value != 0 {
		*a = append(*a, "--"+flag, strconv.Itoa(value))
	}
}

func (a *arguments) truth(flag string, value bool) {
	if value {
		*a = append(*a, "--"+flag)
	}
}

// shared starts the command line of a verb with the flags of every verb.
func (f *machineFlags) shared(verb string, o outputFlags, n *networkFlags) arguments {
	a := arguments{verb}
	if n.Device != deviceCPU {
		a.text("device", n.Device)
	}
	a.truth("json", o.JSON)
	a.truth("quiet", o.Quiet)
	a.number("threads", f.Threads)
	if f.Seed != nil {
		a.text("seed", strconv.FormatInt(*f.Seed, 10))
	}
	a.text("isa", f.ISA)
	a.text("weights", f.Weights)
	return a
}
