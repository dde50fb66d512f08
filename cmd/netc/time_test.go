package main

import (
	goruntime "runtime"
	"strings"
	"testing"
)

// TestTime measures a small net and checks the keys that scripts rely on.
func TestTime(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tiny.net", tinyNet)
	write(t, folder, "tiny.toml", tinyRun)
	write(t, folder, "deploy.net", "net Deploy\nx = input [4]\ny = Softmax(x) @test\n")
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"tiny.net --phase both", "--phase", 2},
		{"tiny.net --iterations -1", "--iterations", 2},
		{"deploy.net --phase train", "no layers in the train phase", 1},
	} {
		if o := command(t, folder, "", append([]string{"time"}, strings.Fields(c.args)...)...); o.code != c.code || !strings.Contains(o.stderr, c.want) || o.stdout != "" {
			t.Errorf("netc time %s: exit code %d, want %d\n%s%s", c.args, o.code, c.code, o.stdout, o.stderr)
		}
	}
	if testing.Short() {
		t.Skip("builds programs")
	}
	t.Setenv("NETC_CUDA_PATH", t.TempDir())
	if o := command(t, folder, "", "time", "tiny.net", "--device", "cuda"); goruntime.GOOS == "linux" && o.code != 0 &&
		(o.code != 1 || !strings.Contains(o.stderr, "--device cuda: no ") || !strings.Contains(o.stderr, "help: ")) {
		t.Errorf("netc time --device cuda: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	o := done(t, folder, "time", "tiny.net", "--json", "--iterations", "5", "--threads", "1", "--batch", "4", "--phase", "all")
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one a phase: %s", len(lines), o.stdout)
	}
	for n, phase := range []string{"train", "test"} {
		r := object(t, lines[n])
		for _, key := range []string{"name", "device", "isa", "threads", "batch", "phase", "step_ms.median", "step_ms.min", "step_ms.max", "samples_per_second",
			"gflops", "peak_gflops", "fraction_of_peak", "kernels.0.name", "kernels.0.layers", "kernels.0.ms", "kernels.0.gflops"} {
			if !hasKey(r, key) {
				t.Errorf("time --json has no %s: %s", key, lines[n])
			}
		}
		if r["phase"] != phase || r["batch"] != 4.0 || r["threads"] != 1.0 || r["name"] != "Tiny" {
			t.Errorf("%s", lines[n])
		}
	}
	// Forward: conv 6*25*9, ip 10*150 multiply-adds a sample.
	if r := object(t, lines[1]); r["flops"] != 4*2*(6*25*9+10.0*150) {
		t.Errorf("%v operations in a test step", r["flops"])
	}
	o = done(t, folder, "time", "deploy.net", "--iterations", "2", "--quiet")
	if o.stderr != "" || !strings.Contains(o.stdout, "Deploy, test phase") {
		t.Errorf("%s%s", o.stdout, o.stderr)
	}
}
