package runtime

// pause tells the processor that this thread waits in a loop, so that it takes
// less from a thread on the same core: some ten nanoseconds.
func pause()

// cpuid asks the processor about itself (Intel's manual, volume 2, CPUID).
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// xgetbv reads the low half of register XCR0, which says what registers the
// system saves when threads change places. Only where the processor has OSXSAVE.
func xgetbv() uint32

// Bits of what CPUID and XCR0 say.
const (
	fmaBit     = 1 << 12 // leaf 1, ECX
	osxsaveBit = 1 << 27
	avxBit     = 1 << 28

	avx2Bit     = 1 << 5 // leaf 7, EBX
	avx512fBit  = 1 << 16
	avx512dqBit = 1 << 17
	avx512bwBit = 1 << 30
	avx512vlBit = 1 << 31

	ymmState    = 1<<1 | 1<<2                   // XCR0: the registers xmm and ymm
	avx512State = ymmState | 1<<5 | 1<<6 | 1<<7 // and the masks, zmm0 to zmm15 and the rest
)

// processorISAs lists the instruction sets that this processor runs.
func processorISAs() []string {
	highest, _, _, _ := cpuid(0, 0)
	if highest < 7 {
		return []string{isaPortable}
	}
	_, _, ecx1, _ := cpuid(1, 0)
	_, ebx7, _, _ := cpuid(7, 0)
	saved := uint32(0)
	if ecx1&osxsaveBit != 0 {
		saved = xgetbv()
	}
	return isasOf(ecx1, ebx7, saved)
}

// isasOf draws the conclusions from CPUID's leaf 1 ECX and leaf 7 EBX, and from
// XCR0, which is 0 where the system does not say what it saves.
func isasOf(ecx1, ebx7, saved uint32) []string {
	has := func(register, bits uint32) bool { return register&bits == bits }
	list := []string{isaPortable}
	if !has(ecx1, fmaBit|osxsaveBit|avxBit) || !has(ebx7, avx2Bit) || !has(saved, ymmState) {
		return list
	}
	list = append(list, isaAVX2)
	if has(ebx7, avx512fBit|avx512dqBit|avx512bwBit|avx512vlBit) && has(saved, avx512State) {
		list = append(list, isaAVX512)
	}
	return list
}
