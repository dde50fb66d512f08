//go:build linux && !nocuda

package dl

import (
	"fmt"
	goruntime "runtime"
	"slices"
	"unsafe"

	"netc/runtime/cuda"
)

// driver is libcuda.
type driver struct {
	calls driverCalls
}

// OpenDriver opens the driver's library. It is of the machine's GPU driver, not
// of a CUDA toolkit.
func OpenDriver() (cuda.Driver, error) {
	const name = "libcuda.so.1"
	found, err := openLibrary([]string{name})
	if err != nil {
		return nil, &cuda.MissingError{What: "no NVIDIA driver", Reason: err.Error(),
			Help: "install the GPU's driver, which brings " + name + ", or leave --device out to use the processor"}
	}
	d := &driver{}
	if err := found.bind(&d.calls); err != nil {
		return nil, &cuda.MissingError{What: "the NVIDIA driver is too old", Reason: err.Error(), Help: "install a driver for CUDA 11.4 or newer"}
	}
	return d, nil
}

// check makes an error of a result that is not success.
func (d *driver) check(call string, code int32) error { return d.checkOf(call, code, "") }

// checkOf is check with what the call was about.
func (d *driver) checkOf(call string, code int32, detail string) error {
	if code == 0 {
		return nil
	}
	e := &cuda.CallError{Call: call, Code: int(code), Detail: detail}
	var p *byte
	if d.calls.GetErrorName(code, &p) == 0 {
		e.Name = text(p)
	}
	if d.calls.GetErrorString(code, &p) == 0 {
		e.Text = text(p)
	}
	return e
}

func (d *driver) Init() error { return d.check("cuInit", d.calls.Init(0)) }

func (d *driver) Version() (int, error) {
	var version int32
	err := d.check("cuDriverGetVersion", d.calls.DriverGetVersion(&version))
	return int(version), err
}

func (d *driver) DeviceCount() (int, error) {
	var count int32
	err := d.check("cuDeviceGetCount", d.calls.DeviceGetCount(&count))
	return int(count), err
}

func (d *driver) Device(n int) (device cuda.Device, err error) {
	err = d.checkOf("cuDeviceGet", d.calls.DeviceGet(&device, int32(n)), fmt.Sprintf("device %d", n))
	return device, err
}

func (d *driver) DeviceName(device cuda.Device) (string, error) {
	const most = 256
	name := make([]byte, most+1) // ends in a zero whatever the driver writes
	err := d.check("cuDeviceGetName", d.calls.DeviceGetName(&name[0], most, device))
	return text(&name[0]), err
}

func (d *driver) DeviceAttribute(device cuda.Device, a cuda.DeviceAttribute) (int, error) {
	var value int32
	err := d.checkOf("cuDeviceGetAttribute", d.calls.DeviceGetAttribute(&value, a, device), fmt.Sprintf("attribute %d", a))
	return int(value), err
}

func (d *driver) RetainPrimary(device cuda.Device) (c cuda.Context, err error) {
	err = d.check("cuDevicePrimaryCtxRetain", d.calls.PrimaryCtxRetain(&c, device))
	return c, err
}

func (d *driver) ReleasePrimary(device cuda.Device) error {
	return d.check("cuDevicePrimaryCtxRelease", d.calls.PrimaryCtxRelease(device))
}

func (d *driver) SetCurrent(c cuda.Context) error {
	return d.check("cuCtxSetCurrent", d.calls.CtxSetCurrent(c))
}

func (d *driver) Synchronize() error {
	return d.check("cuCtxSynchronize", d.calls.CtxSynchronize())
}

func (d *driver) MemoryInfo() (free, total uint64, err error) {
	err = d.check("cuMemGetInfo", d.calls.MemGetInfo(&free, &total))
	return free, total, err
}

func (d *driver) LoadModule(image []byte) (m cuda.Module, err error) {
	if len(image) == 0 {
		return 0, &cuda.CallError{Call: "cuModuleLoadDataEx", Code: cuda.CodeInvalidImage, Text: "the image is empty"}
	}
	err = d.checkOf("cuModuleLoadDataEx", d.calls.ModuleLoadDataEx(&m, &image[0], 0, nil, nil), fmt.Sprintf("%d bytes", len(image)))
	return m, err
}

