package gopkg_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/spec"
)

// hostileNames are names that the language accepts in quotes and that could do
// harm in a Go program: its words and predeclared names, names of the emitted
// program and of the runtime, names that become one identifier, and what ends
// a comment, a string or a line.
var hostileNames = strings.Fields(`
	break case chan const continue default defer else fallthrough for func go goto if import interface map package range return select struct switch type var
	any bool byte cap clear close copy error false float32 float64 int int32 iota len make max min new nil panic print real rune string true uint32 append init main
	runtime math task lo hi a i w v sum largest place chosen config parameters states arenaBytes Net New Program pool kernel trainPhase testPhase phase Phase
	conv1/7x7_s2 conv1.7x7.s2 conv17x7S2 conv1_7x7_s2 1x1 x1x1 A.b aB a-b a_b train_conv train.a test.a Data data2 Label _ __ %d %s{ /* */ // ** \\ }`)

// hostileLines are those with blanks and other characters that no word has.
var hostileLines = []string{
	"", " ", "two words", "line\nfunc evil() {}", "line\r\npackage evil", "tab\there", "\"quoted\"", "`back`", "} evil {", "//go:build ignore", "\u2028evil", "\ufeffmark",
	"größe", "中文", "\u202eevil", "n\u0000l", "'", "+build ignore", "{{.}}", "\\n", "\\\"",
}

// quoted writes a name as the language reads it back.
func quoted(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(name) + `"`
}

// layerKinds make kernels of every kind.
var layerKinds = []string{
	"InnerProduct(%s) { num_output: 3 }", "ReLU(%s)", "InnerProduct(%s) { num_output: 3  bias_term: false }", "BatchNorm(%s)", "TanH(%s)", "Softmax(%s)",
	"Power(%s) { scale: 1e39  power: -1e39  shift: 1e300 }", // beyond float32
}

// layersNamed is a network whose layers have these names, one after the other.
func layersNamed(net, input string, names, kinds []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "net %s\n%s = input [3]\n\"the label\" = input [] i32\n", quoted(net), quoted(input))
	previous := input
	for i, name := range names {
		fmt.Fprintf(&b, "%s = %s\n", quoted(name), fmt.Sprintf(kinds[i%len(kinds)], quoted(previous)))
		previous = name
	}
	fmt.Fprintf(&b, "\"the loss\" = SoftmaxWithLoss(%s, \"the label\")\n", quoted(previous))
	return b.String()
}

