//go:build !linux || nocuda

package dl

import (
	goruntime "runtime"

	"netc/runtime/cuda"
)

// PathVariable names the environment variable that holds folders in which
// NVIDIA's libraries are looked for first.
const PathVariable = "NETC_CUDA_PATH"

// OpenDriver says that this program was built without CUDA.
func OpenDriver() (cuda.Driver, error) { return nil, absent() }

// OpenCompiler says that this program was built without CUDA.
func OpenCompiler(int) (cuda.Compiler, error) { return nil, absent() }

func absent() error {
	if goruntime.GOOS != "linux" {
		return &cuda.MissingError{What: "this program was built for " + goruntime.GOOS, Help: "CUDA is supported on Linux: build and run the program there"}
	}
	return &cuda.MissingError{What: "this program was built without CUDA", Reason: "it has the build tag nocuda", Help: "build it without the tag"}
}
