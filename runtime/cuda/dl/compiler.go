//go:build linux && !nocuda

package dl

import (
	goruntime "runtime"
	"slices"
	"strings"
	"unsafe"

	"netc/runtime/cuda"
)

// compiler is libnvrtc.
type compiler struct {
	calls compilerCalls
}

// nvrtcNames are the libraries of the versions that netc knows, by the major
// version of CUDA, the newest first. All of 11.2 to 11.8 are called 11.2.
var nvrtcNames = []struct {
	major int
	name  string
}{{13, "libnvrtc.so.13"}, {12, "libnvrtc.so.12"}, {11, "libnvrtc.so.11.2"}}

// OpenCompiler opens NVRTC for a driver of the given version (12040 is 12.4).
// Versions that are not newer than the driver go first, because it may not
// load what a newer compiler makes.
func OpenCompiler(driverVersion int) (cuda.Compiler, error) {
	var names, newer []string
	for _, n := range nvrtcNames {
		if n.major*1000 > driverVersion {
			newer = append(newer, n.name)
		} else {
			names = append(names, n.name)
		}
	}
	slices.Reverse(newer)
	names = append(names, newer...)
	found, err := openLibrary(names)
	if err != nil {
		return nil, &cuda.MissingError{What: "no CUDA compiler", Reason: "NVRTC is not installed: " + err.Error(),
			Help: "install " + strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1] + " (the CUDA toolkit, Debian's libnvrtc12, or pip's nvidia-cuda-nvrtc have it), or name its folder in " + PathVariable}
	}
	c := &compiler{}
	if err := found.bind(&c.calls); err != nil {
		return nil, &cuda.MissingError{What: "the CUDA compiler is too old", Reason: err.Error(), Help: "install NVRTC 11.2 or newer"}
	}
	return c, nil
}

func (c *compiler) check(call string, code int32) error {
	if code == 0 {
		return nil
	}
	return &cuda.CallError{Call: call, Code: int(code), Name: c.calls.GetErrorString(code)}
}

func (c *compiler) Version() (major, minor int, err error) {
	var a, b int32
	err = c.check("nvrtcVersion", c.calls.Version(&a, &b))
	return int(a), int(b), err
}

func (c *compiler) Architectures() ([]int, error) {
	var n int32
	if err := c.check("nvrtcGetNumSupportedArchs", c.calls.GetNumSupportedArchs(&n)); err != nil || n <= 0 {
		return nil, err
	}
	list := make([]int32, n)
	if err := c.check("nvrtcGetSupportedArchs", c.calls.GetSupportedArchs(&list[0])); err != nil {
		return nil, err
	}
	var archs []int
	for _, a := range list {
		archs = append(archs, int(a))
	}
	slices.Sort(archs)
	return archs, nil
}

const compilationFailed = 6 // NVRTC_ERROR_COMPILATION

func (c *compiler) Compile(source, name string, options []string) (_ []byte, err error) {
	var p program
	if err := c.check("nvrtcCreateProgram", c.calls.CreateProgram(&p, source, name, 0, nil, nil)); err != nil {
		return nil, err
	}
	defer func() {
		if failure := c.check("nvrtcDestroyProgram", c.calls.DestroyProgram(&p)); err == nil {
			err = failure
		}
	}()
	if code := c.compile(p, options); code != 0 {
		log, err := c.log(p)
		if code == compilationFailed && err == nil {
			return nil, &cuda.CompileError{Source: name, Log: log}
		}
		failure := c.check("nvrtcCompileProgram", code).(*cuda.CallError)
		failure.Text, failure.Detail = strings.TrimSpace(log), strings.Join(options, " ")
		return nil, failure
	}
	if slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "--gpu-architecture=compute_") }) {
		return c.result("nvrtcGetPTX", p, c.calls.GetPTXSize, c.calls.GetPTX)
	}
	return c.result("nvrtcGetCUBIN", p, c.calls.GetCUBINSize, c.calls.GetCUBIN)
}

// compile passes the options as C's array of texts.
func (c *compiler) compile(p program, options []string) int32 {
	var pinner goruntime.Pinner
	defer pinner.Unpin()
	texts := make([]unsafe.Pointer, len(options))
	for i, o := range options {
		bytes := append([]byte(o), 0)
		pinner.Pin(&bytes[0])
		texts[i] = unsafe.Pointer(&bytes[0])
	}
	if len(texts) == 0 {
		return c.calls.CompileProgram(p, 0, nil)
	}
	pinner.Pin(&texts[0])
	return c.calls.CompileProgram(p, int32(len(texts)), unsafe.Pointer(&texts[0]))
}

// log is what the compiler said.
func (c *compiler) log(p program) (string, error) {
	bytes, err := c.result("nvrtcGetProgramLog", p, c.calls.GetProgramLogSize, c.calls.GetProgramLog)
	return strings.TrimRight(string(bytes), "\x00"), err
}

// result asks for a size and then for so many bytes.
func (c *compiler) result(call string, p program, size func(program, *uint64) int32, get func(program, *byte) int32) ([]byte, error) {
	var n uint64
	if err := c.check(call+"Size", size(p, &n)); err != nil || n == 0 {
		return nil, err
	}
	bytes := make([]byte, n)
	return bytes, c.check(call, get(p, &bytes[0]))
}
