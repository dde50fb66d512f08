package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"netc/codegen/cuda"
	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/compiler/plan"
)

// keptPrograms is how many built programs stay in the cache; the ones not used
// for longest go first.
const keptPrograms = 20

// abandoned is after what time a folder in which a program was being built
// belongs to a netc that was killed.
const abandoned = time.Hour

// partialPrefix opens the names of folders in which programs are being built.
const partialPrefix = ".partial-"

// program emits and builds a compiled network, unless the cache holds it, and
// gives the path of the executable.
func (c *console) program(u *compiler.Unit, s *source, f *networkFlags, machine *machineFlags, compileTime time.Time) (string, error) {
	module, err := f.emit(u, s)
	if err != nil {
		return "", err
	}
	runs := running(u, f, machine.ISA)
	c.say("compiled %s in %s: %s, arena %s", u.Name, since(compileTime), kernelText(runs), plan.Bytes(runs.Arena.Size))
	root, err := programCache()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, module.Name+"-"+digest(module))
	executable := filepath.Join(folder, executableName(module))
	if isFile(executable) {
		// Its age decides what pruning removes; where it cannot be set, only
		// that order suffers.
		_ = os.Chtimes(folder, time.Now(), time.Now())
		return executable, nil
	}
	start := time.Now()
	c.say("building the program, once for this network and run file …")
	if err := c.buildProgram(root, folder, module); err != nil {
		return "", err
	}
	c.say("built in %s", since(start))
	prune(root, folder)
	return executable, nil
}

// emit writes the program of a compiled network, with the kernels of the device
// that the command line names.
func (f *networkFlags) emit(u *compiler.Unit, s *source) (*gopkg.Module, error) {
	name := filepath.Base(s.path)
	bug := func(err error) error {
		return &compiler.BugError{Pass: "emit", Cause: err.Error(), Reproducer: graphs(u)}
	}
	if f.Device == deviceCPU {
		module, err := gopkg.Emit(u, name)
		if err != nil {
			return nil, bug(err)
		}
		return module, nil
	}
	gpu, err := cuda.Emit(u, name)
	if err != nil {
		return nil, fmt.Errorf("--device %s: %w", f.Device, err)
	}
	module, err := gopkg.EmitCUDA(u, name, gpu)
	if err != nil {
		return nil, bug(err)
	}
	return module, nil
}

// programCache is the folder of the built programs, in the user's cache.
func programCache() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for built programs: %w", err)
	}
	root := filepath.Join(cache, "netc", "build")
	return root, os.MkdirAll(root, 0o777)
}

// digest identifies a module's text on this kind of machine.
func digest(m *gopkg.Module) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s\n", goruntime.GOOS, goruntime.GOARCH)
	for _, path := range m.Paths() {
		fmt.Fprintf(sum, "%s %d\n", path, len(m.Files[path]))
		sum.Write(m.Files[path])
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

func executableName(m *gopkg.Module) string {
	if goruntime.GOOS == "windows" {
		return m.Name + ".exe"
	}
	return m.Name
}

// buildProgram builds a module in a folder beside its place in the cache, and
// moves it there when all is well.
func (c *console) buildProgram(root, folder string, m *gopkg.Module) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return errors.New(`training, testing and running build the emitted program, for which the "go" command is missing here: install Go from https://go.dev/dl, or write the program with "netc build" and compile it elsewhere`)
	}
	partial, err := os.MkdirTemp(root, partialPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	if err := writeModule(partial, m); err != nil {
		return err
	}
	if err := compileModule(c.ctx, tool, partial, m); err != nil {
		return err
	}
	if err := os.Rename(partial, folder); err != nil && !isFile(filepath.Join(folder, executableName(m))) {
		return err
	}
	return nil // built here, or meanwhile by another netc
}

// compileModule runs the Go compiler without cgo, and offline unless the module
// needs others, whatever the user's own settings are.
func compileModule(ctx context.Context, tool, folder string, m *gopkg.Module) error {
	build := exec.CommandContext(ctx, tool, "build", "-trimpath", "-buildvcs=false", "-ldflags=-w", "-o", executableName(m), "./cmd/"+m.Name)
	build.Dir = folder
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GO111MODULE=on",
		"GOOS="+goruntime.GOOS, "GOARCH="+goruntime.GOARCH)
	if len(m.Requires) == 0 {
		build.Env = append(build.Env, "GOPROXY=off")
	}
	build.Cancel = func() error { return build.Process.Signal(os.Interrupt) }
	build.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	build.Stdout, build.Stderr = &said, &said
	err := build.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && len(m.Requires) > 0:
		return fmt.Errorf("the Go compiler cannot build the program, which needs %s (%v):\n%s", strings.Join(m.Requires, ", "), err, strings.TrimSpace(said.String()))
	case err != nil:
		return fmt.Errorf("the Go compiler cannot build the program (%v):\n%s", err, strings.TrimSpace(said.String()))
	}
	return nil
}

// writeModule writes a module's files below a folder.
func writeModule(folder string, m *gopkg.Module) error {
	for _, path := range m.Paths() {
		full := filepath.Join(folder, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(full, m.Files[path], 0o666); err != nil {
			return err
		}
	}
	return nil
}

// prune removes what the cache need not keep. What cannot be removed, because
// another netc uses or removes it, is left to the next time.
func prune(root, current string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return
	}
	var programs []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || !e.IsDir() || e.Name() == filepath.Base(current):
		case !strings.HasPrefix(e.Name(), partialPrefix):
			programs = append(programs, info)
		case time.Since(info.ModTime()) > abandoned:
			_ = os.RemoveAll(filepath.Join(root, e.Name()))
		}
	}
	slices.SortFunc(programs, func(a, b fs.FileInfo) int { return cmp.Compare(b.ModTime().UnixNano(), a.ModTime().UnixNano()) })
	for i, p := range programs {
		if i >= keptPrograms-1 { // the current one stays too
			_ = os.RemoveAll(filepath.Join(root, p.Name()))
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// kernelText is "12 train kernels, 8 test kernels".
func kernelText(u *compiler.Unit) string {
	var parts []string
	for _, p := range u.Phases {
		parts = append(parts, fmt.Sprintf("%d %s kernels", kernelCount(p), p.Name))
	}
	return strings.Join(parts, ", ")
}

// graphs prints the graphs that code is emitted from, one after the other.
func graphs(u *compiler.Unit) string {
	var text strings.Builder
	for _, p := range u.Phases {
		text.WriteString(p.Graph.String() + "\n")
	}
	return text.String()
}
