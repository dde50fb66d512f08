//go:build linux && !nocuda

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/codegen/cuda/conformance"
	"netc/codegen/cuda/emulate"
	"netc/runtime/cuda/cudatest"
)

// TestMain lets the test's own executable play a model's program: it writes the
// log that a program writes, with losses that depend on the device as CHECK_ROLE says.
func TestMain(m *testing.M) {
	role := os.Getenv("CHECK_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	value := func(flag string) string { return os.Args[slices.Index(os.Args, flag)+1] }
	device, out := "cpu", value("--out")
	if slices.Contains(os.Args, "--device") {
		device = value("--device")
	}
	if role == "no GPU" && device == "cuda" {
		fmt.Fprintln(os.Stderr, "error: --device cuda: no GPU")
		os.Exit(1)
	}
	losses := []string{"3.0", "2.5", "2.0", "1.5", "1.0"}
	switch {
	case role == "other loss" && device == "cuda":
		losses[2] = "2.001"
	case role == "standing":
		losses = slices.Repeat([]string{"2.5"}, steps)
	case role == "no number" && device == "cuda":
		losses[3] = "null"
	}
	log := ""
	for i, loss := range losses {
		log += fmt.Sprintf(`{"iteration":%d,"loss":%s}`+"\n", i+1, loss)
	}
	log += `{"iteration":5,"test":{"loss":1}}` + "\n"
	if err := os.MkdirAll(out, 0o777); err != nil {
		os.Exit(1)
	}
	if err := os.WriteFile(filepath.Join(out, "log.jsonl"), []byte(log), 0o666); err != nil {
		os.Exit(1)
	}
	weights := "same"
	if role == "other bits" {
		weights = out // which is another folder each time
	}
	fmt.Printf(`{"batch":64,"step_ms":2,"weights_sha256":%q}`, weights)
	os.Exit(0)
}

// TestTraining holds what models' programs print against what is said of it.
func TestTraining(t *testing.T) {
	folder := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(folder, "lenet")); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]string{
		"right":      "| lenet | 64 | 3 … 1 | 0 | 2 | 2 | right |",
		"other loss": "FAILED: the loss of step 3 is 2.001 on the GPU and 2 on the processor",
		"standing":   "FAILED: the loss stays at 2.5",
		"no number":  "FAILED: 5 losses on the processor and 4 on the GPU",
		"other bits": "FAILED: the second run on the GPU gives other bits",
		"no GPU":     "FAILED: training on cuda: exit status 1: error: --device cuda: no GPU",
	} {
		t.Setenv("CHECK_ROLE", role)
		r := &report{}
		if err := r.training(context.Background(), folder, folder); err != nil {
			t.Fatal(err)
		}
		page := r.markdown()
		if !strings.Contains(page, want) || (r.failures == 0) != (role == "right") || strings.Contains(page, "Everything agrees.") != (role == "right") {
			t.Errorf("%s: the report lacks %q:\n%s", role, want, page)
		}
	}
	r := &report{}
	r.broken("operators", errors.New("cuModuleLoadDataEx failed"))
	if page := r.markdown(); r.failures != 1 || !strings.Contains(page, "- operators FAILED: cuModuleLoadDataEx failed\n") {
		t.Errorf("what cannot be checked:\n%s", page)
	}
	if err := (&report{}).training(context.Background(), t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "make gpu-folder") {
		t.Errorf("without programs: %v", err)
	}
}

// TestConformance runs a suite on a stand-in for NVIDIA's libraries whose kernels
// are the emitted ones, emulated, and on one whose kernels do nothing.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles C++")
	}
	s, err := conformance.TensorCores("tf32")
	if err != nil {
		t.Fatal(err)
	}
	gpu, err := s.Emit()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if _, err := emulate.Compile(folder, gpu.Source, gpu.Phases[0].Launches); errors.Is(err, emulate.ErrNoCompiler) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "table"), []byte(emulate.Table(gpu.Phases[0].Launches)), 0o666); err != nil {
		t.Fatal(err)
	}
	cudatest.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, emulation := range []string{folder, ""} {
		t.Setenv("FAKE_CUDA_EMULATION", emulation)
		if emulation == "" {
			os.Unsetenv("FAKE_CUDA_EMULATION")
		}
		d, err := openDevice(s)
		if err != nil {
			t.Fatal(err)
		}
		result, peaks, err := d.check(true)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.executor.Close(); err != nil {
			t.Error(err)
		}
		r := &report{peaks: peaks}
		r.suite(result)
		page := r.markdown()
		if emulation != "" && (r.failures != 0 || !strings.Contains(page, "- GPU: Fake GPU 0") || !strings.Contains(page, "| matmul | 6 |")) {
			t.Errorf("emulated:\n%s", page)
		}
		if emulation == "" && r.failures != len(s.Cases) {
			t.Errorf("%d of %d cases fail where kernels do nothing:\n%s", r.failures, len(s.Cases), page)
		}
	}
}

// TestMissing: without a driver there is an error that says so, and no report.
func TestMissing(t *testing.T) {
	t.Setenv("NETC_CUDA_PATH", t.TempDir())
	if _, err := newReport(); err == nil {
		t.Skip("this machine has a GPU")
	} else if !strings.Contains(err.Error(), "no NVIDIA driver") {
		t.Error(err)
	}
	for args, want := range map[string]string{"--only all": `no "all", only conformance, training, sanitizer`, "now": "unexpected"} {
		if _, err := parseOptions(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// TestFaultLine finds what compute-sanitizer found.
func TestFaultLine(t *testing.T) {
	const said = "========= COMPUTE-SANITIZER\nstarted\n========= Invalid __global__ read of size 4 bytes\n=========     at trainConv1+0x40\n========= ERROR SUMMARY: 1 error\n"
	if got := faultLine(said); got != "Invalid __global__ read of size 4 bytes" {
		t.Errorf("%q", got)
	}
	if got := faultLine("error: no driver\n"); got != "error: no driver" {
		t.Errorf("%q", got)
	}
}
