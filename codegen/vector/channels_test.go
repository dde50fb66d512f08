//go:build linux

package vector_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"netc/codegen/vector/vectortest"
	"netc/ir"
	"netc/ir/op"
)

// wideConvolutions have whole blocks of channels in each group, but for the
// images of a first layer. They are chosen for what kernels with the channels in
// lanes have edges at: rows and columns around the sizes of tiles, windows
// larger than the image, few and many tasks, weights of one block of channels
// that do not stay near, images of which rows or pieces of rows are cut.
var wideConvolutions = []convolution{
	{1, 16, 16, 1, [2]int{1, 1}, [2]int{1, 1}, 1, 0, 1},
	{1, 3, 16, 1, [2]int{1, 1}, [2]int{3, 3}, 1, 1, 1},
	{2, 3, 16, 1, [2]int{9, 11}, [2]int{3, 3}, 1, 1, 1},
	{1, 1, 32, 1, [2]int{13, 12}, [2]int{5, 5}, 1, 2, 1},
	{2, 3, 16, 1, [2]int{23, 23}, [2]int{11, 11}, 3, 0, 1},
	{1, 3, 16, 1, [2]int{30, 29}, [2]int{7, 7}, 2, 3, 1},
	{1, 3, 16, 1, [2]int{21, 24}, [2]int{11, 11}, 2, 2, 1},
	{3, 16, 16, 1, [2]int{7, 7}, [2]int{3, 3}, 1, 1, 1},
	{2, 16, 32, 1, [2]int{5, 30}, [2]int{3, 3}, 1, 1, 1},
	{1, 32, 16, 1, [2]int{30, 5}, [2]int{1, 3}, 1, 1, 1},
	{5, 32, 48, 1, [2]int{3, 3}, [2]int{3, 3}, 1, 1, 1},
	{2, 48, 32, 1, [2]int{7, 9}, [2]int{1, 1}, 2, 0, 1},
	{16, 16, 16, 1, [2]int{6, 5}, [2]int{3, 2}, 2, 1, 1},
	{17, 16, 32, 1, [2]int{4, 4}, [2]int{2, 2}, 2, 0, 1},
	{3, 64, 64, 1, [2]int{2, 3}, [2]int{3, 3}, 1, 1, 1},
	{2, 16, 16, 1, [2]int{8, 8}, [2]int{3, 3}, 1, 2, 2},
	{1, 16, 16, 1, [2]int{14, 13}, [2]int{5, 5}, 1, 0, 2},
	{2, 32, 32, 2, [2]int{6, 7}, [2]int{3, 3}, 1, 1, 1},
	{1, 32, 64, 2, [2]int{9, 8}, [2]int{5, 5}, 2, 2, 1},
	{1, 64, 32, 2, [2]int{5, 5}, [2]int{3, 3}, 3, 3, 2},
	{1, 16, 16, 1, [2]int{3, 3}, [2]int{7, 7}, 1, 3, 1},
	{2, 16, 16, 1, [2]int{2, 17}, [2]int{2, 11}, 1, 3, 1},
	{1, 512, 16, 1, [2]int{2, 2}, [2]int{3, 3}, 1, 1, 1}, // input channels in blocks
	{1, 16, 512, 1, [2]int{2, 2}, [2]int{3, 3}, 1, 1, 1}, // and of the data gradient
	{3, 272, 16, 1, [2]int{1, 2}, [2]int{3, 3}, 1, 1, 1},
	{1, 256, 48, 1, [2]int{3, 3}, [2]int{5, 3}, 1, 1, 1},
	{1, 2048, 16, 1, [2]int{1, 3}, [2]int{1, 1}, 1, 0, 1},
	{1, 16, 16, 1, [2]int{60, 64}, [2]int{1, 1}, 1, 0, 1}, // rows in pieces
	{2, 16, 16, 1, [2]int{1, 200}, [2]int{1, 3}, 1, 1, 1},
	{5, 128, 32, 1, [2]int{4, 4}, [2]int{1, 1}, 1, 0, 1},
	{60, 16, 32, 1, [2]int{2, 2}, [2]int{1, 1}, 1, 0, 1}, // tasks enough
	{17, 2, 32, 1, [2]int{2, 11}, [2]int{4, 1}, 2, 1, 1}, // tiles of taps
	{3, 16, 32, 1, [2]int{7, 3}, [2]int{1, 4}, 3, 1, 1},
	{1, 48, 256, 1, [2]int{2, 2}, [2]int{3, 3}, 1, 1, 1}, // groups of both channels
	{1, 160, 224, 1, [2]int{1, 2}, [2]int{1, 2}, 1, 1, 1},
	{8, 3, 32, 1, [2]int{5, 1}, [2]int{1, 2}, 1, 1, 1},
}

