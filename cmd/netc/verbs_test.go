package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"netc/compiler/layer"
	"netc/models"
	"netc/spec/diag"
)

// TestVerbs runs command lines that need no built program: exit code, and what
// stdout and stderr hold. A text that starts with "!" must not be there; an
// empty want means that the stream is empty.
func TestVerbs(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tiny.net", tinyNet)
	write(t, folder, "tiny.toml", tinyRun)
	write(t, folder, "plain.net", tinyNet)
	write(t, folder, "bad.net", badNet)
	write(t, folder, "odd.net", unformatted)
	write(t, folder, "empty.net", "net Empty\n")
	write(t, folder, "blocks.net", "net Blocks\nconst width = 4\nblock unit(x) {\n  y = ReLU(x)\n  return y\n}\n")
	write(t, folder, "twice.net", "net Twice\nx = input [4]\ny = ReLU(x)\ny = InnerProduct(x) { num_output: \"x\" }\n")
	write(t, folder, "unequal.net", "net Unequal\na = input [4]\nb = input [3]\nloss = EuclideanLoss(a, b)\n")
	write(t, folder, "hopeful.net", tinyNet)
	write(t, folder, "hopeful.toml", "[expect]\ntest.acuracy = \">= 0.5\"\ntest.speed = \"> 1\"\ntest.loss = \"< 3\"\n")
	write(t, folder, "bad.toml", "[solver]\nbase_lr = 0.1\n")
	write(t, folder, "deploy.net", "net Deploy\nx = input [4]\ny = Softmax(x)\n")
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr []string
	}{
		{"", 0, []string{"netc train models/lenet.net", "netc help"}, nil},
		{"help", 0, []string{"Train and use a network", "gradcheck", "130 interrupted"}, nil},
		{"--help", 0, []string{"Train and use a network"}, nil},
		{"help train", 0, []string{"--resume", "--set"}, nil},
		{"train --help", 0, []string{"--resume", "--set"}, nil},
		{"help trian", 2, nil, []string{`unknown verb trian, did you mean "train"?`}},
		{"trian", 2, nil, []string{`error: unknown verb trian, did you mean "train"?`, `"netc help" says more`}},
		{"train tiny.net --itertions 3", 2, nil, []string{`unknown flag --itertions, did you mean "--iterations"?`, `"netc train --help"`}},
		{"train", 2, nil, []string{`expected "<file>"`}},
		{"train tiny.net --iterations 3 --epochs 2", 2, nil, []string{"--iterations and --epochs"}},
		{"train tiny.net --seed 99999999999", 2, nil, []string{"32 bits"}},
		{"train tiny.net --device tpu", 2, nil, []string{"--device", "cuda"}},
		{"build tiny.net --device cuda", 0, []string{"tiny.cu", "cuda.go", "go.sum"}, nil},
		{"train tiny.net --log csv", 2, nil, []string{"--log"}},
		{"train deploy.net --data digits", 1, nil, []string{"no loss"}},
		{"train tiny.net --resume nowhere", 1, nil, []string{"nowhere is no run folder"}},
		{"test tiny.net", 2, nil, []string{"test needs --weights"}},
		{"run tiny.net", 2, nil, []string{"run writes nothing"}},
		{"run tiny.net --in data --out loss=l.npy", 2, nil, []string{"--in data is not NAME=FILE.npy"}},
		{"run tiny.net --grad conv=g.npy --phase test", 2, nil, []string{"no gradients"}},
		{"run tiny.net --out los=l.npy", 1, nil, []string{`there is no tensor "los"`, `did you mean "loss"?`}},
		{"run tiny.net --grad label=l.npy", 1, nil, []string{"label"}},
		{"run tiny.net --in data=none.npy --out loss=l.npy", 1, nil, []string{"none.npy"}},

		{"vet tiny.net tiny.toml", 0, nil, nil},
		{"vet bad.net", 1, nil, []string{"bad.net:4:28: error: ", `did you mean "num_output"?`, "bad.net:5:", "bad.net:6:8: error: ", "   4 | conv", "^^^^^^^^^"}},
		{"vet nowhere.net", 1, nil, []string{"nowhere.net: error: there is no such file"}},
		{"vet empty.net", 1, nil, []string{"no layers"}},
		{"vet blocks.net", 0, nil, nil},
		{"build blocks.net", 1, nil, []string{"no layers"}},
		{"vet twice.net", 1, nil, []string{`"y" is already defined`, "num_output must be an integer", "!gives"}},
		{"vet hopeful.net", 1, nil, []string{`hopeful.toml:2:1: error: [expect] names "test.acuracy"`, `did you mean "test.accuracy"?`, `"test.speed"`, "the test measures test.loss, test.accuracy", "!names \"test.loss\""}},
		{"vet unequal.net", 1, nil, []string{"input 2 is f32[64,3], but f32[64,4]", "!f32[100,3]"}},
		{"vet bad.toml", 1, nil, []string{"bad.toml:2:", "solver.lr"}},
		{"build bad.net", 1, nil, []string{"bad.net:4:28", "bad.toml:2:1"}},
		{"summary bad.net", 1, nil, []string{"bad.net:4:28", "bad.net:6:8"}},
		{"summary tiny.net --set solver.lrr=1", 2, nil, []string{`did you mean "solver.lr"?`}},
		{"summary plain.net --set solver.type=Adam", 0, []string{"Tiny"}, []string{"warning:", "!error"}},
		{"summary deploy.net", 0, []string{"Deploy", "Softmax"}, nil},
		{"summary tiny.net", 0, []string{"conv", "InnerProduct", "f32[8,10]", "lower bound"}, nil},
		{"summary tiny.net --batch 0", 2, nil, []string{"a batch has at least one sample"}},
		{"summary tiny.net --set train.batch=0", 2, nil, []string{"train.batch must be at least 1", "!the batch must be"}},
		{"summary tiny.net --batch 3", 0, []string{"f32[3,10]"}, nil},
		{"summary tiny.net --batch 3 --phase test", 0, []string{"f32[3,10]", "!train"}, nil},
		{"summary tiny.net", 0, []string{"avx2 kernels"}, nil},
		{"summary tiny.net --isa portable", 0, []string{"portable kernels"}, nil},
		{"build tiny.net -o both", 0, []string{"portable: arena", "avx2, avx512: arena"}, nil},
		{"build tiny.net -o both -O0", 0, []string{"portable: arena", "!avx2:"}, nil},
		{"summary tiny.net -O0", 0, []string{"Tiny"}, nil},
		{"summary tiny.net -O2", 2, nil, []string{"--optimize"}},

		{"plan tiny.net", 0, []string{"Tiny train", "Tiny test", "lower bound"}, nil},
		{"plan tiny.net", 0, []string{"Tiny, avx2 kernels: one arena of", "data.lanes"}, nil},
		{"plan tiny.net --isa avx512", 0, []string{"Tiny, avx512 kernels: one arena of", "data.lanes"}, nil},
		{"plan tiny.net --isa portable", 0, []string{"Tiny, portable kernels: one arena of", "!lanes"}, nil},
		{"plan tiny.net --device cuda", 0, []string{"Tiny, portable kernels", "!lanes"}, nil},
		{"plan tiny.net -O0", 0, []string{"Tiny, portable kernels", "!lanes"}, nil},
		{"plan tiny.net -O0 --isa avx2", 2, nil, []string{"with -O0 a program has portable kernels only"}},
		{"plan tiny.net --isa sse", 2, nil, []string{"--isa must be one of"}},
		{"plan tiny.net --phase test", 0, []string{"!Tiny train", "Tiny test"}, nil},
		{"plan tiny.net --draw", 0, []string{"Tiny train", " |"}, nil},
		{"plan tiny.net --svg plan.svg", 0, nil, []string{"plan.svg"}},

		{"ir tiny.net", 0, []string{"graph Tiny train", "graph Tiny test", "fuse"}, nil},
		{"ir tiny.net --after lower --phase test", 0, []string{"graph Tiny test", "!train", "!fuse"}, nil},
		{"ir tiny.net --after fuse", 2, nil, []string{`there is no pass "fuse"`, "fuse-epilogues"}},
		{"ir tiny.net --after differentiate --phase test", 1, nil, []string{"does not run"}},
		{"ir tiny.net --after layouts --phase test", 0, []string{"graph Tiny test", "f32[10/16,", "!train"}, nil},
		{"ir tiny.net --after layouts --isa portable", 1, nil, []string{"layouts does not run for portable kernels"}},
		{"ir tiny.net --isa portable", 0, []string{"graph Tiny train", "fuse", "!/16"}, nil},
		{"ir tiny.net --after order -O0", 1, nil, []string{"-O0"}},
		{"ir tiny.net --passes", 0, []string{"differentiate (also with -O0)"}, nil},
		{"graph tiny.net", 0, []string{`digraph "Tiny train"`, `"conv" -> "relu" [label="[8,6,5,5]"]`, "!accuracy"}, nil},
		{"graph tiny.net --phase test", 0, []string{`"label" -> "accuracy"`}, nil},

		{"gradcheck tiny.net --samples 4", 0, []string{"conv.weight", "4 of 54", "ok", "!WRONG"}, []string{"checking Tiny"}},
		{"gradcheck deploy.net --quiet", 0, []string{"x  ", "ok", "!WRONG"}, nil},
		{"gradcheck", 2, nil, []string{"--layers"}},
		{"gradcheck tiny.net --layers", 2, nil, []string{"leave the file out"}},
		{"gradcheck bad.net", 1, nil, []string{"bad.net:4:28"}},

		{"doc", 0, []string{"Convolution", "fillers"}, nil},
		{"doc convolution", 2, nil, []string{"did you mean Convolution?"}},
		{"explain N999", 2, nil, []string{`no code "N999"`}},
		{"explain", 0, []string{"N101"}, nil},
		{"version", 0, []string{"netc "}, nil},

		{"data", 2, nil, []string{"expected one of"}},
		{"data info nowhere", 1, nil, []string{"nowhere"}},
		{"data info mnist", 1, nil, []string{"netc data get mnist"}},
		{"data get mnits", 2, nil, []string{`did you mean "mnist"?`}},
		{"data gen digit", 2, nil, []string{`did you mean "digits"?`}},
		{"data gen digits --train 0", 1, nil, []string{"at least one"}},
		{"data preview nowhere", 1, nil, []string{"nowhere"}},

		{"fmt -l tiny.net odd.net", 0, []string{"odd.net"}, nil},
		{"fmt -d odd.net", 0, []string{"--- odd.net", "-x=input[4]", "+x = input [4]"}, nil},
		{"fmt -d -l odd.net", 2, nil, []string{"can't be used together"}},
	} {
		o := command(t, folder, "", strings.Fields(c.args)...)
		if o.code != c.code {
			t.Errorf("netc %s: exit code %d, want %d\n%s%s", c.args, o.code, c.code, o.stdout, o.stderr)
		}
		for _, stream := range []struct {
			name, text string
			want       []string
		}{{"stdout", o.stdout, c.stdout}, {"stderr", o.stderr, c.stderr}} {
			if len(stream.want) == 0 && stream.text != "" {
				t.Errorf("netc %s: %s is not empty:\n%s", c.args, stream.name, stream.text)
			}
			for _, want := range stream.want {
				absent, negated := strings.CutPrefix(want, "!")
				if negated && strings.Contains(stream.text, absent) || !negated && !strings.Contains(stream.text, want) {
					t.Errorf("netc %s: %s should hold %q:\n%s", c.args, stream.name, want, stream.text)
				}
			}
		}
	}
	if svg, err := os.ReadFile(filepath.Join(folder, "plan.svg")); err != nil || !strings.Contains(string(svg), "<svg") {
		t.Errorf("plan.svg: %v, %.40s", err, svg)
	}
}

