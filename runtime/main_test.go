package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// invoke runs a command line of the tiny network's program.
func invoke(t *testing.T, network *tinyNetwork, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return invokeChoice(t, choiceOf(network), ctx, args...)
}

func invokeChoice(t *testing.T, choice Choice, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = command(ctx, choice, append([]string{"/somewhere/tiny"}, args...), &out, &err)
	return code, out.String(), err.String()
}

func keysOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%q is not one JSON object: %v", text, err)
	}
	return object
}

func TestTrainCommand(t *testing.T) {
	data, out := tinyFolder(t), filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--data", data, "--out", out, "--json", "-threads=2", "--seed", "3", "--log", "jsonl")
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	result := keysOf(t, stdout)
	for _, key := range []string{"name", "device", "isa", "threads", "seed", "batch", "iterations", "epochs", "train", "test", "samples_per_second", "step_ms", "peak_bytes", "weights", "weights_sha256", "data"} {
		if _, there := result[key]; !there {
			t.Errorf("JSON lacks %s: %s", key, stdout)
		}
	}
	if result["name"] != "tiny" || result["device"] != "cpu" || result["threads"] != 2. || result["seed"] != 3. || result["batch"] != 6. ||
		result["iterations"] != 40. || len(result["weights_sha256"].(string)) != 64 || result["peak_bytes"].(float64) < 1<<14 {
		t.Errorf("JSON %s", stdout)
	}
	if want := map[string]any{"name": "tiny", "generated": true}; !reflect.DeepEqual(result["data"], want) {
		t.Errorf("data %v, want %v", result["data"], want)
	}
	test, train := result["test"].(map[string]any), result["train"].(map[string]any)
	if test["loss"] == nil || test["accuracy"] == nil || train["loss"] == nil {
		t.Errorf("JSON %s", stdout)
	}
	for _, line := range []string{"iteration 7 of 40", "iteration 15  test accuracy", "iteration 40 of 40"} {
		if !strings.Contains(stderr, line) {
			t.Errorf("progress lacks %q:\n%s", line, stderr)
		}
	}
	for _, name := range []string{runFile, stateFile, weightsFile, logFile} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}

	code, _, stderr = invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--data", data, "--out", out)
	if code != exitFailed || !strings.Contains(stderr, "--resume "+out) {
		t.Errorf("training over a run: exit %d: %s", code, stderr)
	}
	// Resuming needs the folder only: seed, data and length come from the run.
	code, again, stderr := invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--resume", out, "--json", "--quiet")
	if code != exitDone || keysOf(t, again)["weights_sha256"] != result["weights_sha256"] || stderr != "" {
		t.Errorf("resuming a finished run: exit %d: %s%s", code, again, stderr)
	}
	code, longer, _ := invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--resume", out, "--json", "--iterations", "50")
	if code != exitDone || keysOf(t, longer)["iterations"] != 50. {
		t.Errorf("extending a run: exit %d: %s", code, longer)
	}
	code, text, _ := invoke(t, newTinyNetwork(6, 1), t.Context(), "test", "--weights", out, "--data", data)
	if code != exitDone || !strings.Contains(text, "tested tiny on 21 samples of tiny (generated data)") {
		t.Errorf("testing: exit %d: %s", code, text)
	}
}

func TestInterruptedCommand(t *testing.T) {
	data, folder := tinyFolder(t), t.TempDir()
	_, stdout, _ := invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--data", data, "--out", filepath.Join(folder, "a"), "--json", "--epochs", "4")
	want := keysOf(t, stdout)

	ctx, cancel := context.WithCancel(t.Context())
	network := newTinyNetwork(6, 1)
	network.onStep = func(batch int) {
		if batch == 9 {
			cancel()
		}
	}
	out := filepath.Join(folder, "b")
	code, stdout, stderr := invoke(t, network, ctx, "train", "--data", data, "--out", out, "--json", "--epochs", "4", "--quiet")
	if code != exitInterrupted || stdout != "" || stderr != "interrupted after iteration 10, saved: continue with --resume "+out+"\n" {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--resume", out, "--json", "--threads", "3")
	if got := keysOf(t, stdout); code != exitDone || got["weights_sha256"] != want["weights_sha256"] || got["iterations"] != want["iterations"] {
		t.Errorf("exit %d: %s%s, want %v", code, stdout, stderr, want)
	}
}

func TestDatedRunFolders(t *testing.T) {
	data := tinyFolder(t)
	t.Chdir(t.TempDir())
	for range 2 {
		if code, _, stderr := invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--data", data, "--iterations", "1", "--quiet"); code != exitDone {
			t.Fatalf("exit %d: %s", code, stderr)
		}
	}
	if runs, _ := filepath.Glob("runs/tiny-*-*"); len(runs) != 2 {
		t.Errorf("runs %v", runs)
	}
	// A run that could not start leaves nothing.
	code, _, _ := invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--data", t.TempDir(), "--out", "c")
	if _, err := os.Stat("c"); code != exitFailed || err == nil {
		t.Errorf("exit %d, folder: %v", code, err)
	}
}

