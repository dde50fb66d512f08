package vector_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"netc/codegen/vector/vectortest"
	"netc/ir"
	"netc/ir/op"
)

// sumsOf makes the kernels of a normalisation's statistics and gradients on
// images: those of each sample, in one loop or two, and what is merged of them.
func sumsOf(t *testing.T, seed uint64, image []int, channels bool) (list []*vectortest.Application) {
	fresh := func() *builder {
		b := newBuilder(seed, image[0], !channels && seed%3 > 0)
		b.channels = channels
		return b
	}
	name := fmt.Sprint(image)

	b := fresh()
	x, dy := b.input("x", image...), b.input("dy", image...)
	z := b.node(&op.Map{Formula: "(a - b)*c"}, x, b.alongChannels("mean", x), b.alongChannels("inverse", x))
	b.node(&op.Sum{Axes: []int{2, 3}}, dy)
	b.node(&op.Sum{Axes: []int{2, 3}}, b.node(&op.Map{Formula: "b*a"}, z, dy))
	list = append(list, b.done(t, "two sums "+name))

	b = fresh()
	b.node(&op.Sum{Axes: []int{2, 3}}, b.input("x", image...))
	list = append(list, b.done(t, "one sum "+name))

	b = fresh()
	b.g.MustAll(&op.Moments{}, "v", nil, b.input("x", image...))
	list = append(list, b.done(t, "moments "+name))

	b = fresh()
	part := image[:2]
	b.g.MustAll(&op.MergeMoments{Of: image[2] * image[3]}, "v", nil, b.input("mean", part...), b.input("squares", part...))
	return append(list, b.done(t, "merged moments "+name))
}

func TestSumsConform(t *testing.T) {
	count := 12
	if *vectortest.Long {
		count = 200
	}
	vectortest.EachISA(t, func() (list []*vectortest.Application) {
		r := rand.New(rand.NewPCG(4, 2))
		for i := range count {
			batch, height, width := []int{1, 2, 3, 16, 17, 33}[r.IntN(6)], 1+r.IntN(9), 1+r.IntN(20)
			list = append(list, sumsOf(t, uint64(i), []int{batch, ir.LaneBlock * (1 + r.IntN(4)), height, width}, true)...)
			list = append(list, sumsOf(t, uint64(i), []int{batch, 1 + r.IntN(20), height, width}, false)...)
		}
		return list
	})
}
