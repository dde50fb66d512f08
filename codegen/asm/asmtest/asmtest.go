//go:build linux

// Package asmtest runs functions of codegen/asm in tests: on this processor,
// in a program of their own whose buffers lie between forbidden pages, or in
// the interpreter.
package asmtest

import (
	"bytes"
	_ "embed"
	"encoding/gob"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"netc/codegen/asm"
	"netc/codegen/asm/guard"
)

// Call is one use of a function.
type Call struct {
	Func    int      // index in the list of functions
	Buffers [][]byte // the tensors; changed in place
	Scratch int      // bytes of scratch memory
	First   int      // the first task
	Tasks   int      // how many tasks from there on
}

//go:embed driver.go.txt
var driver string

// Run builds the functions, which are finished and of one instruction set,
// into a program and makes the calls in it. Each is made twice, with every
// buffer flush against the forbidden page after it and then before it; both
// must leave the same bytes.
func Run(t testing.TB, funcs []*asm.Func, calls []Call) {
	t.Helper()
	dir := t.TempDir()
	Write(t, dir, funcs)
	program := filepath.Join(dir, "kernels")
	command(t, dir, nil, "go", "build", "-o", program, ".")
	var in bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(calls); err != nil {
		t.Fatal(err)
	}
	var results [][][]byte
	if err := gob.NewDecoder(bytes.NewReader(command(t, dir, in.Bytes(), program))).Decode(&results); err != nil {
		t.Fatal(err)
	}
	for i := range calls {
		for k := range calls[i].Buffers {
			copy(calls[i].Buffers[k], results[i][k])
		}
	}
}

// Write writes the module that Run builds into a folder.
func Write(t testing.TB, dir string, funcs []*asm.Func) {
	t.Helper()
	var file asm.File
	var stubs, table strings.Builder
	names := map[string]bool{}
	for _, f := range funcs {
		if names[f.Name()] {
			t.Fatalf("two functions are called %s", f.Name())
		}
		names[f.Name()] = true
		file.Add(f)
		stubs.WriteString("\n" + f.Declaration())
		fmt.Fprintf(&table, "\t%s,\n", f.Name())
	}
	files := map[string]string{
		"go.mod":           "module kernels\n\ngo 1.24\n",
		"guard/guard.go":   guard.Source,
		"main.go":          driver,
		"kernels_amd64.s":  file.Text("// Kernels under test."),
		"kernels_amd64.go": "package main\n\nimport \"unsafe\"\n" + stubs.String() + "\nvar kernels = []func(args *unsafe.Pointer, scratch unsafe.Pointer, task int){\n" + table.String() + "}\n",
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// command runs a program in a folder and returns what it prints.
func command(t testing.TB, dir string, in []byte, name string, args ...string) []byte {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	c.Stdin = bytes.NewReader(in)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		text := errs.String()
		if len(text) > 8000 {
			text = text[:8000] + "…"
		}
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, text)
	}
	return out.Bytes()
}

// Interpret makes the calls in the interpreter, for any instruction set.
func Interpret(t testing.TB, funcs []*asm.Func, calls []Call) {
	t.Helper()
	for i, c := range calls {
		if err := interpret(funcs[c.Func], c); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
}

func interpret(f *asm.Func, c Call) error {
	var m asm.Memory
	var args []uint64
	for k, b := range c.Buffers {
		args = append(args, m.Add(fmt.Sprintf("buffer %d", k), b))
	}
	scratch := m.Add("scratch", make([]byte, (c.Scratch+63)/64*64))
	for task := range c.Tasks {
		if err := f.Interpret(&m, args, scratch, c.First+task); err != nil {
			return err
		}
	}
	return nil
}

// Native reports whether this processor runs an instruction set.
func Native(isa asm.ISA) bool {
	if runtime.GOARCH != "amd64" {
		return false
	}
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return false
	}
	needs := []string{"avx2", "fma"}
	if isa == asm.AVX512 {
		needs = []string{"avx512f", "avx512bw", "avx512dq", "avx512vl"}
	}
	for line := range strings.Lines(string(text)) {
		if name, flags, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "flags" {
			have := strings.Fields(flags)
			return !slices.ContainsFunc(needs, func(s string) bool { return !slices.Contains(have, s) })
		}
	}
	return false
}
