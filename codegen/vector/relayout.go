package vector

import (
	"netc/codegen/asm"
	"netc/ir"
	"netc/ir/loop"
)

// mostMoved is the number of elements up to which a task of a relayout moves.
const mostMoved = 1 << 15

// relayout copies a tensor in squares of up to 16 rows, transposed in registers.
// The elements of a row are neighbours in one of the two tensors, byRow, and
// those of a column in the other, byColumn, in which the rows are the lanes.
type relayout struct {
	extents
	row, column int      // elements from one row to the next in byRow, one column to the next in byColumn
	around      []around // the loops around the rows and columns, the outermost first
	toLanes     bool     // byColumn is the result
}

// extents are numbers of rows and columns.
type extents struct{ rows, columns int }

// around is a loop of a relayout: how far apart its iterations are in each of
// the tensors. Of rows and columns it counts blocks of which the last holds the
// rest.
type around struct {
	count            int
	byRow, byColumn  int
	ofRows, ofPieces bool
}

// relayoutOf describes a nest that copies a tensor between row-major and an
// axis in lanes, or between the first axis and the second in lanes.
func relayoutOf(nest *loop.Nest) (from, to *ir.Value, r *relayout) {
	if len(nest.Body) != 1 {
		return nil, nil, nil
	}
	s, isStore := nest.Body[0].(*loop.Store)
	if !isStore || s.Of.Op != loop.Load {
		return nil, nil, nil
	}
	from, to = s.Of.Value, s.Value
	if !from.Type.Shape.Equal(to.Type.Shape) || from.Type.DType.Size() != 4 || from.Type.Swap || to.Type.Swap && to.Type.Lanes != 2 || len(s.Index) != len(s.Of.Args) || len(s.Index) != len(nest.Axes) {
		return nil, nil, nil
	}
	for i, x := range s.Index {
		if !x.Equal(s.Of.Args[i]) || !x.Equal(loop.R(nest.Axes[i])) {
			return nil, nil, nil
		}
	}
	const block = ir.LaneBlock
	shape := to.Type.Shape
	switch a, b := from.Type.Lanes, to.Type.Lanes; {
	case a == 0 != (b == 0): // what comes after the lanes' axis is a row
		axis := max(a, b) - 1
		before, after := shape[:axis].Count(), shape[axis+1:].Count()
		r = &relayout{extents: extents{shape[axis], after}, row: after, column: block, toLanes: b != 0}
		blocks := (r.rows + block - 1) / block
		r.around = []around{{count: before, byRow: r.rows * after, byColumn: blocks * block * after}}
		if to.Type.Swap { // the blocks are outermost
			r.around[0].byColumn = block * after
			r.cut(block * after * before)
		} else {
			r.cut(block * after)
		}
	case a+b == 3 && a*b == 2 && shape[1]%block == 0 && !to.Type.Swap: // a row is a block of the second axis
		inner := shape[2:].Count()
		r = &relayout{extents: extents{shape[0], block}, row: shape[1] * inner, column: block * inner, toLanes: b == 1}
		r.cut(block * shape[1] * inner)
		r.around = append(r.around[:len(r.around)-1],
			around{count: shape[1] / block, byRow: block * inner, byColumn: block * block * inner},
			around{count: inner, byRow: block, byColumn: block})
	default:
		return nil, nil, nil
	}
	return from, to, r
}

// cut adds the loops over the blocks of rows, so far apart in byColumn, and
// over the pieces of long rows.
func (r *relayout) cut(rowBlock int) {
	const block = ir.LaneBlock
	r.around = append(r.around,
		around{count: (r.rows + block - 1) / block, byRow: block * r.row, byColumn: rowBlock, ofRows: true})
	const longest = mostMoved / block
	r.around = append(r.around, around{count: (r.columns + longest - 1) / longest, byRow: longest, byColumn: longest * r.column, ofPieces: true})
}

// sizes are the rows and columns of an iteration of a loop, and of its last
// one, out of those around it.
func (a around) sizes(all extents) (each, last extents) {
	each, last = all, all
	switch {
	case a.ofRows:
		each.rows, last.rows = ir.LaneBlock, all.rows-(a.count-1)*ir.LaneBlock
	case a.ofPieces:
		const longest = mostMoved / ir.LaneBlock
		each.columns, last.columns = longest, all.columns-(a.count-1)*longest
	}
	return each, last
}

