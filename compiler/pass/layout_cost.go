package pass

import (
	"netc/ir"
	"netc/ir/op"
)

// Times are estimates, in picoseconds of one core of a server processor of
// about 3 GHz with AVX2 and 512 KiB of second cache: good to some 15 % for the
// kernels of the zoo (docs/cpu-kernels.md), which is enough, because a choice
// between two layouts matters where they are far apart.
const (
	// perByte is for a pass over elements that come from memory and go there:
	// pooling, sums, what is pointwise. No layout does these better than another.
	perByte = 1000.0 / 10
	// perByteMoved is for a relayout, which walks one of its two tensors in
	// strides; between samples and channels in lanes it is perByteBetween, as
	// blocks of both lie far apart.
	perByteMoved   = 1000.0 / 8
	perByteBetween = 1000.0 / 5
)

// speed is what a convolution takes for each multiply-add, of which two vectors
// in each cycle were 20; for each channel of each window besides, however many
// taps it has; and for each byte of its tensors.
type speed struct{ multiplyAdd, channel, byte float64 }

// speeds are those of a convolution and of its gradients, by data and by
// weights, in the three ways to work. With the batch in lanes the channels of a
// pixel lie planes apart: each is a line, and often a page, of its own, which
// neighbouring taps share. Data gradients suffer from that most, as channels are
// what they sum. Weight gradients hold a partial sum for each sample in lanes.
// With pixels in lanes, rows end within vectors and taps are not aligned.
var speeds = map[string]struct{ pixels, batch, channels speed }{
	"conv":             {speed{40, 4, 1000.0 / 15}, speed{25, 4, 1000.0 / 10}, speed{27, 0, 1000.0 / 30}},
	"conv_grad_data":   {speed{50, 0, 1000.0 / 15}, speed{38, 0, 1000.0 / 30}, speed{28, 0, 1000.0 / 60}},
	"conv_grad_weight": {speed{50, 16, 1000.0 / 10}, speed{34, 16, 1000.0 / 10}, speed{31, 4, 1000.0 / 20}},
}

// With the batch in lanes, what is read again does not stay near where it is
// too large: weights, which pass by for each row of pixels of each block of
// samples, and for a weights' gradient the images under a row of windows, which
// pass by for each row of taps. They come from the last cache or from memory.
const (
	nearWeights   = 1 << 20
	cachedWeights = 4 << 20
	nearImages    = 384 << 10
	perByteCached = 1000.0 / 10
	perByteAgain  = 1000.0 / 3
)

// oddPixel is how many pixels the last one of a row of an odd number takes the
// time of, where channels are in lanes: alone in its tile, it waits for each of
// its own additions.
const oddPixel = 4

// pixelLanes is how many pixels of a row one vector takes where they are lanes.
const pixelLanes = 8

// nodeTime estimates a node that works with the channels in lanes, or else as
// the batch asks.
func (l *layouts) nodeTime(n *ir.Node, wide bool) float64 {
	bytes := 0
	for _, v := range n.In {
		bytes += l.wanted(n, v, wide).Bytes()
	}
	for _, v := range n.Out {
		bytes += l.stored(n, v, wide).Bytes()
	}
	inner := convolution(n)
	if inner == nil {
		return perByte * float64(bytes)
	}
	multiplyAdds := float64(inner.Op.(op.Contraction).MultiplyAdds(inner))
	w, s := windowsOf(inner), speeds[inner.Op.Mnemonic()]
	row := w.row
	switch {
	case wide && isWeightGradient(n):
		return s.channels.time(w, multiplyAdds, bytes) + apartTime(n, inner)
	case wide:
		odd := float64(row%2*(oddPixel-1)) / float64(row)
		return s.channels.time(w, multiplyAdds*(1+odd), bytes)
	case l.batch < leastLanes:
		vectors := (row + pixelLanes - 1) / pixelLanes
		return s.pixels.time(w, multiplyAdds*float64(vectors*pixelLanes)/float64(row), bytes)
	}
	images := w.images.Type.InLanes(0)
	again := 0.0
	if isWeightGradient(n) {
		if under := images.Bytes() / images.Blocks(0) / images.Shape[2] * w.rows; under > nearImages {
			again = perByteAgain * float64((w.rows-1)*images.Bytes())
		}
	} else {
		weights := inner.In[1].Type.Bytes()
		passing := float64(images.Blocks(0) * inner.Out[0].Type.Shape[2] * weights)
		switch {
		case weights >= cachedWeights:
			again = perByteAgain * passing
		case weights >= nearWeights:
			again = perByteCached * passing
		}
	}
	padding := float64(images.Stored()) / float64(images.Shape.Count()) // of the last block
	return s.batch.time(w, padding*multiplyAdds, bytes) + again
}

// time estimates a convolution, of whose multiply-adds some meet padding.
func (s speed) time(w windows, multiplyAdds float64, bytes int) float64 {
	return w.inside*multiplyAdds*(s.multiplyAdd+s.channel/float64(w.taps)) + s.byte*float64(bytes)
}

// apartTime estimates what is done with a weight's gradient that was computed
// in lanes: it is converted, and then read by its update or added up.
func apartTime(n, gradient *ir.Node) float64 {
	row := gradient.Out[0].Type.RowMajor()
	parts := max(partsOf(gradient), 1)
	time := float64(parts) * relayoutTime(row.InLanes(0), row)
	if gradient != n || parts > 1 {
		time += perByte * float64((parts+1)*row.Bytes())
	}
	return time
}

// relayoutTime estimates a conversion.
func relayoutTime(from, to ir.Type) float64 {
	bytes := float64(from.Bytes() + to.Bytes())
	if from.Lanes != 0 && to.Lanes != 0 {
		return perByteBetween * bytes
	}
	return perByteMoved * bytes
}
