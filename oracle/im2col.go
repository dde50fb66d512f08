package oracle

import (
	"gorgonia.org/tensor"

	"netc/ir/op"
)

// Windows says which pixels of an image the windows of a convolution or of a
// pooling read: Count of them along y and x, with Kernel taps each.
type Windows struct {
	op.Window
	Kernel []int
	Count  []int
}

// Pad returns images [N, C, H, W] with a border of the given value around each,
// wide enough for every tap of every window.
func (w Windows) Pad(images *tensor.Dense, value float64) (*tensor.Dense, error) {
	shape := images.Shape()
	size := make([]int, 2)
	for axis := range size {
		reach := (w.Count[axis]-1)*w.Stride[axis] + (w.Kernel[axis]-1)*w.Dilation[axis] + 1
		size[axis] = max(reach, w.Window.Pad[axis]+shape[2+axis])
	}
	padded := tensor.New(tensor.WithShape(shape[0], shape[1], size[0], size[1]), tensor.Of(tensor.Float64))
	if err := padded.Memset(value); err != nil {
		return nil, err
	}
	inside, err := padded.Slice(nil, nil, w.inside(0, shape[2]), w.inside(1, shape[3]))
	if err != nil {
		return nil, err
	}
	return padded, tensor.Copy(inside, images)
}

// Unpad cuts the border off again: H x W is what remains.
func (w Windows) Unpad(padded *tensor.Dense, height, width int) (tensor.View, error) {
	return padded.Slice(nil, nil, w.inside(0, height), w.inside(1, width))
}

func (w Windows) inside(axis, extent int) tensor.Slice {
	return tensor.S(w.Window.Pad[axis], w.Window.Pad[axis]+extent)
}

// Columns lays out the pixels of a padded image's channels first, first+1, … as
// a matrix, one row for each channel and tap, one column for each window: the
// step known as im2col, here by strided slices.
func (w Windows) Columns(padded *tensor.Dense, image, first, channels int) (*tensor.Dense, error) {
	var rows []float64
	err := w.eachTap(padded, image, first, channels, func(pixels tensor.View) error {
		row, err := Floats(pixels)
		rows = append(rows, row...)
		return err
	})
	return w.matrix(channels, rows), err
}

// AddColumns is the reverse of Columns: it adds each element of such a matrix
// to the pixel that it belongs to.
func (w Windows) AddColumns(padded *tensor.Dense, image, first, channels int, columns *tensor.Dense) error {
	rest := columns.Data().([]float64)
	return w.eachTap(padded, image, first, channels, func(pixels tensor.View) error {
		count := w.Count[0] * w.Count[1]
		sum, err := Floats(pixels)
		if err != nil {
			return err
		}
		for i := range sum {
			sum[i] += rest[i]
		}
		rest = rest[count:]
		if pixels.IsScalar() {
			return pixels.Memset(sum[0])
		}
		return tensor.Copy(pixels, tensor.New(tensor.WithShape(pixels.Shape()...), tensor.WithBacking(sum)))
	})
}

func (w Windows) matrix(channels int, elements []float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(channels*w.Kernel[0]*w.Kernel[1], w.Count[0]*w.Count[1]), tensor.WithBacking(elements))
}

// eachTap visits, for each channel and each tap of the filter, the pixels that
// all windows read through it.
func (w Windows) eachTap(padded *tensor.Dense, image, first, channels int, visit func(pixels tensor.View) error) error {
	for c := range channels {
		for r := range w.Kernel[0] {
			for s := range w.Kernel[1] {
				pixels, err := padded.Slice(tensor.S(image), tensor.S(first+c), w.through(0, r), w.through(1, s))
				if err != nil {
					return err
				}
				if err := visit(pixels); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// through is the pixels along an axis that all windows read through one tap.
func (w Windows) through(axis, tap int) tensor.Slice {
	start := tap * w.Dilation[axis]
	return tensor.S(start, start+(w.Count[axis]-1)*w.Stride[axis]+1, w.Stride[axis])
}
