package cuda

import (
	"fmt"

	"netc/ir/loop"
)

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
	sums := p.tileSums(c, t, "blockIdx.z", "0", fmt.Sprint(t.steps))
	if c.quad != nil && !t.tensor {
		p.quadSums(c, t, sums)
		return p.done(grid, block)
	}
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
	read := p.argumentsIn(&loop.Nest{Body: []loop.Stmt{c.reduce}})
	for i := range read {
		read[i].written = false
	}
	p.args = append([]argument{{nil, "scratch", 4 * rows * columns * points(c.batch) * t.splits, true}}, read...)
	p.open(fmt.Sprintf("%s, in %d parts: a tile of %dx%d for each of %dx%dx%d blocks of %d threads", p.text(c, t), t.splits, t.rows, t.columns, grid[0], grid[1], grid[2], block[0]), grid, block)
	if points(c.batch) == 1 {
		p.printf("const int split = blockIdx.z;")
	} else {
		p.printf("const int batch = blockIdx.z/%[1]d, split = blockIdx.z%%%[1]d;", t.splits)
	}
	to := fmt.Sprintf("split*%d + %[1]d", t.stepsEach)
	if t.steps%t.stepsEach != 0 {
		to = fmt.Sprintf("%s(%s, %d)", p.helper("smaller"), to, t.steps)
	}
	sums := p.tileSums(c, t, "batch", fmt.Sprintf("split*%d", t.stepsEach), to)
	p.eachSum(c, t, func(sum string) {
		p.printf("partial[(blockIdx.z*%d + row)*%d + column] = %s;", rows, columns, sum)
	}, sums)
	return p.done(grid, block)
}

// gather prints the kernel that adds the splits' sums, in a fixed order, and does
// with each what the nest does. Where there are many splits, several threads share
// those of a sum.
func (p *printer) gather(c *contraction, t tile) printed {
	rows, columns, batch := points(c.rows), points(c.columns), points(c.batch)
	const size = 128
	groups := 1
	for groups < 16 && t.splits >= 16*groups {
		groups *= 2
	}
	count, each := rows*columns*batch, size/groups
	grid, block := [3]int{ceil(count, each), 1, 1}, [3]int{size, 1, 1}
	p.args = append(p.argumentsIn(&loop.Nest{Body: c.rest}), argument{nil, "scratch", 4 * count * t.splits, false})
	who := "one thread"
	if groups > 1 {
		who = fmt.Sprintf("%d threads", groups)
	}
	p.open(fmt.Sprintf("%s for each of %d sums of %d parts: %d blocks of %d", who, count, t.splits, grid[0], size), grid, block)
	index, sum := p.scope.Take("i"), p.scope.Take(p.variable(c.reduce.Var))
	p.vars[c.reduce.Var] = sum
	from, step := "0", "split++"
	if groups == 1 {
		p.printf("const int %s = blockIdx.x*%d + threadIdx.x;", index, size)
		p.printf("if (%s >= %d) return;", index, count)
		p.printf("float %s = 0.0f;", sum)
	} else {
		from, step = "group", fmt.Sprintf("split += %d", groups)
		p.printf("const int place = threadIdx.x%%%[1]d, group = threadIdx.x/%[1]d, %[2]s = blockIdx.x*%[1]d + place;", each, index)
		p.printf("float %s = 0.0f;", sum)
		p.printf("if (%s < %d) {", index, count)
	}
	at := fmt.Sprintf("split*%d + %s", rows*columns, index)
	if batch > 1 {
		at = fmt.Sprintf("(%[1]s/%[2]d*%[3]d + split)*%[2]d + %[1]s%%%[2]d", index, rows*columns, t.splits)
	}
	p.printf("for (int split = %s; split < %d; %s) %s += partial[%s];", from, t.splits, step, sum, at)
	if groups > 1 {
		p.printf("}")
		p.printf("__shared__ float groups[%d][%d];", groups, each)
		p.printf("groups[group][place] = %s;", sum)
		p.printf("__syncthreads();")
		p.printf("if (group > 0 || %s >= %d) return;", index, count)
		p.printf("for (int g = 1; g < %d; g++) %s += groups[g][place];", groups, sum)
	}
	if batch == 1 {
		p.printf("const int column = %[1]s%%%[2]d, row = %[1]s/%[2]d;", index, columns)
	} else {
		p.printf("const int column = %[1]s%%%[2]d, row = %[1]s/%[2]d%%%[3]d, batch = %[1]s/%[4]d;", index, columns, rows, columns*rows)
	}
	p.decode(c.batch, "batch")
	p.decode(c.rows, "row")
	p.decode(c.columns, "column")
	p.statements(c.rest)
	return p.done(grid, block)
}

