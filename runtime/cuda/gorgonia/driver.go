//go:build cuda

package gorgonia

// #cgo LDFLAGS: -lcuda
// #include <cuda.h>
import "C"

import (
	"fmt"
	"reflect"
	"unsafe"

	"gorgonia.org/cu"

	"netc/runtime/cuda"
)

// driver is libcuda, as it was linked.
type driver struct{}

// OpenDriver gives the driver that the program was linked with.
func OpenDriver() (cuda.Driver, error) { return driver{}, nil }

// cu's handles hold one pointer of the driver's each; this package's are that
// pointer. The conversions below rely on equal sizes.
var (
	_ [unsafe.Sizeof(cu.Module{}) - unsafe.Sizeof(cuda.Module(0))]byte
	_ [unsafe.Sizeof(cu.Function{}) - unsafe.Sizeof(cuda.Function(0))]byte
	_ [unsafe.Sizeof(cu.Stream{}) - unsafe.Sizeof(cuda.Stream(0))]byte
	_ [unsafe.Sizeof(cu.Event{}) - unsafe.Sizeof(cuda.Event(0))]byte
	_ [unsafe.Sizeof(cu.Graph{}) - unsafe.Sizeof(cuda.Graph(0))]byte
	_ [unsafe.Sizeof(cu.ExecGraph{}) - unsafe.Sizeof(cuda.Exec(0))]byte
	_ [unsafe.Sizeof(cu.CUContext{}) - unsafe.Sizeof(cuda.Context(0))]byte
)

// as reads a handle as another type that holds the same pointer.
func as[To, From any](h From) To { return *(*To)(unsafe.Pointer(&h)) }

