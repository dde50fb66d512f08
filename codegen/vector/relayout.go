package vector

import (
	"netc/codegen/asm"
	"netc/ir"
	"netc/ir/loop"
)

// relayoutColumns is how many columns a task of a relayout moves, and
// relayoutUnit how many of them one pass of its loop, at least.
const relayoutColumns = 2048

// isRelayout reports whether a nest copies a tensor between row-major and the
// first axis in lanes.
func isRelayout(nest *loop.Nest) (from, to *ir.Value, ok bool) {
	if len(nest.Body) != 1 {
		return nil, nil, false
	}
	s, isStore := nest.Body[0].(*loop.Store)
	if !isStore || s.Of.Op != loop.Load {
		return nil, nil, false
	}
	from, to = s.Of.Value, s.Value
	if !from.Type.Shape.Equal(to.Type.Shape) || from.Type.Lanes+to.Type.Lanes != 1 || from.Type.DType.Size() != 4 || from.Type.Swap || to.Type.Swap || len(s.Index) != len(s.Of.Args) || len(s.Index) != len(nest.Axes) {
		return nil, nil, false
	}
	for i, x := range s.Index {
		if !x.Equal(s.Of.Args[i]) || !x.Equal(loop.R(nest.Axes[i])) {
			return nil, nil, false
		}
	}
	return from, to, true
}

// relayout moves squares of samples and columns through registers, transposed.
type relayout struct {
	f       *asm.Func
	width   int
	rows    int // samples
	columns int // elements of a sample
	toLanes bool
}

// compileRelayout emits the copy of from to to. A task is a block of samples
// and a run of columns.
func compileRelayout(name string, from, to *ir.Value, isa asm.ISA) (*Kernel, error) {
	r := &relayout{f: asm.New(name, isa), width: isa.Lanes(), rows: from.Type.Shape[0],
		columns: from.Type.Shape.Count() / from.Type.Shape[0], toLanes: to.Type.Lanes == 1}
	blocks := (r.rows + ir.LaneBlock - 1) / ir.LaneBlock
	pieces := (r.columns + relayoutColumns - 1) / relayoutColumns
	f := r.f
	source, target := f.Arg(0), f.Arg(1)
	block := f.DivInt(f.Task(), pieces)
	piece := f.ModInt(f.Task(), pieces)
	rowMajor, inLanes := source, target
	if !r.toLanes {
		rowMajor, inLanes = target, source
	}
	// The piece's first element in each tensor.
	row := f.MulInt(block, 4*ir.LaneBlock*r.columns)
	f.AddGP(row, rowMajor)
	f.AddGP(row, f.MulInt(piece, 4*relayoutColumns))
	lane := f.MulInt(block, 4*ir.LaneBlock*r.columns)
	f.AddGP(lane, inLanes)
	f.AddGP(lane, f.MulInt(piece, 4*ir.LaneBlock*relayoutColumns))

	rest := r.rows % ir.LaneBlock
	run := func(rows int) {
		last := r.columns - (pieces-1)*relayoutColumns
		if pieces == 1 {
			r.piece(row, lane, rows, last)
			return
		}
		if last == relayoutColumns {
			r.piece(row, lane, rows, last)
			return
		}
		f.If(piece, asm.Lt, pieces-1, func() { r.piece(row, lane, rows, relayoutColumns) })
		f.If(piece, asm.Eq, pieces-1, func() { r.piece(row, lane, rows, last) })
	}
	switch {
	case rest == 0:
		run(ir.LaneBlock)
	case blocks == 1:
		run(rest)
	default:
		f.If(block, asm.Lt, blocks-1, func() { run(ir.LaneBlock) })
		f.If(block, asm.Eq, blocks-1, func() { run(rest) })
	}
	k := &Kernel{Func: f, Args: []*ir.Value{from, to}, Tasks: blocks * pieces, Groups: blocks}
	return k, f.Finish()
}

// piece moves a run of columns of up to a block of samples.
func (r *relayout) piece(row, lane asm.Reg, rows, columns int) {
	f := r.f
	w := r.width
	from, to := f.NewGP(), f.NewGP()
	f.Move(from, row)
	f.Move(to, lane)
	if n := columns / w; n > 0 {
		f.Repeat(n, func() {
			r.square(from, to, rows, w)
			f.AddInt(from, 4*w)
			f.AddInt(to, 4*ir.LaneBlock*w)
		})
	}
	if rest := columns % w; rest > 0 {
		r.square(from, to, rows, rest)
	}
}

// square moves up to a vector of columns of all rows of the block.
func (r *relayout) square(row, lane asm.Reg, rows, columns int) {
	f := r.f
	for first := 0; first < ir.LaneBlock; first += r.width {
		count := min(max(rows-first, 0), r.width)
		rowAt := func(i int) asm.Mem { return asm.Mem{Base: row, Disp: 4 * (first + i) * r.columns} }
		laneAt := func(i int) asm.Mem { return asm.Mem{Base: lane, Disp: 4 * (i*ir.LaneBlock + first)} }
		vectors := make([]asm.Reg, r.width)
		switch {
		case r.toLanes:
			for i := range vectors {
				switch {
				case i >= count:
					vectors[i] = f.Zero()
				case columns < r.width:
					vectors[i] = f.LoadFirst(rowAt(i), columns)
				default:
					vectors[i] = f.Load(rowAt(i))
				}
			}
			if count > 0 {
				vectors = f.Transpose(vectors)
			}
			for i := range columns {
				f.Store(laneAt(i), vectors[i])
			}
		case count > 0:
			for i := range vectors {
				if i < columns {
					vectors[i] = f.Load(laneAt(i))
				} else {
					vectors[i] = f.Zero()
				}
			}
			vectors = f.Transpose(vectors)
			for i := range count {
				if columns < r.width {
					f.StoreFirst(rowAt(i), vectors[i], columns)
				} else {
					f.Store(rowAt(i), vectors[i])
				}
			}
		}
	}
}