// tileSums prints the loop over a block's steps, from the expression from, "0" or
// that of a split, up to below the expression to, and gives the name of the array
// of sums. batch is an expression for the number of the product.
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
	step, end, stage := p.scope.Take("step"), to, p.scope.Take("stage")
	if from != "0" {
		begin := p.scope.Take("begin")
		end = p.scope.Take("end")
		p.printf("const int %s = %s, %s = %s;", begin, from, end, to)
		from = begin
	}
	// Loads run one tile ahead of the products, so that they are under way while
	// the block multiplies.
	p.printf("int %s = 0; // the tile that is filled next; the other one is multiplied", stage)
	p.printf("for (int %[1]s = %[2]s; %[1]s <= %[3]s; %[1]s++) {", step, from, end)
	p.printf("float %s[%d], %s[%d];", rows.next, rows.each, columns.next, columns.each)
	for _, s := range []tileSide{rows, columns} {
		if s.inside != "" {
			p.printf("bool %s[%d];", s.inside, s.each)
		}
	}
	p.printf("if (%s < %s) {", step, end)
	outer := p.scope
	p.scope = outer.Child()
	first := p.scope.Take("first")
	if t.along != nil {
		blocks := loop.Axis(t.along.Name+" block", ceil(t.along.Extent, t.depth))
		axes := []*loop.Var{blocks}
		for _, v := range c.inner {
			if v != t.along {
				axes = append(axes, v)
			}
		}
		p.decode(axes, step)
		if blocks.Extent > 1 {
			p.printf("const int %s = %s*%d;", first, p.vars[blocks], t.depth)
		} else {
			first = ""
		}
	} else {
		p.printf("const int %s = %s*%d;", first, step, t.depth)
	}
	p.load(c, rows, t, first)
	p.load(c, columns, t, first)
	p.scope = outer
	p.printf("}")
	p.printf("if (%s > %s) {", step, from)
	other := "[" + stage + " ^ 1]"
	if t.tensor {
		p.multiplyFragments(t, sum, rows.tile+other, columns.tile+other)
	} else {
		p.multiplySquares(t, sum, rows.tile+other, columns.tile+other)
	}
	p.printf("}")
	p.printf("if (%s < %s) {", step, end)
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
	size, depth int         // rows or columns, and terms, of the tile
	word        string      // "row" or "column"
	tile        string      // the array in shared memory
	next        string      // a thread's elements of the next tile
	start       string      // the first row or column
	each        int         // elements that a thread loads
	threads     int
	near        bool   // neighbouring threads load neighbouring terms
	inside      string // which of the elements exist: an array; "" where all do, or a branch keeps the others 0
}

// tileSide names what the block needs for one operand. The threads load along
// that direction in which neighbours lie side by side.
func (p *printer) tileSide(c *contraction, o operand, axes []*loop.Var, word string, size int, t tile) tileSide {
	s := tileSide{
		operand: o, axes: axes, size: size, depth: t.depth, word: word, each: size * t.depth / t.threads(), threads: t.threads(),
		tile: p.scope.Take(word + "Tile"), next: p.scope.Take(word + "Next"), start: p.scope.Take(word + "0"),
		near: innerIsNearer(o, axes, c.near(t)),
	}
	if bounded := t.bounds(c) != ""; o.of.Op == loop.Get && (bounded || o.cond != nil) {
		s.inside = p.scope.Take(word + "Inside")
	}
	return s
}

// bounds is the condition under which a term of a step exists: "%s < 10" of the
// place along the step's axis; "" where all do.
func (t tile) bounds(c *contraction) string {
	count := points(c.inner)
	if t.along != nil {
		count = t.along.Extent
	}
	if count%t.depth == 0 {
		return ""
	}
	return fmt.Sprintf("%%s < %d", count)
}

// placeOf gives the row or column and the term, within the tile, of number i of
// the elements that a thread loads.
func (s *tileSide) placeOf(i string) (place, term string) {
	if s.near {
		term, place = s.along(i, s.depth)
		return place, term
	}
	return s.along(i, s.size)
}

// along lays the elements that the threads load along rows of a length: where
// element i of a thread is in its row, and which row that is.
func (s *tileSide) along(i string, length int) (place, row string) {
	switch {
	case s.each == 1:
		return fmt.Sprintf("threadIdx.x%%%d", length), fmt.Sprintf("threadIdx.x/%d", length)
	case s.threads < length: // both are powers of two
		place = fmt.Sprintf("threadIdx.x + %s%%%d*%d", i, length/s.threads, s.threads)
		return place, fmt.Sprintf("%s/%d", i, length/s.threads)
	case s.threads == length:
		return "threadIdx.x", i
	}
	return fmt.Sprintf("threadIdx.x%%%d", length), fmt.Sprintf("threadIdx.x/%d + %s*%d", length, i, s.threads/length)
}