func TestTestCommand(t *testing.T) {
	data, folder := tinyFolder(t), t.TempDir()
	for _, c := range []struct {
		name    string
		weights []float32
		expect  []Expect
		code    int
		want    string
	}{
		{"met", []float32{9, -9, 9, -9}, []Expect{{"test.accuracy", ">= 0.9"}, {"train.loss", "< 1"}}, exitDone, `"expect":[{"key":"test.accuracy","want":">= 0.9","got":1,"ok":true}]`},
		{"not met", []float32{-9, 9, -9, 9}, []Expect{{"test.accuracy", ">= 0.9"}}, exitExpectation, `"got":0,"ok":false`},
		{"none", []float32{0, 0, 0, 0}, nil, exitDone, `"expect":[]`},
		{"unknown key", []float32{0, 0, 0, 0}, []Expect{{"test.acuracy", ">= 0.9"}}, exitFailed, `did you mean "accuracy"?`},
		{"no comparison", []float32{0, 0, 0, 0}, []Expect{{"test.accuracy", "0.9"}}, exitFailed, "is no comparison"},
		{"no number", []float32{0, 0, 0, 0}, []Expect{{"test.accuracy", "> high"}}, exitFailed, "has no number"},
	} {
		network := newTinyNetwork(6, 1)
		network.Config.Expect = c.expect
		copy(network.Parameters[0].F32, c.weights)
		weights := filepath.Join(folder, "w.safetensors")
		if err := saveWeights(weights, &network.Program); err != nil {
			t.Fatal(err)
		}
		clear(network.Parameters[0].F32)
		code, stdout, stderr := invoke(t, network, t.Context(), "test", "--weights", weights, "--data", data, "--json")
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%s: exit %d: %s%s", c.name, code, stdout, stderr)
		}
	}
}

