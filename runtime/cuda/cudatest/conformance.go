//go:build linux && !nocuda

package cudatest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"netc/runtime/cuda"
)

// step is one call of a Driver, with the record that it must leave.
type step struct {
	record string // the function's exported symbol first
	do     func(d cuda.Driver, s *state) error
}

// state is what the steps hand on to each other.
type state struct {
	t           *testing.T
	device      cuda.Device
	module      cuda.Module
	function    cuda.Function
	stream      cuda.Stream
	first, last cuda.Event
	memory      cuda.Memory
	pinned      unsafe.Pointer
	graph       cuda.Graph
	exec        cuda.Exec
}

func (s *state) floats() []float32 { return unsafe.Slice((*float32)(s.pinned), 16) }

// expect compares a result.
func expect[T comparable](s *state, what string, got, want T) {
	if got != want {
		s.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// steps use every method of a Driver once, with results that later ones depend
// on: memory goes up, through a kernel, and down again.
var steps = []step{
	{"cuInit 0", func(d cuda.Driver, s *state) error { return d.Init() }},
	{"cuDriverGetVersion", func(d cuda.Driver, s *state) error {
		v, err := d.Version()
		if err == nil {
			expect(s, "version", v, 12040)
		}
		return err
	}},
	{"cuDeviceGetCount", func(d cuda.Driver, s *state) error {
		n, err := d.DeviceCount()
		if err == nil {
			expect(s, "devices", n, 2)
		}
		return err
	}},
	{"cuDeviceGet 1", func(d cuda.Driver, s *state) (err error) { s.device, err = d.Device(1); return err }},
	{"cuDeviceGetName 256 1", func(d cuda.Driver, s *state) error {
		name, err := d.DeviceName(s.device)
		if err == nil {
			expect(s, "name", name, "Fake GPU 1")
		}
		return err
	}},
	{"cuDeviceGetAttribute 75 1", func(d cuda.Driver, s *state) error {
		v, err := d.DeviceAttribute(s.device, cuda.CapabilityMajor)
		if err == nil {
			expect(s, "capability", v, 9)
		}
		return err
	}},
	{"cuDevicePrimaryCtxRetain 1", func(d cuda.Driver, s *state) error { _, err := d.RetainPrimary(s.device); return err }},
	{"cuCtxSetCurrent 11", func(d cuda.Driver, s *state) error { return d.SetCurrent(11) }},
	{"cuMemGetInfo_v2", func(d cuda.Driver, s *state) error {
		free, total, err := d.MemoryInfo()
		if err == nil {
			expect(s, "free", free, 70<<30)
			expect(s, "total", total, 80<<30)
		}
		return err
	}},
	{"cuModuleLoadDataEx 0 none", func(d cuda.Driver, s *state) (err error) {
		s.module, err = d.LoadModule([]byte("cubin of void scale(a, b, c)\x00"))
		return err
	}},
	{"cuModuleGetFunction 1 scale", func(d cuda.Driver, s *state) (err error) { s.function, err = d.Function(s.module, "scale"); return err }},
	{"cuFuncGetAttribute 4 scale", func(d cuda.Driver, s *state) error {
		v, err := d.FunctionAttribute(s.function, cuda.Registers)
		if err == nil {
			expect(s, "registers", v, 44)
		}
		return err
	}},
	{"cuFuncSetAttribute scale 8 200000", func(d cuda.Driver, s *state) error {
		return d.SetFunctionAttribute(s.function, cuda.MaxDynamicShared, 200000)
	}},
	{"cuOccupancyMaxActiveBlocksPerMultiprocessor scale 256 1024", func(d cuda.Driver, s *state) error {
		n, err := d.ActiveBlocks(s.function, 256, 1024)
		if err == nil {
			expect(s, "blocks", n, 8)
		}
		return err
	}},
	{"cuStreamCreate 1", func(d cuda.Driver, s *state) (err error) { s.stream, err = d.NewStream(); return err }},
	{"cuEventCreate 0", func(d cuda.Driver, s *state) (err error) { s.first, err = d.NewEvent(true); return err }},
	{"cuEventCreate 2", func(d cuda.Driver, s *state) (err error) { s.last, err = d.NewEvent(false); return err }},
	{"cuMemAlloc_v2 256", func(d cuda.Driver, s *state) (err error) { s.memory, err = d.Alloc(256); return err }},
	{"cuMemHostAlloc 64 0", func(d cuda.Driver, s *state) (err error) { s.pinned, err = d.AllocHost(64); return err }},
	{"cuMemsetD8Async dev1 0 256 stream 1", func(d cuda.Driver, s *state) error { return d.Fill(s.memory, 0, 256, s.stream) }},
	{"cuMemcpyHtoDAsync_v2 dev1+64 pinned2 64 stream 1", func(d cuda.Driver, s *state) error {
		for i := range s.floats() {
			s.floats()[i] = float32(i)
		}
		return d.Upload(s.memory+64, s.pinned, 64, s.stream)
	}},
	{"cuMemcpyDtoDAsync_v2 dev1+128 dev1+72 4 stream 1", func(d cuda.Driver, s *state) error {
		return d.Copy(s.memory+128, s.memory+72, 4, s.stream) // the factor: 2
	}},
	{"cuEventRecord 1 stream 1", func(d cuda.Driver, s *state) error { return d.Record(s.first, s.stream) }},
	{"cuLaunchKernel scale grid 2 1 1 block 8 1 1 shared 1024 stream 1 extra 0 (dev1 dev1+64 dev1+128)", func(d cuda.Driver, s *state) error {
		return d.Launch(s.function, cuda.Config{Grid: [3]uint32{2, 1, 1}, Block: [3]uint32{8, 1, 1}, Shared: 1024}, s.stream,
			[]cuda.Memory{s.memory, s.memory + 64, s.memory + 128})
	}},
	{"cuEventRecord 2 stream 1", func(d cuda.Driver, s *state) error { return d.Record(s.last, s.stream) }},
	{"cuEventSynchronize 2", func(d cuda.Driver, s *state) error { return d.SynchronizeEvent(s.last) }},
	{"cuEventQuery 2", func(d cuda.Driver, s *state) error {
		passed, err := d.Passed(s.last)
		if err == nil {
			expect(s, "passed", passed, true)
		}
		return err
	}},
	{"cuEventElapsedTime 1 2", func(d cuda.Driver, s *state) error {
		ms, err := d.Elapsed(s.first, s.last)
		if err == nil {
			expect(s, "milliseconds", ms, 0.25)
		}
		return err
	}},
	{"cuStreamWaitEvent 1 2 0", func(d cuda.Driver, s *state) error { return d.WaitEvent(s.stream, s.last) }},
	{"cuMemcpyDtoHAsync_v2 pinned2 dev1 64 stream 1", func(d cuda.Driver, s *state) error { return d.Download(s.pinned, s.memory, 64, s.stream) }},
	{"cuStreamSynchronize 1", func(d cuda.Driver, s *state) error {
		err := d.SynchronizeStream(s.stream)
		if err == nil {
			for i, v := range s.floats() {
				expect(s, "a scaled number", v, float32(2*i))
			}
		}
		return err
	}},
	{"cuLaunchKernelEx scale grid 4 1 1 block 8 1 1 shared 0 stream 1 attribute 4: 2 1 1 (dev1 dev1 dev1)", func(d cuda.Driver, s *state) error {
		return d.Launch(s.function, cuda.Config{Grid: [3]uint32{4, 1, 1}, Block: [3]uint32{8, 1, 1}, Cluster: [3]uint32{2, 1, 1}}, s.stream,
			[]cuda.Memory{s.memory, s.memory, s.memory})
	}},
	{"cuStreamBeginCapture_v2 1 2", func(d cuda.Driver, s *state) error { return d.BeginCapture(s.stream) }},
	{"cuStreamEndCapture 1", func(d cuda.Driver, s *state) (err error) {
		if err := d.Fill(s.memory, 1, 4, s.stream); err != nil {
			return err
		}
		s.graph, err = d.EndCapture(s.stream)
		return err
	}},
	{"cuGraphGetNodes 1 0", func(d cuda.Driver, s *state) error {
		n, err := d.GraphNodes(s.graph)
		if err == nil {
			expect(s, "nodes", n, 1)
		}
		return err
	}},
	{"cuGraphInstantiateWithFlags 1 0", func(d cuda.Driver, s *state) (err error) { s.exec, err = d.Instantiate(s.graph); return err }},
	{"cuGraphLaunch 1 stream 1", func(d cuda.Driver, s *state) error { return d.LaunchGraph(s.exec, s.stream) }},
	{"cuGraphExecDestroy 1", func(d cuda.Driver, s *state) error { return d.DestroyExec(s.exec) }},
	{"cuGraphDestroy 1", func(d cuda.Driver, s *state) error { return d.DestroyGraph(s.graph) }},
	{"cuMemFreeHost pinned2", func(d cuda.Driver, s *state) error { return d.FreeHost(s.pinned) }},
	{"cuMemFree_v2 dev1", func(d cuda.Driver, s *state) error { return d.Free(s.memory) }},
	{"cuEventDestroy_v2 1", func(d cuda.Driver, s *state) error { return d.DestroyEvent(s.first) }},
	{"cuStreamDestroy_v2 1", func(d cuda.Driver, s *state) error { return d.DestroyStream(s.stream) }},
	{"cuModuleUnload 1", func(d cuda.Driver, s *state) error { return d.UnloadModule(s.module) }},
	{"cuCtxSynchronize", func(d cuda.Driver, s *state) error { return d.Synchronize() }},
	{"cuDevicePrimaryCtxRelease_v2 1", func(d cuda.Driver, s *state) error { return d.ReleasePrimary(s.device) }},
}

// Symbols lists the driver's functions that Conformance calls.
func Symbols() []string {
	var list []string
	for _, s := range steps {
		symbol, _, _ := strings.Cut(s.record, " ")
		if !slices.Contains(list, symbol) {
			list = append(list, symbol)
		}
	}
	return list
}

// Conformance checks a Driver that opens its library when it is asked to.
func Conformance(t *testing.T, open func() (cuda.Driver, error)) {
	fake := New(t)
	d, err := open()
	if err != nil {
		t.Fatal(err)
	}
	ConformanceOf(t, fake, d)
}

// ConformanceOf checks a Driver call by call: what arrives in the library, what
// comes back, and, each call failing once, what the error says.
func ConformanceOf(t *testing.T, fake *Fake, d cuda.Driver) {
	fake.Machine(2, 12040, 9, 0)
	s := &state{t: t}
	for _, one := range steps {
		symbol, _, _ := strings.Cut(one.record, " ")
		fake.Calls()
		fake.Fail(symbol, 77, 0)
		checkError(t, symbol, one.do(d, s))
		fake.Calls()
		if err := one.do(d, s); err != nil {
			t.Fatalf("%s: %v", symbol, err)
		}
		if got := lastLine(fake.Calls()); got != one.record {
			t.Errorf("the library was called with\n%s\nwant\n%s", got, one.record)
		}
	}
	if live := fake.Live(); live != 0 {
		t.Errorf("%d allocations were not freed", live)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// checkError holds the error of a call that was made to fail against what it
// must say.
func checkError(t *testing.T, symbol string, err error) {
	t.Helper()
	want := strings.TrimSuffix(strings.TrimSuffix(symbol, "_v2"), "_v3")
	var failed *cuda.CallError
	if !errors.As(err, &failed) {
		t.Errorf("%s: failing gives the error %v", symbol, err)
		return
	}
	if failed.Call != want || failed.Code != 77 || failed.Name != "FAKE_ERROR_77" || failed.Text != "fault 77 on demand" {
		t.Errorf("%s: failing gives %+v", symbol, failed)
	}
}
