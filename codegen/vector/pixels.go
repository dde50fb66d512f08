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
// task computes a block of pixels, small enough that what they read stays near
// while one block of output channels after the other passes over them.
//
//	task (images, block of pixels, group of blocks of output channels):
//	  for a block of input channels:
//	    for a block of output channels, for a tile of pixels: multiply and add
//
// The input channels are in blocks, and the sums wait in scratch memory between
// them, where the weights of one block of output channels are many. The result
// is as blockChannels'.
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
	inputs := r.Axes[0] // the sum runs over the input channels first, then the taps
	if !ok || p.vectorLoad(images) || !p.vectorLoad(weights) || !images.Uses(inputs) || !weights.Uses(inputs) {
		return nil
	}
	var pixels, channels []*loop.Var
	for _, v := range p.axes {
		switch {
		case v == p.half:
		case weights.Uses(v):
			channels = append(channels, v)
		case at.Coef[v] == 0:
			return nil
		default:
			pixels = append(pixels, v)
		}
	}
	if len(pixels) == 0 {
		return nil
	}
	block := p.inputBlock(inputs, r.Axes[1:])
	around, inner := p.cutPixels(r, at, pixels, block)
	var outer []*loop.Var
	tasks, sums := 1, 1
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
	for _, v := range inner {
		sums *= v.Extent
	}
	ofPixels := len(outer)
	if len(channels) > 0 {
		// The output channels are cut where there are too few tasks or too many
		// sums that wait.
		v := channels[0]
		groups := (fewTasks + tasks - 1) / tasks
		if block < inputs.Extent {
			groups = max(groups, (v.Extent*sums*4*ir.LaneBlock+nearSums-1)/nearSums)
		}
		if even := groups; groups > 1 { // of one size, where not many more are
			for even < 2*groups && v.Extent%even != 0 {
				even++
			}
			if v.Extent%even == 0 {
				groups = even
			}
		}
		switch {
		case groups <= 1:
		case tilesIn(p.cutOf(v)) <= groups || len(p.cutOf(v)) > 1:
			channels = channels[1:]
			if size := p.cutOf(v)[0].size; size > 1 {
				group, member := p.cutGroup(v, size)
				v, channels = group, append([]*loop.Var{member}, channels...)
			}
			outer = append(outer, v)
		default:
			group, member := p.cutGroup(v, (v.Extent+groups-1)/groups)
			outer, channels[0] = append(outer, group), member
		}
	}
	// Groups of channels are of equal size: where those of pixels are not, they
	// come first, so that threads with as many tasks have as much to do.
	if last := len(outer) - 1; last > 0 && last == ofPixels && len(p.cutOf(outer[0])) > 1 && len(p.cutOf(outer[last])) == 1 {
		outer = append([]*loop.Var{outer[last]}, outer[:last]...)
	}
	for _, v := range outer {
		p.isGroup[v] = true
	}
	hasHalves := slices.Contains(p.axes, p.half)
	p.axes = slices.Concat(outer, channels, inner)
	if hasHalves {
		p.axes = append(p.axes, p.half)
	}
	if block == inputs.Extent {
		return &blocking{}
	}
	p.cutReduction(inputs, block)
	return &blocking{split: 1}
}

// inputBlock is how many indices of the input channels' first axis, of those
// that the other axes of the sum follow, are taken together.
func (p *prepared) inputBlock(inputs *loop.Var, others []*loop.Var) int {
	steps := 1
	for _, v := range others {
		steps *= v.Extent
	}
	panel := 4 * ir.LaneBlock * steps
	if panel*inputs.Extent <= mostPanel || p.isVector[inputs] {
		return inputs.Extent
	}
	block := inputs.Extent
	for block > 1 && (inputs.Extent%block != 0 || panel*block > nearPanel) {
		block--
	}
	if block*steps < leastPanelSteps {
		return inputs.Extent
	}
	return block
}

// cutPixels cuts the pixels so that what a task reads, of a block of input
// channels, stays near: along the rows where taps reach several of them, else
// along the innermost axis. It gives the axes that are tasks, and those inside.
func (p *prepared) cutPixels(r *loop.Reduce, at loop.Affine, pixels []*loop.Var, block int) (outer, inner []*loop.Var) {
	last := len(pixels) - 1
	row := pixels[last]
	each, rows := 4*block, 1 // bytes that a pixel of the row brings, and rows that the taps reach at once
	for i, v := range r.Axes[1:] {
		switch isTap := p.hasRanges(v) || i > 0; {
		case !isTap:
			each *= v.Extent
		case last > 0 && magnitude(at.Coef[v]) >= magnitude(at.Coef[pixels[last-1]]):
			rows *= v.Extent
		}
	}
	for _, v := range pixels[:last] {
		each *= p.cutOf(v)[0].size
	}
	cut, halo := last, 0
	if last > 0 && (rows > 1 || row.Extent*each < nearPixels/4) {
		if above := pixels[last-1]; magnitude(at.Coef[above]) <= 4*magnitude(at.Coef[row])*row.Extent {
			cut, each, halo = last-1, each*row.Extent, rows-1
		}
	}
	outer, inner = slices.Clone(pixels[:cut]), slices.Clone(pixels[cut:])
	most := max(nearPixels/each-halo, 1)
	if pieces := (inner[0].Extent + most - 1) / most; pieces > 1 {
		i, before := slices.Index(p.axes, inner[0]), len(p.axes)
		if p.cutLong(i, pieces); len(p.axes) > before {
			outer, inner[0] = append(outer, p.axes[i]), p.axes[i+1]
		}
	}
	return outer, inner
}
