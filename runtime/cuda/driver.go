// Package cuda runs a compiled network on an NVIDIA GPU: it compiles the
// emitted source with NVRTC, keeps the machine code in a cache, and computes a
// phase as one CUDA graph over one arena in device memory.
//
// It reaches the driver and the compiler through two interfaces, Driver and
// Compiler, and imports nothing but the standard library and package runtime.
// Package cuda/dl implements them by opening NVIDIA's libraries at run time.
package cuda

import "unsafe"

// Handles of the driver. Zero is none.
type (
	Device   int32 // an ordinal
	Context  uintptr
	Module   uintptr
	Function uintptr
	Stream   uintptr
	Event    uintptr
	Graph    uintptr
	Exec     uintptr // an instantiated graph
	Memory   uint64  // an address on the device
)

// Config says how a kernel is started: blocks in the grid, threads in a block,
// blocks in a cluster (all zero: no clusters), bytes of dynamic shared memory.
type Config struct {
	Grid, Block, Cluster [3]uint32
	Shared               uint32
}

// Driver is the part of the CUDA driver API that netc needs. A method stands
// for the call in its comment. Errors are *CallError.
//
// The current context belongs to the calling thread, so whoever uses a Driver
// stays on one thread.
type Driver interface {
	Init() error                                          // cuInit(0)
	Version() (int, error)                                // cuDriverGetVersion: 12040 is CUDA 12.4
	DeviceCount() (int, error)                            // cuDeviceGetCount
	Device(n int) (Device, error)                         // cuDeviceGet
	DeviceName(Device) (string, error)                    // cuDeviceGetName
	DeviceAttribute(Device, DeviceAttribute) (int, error) // cuDeviceGetAttribute
	RetainPrimary(Device) (Context, error)                // cuDevicePrimaryCtxRetain
	ReleasePrimary(Device) error                          // cuDevicePrimaryCtxRelease
	SetCurrent(Context) error                             // cuCtxSetCurrent
	Synchronize() error                                   // cuCtxSynchronize
	MemoryInfo() (free, total uint64, err error)          // cuMemGetInfo

	LoadModule(image []byte) (Module, error)                       // cuModuleLoadDataEx; image is a cubin, or PTX with a zero byte at its end
	UnloadModule(Module) error                                     // cuModuleUnload
	Function(Module, string) (Function, error)                     // cuModuleGetFunction
	FunctionAttribute(Function, FunctionAttribute) (int, error)    // cuFuncGetAttribute
	SetFunctionAttribute(Function, FunctionAttribute, int) error   // cuFuncSetAttribute
	Launch(Function, Config, Stream, []Memory) error               // cuLaunchKernel, or cuLaunchKernelEx with clusters; the arguments are addresses
	ActiveBlocks(f Function, threads int, shared int) (int, error) // cuOccupancyMaxActiveBlocksPerMultiprocessor

	Alloc(bytes int) (Memory, error)                                    // cuMemAlloc
	Free(Memory) error                                                  // cuMemFree
	AllocHost(bytes int) (unsafe.Pointer, error)                        // cuMemHostAlloc, pinned
	FreeHost(unsafe.Pointer) error                                      // cuMemFreeHost
	Upload(to Memory, from unsafe.Pointer, bytes int, s Stream) error   // cuMemcpyHtoDAsync; from stays as it is until the stream has passed
	Download(to unsafe.Pointer, from Memory, bytes int, s Stream) error // cuMemcpyDtoHAsync
	Copy(to, from Memory, bytes int, s Stream) error                    // cuMemcpyDtoDAsync
	Fill(to Memory, value byte, bytes int, s Stream) error              // cuMemsetD8Async

	NewStream() (Stream, error)                               // cuStreamCreate, not blocked by the default stream
	DestroyStream(Stream) error                               // cuStreamDestroy
	SynchronizeStream(Stream) error                           // cuStreamSynchronize
	WaitEvent(Stream, Event) error                            // cuStreamWaitEvent
	NewEvent(timing bool) (Event, error)                      // cuEventCreate
	DestroyEvent(Event) error                                 // cuEventDestroy
	Record(Event, Stream) error                               // cuEventRecord
	SynchronizeEvent(Event) error                             // cuEventSynchronize
	Passed(Event) (bool, error)                               // cuEventQuery
	Elapsed(from, to Event) (milliseconds float32, err error) // cuEventElapsedTime

	BeginCapture(Stream) error        // cuStreamBeginCapture, relaxed
	EndCapture(Stream) (Graph, error) // cuStreamEndCapture
	GraphNodes(Graph) (int, error)    // cuGraphGetNodes
	Instantiate(Graph) (Exec, error)  // cuGraphInstantiateWithFlags
	LaunchGraph(Exec, Stream) error   // cuGraphLaunch
	DestroyGraph(Graph) error         // cuGraphDestroy
	DestroyExec(Exec) error           // cuGraphExecDestroy
}

// DeviceAttribute is a CUdevice_attribute.
type DeviceAttribute int32

// The attributes of a device that netc asks for.
const (
	MaxSharedPerBlock DeviceAttribute = 97 // bytes, after opting in
	Multiprocessors   DeviceAttribute = 16
	ClockKHz          DeviceAttribute = 13
	CapabilityMajor   DeviceAttribute = 75
	CapabilityMinor   DeviceAttribute = 76
)

// FunctionAttribute is a CUfunction_attribute.
type FunctionAttribute int32

// The attributes of a function that netc reads or sets.
const (
	StaticShared     FunctionAttribute = 1 // bytes
	LocalBytes       FunctionAttribute = 3 // of a thread: registers that were spilled
	Registers        FunctionAttribute = 4 // of a thread
	MaxDynamicShared FunctionAttribute = 8 // bytes; above 48 KiB only after setting it
)

// Compiler is the part of NVRTC that netc needs. Errors are *CallError, or
// *CompileError where the source is at fault.
type Compiler interface {
	Version() (major, minor int, err error) // nvrtcVersion
	Architectures() ([]int, error)          // nvrtcGetSupportedArchs, ascending: 90 is sm_90
	// Compile gives machine code (a cubin), or PTX where the options name a
	// virtual architecture. name is what messages call the source.
	Compile(source, name string, options []string) ([]byte, error)
}
