//go:build linux && !nocuda

package cuda_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"netc/runtime"
)

// TestProfile: on the stand-in's clock a kernel takes 0.25 ms and a copy 0.125.
func TestProfile(t *testing.T) {
	n := newTiny()
	opened, fake := open(t, n)
	e := opened.(runtime.Profiler)
	launches := e.Launches(&n.Train)
	if len(launches) != 3 || launches[1].Kernel != "increase" || launches[1].Layers != "ip1 + relu1" || launches[1].Tasks != 4 || launches[1].MultiplyAdds != 4 || launches[1].Pass != "update" || launches[1].Bytes != 32 {
		t.Errorf("launches %+v", launches)
	}
	if list := e.Launches(&n.Update); len(list) != 0 {
		t.Errorf("a phase without kernels has %+v", list)
	}
	took, err := e.TimePass(&n.Train)
	check(t, err)
	if took != time.Millisecond { // two copies into the arena, three kernels
		t.Errorf("a pass takes %v", took)
	}
	sums := []time.Duration{time.Second, 0, 0}
	check(t, e.TimeKernels(&n.Train, sums))
	const kernel = 250 * time.Microsecond
	if !slices.Equal(sums, []time.Duration{time.Second + kernel, kernel, kernel}) {
		t.Errorf("kernels take %v", sums)
	}
	if err := e.TimeKernels(&n.Train, sums[:2]); err == nil {
		t.Error("two sums for three kernels went unnoticed")
	}
	if tested := e.Launches(&n.Test); len(tested) != 2 || tested[0].Kernel != "increase" {
		t.Errorf("launches of a step after its setup %+v", tested)
	}
	for phase, want := range map[*runtime.Phase]int{&n.Train: 0, &n.Test: 1} {
		kernels, took, err := e.TimeSetup(phase)
		check(t, err)
		if kernels != want || took != time.Duration(want)*kernel {
			t.Errorf("a setup of %d kernels takes %v", kernels, took)
		}
	}
	tested := []time.Duration{0, 0}
	check(t, e.TimeKernels(&n.Test, tested))
	if !slices.Equal(tested, []time.Duration{kernel, kernel}) {
		t.Errorf("kernels after a setup take %v", tested)
	}
	fake.Calls()
	peaks, err := e.Peaks()
	check(t, err)
	blocks := 132. * 8
	want := runtime.DevicePeaks{Device: "Fake GPU 0", What: peaks.What, Arithmetic: 2 * 8 * 8192 * 256 * blocks / 0.25e-3, Memory: 2 * (512 << 20) / 0.125e-3, Launch: kernel, Processors: 132}
	if close := func(a, b float64) bool { return a > 0.999*b && a < 1.001*b }; !close(peaks.Arithmetic, want.Arithmetic) || !close(peaks.Memory, want.Memory) ||
		peaks.Device != want.Device || peaks.Launch != want.Launch || peaks.Processors != want.Processors {
		t.Errorf("peaks %+v, want %+v", peaks, want)
	}
	if calls := fake.Calls(); !strings.Contains(calls, "cuLaunchKernel netc_float32 grid 1056 1 1 block 256 1 1") {
		t.Errorf("Peaks calls\n%s", calls)
	}
	for precision, each := range map[string]float64{"tf32": 32, "bf16": 64} {
		n.network.Precision = precision
		fake.Calls()
		more, err := e.Peaks()
		check(t, err)
		if got := more.Arithmetic / peaks.Arithmetic; got < 0.999*each || got > 1.001*each || !strings.Contains(more.What, precision) {
			t.Errorf("%s: %v times the operations of float32 in the same time: %s", precision, got, more.What)
		}
		if calls := fake.Calls(); !strings.Contains(calls, "cuLaunchKernel netc_"+precision+" grid 1056 1 1 block 256 1 1") {
			t.Errorf("%s: Peaks calls\n%s", precision, calls)
		}
	}
	check(t, e.Close())
	if live := fake.Live(); live != 0 {
		t.Errorf("%d allocations were not freed", live)
	}
}
