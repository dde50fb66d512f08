package layer_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"netc/compiler/layer"
	"netc/ir"
	"netc/spec"
	"netc/spec/diag"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// batch is the mini-batch of all test nets.
const batch = 4

// expand parses and expands a net that must be free of language errors.
func expand(t *testing.T, file, source, phase string) *spec.Net {
	t.Helper()
	parsed, found := spec.Parse(file, []byte(source))
	net, more := spec.Expand(parsed, spec.Selection{Phase: phase})
	if found = append(found, more...); found.Errors() > 0 {
		t.Fatalf("%s", render(found, parsed.Sources()))
	}
	return net
}

func render(list diag.List, sources diag.Sources) string {
	var b strings.Builder
	diag.Render(&b, list, sources)
	return b.String()
}

// lower lowers a net that must be free of errors, and checks its graph.
func lower(t *testing.T, file, source string, options layer.Options) *layer.Lowered {
	t.Helper()
	lowered, found := layer.Lower(expand(t, file, source, options.Phase), options)
	if len(found) > 0 {
		t.Fatalf("%s", render(found, diag.Sources{file: []byte(source)}))
	}
	if err := lowered.Graph.Verify(); err != nil {
		t.Fatalf("%v\n%s", err, lowered.Graph)
	}
	return lowered
}

// section is one part of an archive: "-- name --", then its text.
type section struct{ name, text string }

// readArchive splits a test file into the comment before its first section and
// the sections.
func readArchive(t *testing.T, path string) (comment string, sections []section) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		name, isHeader := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		switch {
		case isHeader:
			sections = append(sections, section{name: strings.TrimSuffix(name, " --")})
		case sections == nil:
			comment += line
		default:
			sections[len(sections)-1].text += line
		}
	}
	return comment, sections
}

// TestGolden lowers each layer type for both phases and compares the graphs.
// A type without a file fails.
func TestGolden(t *testing.T) {
	used := map[string]bool{}
	for _, name := range layer.Types() {
		path := filepath.Join("testdata", "golden", name+".txt")
		used[path] = true
		t.Run(name, func(t *testing.T) { testGolden(t, name, path) })
	}
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if !used[path] {
			t.Errorf("%s belongs to no layer type", path)
		}
	}
}

func testGolden(t *testing.T, name, path string) {
	comment, sections := readArchive(t, path)
	if len(sections) == 0 || sections[0].name != "net" {
		t.Fatalf("%s must begin with the section net", path)
	}
	source := sections[0].text
	if !strings.Contains(source, name+"(") {
		t.Errorf("%s does not use %s", path, name)
	}
	got := []section{sections[0]}
	for _, phase := range []string{"train", "test"} {
		graph := lower(t, name+".net", source, layer.Options{Phase: phase, Batch: batch}).Graph
		text := graph.String()
		again, err := ir.Parse(text)
		if err != nil {
			t.Fatalf("the %s graph does not parse: %v", phase, err)
		}
		if again.String() != text {
			t.Errorf("the %s graph prints differently after parsing:\n%s", phase, again)
		}
		got = append(got, section{phase + ".ir", text})
	}
	if strings.Replace(got[2].text, " test\n", " train\n", 1) == got[1].text {
		got[2].text = "as train\n"
	}
	var b strings.Builder
	b.WriteString(comment)
	for _, s := range got {
		fmt.Fprintf(&b, "-- %s --\n%s", s.name, s.text)
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s is out of date (go test -update rewrites it); now:\n%s", path, b.String())
	}
}
