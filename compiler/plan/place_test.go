package plan

import (
	"math/rand"
	"slices"
	"testing"
	"time"
)

// trainingBlocks has the shape of a training step: results of the forward pass
// wait for their layer's backward pass, gradients live briefly. Extents shrink
// with depth by stages, as in image networks; every few layers a result is kept
// longer, as a skip connection or a concatenation does.
func trainingBlocks(layers int, batch int, r *rand.Rand) []block {
	var blocks []block
	last := 2 * layers
	channels, side := 16+r.Intn(48), 16<<r.Intn(4)
	for i := range layers {
		if i > 0 && i%(layers/4+1) == 0 {
			channels, side = 2*channels, (side+1)/2
		}
		forward := rounded(batch * (channels + r.Intn(8)) * side * side * 4)
		weight := rounded(channels * channels * 9 * 4)
		back := last - i
		blocks = append(blocks,
			block{forward, i, back},
			block{forward, back - 1, back},
			block{weight, back, back})
		if r.Intn(3) == 0 {
			blocks = append(blocks, block{forward, i, min(i+1+r.Intn(4), last)}) // before its pooling
		}
		if r.Intn(4) == 0 {
			blocks = append(blocks, block{forward, max(back-3, 0), back}) // a gradient that waits for another branch
		}
	}
	return blocks
}

func TestPlacementReachesTheBound(t *testing.T) {
	for seed := range int64(30) {
		r := rand.New(rand.NewSource(seed))
		blocks := trainingBlocks(4+r.Intn(60), 1+r.Intn(64), r)
		p := place(blocks)
		checkPlacement(t, blocks, p)
		if ratio := float64(p.height) / float64(p.bound); ratio > 1.01 {
			t.Errorf("seed %d: %d blocks take %.4f of the bound", seed, len(blocks), ratio)
		}
	}
}

func checkPlacement(t *testing.T, blocks []block, p placement) {
	t.Helper()
	bound := 0
	for step := -1; step < 200; step++ {
		live := 0
		for _, b := range blocks {
			if b.start <= step && step <= b.end {
				live += b.size
			}
		}
		bound = max(bound, live)
	}
	if bound != p.bound {
		t.Fatalf("bound %d, not %d", p.bound, bound)
	}
	height := 0
	for i, b := range blocks {
		height = max(height, p.offsets[i]+b.size)
		for j, c := range blocks[:i] {
			if b.start <= c.end && c.start <= b.end && p.offsets[i] < p.offsets[j]+c.size && p.offsets[j] < p.offsets[i]+b.size {
				t.Fatalf("blocks %d %v at %d and %d %v at %d overlap", j, c, p.offsets[j], i, b, p.offsets[i])
			}
		}
	}
	if height != p.height {
		t.Fatalf("height %d, not %d", p.height, height)
	}
}

// TestPlacementClimbs is a case that no greedy order solves: the bound needs
// the swaps.
func TestPlacementClimbs(t *testing.T) {
	climbed := 0
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		var blocks []block
		for range 14 {
			start := r.Intn(12)
			blocks = append(blocks, block{Alignment * (1 + r.Intn(9)), start, start + r.Intn(6)})
		}
		p := place(blocks)
		checkPlacement(t, blocks, p)
		greedy := packer{blocks: blocks}
		_, peak := peakOf(blocks)
		best := -1
		for _, order := range placementOrders(blocks, peak) {
			for _, tightest := range []bool{true, false} {
				if h := greedy.pack(order, tightest, -1); best < 0 || h < best {
					best = h
				}
			}
		}
		if p.height > best {
			t.Errorf("seed %d: %d, but a greedy order takes %d", seed, p.height, best)
		}
		if p.height < best {
			climbed++
		}
	}
	if climbed == 0 {
		t.Errorf("the climb never improved a placement")
	}
}

func TestPlacementIsFastAndDeterministic(t *testing.T) {
	blocks := trainingBlocks(280, 32, rand.New(rand.NewSource(3)))
	if len(blocks) < 900 {
		t.Fatalf("%d blocks", len(blocks))
	}
	start := time.Now()
	first := place(blocks)
	elapsed := time.Since(start)
	t.Logf("%d blocks in %v, %.4f of the bound", len(blocks), elapsed, float64(first.height)/float64(first.bound))
	if elapsed > 2*time.Second {
		t.Errorf("placing %d blocks took %v", len(blocks), elapsed)
	}
	if again := place(blocks); !slices.Equal(first.offsets, again.offsets) {
		t.Errorf("the same blocks got other offsets")
	}
	if empty := place(nil); empty.height != 0 || empty.bound != 0 {
		t.Errorf("no blocks take %d bytes", empty.height)
	}
}
