package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/ir"
	"netc/ir/eval"
	"netc/spec"
)

func TestUnifiedDiff(t *testing.T) {
	number := func(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
	for _, c := range []struct{ name, before, after, want string }{
		{"equal", "a\n", "a\n", ""},
		{"from nothing", "", "a\n", "--- f\n+++ f\n@@ -0,0 +1 @@\n+a\n"},
		{"to nothing", "a\nb\n", "", "--- f\n+++ f\n@@ -1,2 +0,0 @@\n-a\n-b\n"},
		{"no last line end", "a", "a\n", "--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{"context", number("1", "2", "3", "4", "5", "6", "7", "8", "9"), number("1", "2", "3", "4", "x", "6", "7", "8", "9"),
			"--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"},
		{"two hunks", number("a", "1", "2", "3", "4", "5", "6", "7", "b"), number("1", "2", "3", "4", "5", "6", "7"),
			"--- f\n+++ f\n@@ -1,4 +1,3 @@\n-a\n 1\n 2\n 3\n@@ -6,4 +5,3 @@\n 5\n 6\n 7\n-b\n"},
		{"one hunk", number("a", "1", "2", "3", "4", "5", "6", "b"), number("1", "2", "3", "4", "5", "6"),
			"--- f\n+++ f\n@@ -1,8 +1,6 @@\n-a\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n"},
	} {
		if got := unifiedDiff("f", c.before, c.after); got != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// TestSettingsOf turns settings into flags and back.
func TestSettingsOf(t *testing.T) {
	want, found := spec.ParseRun("", nil, []string{
		"data.source=a folder", "data.otherwise=digits", "data.scale=0.00390625", "data.mean_value=[1.5, 2, 3]", "data.mirror=true", "data.shuffle=false",
		"train.batch=3", "train.epochs=4", "train.display=0", "test.batch=5", "test.interval=6",
		"solver.type=Adam", "solver.lr=1e-7", "solver.lr_policy=multistep", "solver.gamma=0.5", "solver.stepvalue=[10, 20]", "solver.momentum=0.9",
		"solver.delta=1e-8", "solver.iter_size=2",
	})
	if found.Errors() > 0 {
		t.Fatal(found)
	}
	config := gopkg.ConfigOf(want)
	got, found := spec.ParseRun("", nil, settingsOf(config))
	if found.Errors() > 0 {
		t.Fatal(found)
	}
	if again := gopkg.ConfigOf(got); !reflect.DeepEqual(again, config) {
		t.Errorf("\n%+v, want\n%+v", again, config)
	}
}

// TestBugReport leaves a reproducer that parses.
func TestBugReport(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var stderr bytes.Buffer
	c := &console{ctx: context.Background(), err: &stderr}
	graph := "graph g test\n\ninput x : f32[2]\n\ny = relu x : f32[2]\n\noutput y\n"
	code := c.exitCode(&compiler.BugError{Pass: "fuse-pointwise", Phase: "test", Cause: "lost\na value", Stack: "goroutine 1", Reproducer: graph})
	if code != exitFailed || !strings.Contains(stderr.String(), "netc itself has a bug, in fuse-pointwise (test phase)") || strings.Contains(stderr.String(), "goroutine") {
		t.Errorf("exit code %d\n%s", code, &stderr)
	}
	files, err := filepath.Glob(filepath.Join(os.TempDir(), "netc-bug-*.ir"))
	if err != nil || len(files) != 1 || !strings.Contains(stderr.String(), files[0]) {
		t.Fatalf("%v, %v\n%s", files, err, &stderr)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ir.Parse(string(text)); err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
}

// TestPanicIsABug keeps stack traces away from the user.
func TestPanicIsABug(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var stderr bytes.Buffer
	// A console without an output makes printing panic.
	code := run([]string{"version"}, &console{ctx: context.Background(), err: &stderr})
	if code != exitFailed || !strings.Contains(stderr.String(), "netc itself has a bug, in netc version") || strings.Contains(stderr.String(), "goroutine") {
		t.Errorf("exit code %d\n%s", code, &stderr)
	}
}

func TestQuoteDOT(t *testing.T) {
	if got, want := quoteDOT("a\"b\\c\nd"), `"a\"b\\c\nd"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTable(t *testing.T) {
	var table table
	table.row("é", "1")
	table.row("long", "22", "end")
	table.row("short")
	var b strings.Builder
	table.print(&b, "lrl")
	if want := "é       1\nlong   22  end\nshort\n"; b.String() != want {
		t.Errorf("\n%swant\n%s", b.String(), want)
	}
}

// TestWrongGradient breaks a graph's formula and wants it to be found.
func TestWrongGradient(t *testing.T) {
	k := &gradientCheck{OK: true, Tensors: []tensorCheck{{Differentiable: true}}}
	for _, c := range []struct {
		gradient float64
		ok       bool
	}{{2, true}, {2 + 1e-6, true}, {2 + 1e-4, false}, {-2, false}, {0, false}} {
		k.OK, k.Tensors[0] = true, tensorCheck{Differentiable: true, gradient: []float64{c.gradient}}
		k.Tensors[0].slopes = append(k.Tensors[0].slopes, eval.Slope{Value: 2})
		if k.judge(1); k.OK != c.ok {
			t.Errorf("gradient %v against slope 2: ok is %v", c.gradient, k.OK)
		}
	}
}
