package runtime

import "errors"

// NoiseName is the data source that needs no files: images of random bytes and
// random labels, in the shape that the network takes. It is for measuring speed
// and for smoke tests; there is nothing in it to learn.
const NoiseName = "noise"

// noiseBatches is how many batches of different samples there are in each part.
const noiseBatches = 4

// errNoise says why the noise cannot be opened like other sets.
var errNoise = errors.New("data source noise is made to the shape of a network's inputs, by train and test: it cannot be looked at alone")

// noise draws a data set for a phase. It is the same on every machine and for
// every seed.
func noise(phase *Phase) *Dataset {
	shape, classes := []int{1, 1, 1}, 1
	for n, input := range phase.Inputs {
		switch {
		case input.F32 == nil:
			if n < len(phase.Classes) {
				classes = max(phase.Classes[n], 1)
			}
		case len(input.Shape) == 4:
			shape = input.Shape[1:]
		case len(input.Shape) == 3:
			shape = []int{1, input.Shape[1], input.Shape[2]}
		default: // values in row-major order
			shape = []int{1, 1, elements(input.Shape[1:])}
		}
	}
	set := &Dataset{Name: NoiseName, Generated: true, Note: "random bytes and random labels"}
	draw := func(part string) *Split {
		s := &Split{N: noiseBatches * phase.Batch, Shape: shape}
		s.Bytes, s.Labels = make([]byte, s.N*elements(shape)), make([]int32, s.N)
		key := randomKey(0, part, 0)
		for i := 0; i < len(s.Bytes); i += 8 {
			word := random64(key, uint64(i))
			for j := i; j < min(i+8, len(s.Bytes)); j++ {
				s.Bytes[j] = byte(word)
				word >>= 8
			}
		}
		key = randomKey(0, part, 1)
		for i := range s.Labels {
			s.Labels[i] = int32(below(random64(key, uint64(i)), classes))
		}
		return s
	}
	set.Train, set.Test = draw("noise, train"), draw("noise, test")
	return set
}
