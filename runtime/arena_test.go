package runtime

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func TestArenaViews(t *testing.T) {
	for _, size := range []int{0, 4, 64, 1000, 1 << 20} {
		arena := NewArena(size)
		if arena.Bytes() != size {
			t.Fatalf("arena of %d bytes has %d", size, arena.Bytes())
		}
		all := arena.F32(0, size/4)
		if len(all) > 0 && uintptr(unsafe.Pointer(&all[0]))%arenaAlign != 0 {
			t.Errorf("arena of %d bytes is not aligned", size)
		}
		if cap(all) != len(all) {
			t.Errorf("view of %d values has capacity %d", len(all), cap(all))
		}
	}
	arena := NewArena(64)
	arena.I32(8, 2)[1] = 0x3f800000
	if got := arena.F32(12, 1)[0]; got != 1 {
		t.Errorf("the bits of 1 read back as %v", got)
	}
	if got := arena.U8(12, 52); got[3] != 0x3f || len(got) != 52 || cap(got) != 52 {
		t.Errorf("the bytes of 1 read back as %v, of %d", got[:4], cap(got))
	}
}

func TestArenaRejectsBadViews(t *testing.T) {
	arena := NewArena(64)
	for _, view := range [][2]int{{-4, 1}, {2, 1}, {60, 2}, {64, 1}, {0, 17}, {0, -1}, {4, math.MaxInt}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("view of %d values at %d was given", view[1], view[0])
				}
			}()
			arena.F32(view[0], view[1])
		}()
	}
	for _, view := range [][2]int{{-4, 1}, {2, 1}, {60, 5}, {64, 1}, {0, 65}, {0, -1}, {4, math.MaxInt}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("view of %d bytes at %d was given", view[1], view[0])
				}
			}()
			arena.U8(view[0], view[1])
		}()
	}
	if len(arena.F32(64, 0)) != 0 {
		t.Error("an empty view at the end is not empty")
	}
}

func TestArenaPointers(t *testing.T) {
	arena := NewArena(256)
	arena.F32(128, 2)[1] = 3
	if got := *(*float32)(arena.Pointer(132)); got != 3 {
		t.Errorf("the address of an element holds %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("an address past the end was given")
		}
	}()
	arena.Pointer(256)
}

// TestArenaAsksForHugePages reads back what Linux was advised about the pages.
func TestArenaAsksForHugePages(t *testing.T) {
	arena := NewArena(8<<20 + 100)
	address := uintptr(arena.Pointer(0))
	if address%hugePage != 0 {
		t.Errorf("the arena starts at %#x, in the middle of a huge page", address)
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("this system does not describe a process's memory")
	}
	within := false
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			within = from <= address && address+8<<20 <= to
		}
		flags, described := strings.CutPrefix(line, "VmFlags:")
		if within && described && !slices.Contains(strings.Fields(flags), "hg") {
			t.Errorf("the arena's pages have the flags %s", flags)
		}
		if within && described {
			return
		}
	}
	t.Skip("this system does not tell the flags of pages")
}
