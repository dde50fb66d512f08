package cuda

import "netc/ir/loop"

// tile is how a block of threads computes a contraction: rows x columns of the
// result, depth terms in each step, each thread a square of side rowsEach x
// columnsEach, or with tensor cores each warp. With splits above 1 the steps are
// split over that many blocks, whose sums a second kernel adds.
type tile struct {
	rows, columns, depth  int
	rowsEach, columnsEach int
	tensor                bool // with tensor cores
	// along is the axis that a step's terms lie along, so that the others are the
	// same for all of a step; nil where a step takes its terms as they come.
	along     *loop.Var
	steps     int // of all terms
	splits    int
	stepsEach int // of one split
}

func (t tile) threads() int {
	each := 1
	if t.tensor {
		each = warp
	}
	return t.rows / t.rowsEach * (t.columns / t.columnsEach) * each
}

// padding of the tiles in shared memory, so that the threads of a warp find
// their elements in different banks.
func (t tile) padding() int {
	if t.tensor {
		return 8
	}
	return 4
}

// tiles that a contraction may use. Accumulators a thread: 16 to 64.
var tileShapes = []tile{
	{rows: 128, columns: 128, depth: 8, rowsEach: 8, columnsEach: 8},
	{rows: 64, columns: 128, depth: 8, rowsEach: 8, columnsEach: 8},
	{rows: 128, columns: 64, depth: 8, rowsEach: 8, columnsEach: 8},
	{rows: 64, columns: 64, depth: 8, rowsEach: 8, columnsEach: 8},
	{rows: 32, columns: 128, depth: 8, rowsEach: 8, columnsEach: 4},
	{rows: 32, columns: 128, depth: 16, rowsEach: 8, columnsEach: 4},
	{rows: 64, columns: 64, depth: 16, rowsEach: 8, columnsEach: 4},
	{rows: 64, columns: 64, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 32, columns: 64, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 64, columns: 32, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 16, columns: 128, depth: 8, rowsEach: 8, columnsEach: 4},
	{rows: 16, columns: 128, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 32, columns: 32, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 16, columns: 64, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 8, columns: 128, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 64, columns: 16, depth: 16, rowsEach: 4, columnsEach: 4},
}

// What the estimate of a tile's time assumes of a large GPU. No device is asked:
// the sums are added in the same order on all of them.
const (
	multiprocessors  = 132
	cyclesAtIt       = 1700.0 // a microsecond
	registersAtIt    = 65536  // of a multiprocessor
	threadsAtIt      = 2048
	sharedAtIt       = 200 << 10 // bytes
	loadLatency      = 700       // cycles from a step's loads to its barrier
	barrierLatency   = 100       // cycles from there to the products
	stepInstructions = 24        // of a step's loop
	soloStall        = 0.4       // how much longer a step of one warp takes than its instructions
	loadTime         = 100       // cycles that a thread waits for an operand of what follows a sum
	storeTime        = 40        // and for a result
	bytesAtIt        = 2e6       // a microsecond, of partial sums
	launchTime       = 2.0       // microseconds, of the second kernel
)

// mostSplits bounds how often the partial sums are written and read again, and
// mostScratch the bytes that they take: what stays in the second-level cache of a
// large GPU.
const (
	mostSplits  = 512
	mostScratch = 32 << 20
)

// stepCycles estimates what a step costs a warp, of its scheduler's time: the
// products, the instructions that load (loads, for each element), and shared
// memory, which four schedulers have in common.
func (t tile) stepCycles(loads float64, precision string) float64 {
	depth := float64(t.depth)
	rows, columns := float64(t.rowsEach), float64(t.columnsEach)
	instructions := depth*(rows*columns+(rows+columns)/4) + loads + stepInstructions
	across := min(warp, t.columns/t.columnsEach)
	// Four elements a thread: a broadcast, or 128 bytes a cycle.
	wavefronts := depth * (rows/4*max(1, float64(warp/across)/8) + columns/4*max(1, float64(across)/8))
	if t.tensor {
		fragments := rows / fragmentRows * columns / fragmentColumns
		words := float64(t.fragmentWords())
		if precision == bf16Precision {
			instructions = depth/16*(fragments*6+words*3) + loads + stepInstructions
			wavefronts = depth / 16 * words * 2
		} else {
			instructions = depth/8*(fragments*6+words) + loads + stepInstructions
			wavefronts = depth / 8 * words
		}
	}
	return max(instructions, 4*wavefronts) + min(instructions, 4*wavefronts)/4
}

