package spec

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"netc/spec/diag"
)

const lenetRun = `
[data]
source = "mnist"
otherwise = "digits"
scale = 0.00390625
mean_value = 33      # one number is a list of one
shuffle = false

[train]
batch = 32
iterations = 10_000
stages = ["deploy"]

[test]
interval = 500

[solver]
lr_policy = "inv"
gamma = 1e-4
power = 0.75
momentum = 0.9
stepvalue = [10, 20]

[expect]
test.loss = "< 0.05"
test.accuracy = ">=0.99"
`

func TestParseRun(t *testing.T) {
	run, found := ParseRun("lenet.toml", []byte(lenetRun), nil)
	if len(found) > 0 {
		t.Fatal(found)
	}
	want := DefaultRun()
	want.File, want.Source = "lenet.toml", []byte(lenetRun)
	want.Data = RunData{Source: "mnist", Otherwise: "digits", Scale: 1.0 / 256, MeanValue: []float64{33}}
	want.Train.Batch, want.Train.Iterations, want.Train.Stages = 32, 10000, []string{"deploy"}
	want.Test.Interval = 500
	want.Solver.Policy, want.Solver.Gamma, want.Solver.Power = "inv", 1e-4, 0.75
	want.Solver.Momentum, want.Solver.StepValues = 0.9, []int{10, 20}
	at := func(line, column, length int) diag.Span {
		return diag.Span{Pos: diag.Pos{File: "lenet.toml", Line: line, Column: column}, Length: length}
	}
	want.Expect = []Expectation{
		{Key: "test.loss", Want: "< 0.05", Operator: "<", Bound: 0.05, Span: at(25, 1, 9)},
		{Key: "test.accuracy", Want: ">=0.99", Operator: ">=", Bound: 0.99, Span: at(26, 1, 13)},
	}
	if !reflect.DeepEqual(run, want) {
		t.Errorf("got  %+v\nwant %+v", run, want)
	}
}

func TestRunFlags(t *testing.T) {
	run, found := ParseRun("lenet.toml", []byte(lenetRun), []string{
		"solver.lr=0.05", "data.source=my data", `data.otherwise="quoted"`, "data.mean_value=[1, 2.5, 3]",
		"train.epochs=3", "test.stages=a", "expect.test.loss=< 1", `expect.test.auc = "> 0.5"`, "data.mirror=true",
	})
	if len(found) > 0 {
		t.Fatal(found)
	}
	checks := []struct{ got, want any }{
		{run.Solver.Rate, 0.05},
		{run.Data.Source, "my data"},
		{run.Data.Otherwise, "quoted"},
		{run.Data.MeanValue, []float64{1, 2.5, 3}},
		{run.Train.Epochs, 3},
		{run.Train.Iterations, 0}, // the flag replaces the file's way to say how long
		{run.Test.Stages, []string{"a"}},
		{run.Data.Mirror, true},
		{run.Expect[0].Want, "< 1"},
		{run.Expect[2].Key, "test.auc"},
	}
	for i, c := range checks {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%d: got %v, want %v", i, c.got, c.want)
		}
	}
}

func TestRunFlagMistakes(t *testing.T) {
	cases := []struct{ flag, message, help string }{
		{"solver.lrr=3", `--set solver.lrr=3: there is no key "solver.lrr"`, `did you mean "solver.lr"?`},
		{"lr=3", `--set lr=3: there is no key "lr"`, `did you mean "solver.lr"?`},
		{"solver.base_lr=3", `--set solver.base_lr=3: there is no key "solver.base_lr"`, `did you mean solver.lr?`},
		{"solver.lr=-3", `--set solver.lr=-3: solver.lr must be greater than 0, not -3`, ""},
		{"solver.type=Sgd2", `--set solver.type=Sgd2: solver.type cannot be "Sgd2"`, `did you mean "SGD"?`},
		{"train.batch=many", `--set train.batch=many: train.batch must be an integer, not text`, ""},
		{"train.batch=", `--set train.batch=: train.batch must be an integer, not text`, ""},
		{"train.batch", `--set train.batch: expected table.key=value`, "--set solver.lr=0.05"},
		{"expect.test.loss=0.5", `--set expect.test.loss=0.5: expected a comparison with a number`, "--set 'expect.test.accuracy=>= 0.99'"},
		{"solver.lr_policy=exp", `--set solver.lr_policy=exp: the policy exp needs solver.gamma`, ""},
	}
	for _, c := range cases {
		_, found := ParseRun("", nil, []string{c.flag})
		if len(found) != 1 {
			t.Errorf("%s: got %v, want one message", c.flag, found)
			continue
		}
		if d := found[0]; d.Code != CodeSet || d.Message != c.message || d.Help != c.help || d.Span.IsValid() {
			t.Errorf("%s: got %s %q help %q", c.flag, d.Code, d.Message, d.Help)
		}
	}
}

func TestLoadRun(t *testing.T) {
	if run, found := LoadRun("", nil); len(found) > 0 || !reflect.DeepEqual(run, DefaultRun()) {
		t.Errorf("no file: got %+v and %v", run, found)
	}
	path := filepath.Join(t.TempDir(), "a.toml")
	if _, found := LoadRun(path, nil); found.Errors() != 1 || found[0].Span.File != path {
		t.Errorf("missing file: got %v", found)
	}
	if err := os.WriteFile(path, []byte("[train]\nbatch = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if run, found := LoadRun(path, nil); len(found) > 0 || run.Train.Batch != 7 {
		t.Errorf("got %+v and %v", run, found)
	}
}

// The library tells no places; ours must be exact in every way to write a key.
func TestTOMLPlaces(t *testing.T) {
	source := strings.Join([]string{
		`# comment [not.a.table]`,
		`a.b = 1 # after`,
		`"q.r" = "x = # ]"`,
		`[ t . "u" ]`,
		`	v = [ 1, # ]`,
		`  "]", { w = 2 } ]`,
		`x = { y = 'é', z.zz = """`,
		`k = "3""", last = true }`,
		`ö = '''it''s'''`,
		`[[list]]`,
		`d = 1979-05-27 07:32:00  `,
	}, "\r\n")
	source = strings.Replace(source, "ö", `"ö"`, 1) // a bare key is ASCII
	want := map[string][4]int{                      // line and column of the key, then of the value
		"a.b": {2, 1, 2, 7}, "q.r": {3, 1, 3, 9}, "t.u": {4, 3, 0, 0}, "t.u.v": {5, 2, 5, 6}, "t.u.v.w": {6, 10, 6, 14},
		"t.u.x": {7, 1, 7, 5}, "t.u.x.y": {7, 7, 7, 11}, "t.u.x.z.zz": {7, 16, 7, 23}, "t.u.x.last": {8, 12, 8, 19},
		"t.u.ö": {9, 1, 9, 7}, "list": {10, 3, 0, 0}, "list.d": {11, 1, 11, 5},
	}
	places := findTOMLPlaces("f.toml", []byte(source))
	for path, w := range want {
		p, ok := places[path]
		if got := [4]int{p.key.Line, p.key.Column, p.value.Line, p.value.Column}; !ok || got != w {
			t.Errorf("%s: got %v, want %v", path, got, w)
		}
	}
	if len(places) != len(want) {
		t.Errorf("got %d keys, want %d: %v", len(places), len(want), places)
	}
	if length := places["list.d"].value.Length; length != len("1979-05-27 07:32:00") {
		t.Errorf("the date is %d long", length)
	}
}