func (d *driver) UnloadModule(m cuda.Module) error {
	return d.check("cuModuleUnload", d.calls.ModuleUnload(m))
}

func (d *driver) Function(m cuda.Module, name string) (f cuda.Function, err error) {
	err = d.checkOf("cuModuleGetFunction", d.calls.ModuleGetFunction(&f, m, name), name)
	return f, err
}

func (d *driver) FunctionAttribute(f cuda.Function, a cuda.FunctionAttribute) (int, error) {
	var value int32
	err := d.checkOf("cuFuncGetAttribute", d.calls.FuncGetAttribute(&value, a, f), fmt.Sprintf("attribute %d", a))
	return int(value), err
}

func (d *driver) SetFunctionAttribute(f cuda.Function, a cuda.FunctionAttribute, value int) error {
	return d.checkOf("cuFuncSetAttribute", d.calls.FuncSetAttribute(f, a, int32(value)), fmt.Sprintf("attribute %d to %d", a, value))
}

// Launch hands the driver an array of pointers to the arguments, which it
// copies before it returns. Both are pinned: the array is read by C.
func (d *driver) Launch(f cuda.Function, c cuda.Config, s cuda.Stream, args []cuda.Memory) error {
	values := slices.Clone(args)
	pointers := make([]unsafe.Pointer, len(values))
	var pinner goruntime.Pinner
	defer pinner.Unpin()
	for i := range values {
		pinner.Pin(&values[i])
		pointers[i] = unsafe.Pointer(&values[i])
	}
	var params unsafe.Pointer
	if len(pointers) > 0 {
		pinner.Pin(&pointers[0])
		params = unsafe.Pointer(&pointers[0])
	}
	if c.Cluster == [3]uint32{} {
		return d.check("cuLaunchKernel", d.calls.LaunchKernel(f, c.Grid[0], c.Grid[1], c.Grid[2], c.Block[0], c.Block[1], c.Block[2], c.Shared, s, params, nil))
	}
	if d.calls.LaunchKernelEx == nil {
		return &cuda.MissingError{What: "the NVIDIA driver is too old", Reason: "kernels in clusters need cuLaunchKernelEx", Help: "install a driver for CUDA 11.8 or newer"}
	}
	attribute := &launchAttribute{id: clusterDimension, cluster: c.Cluster}
	pinner.Pin(attribute)
	config := &launchConfig{grid: c.Grid, block: c.Block, shared: c.Shared, stream: s, attributes: attribute, count: 1}
	return d.check("cuLaunchKernelEx", d.calls.LaunchKernelEx(config, f, params, nil))
}

func (d *driver) ActiveBlocks(f cuda.Function, threads, shared int) (int, error) {
	var blocks int32
	err := d.check("cuOccupancyMaxActiveBlocksPerMultiprocessor", d.calls.OccupancyMaxBlocks(&blocks, f, int32(threads), uint64(shared)))
	return int(blocks), err
}

func (d *driver) Alloc(bytes int) (m cuda.Memory, err error) {
	err = d.checkOf("cuMemAlloc", d.calls.MemAlloc(&m, uint64(bytes)), size(bytes))
	return m, err
}

func (d *driver) Free(m cuda.Memory) error { return d.check("cuMemFree", d.calls.MemFree(m)) }

func (d *driver) AllocHost(bytes int) (p unsafe.Pointer, err error) {
	err = d.checkOf("cuMemHostAlloc", d.calls.MemHostAlloc(&p, uint64(bytes), 0), size(bytes))
	return p, err
}

func (d *driver) FreeHost(p unsafe.Pointer) error {
	return d.check("cuMemFreeHost", d.calls.MemFreeHost(p))
}

func (d *driver) Upload(to cuda.Memory, from unsafe.Pointer, bytes int, s cuda.Stream) error {
	return d.checkOf("cuMemcpyHtoDAsync", d.calls.MemcpyHtoDAsync(to, from, uint64(bytes), s), size(bytes))
}

