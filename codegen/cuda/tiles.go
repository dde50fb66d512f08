package cuda

import (
	"fmt"

	"netc/ir/loop"
)

// tile is how a block of threads computes a contraction: rows x columns of the
// result, depth terms at a time, each thread a square of side rowsEach x
// columnsEach, or with tensor cores each warp. With splits above 1 the terms are
// split over that many blocks, whose sums a second kernel adds.
type tile struct {
	rows, columns, depth  int
	rowsEach, columnsEach int
	tensor                bool // with tensor cores
	splits                int
	termsEach             int // terms of one split, a multiple of depth
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
	{rows: 64, columns: 128, depth: 8, rowsEach: 4, columnsEach: 8},
	{rows: 128, columns: 64, depth: 8, rowsEach: 8, columnsEach: 4},
	{rows: 64, columns: 64, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 32, columns: 128, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 32, columns: 64, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 64, columns: 32, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 16, columns: 128, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 32, columns: 32, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 16, columns: 64, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 8, columns: 128, depth: 16, rowsEach: 4, columnsEach: 4},
	{rows: 64, columns: 16, depth: 16, rowsEach: 4, columnsEach: 4},
}

// What the estimate of a tile's time assumes of a large GPU. No device is asked:
// the sums are added in the same order on all of them.
const (
	fullGPU          = 132 * 512 // threads that keep it busy
	multiplyAddsAtIt = 2e7       // a microsecond, with the widest squares
	tensorTimes      = 4         // how much faster tensor cores are, in tf32
	bytesAtIt        = 2e6       // a microsecond, of partial sums
	launchTime       = 2.0       // microseconds, of the second kernel
	stepTime         = 0.4       // microseconds, that a block waits for its loads
)

// mostSplits bounds how often the partial sums are written and read again, and
// mostScratch the bytes that they take: what stays in the second-level cache of a
// large GPU.
const (
	mostSplits  = 64
	mostScratch = 64 << 20
)

// microseconds estimates how long a contraction takes: the padded work, slower
// for small squares, which load more for each multiplication, and where the GPU
// is not full; the loads that each step of a block waits for; the partial sums.
func (t tile) microseconds(rows, columns, terms, batch int) float64 {
	blocks := ceil(rows, t.rows) * ceil(columns, t.columns) * batch * t.splits
	busy := min(1, float64(blocks*t.threads())/fullGPU)
	square := float64(t.rowsEach*t.columnsEach) / float64(t.rowsEach+t.columnsEach) // 2 to 4
	rate := multiplyAddsAtIt * square / (square + 1.5)
	if t.tensor { // a warp's squares are 11 to 21
		rate = tensorTimes * multiplyAddsAtIt * square / (square + 8)
	}
	padded := float64(blocks*t.rows*t.columns) * float64(t.termsEach)
	waves := float64(ceil(blocks*t.threads(), 2*fullGPU))
	time := padded/(rate*busy) + waves*stepTime*float64(t.termsEach/t.depth)
	if t.splits > 1 {
		time += launchTime + float64(rows*columns*batch)*float64(8*t.splits)/bytesAtIt
	}
	return time
}

// tileFor takes the fastest tile by that estimate, among those of a precision.
func tileFor(c *contraction, precision string) tile {
	rows, columns, terms, batch := points(c.rows), points(c.columns), points(c.inner), points(c.batch)
	best, least := tile{}, 0.0
	shapes := tileShapes
	if precision != float32Precision {
		shapes = tensorShapes
	}
	for _, t := range shapes {
		for splits := 1; splits <= mostSplits; splits *= 2 {
			if splits > 1 && (terms/splits < 4*t.depth || batch*splits > 65535 || 4*rows*columns*batch*splits > mostScratch) {
				break
			}
			t.splits, t.termsEach = splits, ceil(ceil(terms, splits), t.depth)*t.depth
			t.splits = ceil(terms, t.termsEach) // rounding up to the depth may leave fewer
			cost := t.microseconds(rows, columns, terms, batch)
			if best.rows == 0 || cost < least*0.98 {
				best, least = t, cost
			}
		}
	}
	return best
}

func (p *printer) text(c *contraction, t tile) string {
	how := ""
	if t.tensor {
		how = " in " + p.precision
	}
	return fmt.Sprintf("product of %d rows, %d columns and %d terms%s", points(c.rows), points(c.columns), points(c.inner), how)
}

// launchOf gives the grid and block of a tiled kernel.
func launchOf(c *contraction, t tile) (grid, block [3]int) {
	return [3]int{ceil(points(c.columns), t.columns), ceil(points(c.rows), t.rows), points(c.batch) * t.splits}, [3]int{t.threads(), 1, 1}
}

