//go:build !amd64

package runtime

// pause lets a few nanoseconds pass between two looks of a thread that waits.
//
//go:noinline
func pause() {
	for range 30 {
	}
}

// processorISAs lists the instruction sets that this processor runs: kernels
// in assembly exist for amd64 only.
func processorISAs() []string { return []string{isaPortable} }
