package runtime

import (
	"fmt"
	"unsafe"
)

// arenaAlign is the least alignment of an arena in bytes: a cache line, and the
// widest vector register.
const arenaAlign = 64

// hugePage is the size of a huge page in bytes. A larger arena starts at a
// multiple of it, so that its first page can be one.
const hugePage = 2 << 20

// Arena is the one block of memory that holds every tensor of a program at
// offsets fixed when it was compiled. It holds no Go pointers.
//
// Its memory is Go's, in huge pages where the system has them: the garbage
// collector frees it once neither the arena nor any view of it is in use, which
// memory of our own from the system could not know of its views.
type Arena struct {
	bytes []byte
	setUp *Phase // the last that ran, whose setup is there; nil where parameters have changed since
}

// NewArena allocates a zeroed arena of the given size, aligned to 64 bytes, or
// to 2 MiB where it is larger than that. It panics where the machine has less
// memory.
func NewArena(bytes int) *Arena {
	if err := checkMemory(bytes, machineBytes()); err != nil {
		panic(err)
	}
	return &Arena{bytes: alignedBytes(bytes)}
}

// Changed is to be called after parameters or states were written other than by
// a phase: the next run of a phase that has a setup computes it again.
func (a *Arena) Changed() {
	if a != nil {
		a.setUp = nil
	}
}

// alignedBytes allocates zeroed memory for an arena. Memory that Go has fresh
// from the system is not touched before the advice on its pages.
func alignedBytes(bytes int) []byte {
	align := arenaAlign
	if bytes >= hugePage {
		align = hugePage
	}
	block := make([]byte, bytes+align)
	misaligned := int(uintptr(unsafe.Pointer(&block[0])) % uintptr(align))
	start := (align - misaligned) % align
	if whole := bytes / hugePage * hugePage; whole > 0 {
		adviseHugePages(block[start : start+whole])
	}
	return block[start : start+bytes : start+bytes]
}

// Offset is the place of an address in the arena, in bytes; -1 outside of it.
func (a *Arena) Offset(address unsafe.Pointer) int {
	if len(a.bytes) == 0 {
		return -1
	}
	offset := uintptr(address) - uintptr(unsafe.Pointer(&a.bytes[0])) // wraps around below the arena
	if offset >= uintptr(len(a.bytes)) {
		return -1
	}
	return int(offset)
}

// Base is the address of the arena.
func (a *Arena) Base() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(a.bytes)) }

// Bytes is the size of the arena.
func (a *Arena) Bytes() int { return len(a.bytes) }

// F32 views count float32 values from a byte offset. Its capacity is its
// length, so that an append cannot reach the neighbour. An offset that is not a
// multiple of 4, or a view past the end, is a mistake of the memory plan and
// panics.
func (a *Arena) F32(offset, count int) []float32 {
	a.check(offset, count, 4)
	if count == 0 {
		return []float32{}
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&a.bytes[offset])), count)
}

// I32 views count int32 values from a byte offset, under the rules of F32.
func (a *Arena) I32(offset, count int) []int32 {
	a.check(offset, count, 4)
	if count == 0 {
		return []int32{}
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&a.bytes[offset])), count)
}

// U8 views count bytes from a byte offset, under the rules of F32.
func (a *Arena) U8(offset, count int) []uint8 {
	a.check(offset, count, 1)
	return a.bytes[offset : offset+count : offset+count]
}

// Pointer is the address of a byte of the arena, for kernels in assembly: one of
// Launch.Args. An offset under the rules of F32.
func (a *Arena) Pointer(offset int) unsafe.Pointer {
	a.check(offset, 1, 1)
	return unsafe.Pointer(&a.bytes[offset])
}

func (a *Arena) check(offset, count, size int) {
	if offset < 0 || offset%4 != 0 || count < 0 || offset > len(a.bytes) || count > (len(a.bytes)-offset)/size {
		panic(fmt.Sprintf("memory plan: %d values at byte %d do not fit an arena of %d bytes", count, offset, len(a.bytes)))
	}
}
