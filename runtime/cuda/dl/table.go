//go:build linux && !nocuda

package dl

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"netc/runtime/cuda"
)

// driverCalls is the table of the driver's functions: each under the symbol
// that the drivers of CUDA 11.4 to 13 all export, with its parameters in C, as
// cuda.h declares them. A test holds the C against the header and the Go
// against the C. "since" marks a function that older drivers lack: it stays nil
// there.
//
// An output parameter is a Go pointer; a pointer that C keeps no longer than
// the call may be into Go's memory.
type driverCalls struct {
	Init               func(flags uint32) int32                                                                                                             `c:"cuInit(unsigned int)"`
	DriverGetVersion   func(version *int32) int32                                                                                                           `c:"cuDriverGetVersion(int *)"`
	GetErrorName       func(code int32, text **byte) int32                                                                                                  `c:"cuGetErrorName(CUresult, const char **)"`
	GetErrorString     func(code int32, text **byte) int32                                                                                                  `c:"cuGetErrorString(CUresult, const char **)"`
	DeviceGetCount     func(count *int32) int32                                                                                                             `c:"cuDeviceGetCount(int *)"`
	DeviceGet          func(device *cuda.Device, n int32) int32                                                                                             `c:"cuDeviceGet(CUdevice *, int)"`
	DeviceGetName      func(name *byte, size int32, d cuda.Device) int32                                                                                    `c:"cuDeviceGetName(char *, int, CUdevice)"`
	DeviceGetAttribute func(value *int32, a cuda.DeviceAttribute, d cuda.Device) int32                                                                      `c:"cuDeviceGetAttribute(int *, CUdevice_attribute, CUdevice)"`
	PrimaryCtxRetain   func(c *cuda.Context, d cuda.Device) int32                                                                                           `c:"cuDevicePrimaryCtxRetain(CUcontext *, CUdevice)"`
	PrimaryCtxRelease  func(d cuda.Device) int32                                                                                                            `c:"cuDevicePrimaryCtxRelease_v2(CUdevice)"`
	CtxSetCurrent      func(c cuda.Context) int32                                                                                                           `c:"cuCtxSetCurrent(CUcontext)"`
	CtxSynchronize     func() int32                                                                                                                         `c:"cuCtxSynchronize(void)"`
	MemGetInfo         func(free, total *uint64) int32                                                                                                      `c:"cuMemGetInfo_v2(size_t *, size_t *)"`
	ModuleLoadDataEx   func(m *cuda.Module, image *byte, n uint32, options, values unsafe.Pointer) int32                                                    `c:"cuModuleLoadDataEx(CUmodule *, const void *, unsigned int, CUjit_option *, void **)"`
	ModuleUnload       func(m cuda.Module) int32                                                                                                            `c:"cuModuleUnload(CUmodule)"`
	ModuleGetFunction  func(f *cuda.Function, m cuda.Module, name string) int32                                                                             `c:"cuModuleGetFunction(CUfunction *, CUmodule, const char *)"`
	FuncGetAttribute   func(value *int32, a cuda.FunctionAttribute, f cuda.Function) int32                                                                  `c:"cuFuncGetAttribute(int *, CUfunction_attribute, CUfunction)"`
	FuncSetAttribute   func(f cuda.Function, a cuda.FunctionAttribute, value int32) int32                                                                   `c:"cuFuncSetAttribute(CUfunction, CUfunction_attribute, int)"`
	LaunchKernel       func(f cuda.Function, gridX, gridY, gridZ, blockX, blockY, blockZ, shared uint32, s cuda.Stream, params, extra unsafe.Pointer) int32 `c:"cuLaunchKernel(CUfunction, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int, CUstream, void **, void **)"`
	LaunchKernelEx     func(config *launchConfig, f cuda.Function, params, extra unsafe.Pointer) int32                                                      `c:"cuLaunchKernelEx(const CUlaunchConfig *, CUfunction, void **, void **)" since:"11.8"`
	OccupancyMaxBlocks func(blocks *int32, f cuda.Function, threads int32, shared uint64) int32                                                             `c:"cuOccupancyMaxActiveBlocksPerMultiprocessor(int *, CUfunction, int, size_t)"`
	MemAlloc           func(m *cuda.Memory, bytes uint64) int32                                                                                             `c:"cuMemAlloc_v2(CUdeviceptr *, size_t)"`
	MemFree            func(m cuda.Memory) int32                                                                                                            `c:"cuMemFree_v2(CUdeviceptr)"`
	MemHostAlloc       func(p *unsafe.Pointer, bytes uint64, flags uint32) int32                                                                            `c:"cuMemHostAlloc(void **, size_t, unsigned int)"`
	MemFreeHost        func(p unsafe.Pointer) int32                                                                                                         `c:"cuMemFreeHost(void *)"`
	MemcpyHtoDAsync    func(to cuda.Memory, from unsafe.Pointer, bytes uint64, s cuda.Stream) int32                                                         `c:"cuMemcpyHtoDAsync_v2(CUdeviceptr, const void *, size_t, CUstream)"`
	MemcpyDtoHAsync    func(to unsafe.Pointer, from cuda.Memory, bytes uint64, s cuda.Stream) int32                                                         `c:"cuMemcpyDtoHAsync_v2(void *, CUdeviceptr, size_t, CUstream)"`
	MemcpyDtoDAsync    func(to, from cuda.Memory, bytes uint64, s cuda.Stream) int32                                                                        `c:"cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, size_t, CUstream)"`
	MemsetD8Async      func(to cuda.Memory, value uint8, bytes uint64, s cuda.Stream) int32                                                                 `c:"cuMemsetD8Async(CUdeviceptr, unsigned char, size_t, CUstream)"`
	StreamCreate       func(s *cuda.Stream, flags uint32) int32                                                                                             `c:"cuStreamCreate(CUstream *, unsigned int)"`
	StreamDestroy      func(s cuda.Stream) int32                                                                                                            `c:"cuStreamDestroy_v2(CUstream)"`
	StreamSynchronize  func(s cuda.Stream) int32                                                                                                            `c:"cuStreamSynchronize(CUstream)"`
	StreamWaitEvent    func(s cuda.Stream, e cuda.Event, flags uint32) int32                                                                                `c:"cuStreamWaitEvent(CUstream, CUevent, unsigned int)"`
	StreamBeginCapture func(s cuda.Stream, mode int32) int32                                                                                                `c:"cuStreamBeginCapture_v2(CUstream, CUstreamCaptureMode)"`
	StreamEndCapture   func(s cuda.Stream, g *cuda.Graph) int32                                                                                             `c:"cuStreamEndCapture(CUstream, CUgraph *)"`
	EventCreate        func(e *cuda.Event, flags uint32) int32                                                                                              `c:"cuEventCreate(CUevent *, unsigned int)"`
	EventDestroy       func(e cuda.Event) int32                                                                                                             `c:"cuEventDestroy_v2(CUevent)"`
	EventRecord        func(e cuda.Event, s cuda.Stream) int32                                                                                              `c:"cuEventRecord(CUevent, CUstream)"`
	EventSynchronize   func(e cuda.Event) int32                                                                                                             `c:"cuEventSynchronize(CUevent)"`
	EventQuery         func(e cuda.Event) int32                                                                                                             `c:"cuEventQuery(CUevent)"`
	EventElapsedTime   func(ms *float32, from, to cuda.Event) int32                                                                                         `c:"cuEventElapsedTime(float *, CUevent, CUevent)"`
	GraphGetNodes      func(g cuda.Graph, nodes unsafe.Pointer, n *uint64) int32                                                                            `c:"cuGraphGetNodes(CUgraph, CUgraphNode *, size_t *)"`
	GraphInstantiate   func(x *cuda.Exec, g cuda.Graph, flags uint64) int32                                                                                 `c:"cuGraphInstantiateWithFlags(CUgraphExec *, CUgraph, unsigned long long)"`
	GraphLaunch        func(x cuda.Exec, s cuda.Stream) int32                                                                                               `c:"cuGraphLaunch(CUgraphExec, CUstream)"`
	GraphDestroy       func(g cuda.Graph) int32                                                                                                             `c:"cuGraphDestroy(CUgraph)"`
	GraphExecDestroy   func(x cuda.Exec) int32                                                                                                              `c:"cuGraphExecDestroy(CUgraphExec)"`
}

