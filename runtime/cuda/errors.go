package cuda

import (
	"fmt"
	"strings"
)

// CallError is a call of the driver or of NVRTC that failed.
type CallError struct {
	Call   string // as the libraries name it, without version: "cuMemAlloc"
	Code   int    // CUresult or nvrtcResult
	Name   string // "CUDA_ERROR_OUT_OF_MEMORY"
	Text   string // "out of memory"
	Kernel string // that was being loaded or started, if any
	Layers string // that the kernel computes
	Detail string // what was asked for, if that helps: "4096 MiB"
}

// The results that netc tells apart.
const (
	CodeOutOfMemory    = 2
	CodeNoDevice       = 100
	CodeInvalidImage   = 200
	CodeNoBinary       = 209
	CodeUnsupportedPTX = 222
	CodeNotFound       = 500
	CodeNotReady       = 600
	CodeSystemMismatch = 803 // the library is of another driver than the kernel's
)

// Error names the call, the kernel and its layers, and what the library says.
func (e *CallError) Error() string {
	var b strings.Builder
	b.WriteString(e.Call)
	if e.Detail != "" {
		fmt.Fprintf(&b, " (%s)", e.Detail)
	}
	if e.Kernel != "" {
		fmt.Fprintf(&b, " of kernel %s", e.Kernel)
	}
	if e.Layers != "" {
		fmt.Fprintf(&b, ", which computes %s", e.Layers)
	}
	name := e.Name
	if name == "" {
		name = "error"
	}
	fmt.Fprintf(&b, ": %s (%d)", name, e.Code)
	if e.Text != "" {
		fmt.Fprintf(&b, ": %s", e.Text)
	}
	return b.String()
}

// of says which kernel a failed call was about.
func of(err error, l *Launch) error {
	if call, ok := err.(*CallError); ok {
		named := *call
		named.Kernel, named.Layers = l.Kernel, l.Layers
		return &named
	}
	return err
}

// isCode tells whether a call failed with one of the given results.
func isCode(err error, codes ...int) bool {
	call, ok := err.(*CallError)
	if !ok {
		return false
	}
	for _, code := range codes {
		if call.Code == code {
			return true
		}
	}
	return false
}

// CompileError is a source that NVRTC refuses: a fault of the emitter.
type CompileError struct {
	Source string // its name
	Log    string // NVRTC's messages, with lines
}

// Error shows the compiler's messages.
func (e *CompileError) Error() string {
	return fmt.Sprintf("NVRTC cannot compile %s:\n%s", e.Source, strings.TrimSpace(e.Log))
}

// MissingError says that the machine lacks something that CUDA needs, and what
// to do about it.
type MissingError struct {
	What   string // "no NVIDIA driver"
	Reason string
	Help   string
}

// Error is one line of what and why, and one of what helps.
func (e *MissingError) Error() string {
	text := "--device cuda: " + e.What
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Help != "" {
		text += "\n help: " + e.Help
	}
	return text
}
