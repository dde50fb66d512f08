//go:build linux

package guard

import (
	"runtime/debug"
	"testing"
	"unsafe"
)

// TestGuards reads at both ends of buffers: what is next to the flush end
// faults, what is in the buffer does not.
func TestGuards(t *testing.T) {
	for _, size := range []int{0, 1, 4, 4095, 4096, 4097, 100000} {
		end, start := New(size), NewAtStart(size)
		for offset := range 16 {
			if !faults(start, -1-offset) || !faults(end, size+offset) {
				t.Errorf("%d bytes: %d bytes outside is no fault", size, offset+1)
			}
		}
		for _, b := range []*Buffer{end, start} {
			if size > 0 && (faults(b, 0) || faults(b, size-1)) {
				t.Errorf("%d bytes: faults inside", size)
			}
		}
		if offset, near := end.Near(uintptr(end.Pointer()) + uintptr(size)); offset != size || !near {
			t.Errorf("%d bytes: the end is at %d, near %v", size, offset, near)
		}
		if _, near := end.Near(uintptr(start.Pointer())); near {
			t.Errorf("%d bytes: one buffer is near another", size)
		}
		end.Free()
		start.Free()
	}
}

var sink byte

func faults(b *Buffer, offset int) (fault bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { fault = recover() != nil }()
	sink = *(*byte)(unsafe.Add(b.Pointer(), offset))
	return false
}
