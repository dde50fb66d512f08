package vector

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// nearPixels is what a block of pixels may take of the second cache, in bytes.
const nearPixels = 128 << 10

// mostPanel is the size from which the weights of a block of output channels
// are taken in blocks of input channels of up to nearPanel, in bytes, and of at
// least leastPanelSteps terms.
const (
	mostPanel       = 120 << 10
	nearPanel       = 40 << 10
	leastPanelSteps = 64
)

// fewTasks is the number of tasks below which the output channels are cut too.
const fewTasks = 48

// blockPixels arranges a convolution whose lanes are its output channels: a
// task computes a block of pixels of one image, small enough that what they
// read stays near while one block of output channels after the other passes
// over them.
//
//	task (image, block of pixels, group of blocks of channels):
//	  for a block of channels, for a tile of pixels: multiply and add
//
// The result is as blockChannels' without blocks of input channels.
func (p *prepared) blockPixels(r *loop.Reduce) *blocking {
	terms := gets(r.Of)
	if p.lane == nil || len(terms) != 2 {
		return nil
	}
	images, weights := terms[0], terms[1]
	if p.vectorLoad(images) {
		images, weights = weights, images
	}
	at, ok := images.Args[0].ToAffine()
	if !ok || p.vectorLoad(images) || !p.vectorLoad(weights) {
		return nil
	}
	var pixels, channels []*loop.Var
	for _, v := range p.axes {
		switch {
		case v == p.half:
		case weights.Uses(v):
			channels = append(channels, v)
		default:
			pixels = append(pixels, v)
		}
	}
	if len(pixels) == 0 || !slices.Contains(channels, p.blocks) || slices.ContainsFunc(pixels, func(v *loop.Var) bool { return !images.Uses(v) || at.Coef[v] == 0 }) {
		return nil
	}
	// The sum runs over the channels first, then the taps.
	if !images.Uses(r.Axes[0]) || !weights.Uses(r.Axes[0]) {
		return nil
	}
	// What a pixel of the innermost axis reads anew, in bytes, and how many rows
	// the taps reach at once.
	row := pixels[len(pixels)-1]
	inputs, rows := 4, 1
	for _, v := range r.Axes {
		switch step := magnitude(at.Coef[v]); {
		case slices.ContainsFunc(r.Within, func(w loop.Range) bool { return w.Index.Uses(v) }) || v.Extent > 1 && step == 0:
			if len(pixels) > 1 && step >= magnitude(at.Coef[pixels[len(pixels)-2]]) {
				rows *= v.Extent
			}
		default:
			inputs *= v.Extent
		}
	}
	// Where the weights of one block of channels are many, the input channels are
	// taken in blocks too, and the sums wait in scratch memory between them.
	taps, block := 1, 1
	for _, v := range r.Axes[1:] {
		taps *= v.Extent
	}
	all := r.Axes[0]
	if panel := 4 * ir.LaneBlock * taps; panel*all.Extent > mostPanel && magnitude(at.Coef[all]) != 0 && !p.isVector[all] {
		for block = all.Extent; block > 1 && (all.Extent%block != 0 || panel*block > nearPanel); {
			block--
		}
		if block*taps < leastPanelSteps {
			block = all.Extent
		}
	} else {
		block = all.Extent
	}
	inputs = max(inputs*block/all.Extent, 4)
	images_ := 1
	for _, v := range pixels[:len(pixels)-1] {
		images_ *= p.cutOf(v)[0].size
	}
	inputs *= images_
	// The axis that is cut, and how much one of its indices brings.
	cut, each, halo := row, inputs, 0
	if len(pixels) > 1 && rows > 1 || row.Extent*inputs < nearPixels/4 && len(pixels) > 1 {
		if up := pixels[len(pixels)-2]; at.Coef[up] != 0 && magnitude(at.Coef[up]) <= 4*magnitude(at.Coef[row])*row.Extent {
			cut, each, halo = up, inputs*row.Extent, rows-1
		}
	}
	most := max(nearPixels/each-halo, 1)
	pieces := (cut.Extent + most - 1) / most
	before := len(p.axes)
	if pieces > 1 {
		p.cutLong(slices.Index(p.axes, cut), pieces)
	}
	var outer []*loop.Var
	for _, v := range pixels {
		if v == cut {
			break
		}
		outer = append(outer, v)
	}
	inner := pixels[len(outer):]
	if len(p.axes) > before {
		i := slices.IndexFunc(p.axes, func(v *loop.Var) bool { return v.Name == cut.Name+"p" })
		outer = append(outer, p.axes[i])
		inner = append([]*loop.Var{p.axes[i+1]}, inner[1:]...)
	}
	tasks := 1
	around := outer
	outer = nil
	for _, v := range around {
		size := p.cutOf(v)[0].size
		if size > 1 && p.hasRanges(v) { // its tiles at the edges are parts of their own
			inner = append([]*loop.Var{v}, inner...)
			continue
		}
		tasks *= tilesIn(p.cutOf(v))
		if size > 1 { // the points of a tile have sums of their own
			group, member := p.cutGroup(v, size)
			v, inner = group, append([]*loop.Var{member}, inner...)
		}
		outer = append(outer, v)
	}
	b := &blocking{}
	sums := 1
	for _, v := range inner {
		sums *= v.Extent
	}
	// Too few tasks, or too many sums that wait: the output channels are cut too.
	for i, v := range channels {
		n := tilesIn(p.cutOf(v))
		want := (fewTasks + tasks - 1) / tasks
		if block < all.Extent {
			want = max(want, (n*sums*4*ir.LaneBlock+nearSums-1)/nearSums)
		}
		if want <= 1 {
			break
		}
		if n <= want || len(p.cutOf(v)) > 1 {
			tasks *= n
			channels = channels[i+1:]
			if size := p.cutOf(v)[0].size; size > 1 {
				group, member := p.cutGroup(v, size)
				v, channels = group, append([]*loop.Var{member}, channels...)
			}
			outer = append(outer, v)
			break
		} else {
			group, member := p.cutGroup(v, (v.Extent+want-1)/want)
			outer = append(outer, group)
			channels = append([]*loop.Var{member}, channels[i+1:]...)
			break
		}
	}
	for _, v := range outer {
		p.isGroup[v] = true
	}
	hasHalves := slices.Contains(p.axes, p.half)
	p.axes = slices.Concat(outer, channels, inner)
	if hasHalves {
		p.axes = append(p.axes, p.half)
	}
	if block < all.Extent {
		b.split = 1
		p.cutReduction(all, block)
	}
	return b
}