// tiles prints the kernel that computes a contraction in one go.
func (p *printer) tiles(c *contraction, t tile) printed {
	grid, block := launchOf(c, t)
	p.open(fmt.Sprintf("%s: a tile of %dx%d for each of %dx%dx%d blocks of %d threads", p.text(c, t), t.rows, t.columns, grid[0], grid[1], grid[2], block[0]), grid, block)
	sums := p.tileSums(c, t, "blockIdx.z", "0", fmt.Sprint(points(c.inner)))
	p.eachSum(c, t, func(sum string) {
		p.decode(c.rows, "row")
		p.decode(c.columns, "column")
		p.vars[c.reduce.Var] = sum
		p.statements(c.rest)
	}, sums)
	return p.done(grid, block)
}

// partialTiles prints the kernel that computes the sums of each split.
func (p *printer) partialTiles(c *contraction, t tile) printed {
	grid, block := launchOf(c, t)
	rows, columns := points(c.rows), points(c.columns)
	var read []argument
	used := (&loop.Nest{Body: []loop.Stmt{c.reduce}}).Loads()
	for _, a := range p.args {
		for _, v := range used {
			if a.value == v {
				read = append(read, argument{v, a.name, a.bytes, false})
			}
		}
	}
	p.args = append([]argument{{nil, "scratch", 4 * rows * columns * points(c.batch) * t.splits, true}}, read...)
	p.open(fmt.Sprintf("%s, %d parts of %d terms: a tile of %dx%d for each of %dx%dx%d blocks of %d threads", p.text(c, t), t.splits, t.termsEach, t.rows, t.columns, grid[0], grid[1], grid[2], block[0]), grid, block)
	if points(c.batch) == 1 {
		p.printf("const int split = blockIdx.z;")
	} else {
		p.printf("const int batch = blockIdx.z/%[1]d, split = blockIdx.z%%%[1]d;", t.splits)
	}
	to := fmt.Sprintf("%s(split*%d + %[2]d, %d)", p.helper("smaller"), t.termsEach, points(c.inner))
	sums := p.tileSums(c, t, "batch", fmt.Sprintf("split*%d", t.termsEach), to)
	p.eachSum(c, t, func(sum string) {
		p.printf("partial[(blockIdx.z*%d + row)*%d + column] = %s;", rows, columns, sum)
	}, sums)
	return p.done(grid, block)
}

// gather prints the kernel that adds the splits' sums, in their order, and does
// with each what the nest does.
func (p *printer) gather(c *contraction, t tile) printed {
	rows, columns, batch := points(c.rows), points(c.columns), points(c.batch)
	const size = 128
	count := rows * columns * batch
	grid, block := [3]int{ceil(count, size), 1, 1}, [3]int{size, 1, 1}
	var kept []argument
	rest := &loop.Nest{Body: c.rest}
	for _, a := range p.args {
		for _, v := range append(rest.Loads(), rest.Stores()...) {
			if a.value == v {
				kept = append(kept, a)
				break
			}
		}
	}
	p.args = append(kept, argument{nil, "scratch", 4 * count * t.splits, false})
	p.open(fmt.Sprintf("one thread for each of %d sums of %d parts: %d blocks of %d", count, t.splits, grid[0], size), grid, block)
	index := p.scope.Take("i")
	p.printf("const int %s = blockIdx.x*%d + threadIdx.x;", index, size)
	p.printf("if (%s >= %d) return;", index, count)
	before := ""
	if batch == 1 {
		p.printf("const int column = %[1]s%%%[2]d, row = %[1]s/%[2]d;", index, columns)
	} else {
		p.printf("const int column = %[1]s%%%[2]d, row = %[1]s/%[2]d%%%[3]d, batch = %[1]s/%[4]d;", index, columns, rows, columns*rows)
		before = fmt.Sprintf("batch*%d + ", t.splits)
	}
	p.decode(c.batch, "batch")
	p.decode(c.rows, "row")
	p.decode(c.columns, "column")
	sum := p.scope.Take(p.variable(c.reduce.Var))
	p.vars[c.reduce.Var] = sum
	p.printf("float %s = 0.0f;", sum)
	p.printf("for (int split = 0; split < %d; split++) {", t.splits)
	p.printf("%s += partial[((%ssplit)*%d + row)*%d + column];", sum, before, rows, columns)
	p.printf("}")
	p.statements(c.rest)
	return p.done(grid, block)
}

