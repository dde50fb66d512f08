package spec

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"netc/spec/diag"
)

// FuzzNet reads any text as a .net file: nothing panics or hangs, every message
// has a place inside the file and an explained code, and the formatter keeps
// its promises.
func FuzzNet(f *testing.F) {
	for _, pattern := range []string{"testdata/nets/*.net", "testdata/errors/*.net"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			for _, source := range splitCases(f, path) {
				f.Add([]byte(strings.TrimLeft(source, "\n")))
			}
		}
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		file, found := Parse("f.net", source)
		for _, phase := range phases {
			_, more := expandWithin(limits{layers: 1000, steps: 5000}, file, Selection{Phase: phase, Stages: []string{"deploy"}})
			found = append(found, more...)
		}
		checkMessages(t, found, file.Sources())
		checkFormat(t, source)
	})
}

// FuzzRun does the same with run files.
func FuzzRun(f *testing.F) {
	source, err := os.ReadFile("testdata/errors/run.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(source, "solver.lr=0.1")
	f.Add([]byte("[solver]\nlr = 0.1 # rate\ntype = 'Adam'\n[expect]\ntest.\"accuracy\" = \">= 0.99\"\n"), "train.stages=[\"a\"]")
	f.Add([]byte("data = { source = \"\"\"a\n\"b\"\"\"\", mean_value = [\n1, # one\n2.5,\n] }\n"), "expect.test.loss=< 2")
	f.Fuzz(func(t *testing.T, source []byte, set string) {
		run, found := ParseRun("f.toml", source, []string{set})
		checkMessages(t, found, run.Sources())
	})
}

func checkMessages(t *testing.T, found diag.List, sources diag.Sources) {
	t.Helper()
	for _, d := range found {
		if _, explained := diag.Explanations[d.Code]; !explained || d.Message == "" {
			t.Errorf("message %q has the code %q", d.Message, d.Code)
		}
		source, known := sources[d.Span.File]
		if d.Span.IsValid() && (!known || d.Span.Column < 1 || d.Span.Length < 1 || d.Span.Line > 1+bytes.Count(source, []byte("\n"))) {
			t.Errorf("message %q is at %s, %d long", d.Message, d.Span.Pos, d.Span.Length)
		}
	}
	if err := diag.Render(io.Discard, found, sources); err != nil {
		t.Error(err)
	}
}