// program is NVRTC's handle of a source.
type program uintptr

// compilerCalls is the table of NVRTC's functions, which 11.2, 12 and 13 export
// alike.
type compilerCalls struct {
	Version              func(major, minor *int32) int32                                                     `c:"nvrtcVersion(int *, int *)"`
	GetErrorString       func(code int32) string                                                             `c:"nvrtcGetErrorString(nvrtcResult)" returns:"const char *"`
	GetNumSupportedArchs func(n *int32) int32                                                                `c:"nvrtcGetNumSupportedArchs(int *)"`
	GetSupportedArchs    func(list *int32) int32                                                             `c:"nvrtcGetSupportedArchs(int *)"`
	CreateProgram        func(p *program, source, name string, n int32, headers, names unsafe.Pointer) int32 `c:"nvrtcCreateProgram(nvrtcProgram *, const char *, const char *, int, const char * const *, const char * const *)"`
	CompileProgram       func(p program, n int32, options unsafe.Pointer) int32                              `c:"nvrtcCompileProgram(nvrtcProgram, int, const char * const *)"`
	GetProgramLogSize    func(p program, n *uint64) int32                                                    `c:"nvrtcGetProgramLogSize(nvrtcProgram, size_t *)"`
	GetProgramLog        func(p program, log *byte) int32                                                    `c:"nvrtcGetProgramLog(nvrtcProgram, char *)"`
	GetCUBINSize         func(p program, n *uint64) int32                                                    `c:"nvrtcGetCUBINSize(nvrtcProgram, size_t *)"`
	GetCUBIN             func(p program, image *byte) int32                                                  `c:"nvrtcGetCUBIN(nvrtcProgram, char *)"`
	GetPTXSize           func(p program, n *uint64) int32                                                    `c:"nvrtcGetPTXSize(nvrtcProgram, size_t *)"`
	GetPTX               func(p program, text *byte) int32                                                   `c:"nvrtcGetPTX(nvrtcProgram, char *)"`
	DestroyProgram       func(p *program) int32                                                              `c:"nvrtcDestroyProgram(nvrtcProgram *)"`
}

