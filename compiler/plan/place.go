package plan

import (
	"cmp"
	"slices"
)

// block is a buffer to be placed: its size, a multiple of Alignment, and the
// steps, both included, during which its bytes are its own.
type block struct{ size, start, end int }

func (b block) meets(c block) bool { return b.start <= c.end && c.start <= b.end }

// placement is where the blocks lie.
type placement struct {
	offsets []int
	height  int // the end of the highest block
	bound   int // the most bytes live at one step
}

// place finds offsets at which no two blocks that are live at once overlap. It
// tries greedy placements in several orders, and if none reaches the bound,
// improves the best by swapping blocks in its order. Finding the least height
// is NP-hard; activations of networks are easy cases. The same blocks always
// get the same offsets.
func place(blocks []block) placement {
	p := packer{blocks: blocks}
	bound, peak := peakOf(blocks)
	best := candidate{height: -1}
	for _, order := range placementOrders(blocks, peak) {
		for _, tightest := range []bool{true, false} {
			if best.height == bound {
				continue
			}
			height := p.pack(order, tightest, best.height)
			if best.height < 0 || height >= 0 {
				best = candidate{order, tightest, height}
			}
		}
	}
	if best.height > bound {
		best = p.climb(best, bound)
	}
	height := p.pack(best.order, best.tightest, -1)
	return placement{offsets: p.offsets, height: height, bound: bound}
}

// candidate is an order of placement and what it gives.
type candidate struct {
	order    []int
	tightest bool
	height   int
}

// peakOf gives the most bytes live at one step, and the first such step.
func peakOf(blocks []block) (bytes, step int) {
	steps := 0
	for _, b := range blocks {
		steps = max(steps, b.end+2)
	}
	change := make([]int, steps+1) // at step-1, since steps begin at -1
	for _, b := range blocks {
		change[b.start+1] += b.size
		change[b.end+2] -= b.size
	}
	live := 0
	for i, d := range change {
		if live += d; live > bytes {
			bytes, step = live, i-1
		}
	}
	return bytes, step
}

// placementOrders lists the orders to try: by size, lifetime, area, start, and
// from the fullest step outwards. Ties keep the order of the graph.
func placementOrders(blocks []block, peak int) [][]int {
	length := func(b block) int { return b.end - b.start + 1 }
	distance := func(b block) int { return max(b.start-peak, peak-b.end, 0) }
	by := func(less func(a, b block) int) []int {
		order := make([]int, len(blocks))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return less(blocks[i], blocks[j]) })
		return order
	}
	return [][]int{
		by(func(a, b block) int { return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(length(b), length(a))) }),
		by(func(a, b block) int { return cmp.Or(cmp.Compare(length(b), length(a)), cmp.Compare(b.size, a.size)) }),
		by(func(a, b block) int { return cmp.Compare(length(b)*b.size, length(a)*a.size) }),
		by(func(a, b block) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.size, a.size)) }),
		by(func(a, b block) int {
			return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(b.size, a.size))
		}),
		by(func(a, b block) int {
			return cmp.Or(cmp.Compare(min(distance(a), 1), min(distance(b), 1)), cmp.Compare(length(b), length(a)), cmp.Compare(b.size, a.size))
		}),
	}
}

// packer places blocks one after the other.
type packer struct {
	blocks  []block
	offsets []int
	placed  []placed // by offset
	work    int      // comparisons made so far, which bounds the climb
}

type placed struct {
	block
	offset int
}

// pack puts each block in the tightest gap between the blocks it meets, or in
// the lowest, and gives the height. It gives up with -1 where it would reach
// limit, if that is not negative.
func (p *packer) pack(order []int, tightest bool, limit int) int {
	if p.offsets == nil {
		p.offsets = make([]int, len(p.blocks))
	}
	p.placed = p.placed[:0]
	height := 0
	for _, i := range order {
		b := p.blocks[i]
		at, slack := -1, 0
		top := 0 // the end of what was met so far
		for j := range p.placed {
			q := &p.placed[j]
			if !q.meets(b) {
				continue
			}
			if gap := q.offset - top; gap >= b.size && (at < 0 || tightest && gap-b.size < slack) {
				at, slack = top, gap-b.size
				if !tightest || slack == 0 {
					break
				}
			}
			top = max(top, q.offset+q.size)
		}
		p.work += len(p.placed)
		if at < 0 {
			at = top
		}
		if height = max(height, at+b.size); limit >= 0 && height >= limit {
			return -1
		}
		p.offsets[i] = at
		where, _ := slices.BinarySearchFunc(p.placed, at, func(q placed, at int) int { return cmp.Compare(q.offset, at) })
		p.placed = slices.Insert(p.placed, where, placed{b, at})
	}
	return height
}

// Limits on climb, so that a plan takes milliseconds: moves, and comparisons
// for graphs so large that each move is slow.
const (
	maxMoves = 2000
	maxWork  = 100_000_000
)

// climb swaps two blocks in the order of placement and keeps what is not
// worse, until the bound or a limit is reached. Its random numbers always
// start the same.
func (p *packer) climb(best candidate, bound int) candidate {
	random := generator(1)
	order := slices.Clone(best.order)
	p.pack(order, best.tightest, -1)
	top := p.highest(order)
	p.work = 0
	for move := 0; move < maxMoves && p.work < maxWork && best.height > bound; move++ {
		i, j := random.below(len(order)), random.below(len(order))
		if move%2 == 0 {
			// The block at the top should have been placed earlier.
			i, j = top, random.below(top+1)
		}
		order[i], order[j] = order[j], order[i]
		height := p.pack(order, best.tightest, best.height+1)
		if height < 0 {
			order[i], order[j] = order[j], order[i]
			continue
		}
		best = candidate{slices.Clone(order), best.tightest, height}
		top = p.highest(order)
	}
	return best
}

// highest gives the position in the order of the block that ends highest.
func (p *packer) highest(order []int) int {
	at, top := 0, -1
	for k, i := range order {
		if end := p.offsets[i] + p.blocks[i].size; end > top {
			at, top = k, end
		}
	}
	return at
}

// generator is a small xorshift random number generator (Marsaglia 2003).
type generator uint64

func (g *generator) below(n int) int {
	x := *g
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*g = x
	return int((uint64(x) >> 11) % uint64(n))
}