// fragmentWords is how many words of both operands a thread gives to a warp's
// products at once.
func (t tile) fragmentWords() int {
	return 4*t.rowsEach/fragmentRows + 2*t.columnsEach/fragmentColumns
}

// resident is how many blocks a multiprocessor holds.
func (t tile) resident() int {
	registers := t.rowsEach*t.columnsEach + t.rowsEach + t.columnsEach
	if t.tensor {
		registers = t.rowsEach*t.columnsEach/warp + t.fragmentWords()
	}
	registers += 2*(t.rows+t.columns)*t.depth/t.threads() + 40
	shared := 8 * t.depth * (t.rows + t.columns + 2*t.padding())
	return max(1, min(registersAtIt/(registers*t.threads()), threadsAtIt/t.threads(), sharedAtIt/shared))
}

// microseconds estimates how long a contraction takes: in each wave of blocks,
// steps that wait for their loads or for each other's instructions, and what is
// done with the sums; then the partial sums.
func (t tile) microseconds(c *contraction, loads float64, precision string) float64 {
	rows, columns, batch := points(c.rows), points(c.columns), points(c.batch)
	blocks := ceil(rows, t.rows) * ceil(columns, t.columns) * batch * t.splits
	one := t.stepCycles(loads, precision)
	each := one * float64(t.threads()) / warp / 4
	sums := float64(t.rows * t.columns / t.threads())
	after := sums * c.after
	if t.splits > 1 {
		after = sums * storeTime
	} else if c.quad != nil && !t.tensor {
		after /= 4
	}
	wave := func(resident int) float64 {
		return after + float64(t.stepsEach+1)*max(loadLatency, float64(resident)*each+soloStall*one+barrierLatency)
	}
	most := t.resident()
	cycles := float64(blocks/(most*multiprocessors)) * wave(most)
	if rest := blocks % (most * multiprocessors); rest > 0 {
		cycles += wave(ceil(rest, multiprocessors))
	}
	time := cycles / cyclesAtIt
	if t.splits > 1 {
		time += launchTime + float64(rows*columns*batch)*float64(8*t.splits)/bytesAtIt
	}
	return time
}

// tileFor takes the fastest tile by that estimate, among those of a precision.
func tileFor(c *contraction, precision string) tile {
	rows, columns, batch := points(c.rows), points(c.columns), points(c.batch)
	best, least := tile{}, 0.0
	shapes := tileShapes
	if precision != float32Precision {
		shapes = tensorShapes
	}
	for _, t := range shapes {
		for _, along := range append([]*loop.Var{nil}, c.inner...) {
			t.along = along
			t.steps = ceil(points(c.inner), t.depth)
			if along != nil {
				t.steps = points(c.inner) / along.Extent * ceil(along.Extent, t.depth)
			}
			loads := c.loadCost(c.a, c.rows, t)*float64(t.rows) + c.loadCost(c.b, c.columns, t)*float64(t.columns)
			loads *= float64(t.depth) / float64(t.threads())
			for splits := 1; splits <= mostSplits; splits *= 2 {
				if splits > 1 && (t.steps/splits < 4 || batch*splits > 65535 || 4*rows*columns*batch*splits > mostScratch) {
					break
				}
				t.stepsEach = ceil(t.steps, splits)
				t.splits = ceil(t.steps, t.stepsEach) // rounding up may leave fewer
				cost := t.microseconds(c, loads, precision)
				if best.rows == 0 || cost < least*0.98 {
					best, least = t, cost
				}
			}
		}
	}
	return best
}

// loadCost estimates the instructions by which an element of an operand comes
// into shared memory, with those that wait for memory where neighbouring threads
// load from places far apart.
func (c *contraction) loadCost(o operand, axes []*loop.Var, t tile) float64 {
	cost := 4.0
	if t.along == nil && len(c.inner) > 1 {
		cost = 14 // each term's indices
	}
	if o.cond != nil {
		cost += 2
	}
	run := max(o.run(axes[len(axes)-1:]), min(t.depth, o.run(c.near(t))))
	return cost + 1/float64(min(run, 8))*8 - 1
}

// near is the axis along which neighbouring terms of a step lie.
func (c *contraction) near(t tile) []*loop.Var {
	if t.along != nil {
		return []*loop.Var{t.along}
	}
	return c.inner[len(c.inner)-1:]
}

// run is how many neighbouring elements an operand has along an axis.
func (o operand) run(axis []*loop.Var) int {
	if o.step(axis) == 1 {
		return axis[0].Extent
	}
	return 1
}
