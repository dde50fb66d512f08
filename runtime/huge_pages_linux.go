package runtime

import "syscall"

// adviseHugePages asks Linux to back memory with huge pages, of which a thread
// that walks over a large tensor needs few translations. Where the system has
// none, the memory stays as it is.
func adviseHugePages(memory []byte) {
	const madvHugePage = 14                   // the same number on every architecture
	_ = syscall.Madvise(memory, madvHugePage) // an advice may be refused
}