func TestRunCommand(t *testing.T) {
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	x := Tensor{Shape: []int{8, 1, 2, 2}, F32: make([]float32, 32)}
	for i := range x.F32 {
		x.F32[i] = float32(i) / 4
	}
	labels := Tensor{Shape: []int{8}, F32: []float32{0, 1, 0, 1, 0, 1, 0, 1}}
	small := Tensor{Shape: []int{6, 1, 2, 2}, I32: make([]int32, 24)}
	for i := range small.I32 {
		small.I32[i] = int32(i)
	}
	for name, array := range map[string]Tensor{"x.npy": x, "labels.npy": labels, "small.npy": small} {
		if err := WriteNPY(file(name), array); err != nil {
			t.Fatal(err)
		}
	}
	network := newTinyNetwork(6, 1)
	code, stdout, stderr := invoke(t, network, t.Context(), "run", "--json", "--in", "data="+file("x.npy"), "--in", "label="+file("labels.npy"),
		"--out", "ip="+file("ip.npy"), "--out", "label="+file("l.npy"), "--out", "ip.weight="+file("w.npy"))
	if code != exitDone || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if outcome := keysOf(t, stdout); outcome["phase"] != "test" || len(outcome["outputs"].([]any)) != 3 || outcome["loss"] == nil {
		t.Errorf("JSON %s", stdout)
	}
	ip, err := ReadNPY(file("ip.npy"))
	if err != nil {
		t.Fatal(err)
	}
	w, _ := ReadNPY(file("w.npy"))
	for n := range 8 {
		want := 0.0
		for i := range 4 {
			want += float64(w.F32[i]) * float64(x.F32[4*n+i])
		}
		if math.Abs(float64(ip.F32[n])-want) > 1e-6 || w.F32[0] == 0 {
			t.Errorf("ip[%d] = %g, want %g", n, ip.F32[n], want)
		}
	}
	if l, _ := ReadNPY(file("l.npy")); !slices.Equal(l.I32, []int32{0, 1, 0, 1, 0, 1, 0, 1}) {
		t.Errorf("labels %v", l)
	}

	// A gradient is one of the training phase, and leaves the parameters alone.
	network = newTinyNetwork(6, 1)
	code, stdout, stderr = invoke(t, network, t.Context(), "run", "--in", "data="+file("small.npy"), "--grad", "ip.weight="+file("g.npy"), "--out", "ip.weight="+file("w2.npy"))
	if code != exitDone || !strings.Contains(stderr, "input label is not given, it is all zero") || !strings.HasPrefix(stdout, "loss ") {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	g, err := ReadNPY(file("g.npy"))
	if err != nil || len(g.F32) != 4 || g.F32[0] == 0 {
		t.Errorf("gradient %v, %v", g, err)
	}
	if w2, _ := ReadNPY(file("w2.npy")); !slices.Equal(w2.F32, w.F32) {
		t.Errorf("parameters moved from %v to %v", w.F32, w2.F32)
	}

	for want, args := range map[string][]string{
		`no tensor ipp, did you mean "ip"?`:       {"--out", "ipp=" + file("o.npy")},
		`no such input, did you mean "data"?`:     {"--in", "dta=" + file("x.npy"), "--out", "ip=" + file("o.npy")},
		"the array is 6x1x2x2, the input 8x1x2x2": {"--in", "data=" + file("small.npy"), "--out", "ip=" + file("o.npy")},
		"no such file":                                   {"--in", "data=" + file("none.npy"), "--out", "ip=" + file("o.npy")},
		"the train phase has no tensor accuracy":         {"--phase", "train", "--out", "accuracy=" + file("o.npy")},
		"value 0.25 at index 1 is no integer":            {"--in", "label=" + file("half.npy"), "--out", "ip=" + file("o.npy")},
		"--grad needs --phase train":                     {"--phase", "test", "--grad", "ip=" + file("o.npy")},
		"run writes nothing":                             {},
		`"ip" is not NAME=FILE.npy`:                      {"--out", "ip"},
		"the phases are train and test":                  {"--phase", "both", "--out", "ip=" + file("o.npy")},
		"error: " + file("w.txt") + ": weights are read": {"--weights", file("w.txt"), "--out", "ip=" + file("o.npy")},
	} {
		half := Tensor{Shape: []int{8}, F32: []float32{0, 0.25, 0, 0, 0, 0, 0, 0}}
		if err := WriteNPY(file("half.npy"), half); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := invoke(t, newTinyNetwork(6, 1), t.Context(), append([]string{"run"}, args...)...)
		if (code != exitFailed && code != exitUsage) || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("run %v: exit %d: %s%s; want %q", args, code, stdout, stderr, want)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"usage: tiny VERB":                {},
		`unknown verb "tran", did you`:    {"tran"},
		`--iteration, did you mean "iter`: {"train", "--iteration", "5"},
		`unexpected argument "x"`:         {"train", "x"},
		"--threads -1":                    {"train", "--threads", "-1"},
		"--seed 5000000000":               {"train", "--seed", "5000000000"},
		"--device cuda":                   {"train", "--device", "cuda"},
		"the only format is jsonl":        {"train", "--log", "csv"},
		"give one":                        {"train", "--epochs", "1", "--iterations", "1"},
		"leave --out out":                 {"train", "--resume", "a", "--out", "b"},
		"leave --weights out":             {"train", "--resume", "a", "--weights", "b"},
		"test needs --weights":            {"test"},
		"invalid value":                   {"train", "--threads", "two"},
		"portable, avx2 and avx512":       {"train", "--isa", "avx"},
	} {
		code, stdout, stderr := invoke(t, newTinyNetwork(6, 1), t.Context(), args...)
		if code != exitUsage || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%v: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
	for _, args := range [][]string{{"help"}, {"--help"}, {"train", "--help"}, {"run", "-h"}} {
		if code, stdout, _ := invoke(t, newTinyNetwork(6, 1), t.Context(), args...); code != exitDone || !strings.Contains(stdout, "usage: tiny") {
			t.Errorf("%v: exit %d: %s", args, code, stdout)
		}
	}
	code, _, stderr := invoke(t, newTinyNetwork(6, 1), t.Context(), "train", "--resume", t.TempDir())
	if code != exitFailed || !strings.Contains(stderr, "is no run folder") {
		t.Errorf("resuming nothing: exit %d: %s", code, stderr)
	}
}
