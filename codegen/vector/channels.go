package vector

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// Bounds of what a block of a convolution or product by the batch in lanes
// keeps near, in bytes: images, sums and weights together fill half of a small
// second cache.
const (
	nearImages  = 96 << 10
	nearSums    = 96 << 10
	nearWeights = 64 << 10
)

// fewInputs is the number of input channels that are not taken in blocks.
const fewInputs = 16

// blockChannels arranges a contraction whose lanes are samples so that what it
// reads again is near. A task is one row of pixels, or a run of them, for a
// group of output channels. Where the input channels of that row do not fit,
// they are taken in blocks, and the sums wait in scratch memory between them.
//
//	task (block of samples, row, group of channels):
//	  for a block of input channels:
//	    for a tile of the group's channels, for a tile of the row: multiply and add
//
// The split of a result without blocks of input channels is 0: only the axes
// are arranged. It is nil where nothing is gained.
func (p *prepared) blockChannels(r *loop.Reduce) *blocking {
	terms := gets(r.Of)
	if p.lane == nil || p.blocks == nil || len(terms) != 2 || len(r.Axes) == 0 || p.overridden(p.half) {
		return nil
	}
	images, weights := terms[0], terms[1]
	if !p.vectorLoad(images) {
		images, weights = weights, images
	}
	at, ok := images.Args[0].ToAffine()
	inputs := r.Axes[0]
	if !ok || !p.vectorLoad(images) || p.vectorLoad(weights) || !images.Uses(inputs) || !weights.Uses(inputs) {
		return nil
	}
	var channel *loop.Var
	var pixels, others []*loop.Var
	for _, v := range p.axes {
		switch inImages, inWeights := images.Uses(v), weights.Uses(v); {
		case v == p.half:
		case v != p.blocks && inImages && !inWeights:
			pixels = append(pixels, v)
		case inWeights && !inImages && channel == nil:
			channel = v
		default:
			others = append(others, v)
		}
	}
	inMemory, affine := weights.Args[0].ToAffine()
	isColumn := len(pixels) == 0 && channel != nil && affine && inMemory.Coef[channel] == 1
	if isColumn { // a product by columns of a matrix: the blocks of samples take the place of the row
		pixels = []*loop.Var{p.blocks}
		others = slices.DeleteFunc(others, func(v *loop.Var) bool { return v == p.blocks })
	}
	if channel == nil || len(pixels) == 0 || p.cutOf(channel)[0].size < 2 && len(p.cutOf(channel)) > 1 {
		return nil
	}
	row := pixels[len(pixels)-1]
	hasHalves := slices.Contains(p.axes, p.half)
	vector := 4 * p.width
	if hasHalves {
		vector = 4 * ir.LaneBlock
	}
	// Rows of pixels that the taps reach at once, beside each other.
	rows, taps := 1, 1
	for _, t := range r.Axes[1:] {
		taps *= t.Extent
		if magnitude(at.Coef[t]) >= magnitude(at.Coef[row])*row.Extent/2 {
			rows *= t.Extent
		}
	}
	if inputs.Extent*rows*row.Extent*vector <= nearImages && len(pixels) < 2 && row.Extent*vector <= nearImages/4 && !isColumn {
		return nil
	}
	pixelsOuter := pixels[:len(pixels)-1]
	// A long row is taken in pieces, if its edges are not parts of their own: one
	// of many pixels, or one of which a few input channels are too much already.
	step := magnitude(at.Coef[row]) * 4
	size := p.cutOf(row)[0].size
	longest := 64 * size
	piece := 0
	switch all := inputs.Extent * rows * row.Extent * step; {
	case len(p.cutOf(row)) > 2 || isColumn:
	case inputs.Extent < fewInputs && all > nearImages:
		piece = max(nearImages/(inputs.Extent*rows*step)/size*size, 4*size)
	case row.Extent > longest && rows*row.Extent*vector > 3<<10:
		piece = min(max((3<<10)/(rows*vector)/size*size, size), longest)
	}
	if piece > 0 && piece < row.Extent {
		i := slices.Index(p.axes, row)
		before := len(p.axes)
		pieces := (row.Extent + piece - 1) / piece
		piece = ((row.Extent+pieces-1)/pieces + size - 1) / size * size
		p.cutLong(i, (row.Extent+piece-1)/piece)
		if len(p.axes) == before {
			return nil
		}
		pixelsOuter = append(slices.Clone(pixelsOuter), p.axes[i])
		row = p.axes[i+1]
	}
	for _, v := range pixelsOuter {
		rows *= p.cutOf(v)[0].size
	}
	perInput := rows * row.Extent * max(step, vector)
	block := inputs.Extent
	if block*perInput > nearImages {
		for block > 4 && (block*perInput > nearImages || inputs.Extent%block != 0) {
			block--
		}
		if inputs.Extent%block != 0 || block*taps < 16 {
			block = inputs.Extent
		}
	}
	if isColumn {
		for block > 128 && block%2 == 0 {
			block /= 2
		}
	}
	tile := p.cutOf(channel)[0].size
	group := tile
	for group+tile <= channel.Extent && (group+tile)*row.Extent*vector <= nearSums && (group+tile)*block*taps*4 <= nearWeights {
		group += tile
	}
	group = evenly(channel.Extent, group, tile)
	if block < inputs.Extent && group*row.Extent*vector > 2*nearSums {
		return nil
	}
	outer, inner := p.cutGroup(channel, group)
	b := &blocking{}
	if block < inputs.Extent {
		b.split = 1
		p.cutReduction(inputs, block)
	}
	arranged := slices.Concat(others, pixelsOuter, []*loop.Var{outer})
	for _, v := range arranged {
		p.isGroup[v] = true
	}
	arranged = append(arranged, inner)
	if hasHalves && p.cutOf(p.half)[0].size == 1 {
		arranged = append(arranged, p.half, row)
	} else if hasHalves {
		arranged = append(arranged, row, p.half)
	} else {
		arranged = append(arranged, row)
	}
	p.axes = arranged
	return b
}

func magnitude(n int) int { return max(n, -n) }
