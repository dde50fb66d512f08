//go:build linux && !nocuda

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"netc/runtime/cuda/cudatest"
)

// TestPrebuilt builds the programs of a network for a GPU, and measures them in a
// folder without the source, on a stand-in for NVIDIA's libraries: kernels do
// nothing there, everything else is as on a GPU.
func TestPrebuilt(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	programs, report := t.TempDir(), filepath.Join(t.TempDir(), "report.md")
	run := func(args ...string) error {
		t.Helper()
		o, err := parseOptions(append(args, "--device", "cuda", "--nets", "mlp", "--modes", "train,infer1", "--programs", programs,
			"--python", filepath.Join(programs, "no-python"), "--rounds", "2", "--seconds", "0.01", "--out", report))
		if err != nil {
			t.Fatal(err)
		}
		return o.run(context.Background())
	}
	t.Chdir("..")
	if err := run("--build-only"); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if err := run("--precision", "bf16"); err == nil || !strings.Contains(err.Error(), "for cuda in float32, not for cuda in bf16") {
		t.Errorf("programs of another precision: %v", err)
	}
	t.Setenv("NETC_CUDA_PATH", t.TempDir())
	if err := run(); err == nil { // this machine has a GPU
		t.Log("measured on a GPU")
	} else if text, readErr := os.ReadFile(report); err.Error() != "nothing was measured" || !bytes.Contains(text, []byte("--device cuda: no ")) {
		t.Errorf("without a GPU: %v, %v\n%s", err, readErr, text)
	}
	cudatest.New(t)
	if err := run(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## Training step", "## Inference at batch 1", "| MLP 784-625-625-10 | 128 ", "cuda kernels", "PyTorch is not installed"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}
