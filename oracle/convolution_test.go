package oracle

import (
	"fmt"
	"testing"

	"gorgonia.org/tensor"

	"netc/ir/eval"
	"netc/ir/op"
)

// TestConvolution computes convolutions and both their gradients as matrix
// products over im2col, as Caffe's CPU layers do.
func TestConvolution(t *testing.T) {
	const images, height, width = 2, 9, 8
	for _, c := range []struct {
		window          op.Window
		inputs, outputs int // channels
		kernel          []int
	}{
		{op.Window{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 1}, 1, 4, []int{5, 5}},
		{op.Window{Stride: []int{1, 1}, Pad: []int{1, 1}, Dilation: []int{1, 1}, Group: 1}, 3, 5, []int{3, 3}},
		{op.Window{Stride: []int{2, 3}, Pad: []int{2, 0}, Dilation: []int{1, 2}, Group: 1}, 3, 2, []int{3, 4}},
		{op.Window{Stride: []int{2, 1}, Pad: []int{1, 1}, Dilation: []int{1, 1}, Group: 3}, 6, 9, []int{3, 2}},
		{op.Window{Stride: []int{1, 1}, Pad: []int{1, 1}, Dilation: []int{1, 1}, Group: 4}, 4, 4, []int{3, 3}}, // depthwise
		{op.Window{Stride: []int{4, 4}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 1}, 2, 3, []int{1, 1}},
		{op.Window{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 1}, 2, 3, []int{9, 8}}, // one window
	} {
		t.Run(fmt.Sprintf("%+v %v", c.window, c.kernel), func(t *testing.T) {
			w := c.window
			x := random(1, images, c.inputs, height, width)
			weight := random(2, c.outputs, c.inputs/w.Group, c.kernel[0], c.kernel[1])
			y := reference(t, &op.Conv{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group}, x, weight)[0]
			dy := random(3, y.Type.Shape...)
			dx := reference(t, &op.ConvGradData{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group,
				Size: []int{height, width}}, dy, weight)[0]
			dweight := reference(t, &op.ConvGradWeight{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group,
				Kernel: c.kernel}, x, dy)[0]

			windows := Windows{Window: w, Kernel: c.kernel, Count: y.Type.Shape[2:]}
			padded := must(windows.Pad(Dense(x), 0))
			dpadded := must(windows.Pad(Dense(eval.Zeros(x.Type)), 0))
			inputs, outputs := c.inputs/w.Group, c.outputs/w.Group
			pixels := y.Type.Shape[2:].Count()
			taps := inputs * c.kernel[0] * c.kernel[1]
			wantY, wantDWeight := []float64{}, make([]float64, len(weight.Data))
			for n := range images {
				for group := range w.Group {
					columns := must(windows.Columns(padded, n, group*inputs, inputs))
					filters := part(weight, group, w.Group, outputs, taps)
					gradient := part(dy, n*w.Group+group, images*w.Group, outputs, pixels)

					wantY = append(wantY, must(Floats(must(filters.MatMul(columns))))...)

					must(0, columns.T())
					for i, d := range must(Floats(must(gradient.MatMul(columns)))) {
						wantDWeight[group*outputs*taps+i] += d
					}
					must(0, filters.T())
					must(0, windows.AddColumns(dpadded, n, group*inputs, inputs, must(filters.MatMul(gradient))))
				}
			}
			agreeElements(t, y, wantY)
			agreeElements(t, dweight, wantDWeight)
			agree(t, dx, must(windows.Unpad(dpadded, height, width)))
		})
	}
}

// part is the i-th of count equal consecutive parts of a tensor, as a matrix.
func part(t *eval.Tensor, i, count, rows, columns int) *tensor.Dense {
	size := len(t.Data) / count
	return tensor.New(tensor.WithShape(rows, columns), tensor.WithBacking(append([]float64(nil), t.Data[i*size:(i+1)*size]...)))
}
