package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"netc/spec"
)

// TestWithoutGo says what to do where there is no Go toolchain; writing the
// program needs none.
func TestWithoutGo(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tiny.net", tinyNet)
	for _, c := range []struct {
		args string
		code int
		want string
	}{{"train tiny.net --iterations 1", 1, "https://go.dev/dl"}, {"build tiny.net", 0, ""}} {
		cmd := exec.Command(netc, strings.Fields(c.args)...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "PATH=", "XDG_CACHE_HOME="+filepath.Join(folder, "cache"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		// The exit code tells whether it ran.
		_ = cmd.Run()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit code %d\n%s", c.args, cmd.ProcessState.ExitCode(), &stderr)
		}
	}
	left, err := os.ReadDir(filepath.Join(folder, "cache", "netc", "build"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}

// TestPrune keeps the programs used last, the current one whatever its age, and
// removes what a killed netc left.
func TestPrune(t *testing.T) {
	root := t.TempDir()
	folder := func(name string, age time.Duration) string {
		path := filepath.Join(root, name)
		if err := os.Mkdir(path, 0o777); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		return path
	}
	current := folder("current", 1000*time.Hour)
	folder(partialPrefix+"old", 2*abandoned)
	folder(partialPrefix+"busy", time.Minute)
	for i := range keptPrograms + 5 {
		folder(fmt.Sprintf("program%02d", i), time.Duration(i)*time.Hour)
	}
	prune(root, current)
	left := map[string]bool{}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left[e.Name()] = true
	}
	newest, oldest := "program00", fmt.Sprintf("program%02d", keptPrograms-1)
	if len(left) != keptPrograms+1 || !left["current"] || !left[newest] || left[oldest] || left[partialPrefix+"old"] || !left[partialPrefix+"busy"] {
		t.Errorf("left: %v", left)
	}
}

// TestStandIn chooses the data set that a program opens.
func TestStandIn(t *testing.T) {
	root := t.TempDir()
	t.Setenv("NETC_DATA", root)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, name := range []string{"digits", "here"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ flag, source, otherwise, want, note string }{
		{"", "mnist", "digits", "digits", "netc data get mnist"},
		{"", "mnist", "", "", ""},
		{"", "here", "digits", "", ""},
		{"", "digits", "", "", ""},
		{"here", "mnist", "digits", "here", ""},
		{"mnist", "here", "digits", "mnist", ""},
		{"", "no such folder", "digits", "", ""}, // the program says what is wrong
	} {
		var stderr bytes.Buffer
		run := spec.DefaultRun()
		run.Data.Source, run.Data.Otherwise = c.source, c.otherwise
		got, err := dataFlag{c.flag}.prepare(&console{ctx: context.Background(), err: &stderr}, run)
		if err != nil || got != c.want || !strings.Contains(stderr.String(), c.note) || c.note == "" && stderr.Len() > 0 {
			t.Errorf("%+v: %q, %v, %s", c, got, err, &stderr)
		}
	}
}
