//go:build linux && !nocuda

package dl

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"netc/runtime/cuda"
	"netc/runtime/cuda/cudatest"
)

// sizes of the C types that parameters have, in bytes.
var sizes = map[string]uintptr{
	"int": 4, "unsigned int": 4, "unsigned char": 1, "size_t": 8, "unsigned long long": 8,
	"CUresult": 4, "CUdevice": 4, "CUdevice_attribute": 4, "CUfunction_attribute": 4, "CUstreamCaptureMode": 4, "nvrtcResult": 4,
	"CUdeviceptr": 8, "CUcontext": 8, "CUmodule": 8, "CUfunction": 8, "CUstream": 8, "CUevent": 8, "CUgraph": 8, "CUgraphExec": 8, "nvrtcProgram": 8,
}

// TestGoMatchesC holds the Go functions of both tables against the C parameters
// in their tags: as many, each as large, a pointer where C has one.
func TestGoMatchesC(t *testing.T) {
	for _, table := range []any{&driverCalls{}, &compilerCalls{}} {
		for _, e := range entries(table) {
			f := e.target.Type()
			if f.NumIn() != len(e.parameters) {
				t.Errorf("%s: %d parameters in Go, %d in C", e.symbol, f.NumIn(), len(e.parameters))
				continue
			}
			for i, c := range e.parameters {
				goType := f.In(i)
				pointer := strings.HasSuffix(c, "*")
				switch kind := goType.Kind(); {
				case pointer && kind != reflect.Pointer && kind != reflect.UnsafePointer && kind != reflect.String:
					t.Errorf("%s, parameter %d: %s in Go, %s in C", e.symbol, i, goType, c)
				case !pointer && sizes[c] == 0:
					t.Errorf("%s, parameter %d: the size of %s is not known", e.symbol, i, c)
				case !pointer && goType.Size() != sizes[c]:
					t.Errorf("%s, parameter %d: %s in Go has %d bytes, %s in C %d", e.symbol, i, goType, goType.Size(), c, sizes[c])
				}
				// What an output parameter points to has C's size too.
				if element := strings.TrimSuffix(c, " *"); goType.Kind() == reflect.Pointer && sizes[element] != 0 && goType.Elem().Size() != sizes[element] {
					t.Errorf("%s, parameter %d: %s in Go, %s in C", e.symbol, i, goType, c)
				}
			}
		}
	}
}

// TestTablesMatchHeaders lets a C compiler hold the tables, the structures and
// the constants against NVIDIA's headers.
func TestTablesMatchHeaders(t *testing.T) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	include := cudatest.NVIDIAFolder(t, "include/cuda.h")
	var c strings.Builder
	// Without the header's renaming of functions to their newest version, every
	// version has its own name.
	c.WriteString("#define __CUDA_API_VERSION_INTERNAL\n#include <cuda.h>\n#include <nvrtc.h>\n#include <stddef.h>\n")
	for _, table := range []any{&driverCalls{}, &compilerCalls{}} {
		for _, e := range entries(table) {
			result := "CUresult"
			if _, ok := table.(*compilerCalls); ok {
				result = "nvrtcResult"
			}
			if e.returns != "" {
				result = e.returns
			}
			parameters := strings.Join(e.parameters, ", ")
			if parameters == "" {
				parameters = "void"
			}
			fmt.Fprintf(&c, "%s (*check_%s)(%s) = %s;\n", result, e.symbol, parameters, e.symbol)
		}
	}
	same := func(name string, value any) { fmt.Fprintf(&c, "_Static_assert(%s == %v, %q);\n", name, value, name) }
	for name, size := range sizes {
		same("sizeof("+name+")", size)
	}
	var config launchConfig
	var attribute launchAttribute
	same("sizeof(CUlaunchConfig)", unsafe.Sizeof(config))
	same("offsetof(CUlaunchConfig, blockDimX)", unsafe.Offsetof(config.block))
	same("offsetof(CUlaunchConfig, sharedMemBytes)", unsafe.Offsetof(config.shared))
	same("offsetof(CUlaunchConfig, hStream)", unsafe.Offsetof(config.stream))
	same("offsetof(CUlaunchConfig, attrs)", unsafe.Offsetof(config.attributes))
	same("offsetof(CUlaunchConfig, numAttrs)", unsafe.Offsetof(config.count))
	same("sizeof(CUlaunchAttribute)", unsafe.Sizeof(attribute))
	same("offsetof(CUlaunchAttribute, value)", unsafe.Offsetof(attribute.cluster))
	for name, value := range map[string]int{
		"CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION":                 clusterDimension,
		"CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN": int(cuda.MaxSharedPerBlock),
		"CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT":              int(cuda.Multiprocessors),
		"CU_DEVICE_ATTRIBUTE_CLOCK_RATE":                        int(cuda.ClockKHz),
		"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR":          int(cuda.CapabilityMajor),
		"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR":          int(cuda.CapabilityMinor),
		"CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES":                   int(cuda.StaticShared),
		"CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES":                    int(cuda.LocalBytes),
		"CU_FUNC_ATTRIBUTE_NUM_REGS":                            int(cuda.Registers),
		"CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES":       int(cuda.MaxDynamicShared),
		"CU_STREAM_NON_BLOCKING":                                streamNonBlocking,
		"CU_EVENT_DISABLE_TIMING":                               eventDisableTiming,
		"CU_STREAM_CAPTURE_MODE_RELAXED":                        captureRelaxed,
		"CUDA_ERROR_OUT_OF_MEMORY":                              cuda.CodeOutOfMemory,
		"CUDA_ERROR_NO_DEVICE":                                  cuda.CodeNoDevice,
		"CUDA_ERROR_INVALID_IMAGE":                              cuda.CodeInvalidImage,
		"CUDA_ERROR_NO_BINARY_FOR_GPU":                          cuda.CodeNoBinary,
		"CUDA_ERROR_UNSUPPORTED_PTX_VERSION":                    cuda.CodeUnsupportedPTX,
		"CUDA_ERROR_NOT_READY":                                  cuda.CodeNotReady,
		"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH":                     cuda.CodeSystemMismatch,
		"NVRTC_ERROR_COMPILATION":                               compilationFailed,
	} {
		same(name, value)
	}
	source := filepath.Join(t.TempDir(), "check.c")
	if err := os.WriteFile(source, []byte(c.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(compiler, "-fsyntax-only", "-Werror", "-I", include, source).CombinedOutput()
	if err != nil {
		t.Errorf("the tables do not match the headers in %s:\n%s", include, said)
	}
}
