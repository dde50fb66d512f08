//go:build linux

// Package guard allocates buffers between pages that may not be touched, so
// that a kernel that reads or writes outside its buffer faults.
package guard

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// Buffer is memory with a forbidden page before and after.
type Buffer struct {
	Bytes  []byte // zero at first
	mapped []byte
}

// New allocates a buffer that ends where the forbidden page begins. It panics
// where the system gives no memory.
func New(bytes int) *Buffer { return place(bytes, true) }

// NewAtStart allocates a buffer that begins where the forbidden page ends.
func NewAtStart(bytes int) *Buffer { return place(bytes, false) }

func place(bytes int, atEnd bool) *Buffer {
	page := os.Getpagesize()
	inner := (bytes + page - 1) / page * page
	mapped, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err == nil {
		err = syscall.Mprotect(mapped[:page], syscall.PROT_NONE)
	}
	if err == nil {
		err = syscall.Mprotect(mapped[page+inner:], syscall.PROT_NONE)
	}
	if err != nil {
		panic(fmt.Sprintf("guard: %d bytes: %v", bytes, err))
	}
	first := page
	if atEnd {
		first += inner - bytes
	}
	return &Buffer{Bytes: mapped[first : first+bytes : first+bytes], mapped: mapped}
}

// Pointer is the address of the first byte, for a buffer of 0 bytes too.
func (b *Buffer) Pointer() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b.Bytes)) }

// Near says where an address is, as bytes from the buffer's start, and whether
// it is in the buffer or in its forbidden pages.
func (b *Buffer) Near(address uintptr) (offset int, near bool) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b.mapped)))
	near = address >= start && address < start+uintptr(len(b.mapped))
	return int(address - uintptr(b.Pointer())), near
}

// Free gives the memory back.
func (b *Buffer) Free() {
	if err := syscall.Munmap(b.mapped); err != nil {
		panic(fmt.Sprintf("guard: %v", err))
	}
	b.Bytes, b.mapped = nil, nil
}