// TestJSON checks the keys that scripts rely on.
func TestJSON(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tiny.net", tinyNet)
	write(t, folder, "tiny.toml", tinyRun)
	write(t, folder, "bad.net", badNet)
	for _, c := range []struct {
		args string
		keys []string // a path of keys; a number is the place in an array
	}{
		{"summary", []string{"name", "batch", "parameters", "flops_forward", "layers.1.name", "isa", "layers.1.type", "layers.1.outputs.0.name", "layers.1.outputs.0.shape.3",
			"layers.1.parameters", "layers.1.flops", "layers.1.file", "layers.1.line", "arena.train.bytes", "arena.train.lower_bound", "arena.train.without_reuse",
			"arena.test.bytes", "arena.test.lower_bound", "arena.test.without_reuse", "kernels.train", "kernels.test", "setup_kernels"}},
		{"plan", []string{"name", "isa", "arena_bytes", "phases.0.phase", "phases.0.bytes", "phases.0.lower_bound", "phases.0.ratio", "phases.1.buffers.0.values.0"}},
		{"ir", []string{"isa", "phases.0.phase", "phases.0.text"}},
		{"graph", []string{"name", "phase", "nodes.0.name", "nodes.0.type", "edges.0.from", "edges.0.to", "edges.0.shape.0"}},
		{"gradcheck --samples 1", []string{"name", "ok", "tensors.0.name", "tensors.0.worst_error", "tensors.0.kinks"}},
		{"build -o out", []string{"name", "folder", "files.0.path", "files.0.bytes", "kernels.train", "kernels.test", "setup_kernels", "arena.bytes", "arena.lower_bound", "variants.0.isas.0", "variants.1.arena.bytes", "passes.0.ms", "time_ms"}},
		{"fmt", nil},
	} {
		o := command(t, folder, "", append(strings.Fields(c.args), "--json", "tiny.net")...)
		if o.code != 0 {
			t.Errorf("%s: exit code %d\n%s", c.args, o.code, o.stderr)
			continue
		}
		for _, path := range c.keys {
			if !hasKey(object(t, o.stdout), path) {
				t.Errorf("%s --json has no %s: %s", c.args, path, o.stdout)
			}
		}
	}

	s := object(t, done(t, folder, "summary", "--json", "tiny.net").stdout)
	// conv 6*(1*9+1), ip 10*(6*5*5+1); two operations a multiply-add, batch 8
	if s["parameters"] != 60.0+1510 || s["flops_forward"] != 8*2*(6*25*9+10.0*150) || s["batch"] != 8.0 {
		t.Errorf("summary: %v parameters, %v operations, batch %v", s["parameters"], s["flops_forward"], s["batch"])
	}

	o := command(t, folder, "", "vet", "--json", "tiny.net", "bad.net")
	files := object(t, o.stdout)["files"].([]any)
	good, bad := files[0].(map[string]any), files[1].(map[string]any)
	if o.code != 1 || o.stderr != "" || good["ok"] != true || bad["ok"] != false || len(good["errors"].([]any)) != 0 || len(bad["errors"].([]any)) < 3 {
		t.Errorf("vet --json: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	for _, key := range []string{"file", "line", "column", "code", "message", "help"} {
		if !hasKey(bad, "errors.0."+key) {
			t.Errorf("vet --json: an error has no %s: %s", key, o.stdout)
		}
	}
}

// hasKey follows a path such as "layers.0.name".
func hasKey(value any, path string) bool {
	for _, key := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			inner, ok := v[key]
			if !ok {
				return false
			}
			value = inner
		case []any:
			place := int(key[0] - '0')
			if place >= len(v) {
				return false
			}
			value = v[place]
		default:
			return false
		}
	}
	return true
}

