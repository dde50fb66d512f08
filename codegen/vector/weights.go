package vector

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// Bounds of a block of a weight's gradient whose lanes are output channels: the
// sums and what is read for them, in bytes, and the number of pixels that hides
// the loads and stores of the sums.
const (
	mostWeightSums = 96 << 10
	leastPixels    = 28
	mostPixels     = 64
)

// fewWeightTasks is the number of tasks for which the channels are cut at least.
const fewWeightTasks = 8

// blockWeights arranges the gradient of weights whose lanes are output
// channels: a task holds the sums of some blocks of output and of input channels
// in scratch memory, while the images pass by, a row or some of pixels at a time.
//
//	task (part of the batch, group of output channels, group of input channels):
//	  for an image, for a block of pixels:
//	    for a block of output channels, of input channels, a tap, a tile of the
//	    input channels: load sums; for a pixel: multiply and add; store sums
func (p *prepared) blockWeights(r *loop.Reduce) *blocking {
	terms := gets(r.Of)
	if p.lane == nil || len(terms) != 2 {
		return nil
	}
	images, results := terms[0], terms[1]
	if p.vectorLoad(images) {
		images, results = results, images
	}
	if p.vectorLoad(images) || !p.vectorLoad(results) || slices.ContainsFunc(r.Axes, func(v *loop.Var) bool { return !images.Uses(v) || !results.Uses(v) }) {
		return nil
	}
	var inputs, taps, groups []*loop.Var
	parts := 1
	for _, v := range p.axes {
		switch {
		case v == p.half || v == p.blocks:
		case results.Uses(v) && images.Uses(v): // parts of the batch
			parts *= v.Extent
			p.isGroup[v] = true
			groups = append(groups, v)
		case results.Uses(v):
			return nil
		case p.hasRanges(v):
			taps = append(taps, v)
		default:
			inputs = append(inputs, v)
		}
	}
	if len(inputs) == 0 {
		return nil
	}
	// The innermost axes of the reduction that are a block of pixels.
	steps, split := 1, len(r.Axes)
	for split > 0 && steps < leastPixels {
		v := r.Axes[split-1]
		if d := pixelsOf(v.Extent, steps); d < v.Extent && (steps > 1 || !p.hasRanges(v)) {
			r = p.cutReduction(v, d)
			steps *= d
			break
		}
		steps *= v.Extent
		split--
	}
	// Taps along the innermost axis are written out, so that the pixels under each
	// of them are known.
	for _, v := range taps {
		if slices.ContainsFunc(r.Within, func(w loop.Range) bool { return w.Index.Uses(v) && w.Index.Uses(r.Axes[len(r.Axes)-1]) }) {
			p.parts[v] = nil
			for k := range v.Extent {
				p.parts[v] = append(p.parts[v], part{from: k, to: k + 1, size: 1})
			}
		}
	}
	// The groups of blocks of channels with the least traffic.
	first := inputs[0]
	perBlock := 4 * ir.LaneBlock
	for _, v := range append(slices.Clone(inputs[1:]), taps...) {
		perBlock *= v.Extent
	}
	outputs := p.blocks // no axis any more where there is one block
	canCut := func(v *loop.Var, size int) bool {
		parts := p.cutOf(v)
		return size == v.Extent || len(parts) == 1 && v.Extent%size == 0 && size%parts[0].size == 0
	}
	best, least := [2]int{}, 0
	for out := 1; out <= outputs.Extent; out++ {
		for in := 1; in <= first.Extent; in++ {
			a, b := outputs.Extent/out, first.Extent/in
			if !canCut(outputs, out) || !canCut(first, in) {
				continue
			}
			traffic := results.Value.Type.Bytes()*b + images.Value.Type.Bytes()*a
			if out*in*perBlock > mostWeightSums && out*in > 1 {
				continue
			}
			if tasks := parts * a * b; tasks < fewWeightTasks {
				traffic *= (fewWeightTasks + tasks - 1) / tasks * 2
			}
			if least == 0 || traffic < least {
				best, least = [2]int{out, in}, traffic
			}
		}
	}
	if least == 0 {
		return nil
	}
	members := func(v *loop.Var, size int) *loop.Var {
		if size == v.Extent {
			return v
		}
		group, member := p.cutGroup(v, size)
		groups = append(groups, group)
		return member
	}
	var order []*loop.Var
	if slices.Contains(p.axes, outputs) {
		order = append(order, members(outputs, best[0]))
	}
	order = append(order, members(first, best[1]))
	if parts*(outputs.Extent/best[0])*(first.Extent/best[1]) < fewWeightTasks && len(taps) > 0 {
		p.isGroup[taps[0]] = true
		groups, taps = append(groups, taps[0]), taps[1:]
	}
	order = slices.Concat(groups, order, taps, inputs[1:])
	if slices.Contains(p.axes, p.half) {
		order = append(order, p.half)
	}
	p.axes = order
	return &blocking{split: split}
}

// pixelsOf is the divisor of an axis that makes a block of pixels long enough
// without making it too long, or all of the axis.
func pixelsOf(extent, steps int) int {
	for d := 1; d < extent; d++ {
		if extent%d == 0 && d*steps >= leastPixels {
			if more := 2 * d; extent%more == 0 && more*steps <= mostPixels {
				return more
			}
			return d
		}
	}
	return extent
}

// asksAhead reports whether a tile asks for the pixels of the next block, which
// all tiles of a block of channels share: of a weight's gradient in channels the
// last one, under the middle of the taps that are written out.
func (e *emitter) asksAhead(b *blocking) bool {
	if !e.inChannels || e.prepared.storesImages() {
		return false
	}
	for v, size := range e.size {
		parts := e.cut(v)
		switch _, most := e.at[v].bounds(); {
		case e.isGroup[v]:
		case e.hasRanges(v) && e.at[v].isConst() && e.at[v].konst != v.Extent/2:
			return false
		case size > 1 && most+size < parts[len(parts)-1].to:
			return false
		}
	}
	return true
}

// askAhead asks for what a term reads, one block of pixels on, where each pixel
// has a cache line of its own: the processor foresees those that share one.
func (e *emitter) askAhead(r *loop.Reduce, b *blocking, p point) {
	e.atPoint(p, func() {
		for _, t := range gets(r.Of) {
			at := e.int(t.Args[0])
			pixel, _ := flatStride(t.Args[0], e.innermost(r))
			block, _ := flatStride(t.Args[0], r.Axes[b.split-1])
			if at.aff == nil || pixel < lineFloats {
				continue
			}
			m := e.memory(t.Value, *at.aff)
			m.Disp += 4 * block
			e.f.Prefetch(m)
		}
	})
}
