package runtime

import (
	"math"
	"strings"
	"testing"
)

// TestMemory: an arena beyond the machine's memory is refused in words.
func TestMemory(t *testing.T) {
	for _, c := range []struct {
		arena, machine int
		want           string
	}{
		{1 << 30, 0, ""}, // unknown
		{1 << 30, 1 << 30, ""},
		{3 << 30, 2 << 30, "needs 3072 MiB of memory, but the machine has 2048: use a smaller batch"},
	} {
		err := checkMemory(c.arena, c.machine)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("an arena of %d on a machine of %d: %v, want %q", c.arena, c.machine, err, c.want)
		}
	}
	if machineBytes() == 0 {
		t.Skip("this system does not tell its memory")
	}
	choice := Choice{ISAs: []string{isaPortable}, Build: func(string) *Program { NewArena(math.MaxInt / 2); return &Program{} }}
	if _, err := choice.Program(""); err == nil || !strings.Contains(err.Error(), "MiB of memory") {
		t.Errorf("a program beyond the machine's memory: %v", err)
	}
}