// load prints how the threads load the tile of a step whose terms begin with
// first, along t.along or of all; "" is 0.
func (p *printer) load(c *contraction, s tileSide, t tile, first string) {
	outer := p.scope
	p.scope = outer.Child()
	i := p.eachElement(s)
	next := fmt.Sprintf("%s[%s]", s.next, i)
	place, term := s.placeOf(i)
	place = s.start + " + " + place
	if count := points(s.axes); count%s.size != 0 { // what lies outside is loaded twice, and its sum left
		place = fmt.Sprintf("%s(%s, %d)", p.helper("smaller"), place, count-1)
	}
	p.printf("const int %s = %s;", s.word, place)
	p.decode(s.axes, s.word)
	if first != "" {
		term = first + " + " + term
	}
	name := "term"
	if t.along == nil {
		p.printf("const int term = %s;", term)
		p.decode(c.inner, "term")
	} else {
		name = p.scope.Take(p.variable(t.along))
		p.vars[t.along] = name
		p.printf("const int %s = %s;", name, term)
	}
	bound := t.bounds(c)
	if bound != "" {
		bound = fmt.Sprintf(bound, name)
	}
	if s.cond != nil {
		if bound != "" {
			bound += " && "
		}
		bound += p.bound(s.cond, bindAnd)
	}
	switch {
	case bound == "":
		p.printf("%s = %s;", next, p.expr(s.of))
	case s.inside != "":
		// Without a branch, so that all loads are under way at once, and waited for
		// after the products only.
		inside := fmt.Sprintf("%s[%s]", s.inside, i)
		p.printf("%s = %s;", inside, bound)
		varying, apart := s.apart(t)
		at := p.scope.Take("at")
		p.printf("const int %s = %s ? %s : 0;", at, inside, p.bound(varying, bindOr))
		if apart != nil {
			at += " + " + p.bound(apart, bindProduct)
		}
		p.printf("%s = %s[%s];", next, p.names[s.of.Value], at)
	default:
		p.printf("%s = 0.0f;", next)
		p.printf("if (%s) %s = %s;", bound, next, p.expr(s.of))
	}
	p.printf("}")
	p.scope = outer
}

// apart splits the position of an element that exists under a condition in what
// must not be used where the condition fails and in what can: the part of an axis
// t.along that the condition does not ask about. That part is a constant apart for
// all elements of a thread.
func (s *tileSide) apart(t tile) (varying, apart *loop.Expr) {
	at := s.of.Args[0]
	a, affine := at.ToAffine()
	if t.along == nil || !affine || t.along.Extent%t.depth != 0 || s.cond.Uses(t.along) || a.Coef[t.along] <= 0 {
		return at, nil
	}
	return at.Substitute(map[*loop.Var]*loop.Expr{t.along: loop.I(0)}), loop.Times(loop.R(t.along), loop.I(a.Coef[t.along]))
}

// keep prints how the threads put what they loaded in shared memory.
func (p *printer) keep(s tileSide, stage string) {
	outer := p.scope
	p.scope = outer.Child()
	i := p.eachElement(s)
	value := fmt.Sprintf("%s[%s]", s.next, i)
	if s.inside != "" {
		value = fmt.Sprintf("%s[%s] ? %s : 0.0f", s.inside, i, value)
	}
	if p.precision == tf32Precision {
		value = p.helper("toTF32") + "(" + value + ")"
	}
	place, term := s.placeOf(i)
	p.printf("%s[%s][%s][%s] = %s;", s.tile, stage, term, place, value)
	p.printf("}")
	p.scope = outer
}

// eachElement opens the loop over the elements that a thread loads.
func (p *printer) eachElement(s tileSide) (i string) {
	i = p.scope.Take("i")
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", i, s.each)
	return i
}

// innerIsNearer reports whether an operand's elements lie closer together along
// the terms of a step than along its rows or columns.
func innerIsNearer(o operand, axes, near []*loop.Var) bool {
	inner, outer := o.step(near), o.step(axes)
	return inner < outer || inner == outer && near[0].Extent > axes[len(axes)-1].Extent
}

// step is how far apart in memory an operand's elements are that differ by one in
// the last of the axes that has several.
func (o operand) step(axes []*loop.Var) int {
	step := 1 << 30
	o.of.Walk(func(x *loop.Expr) {
		if x.Op != loop.Get {
			return
		}
		a, _ := x.Args[0].ToAffine()
		for i := len(axes) - 1; i >= 0; i-- {
			if axes[i].Extent == 1 {
				continue
			}
			if k := a.Coef[axes[i]]; k != 0 {
				step = min(step, max(k, -k))
			}
			return
		}
	})
	return step
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
