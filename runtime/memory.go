package runtime

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// peakBytes is the most memory the process has held, as the system counts it
// (VmHWM on Linux: code, data set and arena); where the system does not tell,
// the arena's size.
func peakBytes(arena int) int {
	if peak := kilobytes("/proc/self/status", "VmHWM:"); peak > 0 {
		return peak << 10
	}
	return arena
}

// kilobytes reads a line such as "VmHWM: 12345 kB" of a file that the system
// writes; 0 where there is no such file or line.
func kilobytes(path, key string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == key {
			n, _ := strconv.Atoi(fields[1]) // 0 where it is no number
			return n
		}
	}
	return 0
}

// A memoryError is an arena that the machine cannot hold. Go ends a program
// whose memory runs out with a trace of its own, so NewArena asks first.
type memoryError struct{ arena, machine int }

func (e memoryError) Error() string {
	const mebi = 1 << 20
	return fmt.Sprintf("the network needs %d MiB of memory, but the machine has %d: use a smaller batch", e.arena/mebi, e.machine/mebi)
}

// checkMemory holds an arena against the machine's memory, where the system
// tells how much there is.
func checkMemory(arena, machine int) error {
	if machine > 0 && arena > machine {
		return memoryError{arena, machine}
	}
	return nil
}

// machineBytes is the machine's memory, swap included; 0 where it is unknown.
func machineBytes() int {
	return (kilobytes("/proc/meminfo", "MemTotal:") + kilobytes("/proc/meminfo", "SwapTotal:")) << 10
}
