package runtime

import "math/bits"

// Both generators here are counter based: a value depends on a key and a
// position only, so nothing is carried from one draw to the next and the order
// of drawing, the number of threads and a resumed run change nothing.

// Uniform draws a float32 in [0, 1) for one element of one layer in one
// iteration. Emitted kernels call it, for dropout, or hoist Stream and call
// At. Only 32-bit integer operations and one exact conversion are used, so
// every processor, vector unit and GPU gives the same bits.
func Uniform(seed, iteration int32, layer uint32, index int) float32 {
	return Stream(seed, iteration, layer).At(index)
}

// RandomStream is the part of Uniform that is the same for a whole tensor.
type RandomStream struct {
	Whiten, Offset uint32
}

// Stream gives the random stream of one layer in one iteration.
func Stream(seed, iteration int32, layer uint32) RandomStream {
	key := mix32(mix32(uint32(seed)+0x9e3779b9) ^ layer)
	whiten := mix32(key ^ uint32(iteration))
	return RandomStream{Whiten: whiten, Offset: mix32(whiten + key)}
}

// At gives the stream's float32 in [0, 1) at an index below 2^32. Two rounds
// are needed: with one, streams whose keys differ in the low bits only would be
// reorderings of each other.
func (s RandomStream) At(index int) float32 {
	return float32(mix32(mix32(uint32(index)^s.Whiten)+s.Offset)>>8) * 0x1p-24
}

// mix32 is a bijection of 32-bit words in which every input bit flips every
// output bit with a chance near one half. The constants are "lowbias32", found
// by search by Chris Wellons (hash-prospector, public domain).
func mix32(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}

// random64 is the value at a position of the SplitMix64 sequence of a key
// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
// OOPSLA 2014). It fills parameters, shuffles epochs and places crops.
func random64(key, position uint64) uint64 {
	return mix64(key + (position+1)*0x9e3779b97f4a7c15)
}

// mix64 is the finalizer of SplitMix64.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// randomKey derives an independent key from a seed, a purpose and a number,
// such as ("shuffle", epoch).
func randomKey(seed int32, purpose string, number uint64) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, 64 bit
	for i := 0; i < len(purpose); i++ {
		h = (h ^ uint64(purpose[i])) * 1099511628211
	}
	return mix64(mix64(h+uint64(uint32(seed))*0x9e3779b97f4a7c15) + number*0xd1342543de82ef95)
}

// unit turns 64 random bits into a float64 in [0, 1).
func unit(random uint64) float64 { return float64(random>>11) * 0x1p-53 }

// below turns 64 random bits into an integer in [0, n). The bias is at most
// n / 2^64.
func below(random uint64, n int) int {
	hi, _ := bits.Mul64(random, uint64(n))
	return int(hi)
}
