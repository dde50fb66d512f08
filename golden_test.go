package netc_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"netc/codegen/cuda"
	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/ir"
	"netc/models"
	"netc/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files instead of comparing with them")

// TestGolden compares, for every small model, each stage of the compiler with the
// files in golden/MODEL. "make golden" rewrites them; a file that no stage
// writes is an error.
func TestGolden(t *testing.T) {
	used := map[string]bool{}
	for _, net := range append(nets(models.Small()), tiny) {
		name := strings.TrimSuffix(filepath.Base(net), ".net")
		t.Run(name, func(t *testing.T) {
			files, _ := stages(t, net)
			for file, want := range files {
				path := filepath.Join("golden", name, file)
				used[path] = true
				compareGolden(t, path, want)
			}
		})
	}
	files, err := filepath.Glob("golden/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if used[f] {
			continue
		}
		if *update {
			if err := os.Remove(f); err != nil {
				t.Error(err)
			}
		} else {
			t.Errorf("%s is written by no stage: remove it, or run \"make golden\"", f)
		}
	}
}

func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%v: run \"make golden\"", err)
		return
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs at line %d: run \"make golden\" and read the difference", path, firstDifference(got, want))
	}
}

func firstDifference(a, b []byte) int {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return i + 1
		}
	}
	return min(len(x), len(y)) + 1
}

// nets gives the files of models.
func nets(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = "models/" + name + ".net"
	}
	return list
}

// tiny is the network whose assembly golden/ shows: that of the models is of
// the same kinds and fills hundreds of pages.
const tiny = "testdata/tiny.net"

// longModel is the number of layers above which only the text of the graphs
// and the plan is kept: kernels of the same kinds fill pages without telling
// more than the small models' do.
const longModel = 24

// stages compiles a model and gives what golden/MODEL holds, in the order of
// the compiler: source, graphs after lowering, after differentiation and
// update, after fusion and ordering, the memory plan, the program, the GPU
// kernels; and the whole program.
func stages(t *testing.T, path string) (map[string][]byte, *gopkg.Module) {
	t.Helper()
	out := map[string][]byte{}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out["1.net"] = source
	file, list := spec.Load(path)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	run, list := spec.LoadRun(strings.TrimSuffix(path, ".net")+".toml", nil)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	keep := map[string]string{"train lower": "2.lowered.ir", "train update": "3.differentiated.ir", "train order": "4.fused.ir", "test order": "5.test.ir"}
	unit, list, err := compiler.Compile(file, run, compiler.Options{Dump: func(pass string, g *ir.Graph) {
		if name := keep[g.Phase+" "+pass]; name != "" {
			out[name] = []byte(g.String())
		}
	}})
	net, _ := spec.Expand(file, run.Selection("train"))
	isLong := len(net.Layers) > longModel
	if err == nil && !isLong {
		unit, list, err = compiler.Compile(file, run, compiler.Options{Vector: true})
	}
	if err != nil || list.Errors() > 0 {
		t.Fatal(err, list)
	}
	planned := unit
	if path == tiny {
		planned = unit.Vector
	}
	var plan bytes.Buffer
	for _, p := range planned.Phases {
		fmt.Fprintf(&plan, "%s\n%s\n", p.Name, p.Plan.Report())
	}
	out["6.plan.txt"] = plan.Bytes()
	module, err := gopkg.Emit(unit, filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{module.Name + ".go": "7.", "train.go": "8.", "test.go": "9.", "update.go": "9."}
	switch {
	case path == tiny:
		out["5.lanes.ir"] = []byte(unit.Vector.Phase("train").Graph.String())
		shown = map[string]string{"train_avx2_amd64.go": "8.", "train_avx2_amd64.s": "8.", "train_avx512_amd64.s": "8."}
	case isLong:
		shown = nil
	}
	for name, number := range shown {
		if content := module.Files[name]; content != nil {
			out[number+name+".txt"] = content
		}
	}
	if path != tiny && !isLong {
		kernels, err := cuda.Emit(unit, filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		out["10."+module.Name+".cu"] = []byte(kernels.Source)
	}
	return out, module
}

// TestCompilesTheSameTwice compiles each model again and compares every byte of
// the stages and of the program.
func TestCompilesTheSameTwice(t *testing.T) {
	for _, net := range append(nets(models.All()), tiny) {
		a, program := stages(t, net)
		b, again := stages(t, net)
		compareCompilations(t, net, a, b)
		compareCompilations(t, net, program.Files, again.Files)
	}
}

func compareCompilations(t *testing.T, net string, a, b map[string][]byte) {
	t.Helper()
	if len(a) != len(b) {
		t.Errorf("%s: %d files, and %d the second time", net, len(a), len(b))
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s: %s differs between two compilations", net, name)
		}
	}
}
