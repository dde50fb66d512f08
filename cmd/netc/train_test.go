package main

import (
	"bufio"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"netc/runtime"
)

// TestTraining goes the whole way on a small net: generate data, train, be
// interrupted, resume, evaluate, and compute single passes.
func TestTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	folder := t.TempDir()
	write(t, folder, "tiny.net", tinyNet)
	write(t, folder, "tiny.toml", tinyRun)
	done(t, folder, "data", "gen", "digits", "--train", "300", "--test", "100", "--out", filepath.Join(os.Getenv("NETC_DATA"), "digits"))

	whole := object(t, done(t, folder, "train", "tiny.net", "--json", "--threads", "1", "--out", "whole").stdout)
	for _, key := range []string{"name", "device", "isa", "threads", "seed", "batch", "iterations", "epochs", "train.loss", "test.loss", "test.accuracy",
		"samples_per_second", "step_ms", "peak_bytes", "weights", "weights_sha256"} {
		if !hasKey(whole, key) {
			t.Errorf("train --json has no %s", key)
		}
	}
	if loss := whole["train"].(map[string]any)["loss"].(float64); loss > 2 {
		t.Errorf("the loss is %v after training", loss)
	}

	t.Run("interrupt and resume", func(t *testing.T) {
		interrupted(t, folder, "train", "tiny.net", "--threads", "2", "--out", "parts", "--log", "jsonl")
		o := done(t, folder, "train", "tiny.net", "--json", "--resume", "parts")
		if strings.Contains(o.stderr, "building") {
			t.Errorf("the program was built again: %s", o.stderr)
		}
		if got := object(t, o.stdout)["weights_sha256"]; got != whole["weights_sha256"] {
			t.Errorf("weights %v after resuming with two threads, %v in one go with one", got, whole["weights_sha256"])
		}
		if log, err := os.ReadFile(filepath.Join(folder, "parts", "log.jsonl")); err != nil || strings.Count(string(log), "\n") != 600/20+3 {
			t.Errorf("log: %v\n%s", err, log)
		}
	})
	t.Run("flags", func(t *testing.T) {
		o := done(t, folder, "train", "tiny.net", "--iterations", "2", "--seed", "7", "--quiet", "--out", "seven")
		if o.stderr != "" || !strings.Contains(o.stdout, "trained Tiny for 2 iterations") {
			t.Errorf("%s%s", o.stdout, o.stderr)
		}
		if o := command(t, folder, "", "train", "tiny.net", "--out", "seven"); o.code != 1 || !strings.Contains(o.stderr, "already holds a run") {
			t.Errorf("exit code %d, %s", o.code, o.stderr)
		}
	})
	t.Run("test", func(t *testing.T) {
		o := command(t, folder, "", "test", "tiny.net", "--weights", "whole", "--json")
		if o.code != 3 {
			t.Fatalf("exit code %d, want 3 for a failed expectation\n%s", o.code, o.stderr)
		}
		r := object(t, o.stdout)
		expect := r["expect"].([]any)
		if len(expect) != 2 || expect[0].(map[string]any)["ok"] != true || expect[1].(map[string]any)["ok"] != false {
			t.Errorf("expectations: %v", expect)
		}
		if got, want := r["test"].(map[string]any)["loss"], whole["test"].(map[string]any)["loss"]; got != want {
			t.Errorf("loss %v, after training it was %v", got, want)
		}
	})
	t.Run("run", func(t *testing.T) { runPasses(t, folder) })
}

// interrupted starts a training run, interrupts it once it reports, and wants
// exit code 130.
func interrupted(t *testing.T, folder string, args ...string) {
	t.Helper()
	cmd := exec.Command(netc, args...)
	cmd.Dir = folder
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(io.TeeReader(stderr, &said))
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "iteration ") {
			break
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // to the end, or the process could block
	}
	// The exit code is the point, an error besides it shows there.
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(said.String(), "--resume") {
		t.Fatalf("exit code %d, want %d\n%s", code, exitInterrupted, &said)
	}
}

// runPasses compares a gradient with differences of the loss, on arrays.
func runPasses(t *testing.T, folder string) {
	const batch, pixels, moved = 3, 28 * 28, 300
	image := make([]float32, batch*pixels)
	for i := range image {
		image[i] = float32(i*7%97) / 97
	}
	array := func(name string, tensor runtime.Tensor) string {
		if err := runtime.WriteNPY(filepath.Join(folder, name), tensor); err != nil {
			t.Fatal(err)
		}
		return name
	}
	read := func(name string) runtime.Tensor {
		tensor, err := runtime.ReadNPY(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return tensor
	}
	labels := array("label.npy", runtime.Tensor{Shape: []int{batch}, I32: []int32{1, 5, 9}})
	pass := func(shift float32) runtime.Tensor {
		image[moved] += shift
		data := array("data.npy", runtime.Tensor{Shape: []int{batch, 1, 28, 28}, F32: image})
		image[moved] -= shift
		done(t, folder, "run", "tiny.net", "--weights", "whole", "--in", "data="+data, "--in", "label="+labels, "--phase", "train",
			"--out", "loss=loss.npy", "--out", "relu=relu.npy", "--grad", "data=grad.npy", "--grad", "conv.weight=weight.npy")
		return read("loss.npy")
	}
	const step = 0.05
	slope := float64(pass(step).F32[0]-pass(-step).F32[0]) / (2 * step)
	pass(0)
	gradient, weight, relu := read("grad.npy"), read("weight.npy"), read("relu.npy")
	if got := float64(gradient.F32[moved]); math.Abs(got-slope) > 0.02*math.Abs(slope)+1e-4 || got == 0 {
		t.Errorf("gradient %v, the loss's slope is %v", got, slope)
	}
	if len(weight.F32) != 6*9 || len(relu.F32) != batch*6*25 {
		t.Errorf("shapes %v and %v", weight.Shape, relu.Shape)
	}

	o := done(t, folder, "run", "tiny.net", "--weights", "whole", "--in", "data=data.npy", "--out", "relu=test.npy", "--out", "conv.bias=bias.npy", "--json")
	if r := object(t, o.stdout); !hasKey(r, "outputs.1.shape.0") || !strings.Contains(o.stderr, "label is not given") {
		t.Errorf("%s%s", o.stdout, o.stderr)
	}
	for i, v := range read("test.npy").F32 {
		if v != relu.F32[i] {
			t.Fatalf("relu[%d] is %v in the test phase, %v in the train phase", i, v, relu.F32[i])
		}
	}
}