// TestPages prints the page of every layer and the explanation of every code.
func TestPages(t *testing.T) {
	for _, name := range layer.Types() {
		if o := done(t, ".", "doc", name); !strings.HasPrefix(o.stdout, name+": ") {
			t.Errorf("doc %s: %s", name, o.stdout)
		}
		if exampleOf(layer.Doc(name)) == "\n" {
			t.Errorf("the page of %s has no example", name)
		}
	}
	if len(diag.Explanations) < 20 {
		t.Errorf("only %d codes are explained", len(diag.Explanations))
	}
	for code := range diag.Explanations {
		if o := done(t, ".", "explain", strings.ToLower(code)); !strings.HasPrefix(o.stdout, code+"\n\n") || len(o.stdout) < 80 {
			t.Errorf("explain %s: %s", code, o.stdout)
		}
	}
}

// TestEveryLayersGradients is "netc gradcheck --layers", which covers each type.
func TestEveryLayersGradients(t *testing.T) {
	r := object(t, done(t, ".", "gradcheck", "--layers", "--samples", "6", "--json", "--quiet").stdout)
	layers := r["layers"].([]any)
	if r["ok"] != true || len(layers) != len(layer.Types()) {
		t.Errorf("%d layers checked, want %d: %v", len(layers), len(layer.Types()), r["ok"])
	}
	for _, one := range layers {
		if l := one.(map[string]any); l["input_ranges"].(float64) < 1 {
			t.Errorf("%v: nothing is checked", l["name"])
		}
	}
}

