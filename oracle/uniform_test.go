package oracle

import (
	"testing"

	"netc/ir/eval"
	"netc/runtime"
)

// TestUniform compares the reference's random numbers with the runtime's: the
// two are written apart because the intermediate representation knows nothing
// of the runtime, and must agree bit for bit or dropout masks differ.
func TestUniform(t *testing.T) {
	for _, seed := range []int32{0, 1, -1, 1 << 30, -1 << 31} {
		for _, iteration := range []int32{0, 1, 9999, 1<<31 - 1} {
			for _, layer := range []uint32{0, 3, 1<<32 - 1} {
				for _, element := range []int{0, 1, 1000, 1<<32 - 1} {
					want := float64(runtime.Uniform(seed, iteration, layer, element))
					if got := eval.Uniform(int(seed), int(iteration), int(layer), element); got != want {
						t.Fatalf("seed %d, iteration %d, layer %d, element %d: %v, the runtime gives %v",
							seed, iteration, layer, element, got, want)
					}
				}
			}
		}
	}
}
