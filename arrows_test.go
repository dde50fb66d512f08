package netc_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// arrows says which of the project's folders each folder may import, and which
// modules from outside. A folder takes the rules of its nearest listed parent.
// Tests may import anything of the project. "*" allows everything.
var arrows = map[string][]string{
	"":                  {"embed"},
	"cmd":               {"*"},
	"spec":              {"spec", "github.com/alecthomas/participle/v2", "github.com/BurntSushi/toml"},
	"spec/diag":         {},
	"ir":                {},
	"ir/loop":           {"ir"},
	"ir/op":             {"ir", "ir/loop"},
	"ir/eval":           {"ir", "ir/loop", "ir/op"},
	"ir/example":        {"ir", "ir/op", "ir/eval"},
	"compiler":          {"spec", "ir", "compiler"},
	"compiler/layer":    {"spec", "ir"},
	"compiler/pass":     {"ir", "compiler/plan"}, // the order is judged by the memory it needs
	"compiler/plan":     {"ir"},
	"compiler/schedule": {"ir"},
	"codegen/cpu":       {"ir"},
	"codegen/asm":       {"codegen/asm"},
	"codegen/vector":    {"ir", "codegen/asm", "codegen/vector"},
	"codegen/describe":  {"ir", "compiler", "codegen/cpu"},
	"codegen/cuda":      {"ir", "compiler", "codegen/cpu", "codegen/describe"},
	"codegen/gopkg":     {"", "ir", "compiler", "spec", "codegen/asm", "codegen/cpu", "codegen/cuda", "codegen/describe", "codegen/vector", "runtime"},
	"models":            {},
	"runtime":           {},
	"data":              {"runtime", "golang.org/x/image"},
	"bench":             {}, // it measures what users run: the command line and emitted programs

	"codegen/cuda/emulate":     {"codegen/cuda"},
	"codegen/cuda/conformance": {"codegen/cuda", "compiler", "ir", "spec"},
	"runtime/cuda":             {"runtime"},
	"runtime/cuda/dl":          {"runtime/cuda", "github.com/ebitengine/purego"},
	// For tests of any implementation of the driver's interface, one in another module too.
	"runtime/cuda/cudatest": {"runtime/cuda", "github.com/ebitengine/purego"},
}

// TestArrows keeps the folders' dependencies pointing one way.
func TestArrows(t *testing.T) {
	checked := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch name := d.Name(); {
			case path != "." && strings.HasPrefix(name, "."), name == "golden", name == "build", name == "runs", name == "oracle", name == "gorgonia", name == "testdata":
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		if folder == "." {
			folder = ""
		}
		allowed, ok := rulesFor(folder)
		if !ok {
			t.Errorf("%s: the folder has no rule in arrows_test.go", folder)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			checked++
			if !allows(allowed, target) {
				t.Errorf("%s imports %s, which its rule does not allow", path, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Fatal("no import was checked")
	}
}

func rulesFor(folder string) ([]string, bool) {
	for f := folder; ; f = f[:max(strings.LastIndexByte(f, '/'), 0)] {
		if allowed, ok := arrows[f]; ok && (f != "" || folder == "") {
			return allowed, true
		}
		if f == "" {
			return nil, false
		}
	}
}

// allows reports whether an import path is the standard library's or covered
// by a rule: a folder of the project covers its subfolders.
func allows(allowed []string, target string) bool {
	first, _, _ := strings.Cut(target, "/")
	own := first == "netc"
	if !own && !strings.Contains(first, ".") {
		return true
	}
	if own {
		target = strings.TrimPrefix(strings.TrimPrefix(target, "netc"), "/")
	}
	for _, a := range allowed {
		if a == "*" || a == target || a != "" && strings.HasPrefix(target, a+"/") {
			return true
		}
	}
	return false
}
