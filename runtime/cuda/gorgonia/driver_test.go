//go:build cuda && linux && !nocuda

package gorgonia

import (
	"testing"

	"netc/runtime/cuda/cudatest"
)

// TestDriverConformance checks the driver call by call. The program must be
// linked with the stand-in for libcuda, as .ci/gorgonia does.
func TestDriverConformance(t *testing.T) {
	cudatest.ConformanceOf(t, cudatest.Linked(t), driver{})
}
