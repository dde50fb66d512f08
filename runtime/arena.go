package runtime

import (
	"fmt"
	"unsafe"
)

// arenaAlign is the alignment of an arena in bytes: a cache line, and the
// widest vector register.
const arenaAlign = 64

// Arena is the one block of memory that holds every tensor of a program at
// offsets fixed when it was compiled.
type Arena struct {
	bytes []byte
}

// NewArena allocates a zeroed arena of the given size, aligned to 64 bytes. It
// panics where the machine has less memory.
func NewArena(bytes int) *Arena {
	if err := checkMemory(bytes, machineBytes()); err != nil {
		panic(err)
	}
	block := make([]byte, bytes+arenaAlign)
	misaligned := int(uintptr(unsafe.Pointer(&block[0])) % arenaAlign)
	start := (arenaAlign - misaligned) % arenaAlign
	return &Arena{bytes: block[start : start+bytes : start+bytes]}
}

// Bytes is the size of the arena.
func (a *Arena) Bytes() int { return len(a.bytes) }

// F32 views count float32 values from a byte offset. Its capacity is its
// length, so that an append cannot reach the neighbour. An offset that is not a
// multiple of 4, or a view past the end, is a mistake of the memory plan and
// panics.
func (a *Arena) F32(offset, count int) []float32 {
	a.check(offset, count)
	if count == 0 {
		return []float32{}
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&a.bytes[offset])), count)
}

// I32 views count int32 values from a byte offset, under the rules of F32.
func (a *Arena) I32(offset, count int) []int32 {
	a.check(offset, count)
	if count == 0 {
		return []int32{}
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&a.bytes[offset])), count)
}

func (a *Arena) check(offset, count int) {
	if offset < 0 || offset%4 != 0 || count < 0 || offset > len(a.bytes) || count > (len(a.bytes)-offset)/4 {
		panic(fmt.Sprintf("memory plan: %d values at byte %d do not fit an arena of %d bytes", count, offset, len(a.bytes)))
	}
}
