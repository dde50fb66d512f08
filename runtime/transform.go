package runtime

import (
	"fmt"
	"slices"
)

// loader writes batches of a split into a phase's inputs: the images, cropped,
// shifted, scaled and mirrored, into the first float32 input, the labels into
// the first int32 input.
//
// The order is Caffe's: crop (at a random place in training, in the middle
// otherwise), subtract the mean, multiply by the scale, mirror. Unlike Caffe,
// mirroring is for training only, as every published recipe wants it. Crop and
// mirror of a sample depend on the seed and its place in the stream.
type loader struct {
	split    *Split
	images   []float32 // where images go, nil when the phase has no input for them
	labels   []int32   // where labels go, nil when the phase has no input for them
	batch    int
	training bool
	mirror   bool
	height   int // of the crop
	width    int
	lookup   [][256]float32 // per channel: a byte after mean and scale
	mean     []float32      // per channel
	scale    float32
	key      uint64

	// The batch being loaded.
	chosen []int32
	first  int // its first sample's place in the stream
	body   func(lo, hi int)
}

func newLoader(phase *Phase, split *Split, config DataConfig, training bool, seed int32) (*loader, error) {
	channels, height, width := split.Shape[0], split.Shape[1], split.Shape[2]
	l := &loader{split: split, batch: phase.Batch, training: training, mirror: config.Mirror && training,
		height: height, width: width, scale: float32(config.Scale), key: randomKey(seed, "augment", 0)}
	if config.Scale == 0 {
		l.scale = 1
	}
	if config.CropSize > 0 {
		if config.CropSize > height || config.CropSize > width {
			return nil, fmt.Errorf("data.crop_size %d is larger than the images, %dx%d", config.CropSize, height, width)
		}
		l.height, l.width = config.CropSize, config.CropSize
	}
	switch len(config.MeanValue) {
	case 0, 1, channels:
	default:
		return nil, fmt.Errorf("data.mean_value has %d values for images of %d channels: give one, or one a channel", len(config.MeanValue), channels)
	}
	for c := range channels {
		mean := float32(0)
		if len(config.MeanValue) > 0 {
			mean = float32(config.MeanValue[min(c, len(config.MeanValue)-1)])
		}
		l.mean = append(l.mean, mean)
		var table [256]float32
		for pixel := range table {
			table[pixel] = (float32(pixel) - mean) * l.scale
		}
		l.lookup = append(l.lookup, table)
	}
	if err := l.bind(phase, []int{channels, l.height, l.width}); err != nil {
		return nil, err
	}
	l.body = l.loadSamples
	return l, nil
}

// bind finds the phase's inputs and checks that a sample fits them. An input
// with a single axis takes the sample's values in row-major order.
func (l *loader) bind(phase *Phase, sample []int) error {
	for n, input := range phase.Inputs {
		switch {
		case input.F32 != nil && l.images == nil:
			wanted := input.Shape[1:]
			flat := len(wanted) == 1 && wanted[0] == elements(sample)
			if !flat && !slices.Equal(withoutOnes(wanted), withoutOnes(sample)) {
				return fmt.Errorf("input %s takes samples of %s, but the data set's are %s: change the input, or data.crop_size, or take another data set",
					input.Name, shapeText(wanted), shapeText(sample))
			}
			l.images = input.F32
		case input.I32 != nil && l.labels == nil:
			if elements(input.Shape) != phase.Batch {
				return fmt.Errorf("input %s takes %s labels, but the data set has one a sample", input.Name, shapeText(input.Shape[1:]))
			}
			if err := phase.checkLabels(n, l.split.Labels); err != nil {
				return fmt.Errorf("input %s: %w: change the net's last num_output, or take another data set", input.Name, err)
			}
			l.labels = input.I32
		default:
			return fmt.Errorf("input %s: a data set feeds one image input (f32) and one label input (i32), the network has more", input.Name)
		}
	}
	return nil
}

// load fills inputs, in the order of the phase's, with the samples chosen, the
// first of which is at place first of the stream.
func (l *loader) load(pool *Pool, inputs []Tensor, chosen []int32, first int) {
	for _, input := range inputs {
		if input.F32 != nil {
			l.images = input.F32
		} else {
			l.labels = input.I32
		}
	}
	l.chosen, l.first = chosen, first
	pool.Run(len(chosen), l.body)
}

func (l *loader) loadSamples(lo, hi int) {
	for i := lo; i < hi; i++ {
		sample := int(l.chosen[i])
		if l.labels != nil {
			l.labels[i] = l.split.Labels[sample]
		}
		if l.images != nil {
			l.loadImage(i, sample)
		}
	}
}

func (l *loader) loadImage(slot, sample int) {
	height, width := l.split.Shape[1], l.split.Shape[2]
	top, left := (height-l.height)/2, (width-l.width)/2
	place := uint64(l.first + slot)
	if l.training {
		if height > l.height {
			top = below(random64(l.key, 3*place), height-l.height+1)
		}
		if width > l.width {
			left = below(random64(l.key, 3*place+1), width-l.width+1)
		}
	}
	mirror := l.mirror && random64(l.key, 3*place+2)&1 == 1
	out := l.images[slot*len(l.images)/l.batch:][:len(l.lookup)*l.height*l.width]
	for c := range l.lookup {
		for y := range l.height {
			from := ((sample*len(l.lookup)+c)*height+top+y)*width + left
			row := out[:l.width]
			out = out[l.width:]
			if l.split.Bytes != nil {
				table := &l.lookup[c]
				for x, pixel := range l.split.Bytes[from : from+l.width] {
					row[x] = table[pixel]
				}
			} else {
				for x, value := range l.split.Floats[from : from+l.width] {
					row[x] = (value - l.mean[c]) * l.scale
				}
			}
			if mirror {
				slices.Reverse(row)
			}
		}
	}
}
