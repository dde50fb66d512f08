//go:build linux && !nocuda

package dl

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"netc/runtime/cuda"
	"netc/runtime/cuda/cudatest"
)

func TestCompiler(t *testing.T) {
	fake := cudatest.New(t)
	c, err := OpenCompiler(12040)
	if err != nil {
		t.Fatal(err)
	}
	if major, minor, err := c.Version(); major != 12 || minor != 4 || err != nil {
		t.Errorf("version %d.%d, %v", major, minor, err)
	}
	if archs, err := c.Architectures(); !slices.Equal(archs, []int{75, 80, 90}) || err != nil {
		t.Errorf("architectures %v, %v", archs, err)
	}
	fake.CompilerCalls()
	image, err := c.Compile("void f();", "net.cu", []string{"--gpu-architecture=sm_90", "--std=c++17"})
	if err != nil || !bytes.HasPrefix(image, []byte("cubin of void f();")) {
		t.Errorf("compiled to %q, %v", image, err)
	}
	want := "nvrtcCreateProgram net.cu 9 0 0\nnvrtcCompileProgram --gpu-architecture=sm_90 --std=c++17\nnvrtcGetCUBINSize\nnvrtcGetCUBIN\nnvrtcDestroyProgram\n"
	if got := fake.CompilerCalls(); got != want {
		t.Errorf("calls\n%swant\n%s", got, want)
	}
	image, err = c.Compile("void f();", "net.cu", []string{"--gpu-architecture=compute_90"})
	if err != nil || !bytes.HasPrefix(image, []byte("ptx of")) || image[len(image)-1] != 0 {
		t.Errorf("compiled to %q, %v", image, err)
	}
	_, err = c.Compile("void f();\n#error too many cooks\n", "net.cu", nil)
	var refused *cuda.CompileError
	if !errors.As(err, &refused) || refused.Source != "net.cu" || !strings.Contains(refused.Log, "net.cu(2): error: #error too many cooks") {
		t.Errorf("a mistake gives %v", err)
	}
}

// TestCompilerErrors makes each call fail once.
func TestCompilerErrors(t *testing.T) {
	fake := cudatest.New(t)
	c, err := OpenCompiler(12040)
	if err != nil {
		t.Fatal(err)
	}
	use := func() error {
		if _, _, err := c.Version(); err != nil {
			return err
		}
		if _, err := c.Architectures(); err != nil {
			return err
		}
		if _, err := c.Compile("void f();", "net.cu", nil); err != nil {
			return err
		}
		if _, err := c.Compile("void f();", "net.cu", []string{"--gpu-architecture=compute_80"}); err != nil {
			return err
		}
		return nil
	}
	for _, e := range entries(&compilerCalls{}) {
		if strings.Contains(e.symbol, "GetErrorString") || strings.Contains(e.symbol, "ProgramLog") {
			continue // used where another call has failed
		}
		fake.CompilerCalls()
		fake.FailCompiler(e.symbol, 5, 0)
		var failed *cuda.CallError
		if err := use(); !errors.As(err, &failed) || failed.Call != e.symbol || failed.Code != 5 || failed.Name != "FAKE_NVRTC_ERROR_5" {
			t.Errorf("%s failing gives %v", e.symbol, err)
		}
	}
}

// TestCompilerIsMissing: which libraries are looked for depends on the driver,
// which may not load what a newer compiler makes.
func TestCompilerIsMissing(t *testing.T) {
	t.Setenv(PathVariable, t.TempDir())
	for driver, order := range map[int][]string{
		13000: {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"},
		12040: {"libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so.13"},
		11080: {"libnvrtc.so.11.2", "libnvrtc.so.12", "libnvrtc.so.13"},
	} {
		_, err := OpenCompiler(driver)
		var missing *cuda.MissingError
		if err == nil {
			t.Skip("this machine has NVRTC where the loader finds it")
		}
		if !errors.As(err, &missing) || missing.What != "no CUDA compiler" {
			t.Fatalf("got %v", err)
		}
		at := -1
		for _, name := range order {
			next := strings.Index(missing.Help, name)
			if next <= at {
				t.Errorf("driver %d: %q does not name %s in this order", driver, missing.Help, name)
			}
			at = next
		}
	}
}

// TestNVRTC compiles a kernel with NVIDIA's own compiler.
func TestNVRTC(t *testing.T) {
	folder := cudatest.NVIDIAFolder(t, "lib*/libnvrtc.so.*")
	t.Setenv(PathVariable, folder)
	c, err := OpenCompiler(13000)
	if err != nil {
		t.Fatal(err)
	}
	major, minor, err := c.Version()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("NVRTC %d.%d", major, minor)
	archs, err := c.Architectures()
	if err != nil || !slices.Contains(archs, 80) || !slices.Contains(archs, 90) {
		t.Fatalf("architectures %v, %v", archs, err)
	}
	const source = `extern "C" __global__ void twice(const float* __restrict__ in, float* __restrict__ out) { int i = blockIdx.x * blockDim.x + threadIdx.x; out[i] = 2 * in[i]; }`
	image, err := c.Compile(source, "twice.cu", []string{"--gpu-architecture=sm_90"})
	if err != nil || !bytes.HasPrefix(image, []byte("\x7fELF")) || !bytes.Contains(image, []byte("twice")) {
		t.Errorf("a cubin of %d bytes, %v", len(image), err)
	}
	text, err := c.Compile(source, "twice.cu", []string{"--gpu-architecture=compute_80"})
	if err != nil || !bytes.Contains(text, []byte(".target sm_80")) || text[len(text)-1] != 0 {
		t.Errorf("PTX %q, %v", text, err)
	}
	_, err = c.Compile("__global__ void f() {\n  nothing;\n}", "wrong.cu", nil)
	var refused *cuda.CompileError
	if !errors.As(err, &refused) || !strings.Contains(refused.Log, "wrong.cu(2)") {
		t.Errorf("a mistake gives %v", err)
	}
	if _, err = c.Compile(source, "twice.cu", []string{"--no-such-option"}); err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("a wrong option gives %v", err)
	}
}
