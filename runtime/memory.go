package runtime

import (
	"os"
	"strconv"
	"strings"
)

// peakBytes is the most memory the process has held, as the system counts it
// (VmHWM on Linux: code, data set and arena); where the system does not tell,
// the arena's size.
func peakBytes(arena int) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return arena
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line) // VmHWM: 12345 kB
		if len(fields) == 3 && fields[0] == "VmHWM:" {
			if kilobytes, err := strconv.Atoi(fields[1]); err == nil {
				return kilobytes << 10
			}
		}
	}
	return arena
}
