package oracle

import (
	"fmt"
	"math"
	"testing"

	"gorgonia.org/tensor"

	"netc/ir/op"
)

// TestPooling reduces the columns of im2col over the taps: their maximum and
// its place, and their sum over the number of taps in the padded image.
func TestPooling(t *testing.T) {
	const images, channels, height, width = 2, 3, 7, 6
	for _, c := range []op.MaxPool{
		{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}},
		{Kernel: []int{3, 3}, Stride: []int{2, 2}, Pad: []int{0, 0}},
		{Kernel: []int{3, 3}, Stride: []int{2, 2}, Pad: []int{1, 1}},
		{Kernel: []int{3, 2}, Stride: []int{1, 1}, Pad: []int{1, 1}, Floor: true},
		{Kernel: []int{7, 6}, Stride: []int{1, 1}, Pad: []int{0, 0}},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			x := random(1, images, channels, height, width)
			taps := reference(t, &c, x)[1]
			c.Plane = true
			out := reference(t, &c, x)
			average := reference(t, &op.AvgPool{Kernel: c.Kernel, Stride: c.Stride, Pad: c.Pad, Floor: c.Floor}, x)[0]
			windows := Windows{
				Window: op.Window{Stride: c.Stride, Pad: c.Pad, Dilation: []int{1, 1}, Group: 1},
				Kernel: c.Kernel, Count: out[0].Type.Shape[2:],
			}
			lowest := must(windows.Pad(Dense(x), math.Inf(-1)))
			zeros := must(windows.Pad(Dense(x), 0))
			positions := must(windows.Pad(plane(images, channels, height, width), -1))
			counted := countedPixels(windows, height, width, zeros.Shape())
			var maxima, places, winning, means []float64
			for n := range images {
				for ch := range channels {
					columns := must(windows.Columns(lowest, n, ch, 1))
					at := must(windows.Columns(positions, n, ch, 1))
					maxima = append(maxima, must(Floats(must(columns.Max(0))))...)
					winners, ok := must(columns.Argmax(0)).Data().([]int)
					if !ok { // one window
						winners = []int{must(columns.Argmax(0)).Data().(int)}
					}
					for window, tap := range winners {
						winning = append(winning, float64(tap))
						places = append(places, must(at.At(tap, window)).(float64))
					}
					sums := must(Floats(must(must(windows.Columns(zeros, n, ch, 1)).Sum(0))))
					areas := must(Floats(must(must(windows.Columns(counted, 0, 0, 1)).Sum(0))))
					for i := range sums {
						means = append(means, sums[i]/areas[i])
					}
				}
			}
			agreeElements(t, out[0], maxima)
			agreeElements(t, out[1], places)
			agreeElements(t, taps, winning)
			agreeElements(t, average, means)
		})
	}
}

// plane has at each pixel of each image its position y*W + x.
func plane(images, channels, height, width int) *tensor.Dense {
	list := make([]float64, images*channels*height*width)
	for i := range list {
		list[i] = float64(i % (height * width))
	}
	return tensor.New(tensor.WithShape(images, channels, height, width), tensor.WithBacking(list))
}

// countedPixels is one image that is 1 where Caffe's average pooling counts a
// pixel, in the image and its padding on all sides, and 0 beyond.
func countedPixels(w Windows, height, width int, padded tensor.Shape) *tensor.Dense {
	list := make([]float64, padded[2]*padded[3])
	for i := range list {
		if i/padded[3] < height+2*w.Window.Pad[0] && i%padded[3] < width+2*w.Window.Pad[1] {
			list[i] = 1
		}
	}
	return tensor.New(tensor.WithShape(1, 1, padded[2], padded[3]), tensor.WithBacking(list))
}
