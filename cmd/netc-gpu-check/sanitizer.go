package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// sanitizerTools are those of compute-sanitizer, with what each looks for.
var sanitizerTools = []struct{ name, finds string }{
	{"memcheck", "accesses outside of memory"},
	{"racecheck", "missing barriers"},
	{"synccheck", "barriers that only some threads reach"},
}

// sanitizedModel is trained under it besides the operators: small, and with a
// kernel of most kinds.
const sanitizedModel = "lenet"

// faultCode is compute-sanitizer's exit code where it found something.
const faultCode = 99

// sanitizerResult is one run of compute-sanitizer.
type sanitizerResult struct {
	tool, finds, of string
	fault           string
}

// sanitizer runs the operators and a model under compute-sanitizer, all tools at
// the same time.
func (r *report) sanitizer(ctx context.Context, models string) error {
	path := findSanitizer()
	if path == "" {
		r.sanitizerMissing = "compute-sanitizer is not installed (it comes with the CUDA toolkit)"
		return nil
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "netc-gpu-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	type target struct {
		of   string
		args []string
	}
	var results []*sanitizerResult
	var all sync.WaitGroup
	for _, tool := range sanitizerTools {
		for _, target := range []target{
			{"operators", []string{own, "--only", "conformance"}},
			{sanitizedModel, append([]string{filepath.Join(models, sanitizedModel)}, trainingArgs("cuda", filepath.Join(folder, tool.name))...)},
		} {
			result := &sanitizerResult{tool: tool.name, finds: tool.finds, of: target.of}
			results = append(results, result)
			all.Go(func() { result.run(ctx, path, target.args) })
		}
	}
	all.Wait()
	for _, result := range results {
		r.sanitized(*result)
	}
	return ctx.Err()
}

// run runs a program under compute-sanitizer and notes what it finds.
func (s *sanitizerResult) run(ctx context.Context, path string, args []string) {
	command := exec.CommandContext(ctx, path, append([]string{"--tool", s.tool, "--error-exitcode", fmt.Sprint(faultCode)}, args...)...)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil {
		s.fault = fmt.Sprintf("%v: %s", err, faultLine(said.String()))
	}
	fmt.Fprintf(os.Stderr, "         %s of %s\n", s.tool, s.of)
}

// findSanitizer is the path of compute-sanitizer, "" where it is not installed.
func findSanitizer() string {
	const name = "compute-sanitizer"
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob(filepath.Join("/usr/local/cuda*/bin", name)) // the pattern is well-formed
	if len(found) > 0 {
		return found[0]
	}
	return ""
}

// faultLine is the first fault that compute-sanitizer reports, or what was said
// last.
func faultLine(said string) string {
	last := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		text := strings.TrimSpace(strings.TrimLeft(line, "="))
		switch {
		case strings.HasPrefix(line, "=========") && text != "" && !strings.HasPrefix(text, "COMPUTE-SANITIZER"):
			return text
		case line != "":
			last = line
		}
	}
	return last
}