func (d *driver) Download(to unsafe.Pointer, from cuda.Memory, bytes int, s cuda.Stream) error {
	return d.checkOf("cuMemcpyDtoHAsync", d.calls.MemcpyDtoHAsync(to, from, uint64(bytes), s), size(bytes))
}

func (d *driver) Copy(to, from cuda.Memory, bytes int, s cuda.Stream) error {
	return d.checkOf("cuMemcpyDtoDAsync", d.calls.MemcpyDtoDAsync(to, from, uint64(bytes), s), size(bytes))
}

func (d *driver) Fill(to cuda.Memory, value byte, bytes int, s cuda.Stream) error {
	return d.checkOf("cuMemsetD8Async", d.calls.MemsetD8Async(to, value, uint64(bytes), s), size(bytes))
}

func (d *driver) NewStream() (s cuda.Stream, err error) {
	err = d.check("cuStreamCreate", d.calls.StreamCreate(&s, streamNonBlocking))
	return s, err
}

func (d *driver) DestroyStream(s cuda.Stream) error {
	return d.check("cuStreamDestroy", d.calls.StreamDestroy(s))
}

func (d *driver) SynchronizeStream(s cuda.Stream) error {
	return d.check("cuStreamSynchronize", d.calls.StreamSynchronize(s))
}

func (d *driver) WaitEvent(s cuda.Stream, e cuda.Event) error {
	return d.check("cuStreamWaitEvent", d.calls.StreamWaitEvent(s, e, 0))
}

func (d *driver) NewEvent(timing bool) (e cuda.Event, err error) {
	flags := uint32(eventDisableTiming)
	if timing {
		flags = 0
	}
	err = d.check("cuEventCreate", d.calls.EventCreate(&e, flags))
	return e, err
}

func (d *driver) DestroyEvent(e cuda.Event) error {
	return d.check("cuEventDestroy", d.calls.EventDestroy(e))
}

func (d *driver) Record(e cuda.Event, s cuda.Stream) error {
	return d.check("cuEventRecord", d.calls.EventRecord(e, s))
}

func (d *driver) SynchronizeEvent(e cuda.Event) error {
	return d.check("cuEventSynchronize", d.calls.EventSynchronize(e))
}

func (d *driver) Passed(e cuda.Event) (bool, error) {
	code := d.calls.EventQuery(e)
	if code == cuda.CodeNotReady {
		return false, nil
	}
	return code == 0, d.check("cuEventQuery", code)
}

func (d *driver) Elapsed(from, to cuda.Event) (milliseconds float32, err error) {
	err = d.check("cuEventElapsedTime", d.calls.EventElapsedTime(&milliseconds, from, to))
	return milliseconds, err
}

func (d *driver) BeginCapture(s cuda.Stream) error {
	return d.check("cuStreamBeginCapture", d.calls.StreamBeginCapture(s, captureRelaxed))
}

func (d *driver) EndCapture(s cuda.Stream) (g cuda.Graph, err error) {
	err = d.check("cuStreamEndCapture", d.calls.StreamEndCapture(s, &g))
	return g, err
}

func (d *driver) GraphNodes(g cuda.Graph) (int, error) {
	var n uint64
	err := d.check("cuGraphGetNodes", d.calls.GraphGetNodes(g, nil, &n))
	return int(n), err
}

func (d *driver) Instantiate(g cuda.Graph) (x cuda.Exec, err error) {
	err = d.check("cuGraphInstantiateWithFlags", d.calls.GraphInstantiate(&x, g, 0))
	return x, err
}

func (d *driver) LaunchGraph(x cuda.Exec, s cuda.Stream) error {
	return d.check("cuGraphLaunch", d.calls.GraphLaunch(x, s))
}

func (d *driver) DestroyGraph(g cuda.Graph) error {
	return d.check("cuGraphDestroy", d.calls.GraphDestroy(g))
}

func (d *driver) DestroyExec(x cuda.Exec) error {
	return d.check("cuGraphExecDestroy", d.calls.GraphExecDestroy(x))
}

// size is a number of bytes for messages.
func size(bytes int) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
