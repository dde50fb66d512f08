// Package emulate runs emitted CUDA kernels on the CPU, for tests on machines
// without a GPU: the system's C++ compiler compiles the source as it is against
// a header that provides blocks, threads, shared memory, barriers and shuffles,
// and that finds accesses outside of tensors and missing barriers (cuda.h says
// how).
package emulate

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"netc/codegen/cuda"
)

//go:embed cuda.h
var header []byte

// ErrNoCompiler says that the machine has no C++ compiler.
var ErrNoCompiler = errors.New("there is no C++ compiler (g++) to emulate CUDA with")

// Device is a program compiled for emulation.
type Device struct {
	folder string
	source string
}

// flags compile for speed of compilation first: most kernels run on little data.
var flags = []string{"-std=c++17", "-O1", "-w", "-fsanitize=bounds", "-fsanitize-undefined-trap-on-error", "-fno-strict-aliasing"}

// Compile compiles CUDA source that holds the kernels of the launches, using
// folder for its files. The error holds what the compiler says.
func Compile(folder, source string, launches []cuda.Launch) (*Device, error) {
	compiler, err := exec.LookPath("g++")
	if err != nil {
		return nil, ErrNoCompiler
	}
	var table strings.Builder
	seen := map[string]bool{}
	for _, l := range launches {
		if !seen[l.Kernel] {
			seen[l.Kernel] = true
			fmt.Fprintf(&table, "        {%q, emulation::Entry<&%[2]s>::parameters, emulation::Entry<&%[2]s>::run},\n", l.Kernel, l.Kernel)
		}
	}
	main := "#include \"cuda.h\"\n#include \"kernels.cu\"\n\nint main(int argc, char **argv)\n{\n    return emulation::run(argc, argv, {\n" + table.String() + "    });\n}\n"
	for name, text := range map[string][]byte{"cuda.h": header, "kernels.cu": []byte(source), "main.cpp": []byte(main)} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o666); err != nil {
			return nil, err
		}
	}
	command := exec.Command(compiler, append(flags, "main.cpp", "-o", "device")...)
	command.Dir = folder
	if text, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return &Device{folder, source}, nil
}

// Run carries out launches on the device memory, each in so many orders of
// threads that must all leave the same bits. The error names the kernel at fault.
func (d *Device) Run(memory []byte, launches []cuda.Launch, orders int) error {
	var job strings.Builder
	fmt.Fprintf(&job, "%d %d %d\n", len(memory), orders, len(launches))
	for _, l := range launches {
		waits := 0
		if d.waits(l.Kernel) {
			waits = 1
		}
		fmt.Fprintf(&job, "%s %d %d %d %d %d %d %d %d\n", l.Kernel, l.Grid[0], l.Grid[1], l.Grid[2], l.Block[0], l.Block[1], l.Block[2], waits, len(l.Args))
		for _, a := range l.Args {
			written := 0
			if a.Written {
				written = 1
			}
			fmt.Fprintf(&job, "%d %d %d %d %s\n", a.Offset, a.Bytes, a.Element, written, word(a.Tensor))
		}
	}
	image := filepath.Join(d.folder, "memory")
	if err := os.WriteFile(filepath.Join(d.folder, "job"), []byte(job.String()), 0o666); err != nil {
		return err
	}
	if err := os.WriteFile(image, memory, 0o666); err != nil {
		return err
	}
	command := exec.Command(filepath.Join(d.folder, "device"), "job", "memory")
	command.Dir = d.folder
	if text, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(text))
	}
	after, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	copy(memory, after)
	return nil
}

// waits reports whether the threads of a kernel have anything to do with each
// other, so that they need stacks of their own.
func (d *Device) waits(kernel string) bool {
	_, text, _ := strings.Cut(d.source, "\n"+kernel+"(")
	text, _, _ = strings.Cut(text, "\n}\n")
	for _, word := range []string{"__shared__", "__sync", "__shfl", "warpSum", "warpMaximum", "blockSum", "blockMaximum", "multiply"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// word makes a tensor's name one word of the job.
func word(name string) string {
	text := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, name)
	if text == "" {
		return "_"
	}
	return text
}

// Table lists kernels with the sizes of their arguments, for the stand-in for
// NVIDIA's driver in package cudatest, which emulates those that it has: a line
// "name arguments", then a line "bytes element written" for each argument.
func Table(launches []cuda.Launch) string {
	var table strings.Builder
	for _, l := range launches {
		fmt.Fprintf(&table, "%s %d\n", l.Kernel, len(l.Args))
		for _, a := range l.Args {
			written := 0
			if a.Written {
				written = 1
			}
			fmt.Fprintf(&table, "%d %d %d\n", a.Bytes, a.Element, written)
		}
	}
	return table.String()
}