// compileRelayout emits the copy of from to to. The outer loops are tasks, as
// many as leave a task no more than mostMoved elements.
func compileRelayout(name string, from, to *ir.Value, r *relayout, isa asm.ISA) (*Kernel, error) {
	k := &Kernel{Func: asm.New(name, isa), Args: []*ir.Value{from, to}, Tasks: 1}
	each := r.rows * r.columns
	for _, a := range r.around {
		if !a.ofRows && !a.ofPieces {
			each *= a.count
		}
	}
	parallel := 0
	for parallel < len(r.around) && each > mostMoved {
		k.Tasks *= r.around[parallel].count
		each /= r.around[parallel].count
		parallel++
	}
	if parallel > 1 && r.around[0].count == 1 && r.around[1].ofRows {
		k.Groups = r.around[1].count
	}
	m := mover{relayout: r, f: k.Func, width: isa.Lanes(), parallel: parallel, tasks: k.Tasks}
	source, target := m.f.Arg(0), m.f.Arg(1)
	if r.toLanes {
		m.run(0, source, target, r.extents)
	} else {
		m.run(0, target, source, r.extents)
	}
	return k, k.Func.Finish()
}

// mover emits a relayout.
type mover struct {
	*relayout
	f        *asm.Func
	width    int
	parallel int // loops that are tasks
	tasks    int
}

// run emits the loops from number i on, from the addresses row and column in
// the two tensors.
func (m mover) run(i int, row, column asm.Reg, all extents) {
	f := m.f
	if i == len(m.around) {
		m.piece(row, column, all.rows, all.columns)
		return
	}
	a := m.around[i]
	each, last := a.sizes(all)
	if a.count == 1 {
		m.run(i+1, row, column, last)
		return
	}
	if i < m.parallel {
		divisor := m.tasks
		for _, b := range m.around[:i+1] {
			divisor /= b.count
		}
		at := f.Task()
		if divisor > 1 {
			at = f.DivInt(at, divisor)
		}
		if divisor*a.count < m.tasks {
			at = f.ModInt(at, a.count)
		}
		byRow, byColumn := f.MulInt(at, 4*a.byRow), f.MulInt(at, 4*a.byColumn)
		f.AddGP(byRow, row)
		f.AddGP(byColumn, column)
		if each == last {
			m.run(i+1, byRow, byColumn, each)
			return
		}
		f.If(at, asm.Lt, a.count-1, func() { m.run(i+1, byRow, byColumn, each) })
		f.If(at, asm.Eq, a.count-1, func() { m.run(i+1, byRow, byColumn, last) })
		return
	}
	r, c := f.NewGP(), f.NewGP()
	f.Move(r, row)
	f.Move(c, column)
	whole := a.count
	if each != last {
		whole--
	}
	f.Repeat(whole, func() {
		m.run(i+1, r, c, each)
		f.AddInt(r, 4*a.byRow)
		f.AddInt(c, 4*a.byColumn)
	})
	if each != last {
		m.run(i+1, r, c, last)
	}
}

// piece moves a run of columns of up to a block of rows.
func (m mover) piece(row, column asm.Reg, rows, columns int) {
	f, w := m.f, m.width
	from, to := f.NewGP(), f.NewGP()
	f.Move(from, row)
	f.Move(to, column)
	if n := columns / w; n > 0 {
		f.Repeat(n, func() {
			m.square(from, to, rows, w)
			f.AddInt(from, 4*w)
			f.AddInt(to, 4*m.column*w)
		})
	}
	if rest := columns % w; rest > 0 {
		m.square(from, to, rows, rest)
	}
}

// square moves up to a vector of columns of all rows of the block.
func (m mover) square(row, column asm.Reg, rows, columns int) {
	f := m.f
	for first := 0; first < ir.LaneBlock; first += m.width {
		count := min(max(rows-first, 0), m.width)
		rowAt := func(i int) asm.Mem { return asm.Mem{Base: row, Disp: 4 * (first + i) * m.row} }
		columnAt := func(i int) asm.Mem { return asm.Mem{Base: column, Disp: 4 * (i*m.column + first)} }
		vectors := make([]asm.Reg, m.width)
		switch {
		case m.toLanes:
			for i := range vectors {
				switch {
				case i >= count:
					vectors[i] = f.Zero()
				case columns < m.width:
					vectors[i] = f.LoadFirst(rowAt(i), columns)
				default:
					vectors[i] = f.Load(rowAt(i))
				}
			}
			if count > 0 {
				vectors = f.Transpose(vectors)
			}
			for i := range columns {
				f.Store(columnAt(i), vectors[i])
			}
		case count > 0:
			for i := range vectors {
				if i < columns {
					vectors[i] = f.Load(columnAt(i))
				} else {
					vectors[i] = f.Zero()
				}
			}
			vectors = f.Transpose(vectors)
			for i := range count {
				if columns < m.width {
					f.StoreFirst(rowAt(i), vectors[i], columns)
				} else {
					f.Store(rowAt(i), vectors[i])
				}
			}
		}
	}
}
