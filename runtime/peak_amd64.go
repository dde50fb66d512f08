package runtime

// multiplyAddAVX2 and multiplyAddAVX512 do what multiplyAdd does with each of
// the 8 or 16 numbers of a register, and give the total over all. There is at
// least one round.
func multiplyAddAVX2(rounds int, factor, term float32) float32

func multiplyAddAVX512(rounds int, factor, term float32) float32

// vectorPeaks are the loops in assembly.
var vectorPeaks = map[string]arithmeticPeak{
	isaAVX2:   {"fused multiply-adds of float32 numbers in registers, 8 at once (AVX2)", 8, multiplyAddAVX2},
	isaAVX512: {"fused multiply-adds of float32 numbers in registers, 16 at once (AVX-512)", 16, multiplyAddAVX512},
}
