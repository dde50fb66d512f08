//go:build linux && !nocuda

// Package cudatest checks implementations of cuda.Driver and cuda.Compiler, and
// what is built on them, without a GPU: it builds libraries that stand for
// NVIDIA's with the system's C compiler. They record every call, hold the
// device's memory on the host, run a few kernels that they know by name, and
// fail where a test wants it.
package cudatest

import (
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ebitengine/purego"
)

//go:embed fake/cuda.c
var driverSource string

//go:embed fake/nvrtc.c
var compilerSource string

// The file names of the libraries.
const (
	DriverLibrary   = "libcuda.so.1"
	CompilerLibrary = "libnvrtc.so.12"
)

// Fake is one pair of libraries, with a state of its own, in a folder that
// cuda/dl searches first.
type Fake struct {
	Folder string

	// Machine says how many devices there are, the driver's version (12040 is
	// 12.4), and the devices' compute capability.
	Machine func(devices, version int32, major, minor int32)
	// Fail makes a driver's call fail with a code, after so many that succeed.
	Fail func(call string, code, after int32)
	// Busy makes so many queries of events find them not passed.
	Busy func(queries int32)
	// Memory says how many bytes are free.
	Memory func(free uint64)
	// Live is how many allocations were not freed.
	Live func() int32
	// FailCompiler makes a call of NVRTC fail with a code.
	FailCompiler func(call string, code, after int32)
	// CompilerVersion sets NVRTC's version.
	CompilerVersion func(major, minor int32)

	driverRecord, compilerRecord func() string
	driverClear, compilerClear   func()
}

// libraries builds both libraries once, and gives their bytes.
var libraries = sync.OnceValues(func() (map[string][]byte, error) {
	compiler := ""
	for _, name := range []string{"cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			compiler = path
			break
		}
	}
	if compiler == "" {
		return nil, errNoCompiler
	}
	folder, err := os.MkdirTemp("", "cudatest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	built := map[string][]byte{}
	for name, source := range map[string]string{DriverLibrary: driverSource, CompilerLibrary: compilerSource} {
		path := filepath.Join(folder, name)
		build := exec.Command(compiler, "-shared", "-fPIC", "-O1", "-x", "c", "-o", path, "-")
		build.Stdin = strings.NewReader(source)
		if said, err := build.CombinedOutput(); err != nil {
			return nil, errors.New(string(said))
		}
		if built[name], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return built, nil
})

var errNoCompiler = errors.New("no C compiler")

// New gives fresh libraries and makes them the ones that are found. It skips
// the test where there is no C compiler.
func New(t *testing.T) *Fake {
	t.Helper()
	built, err := libraries()
	if errors.Is(err, errNoCompiler) {
		t.Skip("no C compiler (cc, gcc or clang) to build the stand-in for NVIDIA's libraries with")
	}
	if err != nil {
		t.Fatal(err)
	}
	f := &Fake{Folder: t.TempDir()}
	handles := map[string]uintptr{}
	for name, bytes := range built {
		path := filepath.Join(f.Folder, name)
		if err := os.WriteFile(path, bytes, 0o777); err != nil {
			t.Fatal(err)
		}
		if handles[name], err = purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("NETC_CUDA_PATH", f.Folder)
	compiler := handles[CompilerLibrary]
	f.control(handles[DriverLibrary])
	purego.RegisterLibFunc(&f.FailCompiler, compiler, "fake_fail")
	purego.RegisterLibFunc(&f.CompilerVersion, compiler, "fake_compiler")
	purego.RegisterLibFunc(&f.compilerRecord, compiler, "fake_record")
	purego.RegisterLibFunc(&f.compilerClear, compiler, "fake_clear")
	return f
}

// Linked takes control of the stand-in for libcuda that this program was linked
// with. It skips the test of a program that was linked with another.
func Linked(t *testing.T) *Fake {
	t.Helper()
	handle, err := purego.Dlopen(DriverLibrary, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := purego.Dlsym(handle, "fake_machine"); err != nil {
		t.Skip("this program is linked with a real driver")
	}
	f := &Fake{}
	f.control(handle)
	return f
}

// control finds the functions by which tests steer the driver's library.
func (f *Fake) control(driver uintptr) {
	purego.RegisterLibFunc(&f.Machine, driver, "fake_machine")
	purego.RegisterLibFunc(&f.Fail, driver, "fake_fail")
	purego.RegisterLibFunc(&f.Busy, driver, "fake_busy")
	purego.RegisterLibFunc(&f.Memory, driver, "fake_memory")
	purego.RegisterLibFunc(&f.Live, driver, "fake_live")
	purego.RegisterLibFunc(&f.driverRecord, driver, "fake_record")
	purego.RegisterLibFunc(&f.driverClear, driver, "fake_clear")
}

// Calls gives the driver's calls since the last time, one a line, and ends
// every failure asked for.
func (f *Fake) Calls() string {
	record := f.driverRecord()
	f.driverClear()
	return record
}

// CompilerCalls is Calls for NVRTC.
func (f *Fake) CompilerCalls() string {
	record := f.compilerRecord()
	f.compilerClear()
	return record
}
