//go:build linux && !nocuda

package cuda_test

import (
	"bytes"
	"testing"

	"netc/runtime/cuda"
	"netc/runtime/cuda/cudatest"
	"netc/runtime/cuda/dl"
)

// TestPeakSourceCompiles holds the package's own kernels against NVIDIA's
// compiler.
func TestPeakSourceCompiles(t *testing.T) {
	t.Setenv(dl.PathVariable, cudatest.NVIDIAFolder(t, "lib*/libnvrtc.so.*"))
	c, err := dl.OpenCompiler(13000)
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"80", "90"} {
		image, err := c.Compile(cuda.PeakSource, "peak.cu", []string{"--gpu-architecture=sm_" + arch})
		for _, kernel := range []string{"netc_float32", "netc_tf32", "netc_bf16", "netc_nothing"} {
			if err != nil || !bytes.Contains(image, []byte(kernel)) {
				t.Errorf("sm_%s has no %s: %d bytes, %v", arch, kernel, len(image), err)
			}
		}
	}
}