// launchConfig is CUlaunchConfig.
type launchConfig struct {
	grid, block [3]uint32
	shared      uint32
	stream      cuda.Stream
	attributes  *launchAttribute
	count       uint32
}

// launchAttribute is CUlaunchAttribute with a cluster's size, the only one that
// netc sets.
type launchAttribute struct {
	id      int32
	_       int32
	cluster [3]uint32
	_       [52]byte // the union has 64 bytes
}

// Constants of the driver API, without CU_ before their names.
const (
	clusterDimension   = 4 // LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
	streamNonBlocking  = 1
	eventDisableTiming = 2
	captureRelaxed     = 2 // STREAM_CAPTURE_MODE_RELAXED
)

// entry is one row of a table.
type entry struct {
	symbol     string
	parameters []string // in C
	returns    string
	since      string // "" where every supported version has it
	target     reflect.Value
}

// entries reads the rows of a table, a pointer to a struct of functions.
func entries(table any) []entry {
	v := reflect.ValueOf(table).Elem()
	var list []entry
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		symbol, rest, _ := strings.Cut(tag.Get("c"), "(")
		parameters := strings.Split(strings.TrimSuffix(rest, ")"), ", ")
		if rest == "void)" {
			parameters = nil
		}
		list = append(list, entry{symbol, parameters, tag.Get("returns"), tag.Get("since"), v.Field(i)})
	}
	return list
}

// callName is a symbol as documentation names the function: without its
// version.
func callName(symbol string) string {
	for _, version := range []string{"_v2", "_v3"} {
		symbol = strings.TrimSuffix(symbol, version)
	}
	return symbol
}

// missingSymbol says that a library is older than netc needs.
type missingSymbol struct{ library, symbol string }

func (e *missingSymbol) Error() string {
	return fmt.Sprintf("%s has no function %s", e.library, callName(e.symbol))
}