// TestFmt formats in place, once and for all, and leaves broken files alone.
func TestFmt(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "odd.net", unformatted)
	write(t, folder, "broken.net", "net X\ny = ReLU(\n")
	o := command(t, folder, "", "fmt", "broken.net", "odd.net")
	if o.code != 1 || o.stdout != "" || !strings.Contains(o.stderr, "broken.net:2:") {
		t.Errorf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	first, err := os.ReadFile(filepath.Join(folder, "odd.net"))
	if err != nil || string(first) == unformatted {
		t.Errorf("odd.net was not formatted: %v, %s", err, first)
	}
	if o := done(t, folder, "fmt", "-l", "odd.net"); o.stdout != "" {
		t.Errorf("a second time changes %s", o.stdout)
	}
	if o := command(t, folder, unformatted, "fmt", "-"); o.stdout != string(first) || o.code != 0 {
		t.Errorf("stdin: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("files left behind: %v", left)
	}
}

// TestFmtModels formats the models twice: the second time changes nothing.
func TestFmtModels(t *testing.T) {
	for _, name := range models.All() {
		path := "../../models/" + name + ".net"
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		once := command(t, ".", string(source), "fmt", "-")
		twice := command(t, ".", once.stdout, "fmt", "-")
		if once.code != 0 || once.stdout == "" || once.stdout != twice.stdout {
			t.Errorf("%s: exit code %d\n%s", path, once.code, unifiedDiff(path, once.stdout, twice.stdout))
		}
	}
}
