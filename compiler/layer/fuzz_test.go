package layer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"netc/compiler/layer"
	"netc/spec"
	"netc/spec/diag"
)

// FuzzLower checks that no net makes the lowering panic, that errors have
// explained codes, and that a graph built without errors is sound.
func FuzzLower(f *testing.F) {
	for _, pattern := range []string{"testdata/errors/*.net", "testdata/golden/*.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds %s: %v", pattern, err)
		}
		for _, path := range files {
			source, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			_, net, isArchive := strings.Cut(string(source), "-- net --\n")
			if !isArchive {
				net = string(source)
			}
			net, _, _ = strings.Cut(net, "-- train.ir --")
			f.Add(net)
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		file, _ := spec.Parse("fuzz.net", []byte(source))
		for _, phase := range []string{"train", "test"} {
			net, found := spec.Expand(file, spec.Selection{Phase: phase})
			if net == nil || found.Errors() > 0 {
				continue
			}
			lowered, found := layer.Lower(net, layer.Options{Phase: phase, Batch: 3})
			if (lowered == nil) != (found.Errors() > 0) {
				t.Errorf("%d errors, graph %v", found.Errors(), lowered)
			}
			for _, d := range found {
				if diag.Explanations[d.Code] == "" {
					t.Errorf("code %s is not explained", d.Code)
				}
			}
			if lowered != nil {
				if err := lowered.Graph.Verify(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
