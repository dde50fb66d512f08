//go:build linux && !nocuda

package dl

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/runtime/cuda"
	"netc/runtime/cuda/cudatest"
)

func TestDriverConformance(t *testing.T) { cudatest.Conformance(t, OpenDriver) }

// TestEveryCallIsChecked keeps the conformance test complete.
func TestEveryCallIsChecked(t *testing.T) {
	checked := append(cudatest.Symbols(), "cuGetErrorName", "cuGetErrorString") // whose results checkError sees
	for _, e := range entries(&driverCalls{}) {
		if !slices.Contains(checked, e.symbol) {
			t.Errorf("no test calls %s", e.symbol)
		}
	}
}

// TestNotReadyIsNoError: an event that has not passed is an answer.
func TestNotReadyIsNoError(t *testing.T) {
	fake := cudatest.New(t)
	d, err := OpenDriver()
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.NewEvent(false)
	if err != nil {
		t.Fatal(err)
	}
	fake.Busy(1)
	for _, want := range []bool{false, true} {
		if passed, err := d.Passed(e); passed != want || err != nil {
			t.Errorf("Passed gives %v, %v, want %v", passed, err, want)
		}
	}
}

func TestDriverIsMissing(t *testing.T) {
	empty := t.TempDir()
	t.Setenv(PathVariable, empty)
	if _, err := openLibrary([]string{"libnetc-no-such.so"}); err == nil || !strings.Contains(err.Error(), "libnetc-no-such.so") {
		t.Errorf("opening a library that is nowhere gives %v", err)
	}
	// A file that is no library: the reason is the loader's.
	if err := os.WriteFile(filepath.Join(empty, cudatest.DriverLibrary), []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := OpenDriver()
	var missing *cuda.MissingError
	if err == nil {
		t.Skip("this machine has a driver")
	}
	if !errors.As(err, &missing) || missing.What != "no NVIDIA driver" || !strings.Contains(missing.Reason, filepath.Join(empty, cudatest.DriverLibrary)) || missing.Help == "" {
		t.Errorf("got %+v", err)
	}
}

// TestOldDriver: a library that lacks a required function is named so.
func TestOldDriver(t *testing.T) {
	fake := cudatest.New(t)
	l, err := openLibrary([]string{cudatest.CompilerLibrary}) // which has none of the driver's
	if err != nil {
		t.Fatal(err)
	}
	err = l.bind(&driverCalls{})
	var missing *missingSymbol
	if !errors.As(err, &missing) || missing.symbol != "cuInit" || missing.library != cudatest.CompilerLibrary {
		t.Errorf("got %v from %s", err, fake.Folder)
	}
}

func TestClustersNeedANewerDriver(t *testing.T) {
	cudatest.New(t)
	opened, err := OpenDriver()
	if err != nil {
		t.Fatal(err)
	}
	d := opened.(*driver)
	d.calls.LaunchKernelEx = nil // as bind leaves it where the symbol is missing
	err = d.Launch(1, cuda.Config{Grid: [3]uint32{2, 1, 1}, Block: [3]uint32{1, 1, 1}, Cluster: [3]uint32{2, 1, 1}}, 0, nil)
	if err == nil || !strings.Contains(err.Error(), "11.8") {
		t.Errorf("got %v", err)
	}
}