// emitted compiles and emits a network given as text.
func emitted(t *testing.T, text, file string, run *spec.Run) *gopkg.Module {
	t.Helper()
	parsed, list := spec.Parse(file, []byte(text))
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	u, list, err := compiler.Compile(parsed, run, compiler.Options{TrainBatch: 2, TestBatch: 2})
	if err != nil || list.Errors() > 0 {
		t.Fatal(err, list)
	}
	m, err := gopkg.Emit(u, file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// goFiles are the files that the network decides, not those of the runtime.
func goFiles(m *gopkg.Module) []string {
	return slices.DeleteFunc(m.Paths(), func(p string) bool { return strings.HasPrefix(p, "runtime/") || !strings.HasSuffix(p, ".go") })
}

func distinctNames() []string {
	var list []string
	for _, name := range slices.Concat(hostileNames, hostileLines) {
		if name != "" && !slices.Contains(list, name) && name == strings.ToValidUTF8(name, "") {
			list = append(list, name)
		}
	}
	return list
}

// hostileRun has settings with texts that could end a string.
func hostileRun() *spec.Run {
	run := spec.DefaultRun()
	run.Data.Source, run.Data.Otherwise = "\"; func evil() {} //\n`\\", "*/\x00\xff"
	run.Data.MeanValue, run.Solver.Gamma = []float64{-1e300, 0.1}, 1e300
	run.Expect = []spec.Expectation{{Key: "test.\"\n", Want: ">= 0.5 */"}}
	return run
}

// TestHostileNetwork emits a network of hostile names, from a file of a hostile
// name, with hostile settings: the program parses and passes go vet.
func TestHostileNetwork(t *testing.T) {
	m := emitted(t, layersNamed("*/ \"net\"\n`\u2028", "break", distinctNames()[1:], append(slices.Clone(layerKinds), "Dropout(%s)")), "*/\nfunc evil() {} //.net", hostileRun())
	folder := t.TempDir()
	for _, path := range m.Paths() {
		file := filepath.Join(folder, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, m.Files[path], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range goFiles(m) {
		parsed, err := parser.ParseFile(token.NewFileSet(), path, m.Files[path], parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "evil") {
				t.Errorf("%s declares %s", path, f.Name.Name)
			}
		}
	}
	if testing.Short() {
		t.Skip("runs go vet; not with -short")
	}
	vet := exec.Command("go", "vet", ".", "./cmd/...")
	vet.Dir = folder
	vet.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// TestNamesAreNoCode: two networks that differ in their names only become
// programs that differ in identifiers, strings and comments only. (Dropout is
// left out: its random numbers are those of the layer's name.)
func TestNamesAreNoCode(t *testing.T) {
	names := distinctNames()
	plain := make([]string, len(names))
	for i := range plain {
		plain[i] = fmt.Sprintf("plain%dx", i)
	}
	hostile := emitted(t, layersNamed("*/ \"net\"\n", "the input", names, layerKinds), "*/\n.net", hostileRun())
	harmless := emitted(t, layersNamed("plain", "plainInput", plain, layerKinds), "plain.net", hostileRun())
	for _, path := range goFiles(hostile) {
		other := path
		if !slices.Contains(harmless.Paths(), path) {
			other = strings.ReplaceAll(path, hostile.Name, harmless.Name)
		}
		got, want := shapeOf(hostile.Files[path]), shapeOf(harmless.Files[other])
		if len(want) == 0 {
			t.Errorf("there is no %s", other)
		}
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("%s: token %d is %s, with plain names it is %s, after %v", path, i, got[i], want[i], got[max(0, i-60):i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s has %d tokens, with plain names %d", path, len(got), len(want))
		}
	}
}

// shapeOf lists the tokens of Go source, without what names, strings and
// comments say. Predeclared names are code.
func shapeOf(source []byte) []string {
	files := token.NewFileSet()
	var s scanner.Scanner
	s.Init(files.AddFile("", files.Base(), len(source)), source, nil, 0)
	var list []string
	for {
		_, tok, text := s.Scan()
		switch tok {
		case token.EOF:
			return list
		case token.IDENT, token.STRING:
			text = ""
		case token.SEMICOLON:
			if text == "\n" {
				continue // gofmt breaks the lines of long names
			}
		}
		list = append(list, tok.String()+" "+text)
	}
}

// TestSettingsAreStrings: the texts of the run file come back from the literals
// as they were.
func TestSettingsAreStrings(t *testing.T) {
	run := hostileRun()
	m := emitted(t, layersNamed("net", "x", []string{"y"}, layerKinds), "net.net", run)
	parsed, err := parser.ParseFile(token.NewFileSet(), "", m.Files[m.Name+".go"], 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			text, err := strconv.Unquote(l.Value)
			if err != nil {
				t.Error(err)
			}
			found = append(found, text)
		}
		return true
	})
	for _, want := range []string{run.Data.Source, run.Data.Otherwise, run.Expect[0].Key, run.Expect[0].Want} {
		if !slices.Contains(found, want) {
			t.Errorf("%q is not in the program", want)
		}
	}
}

func TestEmitIsDeterministic(t *testing.T) {
	text := layersNamed("net", "x", distinctNames()[:40], layerKinds)
	a, b := emitted(t, text, "some.net", hostileRun()), emitted(t, text, "some.net", hostileRun())
	if !slices.Equal(a.Paths(), b.Paths()) {
		t.Fatalf("files %v and %v", a.Paths(), b.Paths())
	}
	for _, path := range a.Paths() {
		if !bytes.Equal(a.Files[path], b.Files[path]) {
			t.Errorf("%s differs the second time", path)
		}
	}
}

func TestPackageName(t *testing.T) {
	for name, want := range map[string]string{
		"LeNet": "lenet", "CIFAR10_quick": "cifar10quick", "ResNet-50": "resnet50", "": "x", "中文": "x", "1st": "x1st",
		"main": "mainnet", "go": "gonet", "Type": "typenet", "Net": "netnet", "train": "trainnet", "Runtime": "runtimenet", "init": "initnet", "con": "connet",
	} {
		if got := gopkg.PackageName(name); got != want {
			t.Errorf("%q becomes %s, not %s", name, got, want)
		}
	}
	for _, name := range slices.Concat(hostileNames, hostileLines) {
		if got := gopkg.PackageName(name); !token.IsIdentifier(got) || got != strings.ToLower(got) || got == "_" {
			t.Errorf("%q becomes %q", name, got)
		}
	}
}

// TestPackageNameIsNoStandardPackage looks through the standard library of this
// Go: an import of the module must not find it there.
func TestPackageNameIsNoStandardPackage(t *testing.T) {
	folders, err := os.ReadDir(filepath.Join(build.Default.GOROOT, "src"))
	if err != nil {
		t.Skipf("this Go has no sources: %v", err)
	}
	for _, f := range folders {
		if f.IsDir() && gopkg.PackageName(f.Name()) == f.Name() {
			t.Errorf("a network may become the package %s", f.Name())
		}
	}
}