// wideKernels are those of a convolution that has its channels in lanes, each
// with the layouts that the pass gives it. The image of a first layer stays
// row-major.
func (c convolution) wideKernels(t *testing.T, i int, isFirst bool) (list []*vectortest.Application) {
	w := c.window()
	image := []int{c.batch, c.channels, c.size[0], c.size[1]}
	weight := []int{c.outputs, c.channels / c.group, c.kernel[0], c.kernel[1]}
	outs, err := (*op.Conv)(&w).Infer([]ir.Type{ir.Float(image...), ir.Float(weight...)})
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	out := outs[0].Shape
	images := func(b *builder) *ir.Value {
		if isFirst {
			return b.param("image", image...)
		}
		return b.input("image", image...)
	}
	wide := func() *builder {
		b := newBuilder(uint64(i), c.batch, false)
		b.channels = true
		return b
	}

	b := wide()
	e := epilogues[i%len(epilogues)]
	weights := b.param("weight", weight...)
	stored := e.add(b, b.node((*op.Conv)(&w), images(b), weights))
	list = append(list, b.done(t, fmt.Sprintf("wide conv %s, %s", c, e.name), stored...))
	weights.Type = weights.Type.InLanes(0)

	if c.channels/c.group%ir.LaneBlock == 0 {
		b = wide()
		e = epilogues[(i+2)%len(epilogues)]
		weights := b.param("weight", weight...)
		data := &op.ConvGradData{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Size: c.size[:]}
		stored = e.add(b, b.node(data, b.input("d", out...), weights))
		list = append(list, b.done(t, fmt.Sprintf("wide data gradient %s, %s", c, e.name), stored...))
		weights.Type = weights.Type.Swapped().InLanes(1)
	}

	parts := 1 // the most, of up to 4
	for n := range min(c.batch, 4) {
		if c.batch%(n+1) == 0 {
			parts = n + 1
		}
	}
	for _, parts := range []int{0, parts} {
		b = wide()
		d := b.node(&op.ConvGradWeight{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: w.Group, Kernel: c.kernel[:], Parts: parts}, images(b), b.input("d", out...))
		list = append(list, b.done(t, fmt.Sprintf("wide weight gradient in %d parts %s", parts, c)))
		d.Type = d.Type.RowMajor().InLanes(0)
	}
	return list
}

func wideConvolutionKernels(t *testing.T, list []convolution) func() []*vectortest.Application {
	return func() (all []*vectortest.Application) {
		for i, c := range list {
			isFirst := c.channels/c.group%ir.LaneBlock != 0
			all = append(all, c.wideKernels(t, i, isFirst || i%5 == 4)...)
		}
		return all
	}
}

func TestWideConvolutionsConform(t *testing.T) {
	vectortest.EachISA(t, wideConvolutionKernels(t, wideConvolutions))
}

// randomWideConvolution is one of at most mostMultiplyAdds.
func randomWideConvolution(r *rand.Rand) convolution {
	for {
		c := convolution{
			batch:    []int{1, 1, 1, 2, 3, 5, 16, 17}[r.IntN(8)],
			channels: ir.LaneBlock * (1 + r.IntN(4)*r.IntN(2)), outputs: ir.LaneBlock * (1 + r.IntN(4)*r.IntN(2)), group: 1 + r.IntN(2)*r.IntN(2),
			size: [2]int{1 + r.IntN(16), 1 + r.IntN(16)}, kernel: [2]int{1 + r.IntN(4), 1 + r.IntN(4)},
			stride: 1 + r.IntN(3)*r.IntN(2), pad: r.IntN(4), dilation: 1 + r.IntN(2)*r.IntN(2),
		}
		switch r.IntN(8) {
		case 0:
			c.kernel = [2]int{1 + r.IntN(11), 1 + r.IntN(11)}
		case 1:
			c.size[r.IntN(2)] = 1 + r.IntN(30)
		case 2:
			c.channels = 1 + r.IntN(4)
		case 3:
			c.channels *= 1 + r.IntN(12)
		case 4:
			c.outputs *= 1 + r.IntN(12)
		}
		c.channels, c.outputs = c.channels*c.group, c.outputs*c.group
		if c.isSmall() {
			return c
		}
	}
}

func TestRandomWideConvolutionsConform(t *testing.T) {
	count := 20
	if *vectortest.Long {
		count = 300
	}
	r := rand.New(rand.NewPCG(3, 10))
	var list []convolution
	for range count {
		list = append(list, randomWideConvolution(r))
	}
	vectortest.EachISA(t, wideConvolutionKernels(t, list))
}
