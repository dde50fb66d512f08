package runtime

import (
	"fmt"
	"slices"
)

// Images are those of a split, and what is done to each on its way into a batch.
type Images struct {
	*Split
	CropHeight int // of what is cut out of an image
	CropWidth  int
	Lookup     [][256]float32 // per channel: a byte after mean and scale
	Mean       []float32      // per channel
	Scale      float32
}

// Cut says which image comes into a batch, and which part of it. Where a device
// keeps the images it is all of an image that is fed: four int32 numbers.
type Cut struct {
	Sample, Top, Left int32
	Mirror            int32 // 1 where rows run backwards
}

// CutNumbers is how many numbers a Cut is.
const CutNumbers = 4

// loader writes batches of a split into a phase's inputs: the images, cropped,
// shifted, scaled and mirrored, into the first float32 input, the labels into
// the first int32 input.
//
// The order is Caffe's: crop (at a random place in training, in the middle
// otherwise), subtract the mean, multiply by the scale, mirror. Unlike Caffe,
// mirroring is for training only, as every published recipe wants it. Crop and
// mirror of a sample depend on the seed and its place in the stream.
type loader struct {
	Images
	imagesAt int       // of the phase's inputs, -1 when it has none for images
	labelsAt int       // -1 when it has none for labels
	images   []float32 // where images go
	kept     bool      // a device keeps the images and takes cuts
	cuts     []int32   // where cuts go
	labels   []int32   // where labels go
	batch    int
	training bool
	mirror   bool
	key      uint64

	// The batch being loaded.
	chosen []int32
	first  int // its first sample's place in the stream
	body   func(lo, hi int)
}

func newLoader(phase *Phase, split *Split, config DataConfig, training bool, seed int32) (*loader, error) {
	channels, height, width := split.Shape[0], split.Shape[1], split.Shape[2]
	l := &loader{Images: Images{Split: split, CropHeight: height, CropWidth: width, Scale: float32(config.Scale)},
		imagesAt: -1, labelsAt: -1, batch: phase.Batch, training: training, mirror: config.Mirror && training, key: randomKey(seed, "augment", 0)}
	if config.Scale == 0 {
		l.Scale = 1
	}
	if config.CropSize > 0 {
		if config.CropSize > height || config.CropSize > width {
			return nil, fmt.Errorf("data.crop_size %d is larger than the images, %dx%d", config.CropSize, height, width)
		}
		l.CropHeight, l.CropWidth = config.CropSize, config.CropSize
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
		l.Mean = append(l.Mean, mean)
		var table [256]float32
		for pixel := range table {
			table[pixel] = (float32(pixel) - mean) * l.Scale
		}
		l.Lookup = append(l.Lookup, table)
	}
	if err := l.bind(phase, []int{channels, l.CropHeight, l.CropWidth}); err != nil {
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
		case input.F32 != nil && l.imagesAt < 0:
			wanted := input.Shape[1:]
			flat := len(wanted) == 1 && wanted[0] == elements(sample)
			if !flat && !slices.Equal(withoutOnes(wanted), withoutOnes(sample)) {
				return fmt.Errorf("input %s takes samples of %s, but the data set's are %s: change the input, or data.crop_size, or take another data set",
					input.Name, shapeText(wanted), shapeText(sample))
			}
			l.imagesAt = n
		case input.I32 != nil && l.labelsAt < 0:
			if elements(input.Shape) != phase.Batch {
				return fmt.Errorf("input %s takes %s labels, but the data set has one a sample", input.Name, shapeText(input.Shape[1:]))
			}
			if err := phase.checkLabels(n, l.Labels); err != nil {
				return fmt.Errorf("input %s: %w: change the net's last num_output, or take another data set", input.Name, err)
			}
			l.labelsAt = n
		default:
			return fmt.Errorf("input %s: a data set feeds one image input (f32) and one label input (i32), the network has more", input.Name)
		}
	}
	return nil
}

// keep lets a device that computes the phase keep the images, where it can.
func (l *loader) keep(phase *Phase, executor Executor, progress *Progress) error {
	keeper, ok := executor.(Keeper)
	if !ok || l.imagesAt < 0 {
		return nil
	}
	why, err := keeper.Keep(phase, l.imagesAt, &l.Images)
	if err != nil {
		return err
	}
	part := "test"
	if l.training {
		part = "training"
	}
	if why != "" {
		progress.say("the %s images are sent batch by batch: %s", part, why)
		return nil
	}
	l.kept = true
	progress.say("the %d %s images are kept on the device", l.N, part)
	return nil
}

// load fills inputs, in the order of the phase's, with the samples chosen, the
// first of which is at place first of the stream.
func (l *loader) load(pool *Pool, inputs []Tensor, chosen []int32, first int) {
	if l.labelsAt >= 0 {
		l.labels = inputs[l.labelsAt].I32
	}
	if l.imagesAt >= 0 {
		l.images, l.cuts = inputs[l.imagesAt].F32, inputs[l.imagesAt].I32
	}
	l.chosen, l.first = chosen, first
	pool.Run(len(chosen), l.body)
}

func (l *loader) loadSamples(lo, hi int) {
	for i := lo; i < hi; i++ {
		if l.labelsAt >= 0 {
			l.labels[i] = l.Labels[l.chosen[i]]
		}
		switch {
		case l.kept:
			c := l.cutOf(i)
			copy(l.cuts[CutNumbers*i:], []int32{c.Sample, c.Top, c.Left, c.Mirror})
		case l.imagesAt >= 0:
			l.loadImage(i, l.cutOf(i))
		}
	}
}

// cutOf says what comes into a slot of the batch.
func (l *loader) cutOf(slot int) Cut {
	spareRows, spareColumns := l.Shape[1]-l.CropHeight, l.Shape[2]-l.CropWidth
	top, left := spareRows/2, spareColumns/2
	place := uint64(l.first + slot)
	if l.training {
		if spareRows > 0 {
			top = below(random64(l.key, 3*place), spareRows+1)
		}
		if spareColumns > 0 {
			left = below(random64(l.key, 3*place+1), spareColumns+1)
		}
	}
	cut := Cut{Sample: l.chosen[slot], Top: int32(top), Left: int32(left)}
	if l.mirror && random64(l.key, 3*place+2)&1 == 1 {
		cut.Mirror = 1
	}
	return cut
}

func (l *loader) loadImage(slot int, cut Cut) {
	channels, height, width := l.Shape[0], l.Shape[1], l.Shape[2]
	out := l.images[slot*len(l.images)/l.batch:][:channels*l.CropHeight*l.CropWidth]
	for c := range channels {
		for y := range l.CropHeight {
			from := ((int(cut.Sample)*channels+c)*height+int(cut.Top)+y)*width + int(cut.Left)
			row := out[:l.CropWidth]
			out = out[l.CropWidth:]
			if l.Bytes != nil {
				table := &l.Lookup[c]
				for x, pixel := range l.Bytes[from : from+l.CropWidth] {
					row[x] = table[pixel]
				}
			} else {
				for x, value := range l.Floats[from : from+l.CropWidth] {
					row[x] = (value - l.Mean[c]) * l.Scale
				}
			}
			if cut.Mirror != 0 {
				slices.Reverse(row)
			}
		}
	}
}
