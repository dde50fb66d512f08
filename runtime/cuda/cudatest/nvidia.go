package cudatest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// NVIDIAFolder finds a part of NVIDIA's CUDA toolkit, such as
// "lib*/libnvrtc.so.*", and gives the folder of the file: in the folders of
// NETC_CUDA_PATH, in a toolkit, or among Python's packages, where pip's
// nvidia-cuda-nvrtc and its like put theirs. It skips the test where there is
// none.
func NVIDIAFolder(t testing.TB, pattern string) string {
	t.Helper()
	roots := filepath.SplitList(os.Getenv("NETC_CUDA_PATH"))
	if library := os.Getenv("NETC_NVRTC"); library != "" { // where CI has installed it
		roots = append(roots, filepath.Dir(library))
	}
	toolkits, _ := filepath.Glob("/usr/local/cuda*") // the pattern is well-formed
	roots = append(roots, toolkits...)
	if said, err := exec.Command("python3", "-c", "import nvidia; print('\\n'.join(nvidia.__path__))").Output(); err == nil {
		for _, place := range strings.Fields(string(said)) {
			parts, _ := filepath.Glob(filepath.Join(place, "*"))
			roots = append(roots, parts...)
		}
	}
	for _, root := range roots {
		for _, p := range []string{pattern, filepath.Base(pattern)} {
			if found, _ := filepath.Glob(filepath.Join(root, p)); len(found) > 0 {
				return filepath.Dir(found[0])
			}
		}
	}
	t.Skipf("no %s here: install it (pip install nvidia-cuda-nvrtc has NVRTC) or name its folder in NETC_CUDA_PATH", filepath.Base(pattern))
	return ""
}
