package eval

// Uniform is the random number in [0, 1) that dropout compares with its ratio:
// one for each element of each layer (stream) in each iteration. It gives the
// very numbers of the emitted programs, multiples of 2^-24, so that masks agree
// element by element. It has the signature that loop.Interpret wants.
//
// Seed, iteration and stream are mixed into two words, with which an element's
// number is mixed twice; only the low 32 bits of each argument matter.
func Uniform(seed, iteration, stream, element int) float64 {
	layer := mix(mix(uint32(seed)+0x9e3779b9) ^ uint32(stream))
	first := mix(layer ^ uint32(iteration))
	second := mix(first + layer)
	return float64(mix(mix(uint32(element)^first)+second)>>8) / (1 << 24)
}

// mix is Chris Wellons's bijection "lowbias32" of 32-bit words (hash-prospector,
// public domain).
func mix(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x7feb352d
	x ^= x >> 15
	x *= 0x846ca68b
	x ^= x >> 16
	return x
}