// tileSums prints the loop that adds the terms of a block, from the expression
// from, "0" or that of a split, up to below the expression to, and gives the name
// of the array of sums. batch is an expression for the number of the product.
func (p *printer) tileSums(c *contraction, t tile, batch, from, to string) string {
	across := t.columns / t.columnsEach
	rows := p.tileSide(c, c.a, c.rows, "row", t.rows, t)
	columns := p.tileSide(c, c.b, c.columns, "column", t.columns, t)
	p.printf("__shared__ __align__(16) float %s[2][%d][%d], %s[2][%d][%d];", rows.tile, t.depth, t.rows+t.padding(), columns.tile, t.depth, t.columns+t.padding())
	if t.tensor {
		p.printf("const int lane = threadIdx.x%%%d, tx = threadIdx.x/%[1]d%%%[2]d, ty = threadIdx.x/%[3]d;", warp, across, warp*across)
	} else {
		p.printf("const int tx = threadIdx.x%%%[1]d, ty = threadIdx.x/%[1]d;", across)
	}
	p.printf("const int %s = blockIdx.y*%d, %s = blockIdx.x*%d;", rows.start, t.rows, columns.start, t.columns)
	p.decode(c.batch, batch)
	sum := p.scope.Take(p.variable(c.reduce.Var))
	if t.tensor {
		p.printf("float %s[%d][%d][4] = {};", sum, t.rowsEach/fragmentRows, t.columnsEach/fragmentColumns)
	} else {
		p.printf("float %s[%d][%d] = {};", sum, t.rowsEach, t.columnsEach)
	}
	first, end, stage := p.scope.Take("first"), to, p.scope.Take("stage")
	if from != "0" {
		begin := p.scope.Take("begin")
		end = p.scope.Take("end")
		p.printf("const int %s = %s, %s = %s;", begin, from, end, to)
		from = begin
	}
	// Loads run one tile ahead of the products, so that they are under way while
	// the block multiplies.
	p.printf("int %s = 0; // the tile that is filled next; the other one is multiplied", stage)
	p.printf("for (int %[1]s = %[2]s; %[1]s < %[3]s + %[4]d; %[1]s += %[4]d) {", first, from, end, t.depth)
	p.printf("float %s[%d], %s[%d];", rows.next, rows.each, columns.next, columns.each)
	p.printf("if (%s < %s) {", first, end)
	p.load(rows, first, end)
	p.load(columns, first, end)
	p.printf("}")
	p.printf("if (%s > %s) {", first, from)
	other := "[" + stage + " ^ 1]"
	if t.tensor {
		p.multiplyFragments(t, sum, rows.tile+other, columns.tile+other)
	} else {
		p.multiplySquares(t, sum, rows.tile+other, columns.tile+other)
	}
	p.printf("}")
	p.printf("if (%s < %s) {", first, end)
	p.keep(rows, stage)
	p.keep(columns, stage)
	p.printf("}")
	p.printf("__syncthreads();")
	p.printf("%s ^= 1;", stage)
	p.printf("}")
	return sum
}

// multiplySquares prints how each thread multiplies its part of the tiles.
func (p *printer) multiplySquares(t tile, sum, rowTile, columnTile string) {
	outer := p.scope
	p.scope = outer.Child()
	k, i, j, a, b := p.scope.Take("k"), p.scope.Take("i"), p.scope.Take("j"), p.scope.Take("a"), p.scope.Take("b")
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", k, t.depth)
	p.printf("float %s[%d], %s[%d];", a, t.rowsEach, b, t.columnsEach)
	p.unrolled(i, t.rowsEach, fmt.Sprintf("%s[%s] = %s[%s][%s];", a, i, rowTile, k, place("ty", i, t.rowsEach, t.rows)))
	p.unrolled(j, t.columnsEach, fmt.Sprintf("%s[%s] = %s[%s][%s];", b, j, columnTile, k, place("tx", j, t.columnsEach, t.columns)))
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", i, t.rowsEach)
	p.unrolled(j, t.columnsEach, fmt.Sprintf("%s[%s][%s] += %s[%s]*%s[%s];", sum, i, j, a, i, b, j))
	p.printf("}")
	p.printf("}")
	p.scope = outer
}

func (p *printer) unrolled(v string, count int, statement string) {
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) %[3]s", v, count, statement)
}

// place is the row or column, within the tile, of number i of a thread's each:
// four neighbours, then the next four half a tile on.
func place(thread, i string, each, size int) string {
	if each == 4 {
		return fmt.Sprintf("%s*4 + %s", thread, i)
	}
	return fmt.Sprintf("%s/4*%d + %s*4 + %s%%4", i, size*4/each, thread, i)
}

