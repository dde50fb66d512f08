package cuda_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"netc/codegen/cuda"
	"netc/codegen/cuda/conformance"
	"netc/compiler"
	"netc/models"
)

// checker compiles a CUDA file with NVRTC, opened at run time, for one
// architecture, and prints the log. Its arguments: library, architecture, file.
const checker = `#include <cstdio>
#include <dlfcn.h>
#include <string>
#include <vector>

int main(int argc, char **argv)
{
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) {
        printf("%s\n", dlerror());
        return 2;
    }
    auto create = (int (*)(void **, const char *, const char *, int, const char *const *, const char *const *))dlsym(library, "nvrtcCreateProgram");
    auto compile = (int (*)(void *, int, const char *const *))dlsym(library, "nvrtcCompileProgram");
    auto log_size = (int (*)(void *, size_t *))dlsym(library, "nvrtcGetProgramLogSize");
    auto log = (int (*)(void *, char *))dlsym(library, "nvrtcGetProgramLog");
    if (!create || !compile || !log_size || !log) return 2;
    std::string source, architecture = std::string("--gpu-architecture=") + argv[2];
    FILE *f = fopen(argv[3], "r");
    if (!f) return 2;
    char block[65536];
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;) source.append(block, n);
    void *program = nullptr;
    if (create(&program, source.c_str(), argv[3], 0, nullptr, nullptr) != 0) return 2;
    const char *options[] = {architecture.c_str(), "--std=c++17", "--ptxas-options=--warn-on-spills"};
    int result = compile(program, 3, options);
    size_t bytes = 0;
    log_size(program, &bytes);
    std::vector<char> text(bytes + 1);
    log(program, text.data());
    fputs(text.data(), stdout);
    return result == 0 ? 0 : 1;
}
`

// nvrtc is a built checker and the library that it opens.
type nvrtc struct{ program, library string }

// findNVRTC builds the checker, or skips the test where the machine has no NVRTC
// (NETC_NVRTC, a Python package nvidia-cuda-nvrtc, or a toolkit) or no compiler.
func findNVRTC(t *testing.T) nvrtc {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles CUDA; not run with -short")
	}
	library := os.Getenv("NETC_NVRTC")
	if library == "" {
		paths, _ := exec.Command("python3", "-c", "import sys; print('\\n'.join(sys.path))").Output()
		folders := strings.Fields(string(paths))
		for i, f := range folders {
			folders[i] = filepath.Join(f, "nvidia", "*", "lib")
		}
		for _, f := range append(folders, "/usr/local/cuda*/lib64", "/usr/lib/x86_64-linux-gnu") {
			found, _ := filepath.Glob(filepath.Join(f, "libnvrtc.so.*"))
			for _, path := range found {
				if !strings.Contains(filepath.Base(path), "alt") {
					library = path
				}
			}
		}
	}
	if library == "" {
		t.Skip("there is no NVRTC here: pip install nvidia-cuda-nvrtc, or set NETC_NVRTC to libnvrtc")
	}
	folder := t.TempDir()
	source, program := filepath.Join(folder, "checker.cpp"), filepath.Join(folder, "checker")
	if err := os.WriteFile(source, []byte(checker), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("g++"); err != nil {
		t.Skip("there is no C++ compiler (g++) to open NVRTC with")
	}
	if text, err := exec.Command("g++", "-std=c++17", source, "-o", program, "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return nvrtc{program, library}
}

// spill is the compiler's warning of registers that it keeps in memory.
var spill = regexp.MustCompile(`ptxas warning : Registers are spilled to local memory in function '\w+', (\d+) bytes spill stores, \d+ bytes spill loads\n?`)

// fewSpilled are the bytes of spilled registers that cost nothing to speak of.
const fewSpilled = 256

// all says that a test is to compile everything, as CI does, which takes minutes.
func all() bool { return os.Getenv("NETC_NVRTC_ALL") != "" }

// check compiles a source for the older architecture, or for both with all unless
// it is a large model's: no errors, no warnings, and hardly any registers spilled.
// Each is a test that runs beside the others.
func (n nvrtc) check(t *testing.T, name, source string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".cu")
	if err := os.WriteFile(file, []byte(source), 0o666); err != nil {
		t.Fatal(err)
	}
	architectures := []string{"sm_80", "sm_90"}
	if !all() || slices.Contains(large, name) {
		architectures = architectures[:1]
	}
	for _, architecture := range architectures {
		t.Run(name+"_"+architecture, func(t *testing.T) {
			t.Parallel()
			text, err := exec.Command(n.program, n.library, architecture, file).CombinedOutput()
			text = spill.ReplaceAllFunc(text, func(line []byte) []byte {
				if n, _ := strconv.Atoi(string(spill.FindSubmatch(line)[1])); n <= fewSpilled {
					return nil
				}
				return line
			})
			if message := strings.TrimSpace(string(text)); err != nil || message != "" {
				t.Errorf("%v\n%.3000s", err, strings.ReplaceAll(message, filepath.Dir(file)+"/", ""))
			}
		})
	}
}

// TestNVRTC compiles the kernels of LeNet, and in tf32 and bf16 of a multilayer
// perceptron, for sm_80; with NETC_NVRTC_ALL set also those of every operator's
// examples and of every model, and for sm_90 too.
func TestNVRTC(t *testing.T) {
	n := findNVRTC(t)
	nets := []string{"lenet"}
	if all() {
		nets = models.Small()
		nets = append(slices.Clone(large), nets...) // which take longest
	}
	for _, name := range nets {
		program, err := cuda.Emit(compileModel(t, name, compiler.Options{}), name+".net")
		if err != nil {
			t.Fatal(err)
		}
		n.check(t, name, program.Source)
	}
	if all() {
		s, err := conformance.Operators()
		if err != nil {
			t.Fatal(err)
		}
		program, err := s.Emit()
		if err != nil {
			t.Fatal(err)
		}
		n.check(t, "operators", program.Source)
	}
	for _, precision := range []string{"tf32", "bf16"} {
		program, err := cuda.Emit(compileModel(t, "mlp", compiler.Options{}, "device.precision="+precision), "mlp.net")
		if err != nil {
			t.Fatal(err)
		}
		n.check(t, "mlp_"+precision, program.Source)
	}
}