// check makes an error of what cu returns: the driver's result, which packages
// of errors may wrap.
func check(call string, err error, detail ...string) error {
	if err == nil {
		return nil
	}
	for {
		wrapped, ok := err.(interface{ Cause() error })
		if !ok {
			break
		}
		err = wrapped.Cause()
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Int {
		return checkResult(call, C.CUresult(v.Int()), detail...)
	}
	return fmt.Errorf("%s: %w", call, err)
}

// checkResult makes an error of a result that is not success.
func checkResult(call string, code C.CUresult, detail ...string) error {
	if code == C.CUDA_SUCCESS {
		return nil
	}
	e := &cuda.CallError{Call: call, Code: int(code)}
	for _, d := range detail {
		e.Detail = d
	}
	var text *C.char
	if C.cuGetErrorName(code, &text) == C.CUDA_SUCCESS {
		e.Name = C.GoString(text)
	}
	if C.cuGetErrorString(code, &text) == C.CUDA_SUCCESS {
		e.Text = C.GoString(text)
	}
	return e
}

// Init finds the driver initialized by cu, and does it again, which is allowed.
func (driver) Init() error { return checkResult("cuInit", C.cuInit(0)) }

func (driver) Version() (int, error) {
	var version C.int
	err := checkResult("cuDriverGetVersion", C.cuDriverGetVersion(&version))
	return int(version), err
}

func (driver) DeviceCount() (int, error) {
	count, err := cu.NumDevices()
	return count, check("cuDeviceGetCount", err)
}

func (driver) Device(n int) (cuda.Device, error) {
	device, err := cu.GetDevice(n)
	return cuda.Device(device), check("cuDeviceGet", err, fmt.Sprintf("device %d", n))
}

func (driver) DeviceName(d cuda.Device) (string, error) {
	name, err := cu.Device(d).Name()
	return name, check("cuDeviceGetName", err)
}

func (driver) DeviceAttribute(d cuda.Device, a cuda.DeviceAttribute) (int, error) {
	value, err := cu.Device(d).Attribute(cu.DeviceAttribute(a))
	return value, check("cuDeviceGetAttribute", err, fmt.Sprintf("attribute %d", a))
}

func (driver) RetainPrimary(d cuda.Device) (cuda.Context, error) {
	var c C.CUcontext
	err := checkResult("cuDevicePrimaryCtxRetain", C.cuDevicePrimaryCtxRetain(&c, C.CUdevice(d)))
	return as[cuda.Context](c), err
}

func (driver) ReleasePrimary(d cuda.Device) error {
	return check("cuDevicePrimaryCtxRelease", cu.Device(d).ReleasePrimaryCtx())
}

func (driver) SetCurrent(c cuda.Context) error {
	return check("cuCtxSetCurrent", cu.SetCurrentContext(as[cu.CUContext](c)))
}

func (driver) Synchronize() error { return check("cuCtxSynchronize", cu.Synchronize()) }

func (driver) MemoryInfo() (free, total uint64, err error) {
	f, t, err := cu.MemInfo()
	return uint64(f), uint64(t), check("cuMemGetInfo", err)
}

func (driver) LoadModule(image []byte) (cuda.Module, error) {
	m, err := cu.LoadDataEx(string(image))
	return as[cuda.Module](m), check("cuModuleLoadDataEx", err, fmt.Sprintf("%d bytes", len(image)))
}

func (driver) UnloadModule(m cuda.Module) error {
	return check("cuModuleUnload", as[cu.Module](m).Unload())
}

func (driver) Function(m cuda.Module, name string) (cuda.Function, error) {
	f, err := as[cu.Module](m).Function(name)
	return as[cuda.Function](f), check("cuModuleGetFunction", err, name)
}

func (driver) FunctionAttribute(f cuda.Function, a cuda.FunctionAttribute) (int, error) {
	value, err := as[cu.Function](f).Attribute(cu.FunctionAttribute(a))
	return value, check("cuFuncGetAttribute", err, fmt.Sprintf("attribute %d", a))
}

func (driver) SetFunctionAttribute(f cuda.Function, a cuda.FunctionAttribute, value int) error {
	return checkResult("cuFuncSetAttribute", C.cuFuncSetAttribute(as[C.CUfunction](f), C.CUfunction_attribute(a), C.int(value)),
		fmt.Sprintf("attribute %d to %d", a, value))
}

// Launch starts a kernel with cu, which copies eight bytes for each argument;
// all of netc's are addresses.
func (d driver) Launch(f cuda.Function, c cuda.Config, s cuda.Stream, args []cuda.Memory) error {
	if c.Cluster != [3]uint32{} {
		return d.launchClusters(f, c, s, args)
	}
	params := make([]unsafe.Pointer, len(args))
	for i := range args {
		params[i] = unsafe.Pointer(&args[i])
	}
	return check("cuLaunchKernel", as[cu.Function](f).Launch(int(c.Grid[0]), int(c.Grid[1]), int(c.Grid[2]),
		int(c.Block[0]), int(c.Block[1]), int(c.Block[2]), int(c.Shared), as[cu.Stream](s), params))
}

func (driver) ActiveBlocks(f cuda.Function, threads, shared int) (int, error) {
	blocks, err := as[cu.Function](f).MaxActiveBlocksPerMultiProcessor(threads, int64(shared))
	return blocks, check("cuOccupancyMaxActiveBlocksPerMultiprocessor", err)
}

func (driver) Alloc(bytes int) (cuda.Memory, error) {
	m, err := cu.MemAlloc(int64(bytes))
	return cuda.Memory(m), check("cuMemAlloc", err, size(bytes))
}

func (driver) Free(m cuda.Memory) error { return check("cuMemFree", cu.MemFree(cu.DevicePtr(m))) }

func (driver) AllocHost(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := checkResult("cuMemHostAlloc", C.cuMemHostAlloc(&p, C.size_t(bytes), 0), size(bytes))
	return p, err
}

func (driver) FreeHost(p unsafe.Pointer) error { return check("cuMemFreeHost", cu.MemFreeHost(p)) }

func (driver) Upload(to cuda.Memory, from unsafe.Pointer, bytes int, s cuda.Stream) error {
	return check("cuMemcpyHtoDAsync", cu.MemcpyHtoDAsync(cu.DevicePtr(to), from, int64(bytes), as[cu.Stream](s)), size(bytes))
}

func (driver) Download(to unsafe.Pointer, from cuda.Memory, bytes int, s cuda.Stream) error {
	return check("cuMemcpyDtoHAsync", cu.MemcpyDtoHAsync(to, cu.DevicePtr(from), int64(bytes), as[cu.Stream](s)), size(bytes))
}

func (driver) Copy(to, from cuda.Memory, bytes int, s cuda.Stream) error {
	return check("cuMemcpyDtoDAsync", cu.MemcpyDtoDAsync(cu.DevicePtr(to), cu.DevicePtr(from), int64(bytes), as[cu.Stream](s)), size(bytes))
}

func (driver) Fill(to cuda.Memory, value byte, bytes int, s cuda.Stream) error {
	return check("cuMemsetD8Async", cu.MemsetD8Async(cu.DevicePtr(to), value, int64(bytes), as[cu.Stream](s)), size(bytes))
}

func (driver) NewStream() (cuda.Stream, error) {
	s, err := cu.MakeStream(cu.NonBlocking)
	return as[cuda.Stream](s), check("cuStreamCreate", err)
}

func (driver) DestroyStream(s cuda.Stream) error {
	stream := as[cu.Stream](s)
	return check("cuStreamDestroy", stream.Destroy())
}

func (driver) SynchronizeStream(s cuda.Stream) error {
	return check("cuStreamSynchronize", as[cu.Stream](s).Synchronize())
}

func (driver) WaitEvent(s cuda.Stream, e cuda.Event) error {
	return check("cuStreamWaitEvent", as[cu.Stream](s).Wait(as[cu.Event](e), 0))
}

func (driver) NewEvent(timing bool) (cuda.Event, error) {
	flags := cu.DisableTiming
	if timing {
		flags = cu.DefaultEvent
	}
	e, err := cu.MakeEvent(flags)
	return as[cuda.Event](e), check("cuEventCreate", err)
}

func (driver) DestroyEvent(e cuda.Event) error {
	event := as[cu.Event](e)
	return check("cuEventDestroy", cu.DestroyEvent(&event))
}

func (driver) Record(e cuda.Event, s cuda.Stream) error {
	return check("cuEventRecord", as[cu.Event](e).Record(as[cu.Stream](s)))
}

func (driver) SynchronizeEvent(e cuda.Event) error {
	return check("cuEventSynchronize", as[cu.Event](e).Synchronize())
}

func (driver) Passed(e cuda.Event) (bool, error) {
	err := as[cu.Event](e).Query()
	if err == cu.NotReady {
		return false, nil
	}
	return err == nil, check("cuEventQuery", err)
}

func (driver) Elapsed(from, to cuda.Event) (float32, error) {
	ms, err := as[cu.Event](from).Elapsed(as[cu.Event](to))
	return float32(ms), check("cuEventElapsedTime", err)
}

func size(bytes int) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