// tileSide is what a block loads of one operand in each step.
type tileSide struct {
	operand
	axes        []*loop.Var // of the side
	inner       []*loop.Var
	word        string // "row" or "column"
	tile        string // the array in shared memory
	next        string // a thread's elements of the next tile
	start       string // the first row or column
	each        int    // elements that a thread loads
	threads     int
	place, term string // of element e in the tile
}

// tileSide names what the block needs for one operand. The threads load along
// that direction in which neighbours lie side by side.
func (p *printer) tileSide(c *contraction, o operand, axes []*loop.Var, word string, size int, t tile) tileSide {
	s := tileSide{
		operand: o, axes: axes, inner: c.inner, word: word, each: size * t.depth / t.threads(), threads: t.threads(),
		tile: p.scope.Take(word + "Tile"), next: p.scope.Take(word + "Next"), start: p.scope.Take(word + "0"),
		place: fmt.Sprintf("e%%%d", size), term: fmt.Sprintf("e/%d", size),
	}
	if p.innerIsNearer(o, axes, c.inner) {
		s.place, s.term = fmt.Sprintf("e/%d", t.depth), fmt.Sprintf("e%%%d", t.depth)
	}
	return s
}

// load prints how the threads load the tile that begins with a term.
func (p *printer) load(s tileSide, first, end string) {
	outer := p.scope
	p.scope = outer.Child()
	i := p.eachElement(s)
	p.printf("const int %s = %s + %s, term = %s + %s;", s.word, s.start, s.place, first, s.term)
	next := fmt.Sprintf("%s[%s]", s.next, i)
	p.printf("%s = 0.0f;", next)
	p.printf("if (%s < %d && term < %s) {", s.word, points(s.axes), end)
	p.decode(s.axes, s.word)
	p.decode(s.inner, "term")
	assign := fmt.Sprintf("%s = %s;", next, p.expr(s.of))
	if s.cond != nil {
		assign = fmt.Sprintf("if (%s) %s", p.expr(s.cond), assign)
	}
	p.printf("%s", assign)
	p.printf("}")
	p.printf("}")
	p.scope = outer
}

// keep prints how the threads put what they loaded in shared memory.
func (p *printer) keep(s tileSide, stage string) {
	outer := p.scope
	p.scope = outer.Child()
	value := fmt.Sprintf("%s[%s]", s.next, p.eachElement(s))
	if p.precision == tf32Precision {
		value = p.helper("toTF32") + "(" + value + ")"
	}
	p.printf("%s[%s][%s][%s] = %s;", s.tile, stage, s.term, s.place, value)
	p.printf("}")
	p.scope = outer
}

// eachElement opens the loop over the elements that a thread loads.
func (p *printer) eachElement(s tileSide) (i string) {
	i = p.scope.Take("i")
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", i, s.each)
	p.printf("const int e = threadIdx.x + %s*%d;", i, s.threads)
	return i
}

// innerIsNearer reports whether an operand's elements lie closer together along
// the terms than along its rows or columns.
func (p *printer) innerIsNearer(o operand, axes, inner []*loop.Var) bool {
	nearest := func(list []*loop.Var) int {
		step := 1 << 30
		o.of.Walk(func(x *loop.Expr) {
			if x.Op != loop.Load {
				return
			}
			a, _ := loop.Position(x.Value.Type, x.Args).ToAffine()
			for i := len(list) - 1; i >= 0; i-- {
				if list[i].Extent == 1 {
					continue
				}
				if k := a.Coef[list[i]]; k != 0 {
					step = min(step, max(k, -k))
				}
				return // the last axis is the one that neighbours differ in
			}
		})
		return step
	}
	return nearest(inner) < nearest(axes)
}

// eachSum prints the loops over a thread's sums that lie in the matrix.
func (p *printer) eachSum(c *contraction, t tile, body func(sum string), sums string) {
	if t.tensor {
		p.eachFragment(c, t, body, sums)
		return
	}
	outer := p.scope
	p.scope = outer.Child()
	i, j := p.scope.Take("i"), p.scope.Take("j")
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", i, t.rowsEach)
	p.printf("const int row = blockIdx.y*%d + %s;", t.rows, place("ty", i, t.rowsEach, t.rows))
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", j, t.columnsEach)
	p.printf("const int column = blockIdx.x*%d + %s;", t.columns, place("tx", j, t.columnsEach, t.columns))
	p.printf("if (row < %d && column < %d) {", points(c.rows), points(c.columns))
	body(fmt.Sprintf("%s[%s][%s]", sums, i, j))
	p.printf("}")
	p.printf("}")
	p.printf("}")
	p.scope = outer
}
