package layer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/compiler/layer"
	"netc/spec"
	"netc/spec/diag"
)

// TestErrors lowers nets full of mistakes. Each message must be announced on
// its line as "# want: MESSAGE", followed by "; note: …" and "; help: …" for
// what else it must say, and each announcement must come true.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.net")
	if err != nil || len(files) == 0 {
		t.Fatalf("no error cases: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			net := expand(t, filepath.Base(path), string(source), "train")
			lowered, found := layer.Lower(net, layer.Options{Phase: "train", Batch: batch})
			if lowered != nil {
				t.Error("a graph was built in spite of errors")
			}
			compareWithWants(t, string(source), found)
		})
	}
}

func compareWithWants(t *testing.T, source string, found diag.List) {
	t.Helper()
	wants := map[int]string{}
	for i, line := range strings.Split(source, "\n") {
		if _, want, ok := strings.Cut(line, "# want: "); ok {
			wants[i+1] = want
		}
	}
	seen := map[int]bool{}
	for _, d := range found {
		want, expected := wants[d.Span.Line]
		switch {
		case !expected:
			t.Errorf("line %d: unexpected %s: %s", d.Span.Line, d.Code, d.Message)
		case seen[d.Span.Line]:
			t.Errorf("line %d: a second message: %s", d.Span.Line, d.Message)
		case !says(d, want):
			t.Errorf("line %d:\n got %s\nwant %s", d.Span.Line, describe(d), want)
		}
		if diag.Explanations[d.Code] == "" {
			t.Errorf("code %s is not explained", d.Code)
		}
		if d.Span.Column < 1 || d.Span.Length < 1 {
			t.Errorf("line %d: %q has no place", d.Span.Line, d.Message)
		}
		seen[d.Span.Line] = true
	}
	for line, want := range wants {
		if !seen[line] {
			t.Errorf("line %d: no message %q", line, want)
		}
	}
}

// says reports whether the message has all parts of the announcement.
func says(d diag.Diagnostic, want string) bool {
	want, isWarning := strings.CutPrefix(want, "warning: ")
	if isWarning != (d.Severity == diag.Warning) {
		return false
	}
	for i, part := range strings.Split(want, "; ") {
		note, isNote := strings.CutPrefix(part, "note: ")
		help, isHelp := strings.CutPrefix(part, "help: ")
		switch {
		case isNote:
			if !slices.ContainsFunc(d.Notes, func(n diag.Note) bool { return strings.Contains(n.Text, note) }) {
				return false
			}
		case isHelp:
			if !strings.Contains(d.Help, help) {
				return false
			}
		case i > 0 || !strings.Contains(d.Message, part):
			return false
		}
	}
	return true
}

func describe(d diag.Diagnostic) string {
	text := fmt.Sprintf("%s: %s", d.Severity, d.Message)
	for _, n := range d.Notes {
		text += "; note: " + n.Text
	}
	if d.Help != "" {
		text += "; help: " + d.Help
	}
	return text
}

// TestRenderedErrors shows the whole message: the caret under the field's
// value, the chain of shapes, and the blocks that led there.
func TestRenderedErrors(t *testing.T) {
	const path = "testdata/rendered.txt"
	_, sections := readArchive(t, path)
	source := sections[0].text
	parsed, _ := spec.Parse("mini.net", []byte(source))
	_, found := layer.Lower(expand(t, "mini.net", source, "train"), layer.Options{Phase: "train", Batch: 64})
	got := render(found, parsed.Sources())
	if *update {
		text := "-- net --\n" + source + "-- messages --\n" + got
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := sections[1].text; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
