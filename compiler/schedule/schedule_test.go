package schedule

import (
	"fmt"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/example"
	"netc/ir/loop"
	"netc/ir/op"
)

func image(n, c, h, w int) ir.Type { return ir.Float(n, c, h, w) }

func window(stride, pad int) op.Window {
	return op.Window{Stride: []int{stride, stride}, Pad: []int{pad, pad}, Dilation: []int{1, 1}, Group: 1}
}

// contractions are products and convolutions of many extents, even and odd.
func contractions(t *testing.T) map[string]*loop.Nest {
	t.Helper()
	list := map[string]*loop.Nest{}
	add := func(o ir.Op, in ...ir.Type) {
		for part, n := range nestsOf(t, o, in...) {
			list[fmt.Sprintf("%s %v %s part %d", o.Mnemonic(), in, ir.Attributes(o), part)] = n
		}
	}
	for _, batch := range []int{1, 2, 7, 13, 31, 64, 65, 100} {
		add(&op.MatMul{TransB: true}, ir.Float(batch, 800), ir.Float(500, 800))
		add(&op.MatMul{TransB: true}, ir.Float(batch, 500), ir.Float(10, 500))
		add(&op.MatMul{TransA: true}, ir.Float(batch, 10), ir.Float(batch, 500))
		add(&op.MatMul{}, ir.Float(batch, 3), ir.Float(3, 1))
		for _, w := range []op.Window{window(1, 0), window(1, 1), window(2, 1), window(1, 2)} {
			images, weights := image(batch, 6, 14, 13), image(10, 6, 5, 3)
			conv := op.Conv(w)
			out, err := conv.Infer([]ir.Type{images, weights})
			if err != nil {
				t.Fatal(err)
			}
			add(&conv, images, weights)
			add(&op.ConvGradData{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: 1, Size: []int{14, 13}}, out[0], weights)
			add(&op.ConvGradWeight{Stride: w.Stride, Pad: w.Pad, Dilation: w.Dilation, Group: 1, Kernel: []int{5, 3}}, images, out[0])
		}
	}
	return list
}

// nestOf is the only nest of an operator on operands of those types.
func nestOf(t *testing.T, o ir.Op, in ...ir.Type) *loop.Nest {
	t.Helper()
	nests := nestsOf(t, o, in...)
	if len(nests) != 1 {
		t.Fatalf("%s: %d nests", o.Mnemonic(), len(nests))
	}
	return nests[0]
}

func nestsOf(t *testing.T, o ir.Op, in ...ir.Type) []*loop.Nest {
	t.Helper()
	g := ir.New("g", "test")
	var operands []*ir.Value
	for _, typ := range in {
		operands = append(operands, g.AddInput("in", typ))
	}
	g.MustAll(o, "out", nil, operands...)
	nests, err := op.Nests(g.Nodes[0])
	if err != nil {
		t.Fatalf("%s: %v", o.Mnemonic(), err)
	}
	return nests
}

// TestTilesAreSound: what Lower relies on. Two different axes of the nest, no
// larger than they are, none that a condition depends on which is no range; the
// unrolling divides the innermost reduction axis and keeps the terms few.
func TestTilesAreSound(t *testing.T) {
	nests := contractions(t)
	for number, e := range example.All() {
		x := e.Instance(t, uint64(number))
		list, err := op.Nests(x.Node)
		if err != nil {
			t.Fatal(err)
		}
		for part, n := range list {
			nests[fmt.Sprintf("example %d part %d", number, part)] = n
		}
	}
	tiled := 0
	for name, n := range nests {
		s := Tiled(n)
		if len(s.Tiles) == 0 {
			continue
		}
		tiled++
		r := n.Body[0].(*loop.Reduce)
		if len(s.Tiles) != 2 || s.Tiles[0].Axis == s.Tiles[1].Axis {
			t.Errorf("%s: tiles %v", name, s.Tiles)
			continue
		}
		points := 1
		for _, tile := range s.Tiles {
			points *= tile.Size
			switch {
			case !slices.Contains(n.Axes, tile.Axis):
				t.Errorf("%s: %s is no axis of the nest", name, tile.Axis.Name)
			case tile.Size < 1 || tile.Size > tile.Axis.Extent:
				t.Errorf("%s: a tile of %d on %d points", name, tile.Size, tile.Axis.Extent)
			case r.Where != nil && r.Where.Uses(tile.Axis):
				t.Errorf("%s: a tile on %s, on which the condition %s depends", name, tile.Axis.Name, loop.Format(r.Where))
			}
		}
		if points < 2 {
			t.Errorf("%s: a tile of one point", name)
		}
		if inner := r.Axes[len(r.Axes)-1].Extent; s.Unroll < 1 || inner%s.Unroll != 0 || s.Unroll*points > mostTerms {
			t.Errorf("%s: %d steps of %d are written out for %d points", name, s.Unroll, inner, points)
		}
	}
	if tiled < 50 {
		t.Errorf("only %d nests are tiled", tiled)
	}
}

// TestTilesDivide: where the axes offer it, no point is left over.
func TestTilesDivide(t *testing.T) {
	for _, c := range []struct {
		o  ir.Op
		in []ir.Type
	}{
		{&op.MatMul{TransB: true}, []ir.Type{ir.Float(64, 800), ir.Float(500, 800)}},
		{&op.MatMul{TransB: true}, []ir.Type{ir.Float(64, 500), ir.Float(10, 500)}},
		{&op.MatMul{TransB: true}, []ir.Type{ir.Float(128, 784), ir.Float(625, 784)}},
		{&op.MatMul{TransB: true}, []ir.Type{ir.Float(65, 800), ir.Float(500, 800)}},
		{&op.MatMul{TransB: true}, []ir.Type{ir.Float(7, 50), ir.Float(16, 50)}},
		{&op.MatMul{TransA: true}, []ir.Type{ir.Float(64, 500), ir.Float(64, 800)}},
		{&op.Conv{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 1}, []ir.Type{image(64, 1, 28, 28), image(20, 1, 5, 5)}},
		{&op.Conv{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 1}, []ir.Type{image(64, 20, 12, 12), image(50, 20, 5, 5)}},
	} {
		n := nestOf(t, c.o, c.in...)
		s := Tiled(n)
		if len(s.Tiles) == 0 {
			t.Errorf("%s %v is not tiled", c.o.Mnemonic(), c.in)
		}
		for _, tile := range s.Tiles {
			if tile.Axis.Extent%tile.Size != 0 {
				t.Errorf("%s %v: tiles of %d leave %d of %d points of %s over", c.o.Mnemonic(), c.in,
					tile.Size, tile.Axis.Extent%tile.Size, tile.Axis.Extent, tile.Axis.Name)
			}
		}
	}
}

// TestParallelLeavesEnoughTasks: either there are enough tasks, or all axes but
// the innermost are tasks.
func TestParallelLeavesEnoughTasks(t *testing.T) {
	for name, n := range contractions(t) {
		for kind, s := range map[string]loop.Schedule{"plain": Plain(n), "tiled": Tiled(n)} {
			blocks := func(axes []*loop.Var) int {
				count := 1
				for _, v := range axes {
					size := 1
					for _, tile := range s.Tiles {
						if tile.Axis == v {
							size = tile.Size
						}
					}
					count *= (v.Extent + size - 1) / size
				}
				return count
			}
			if s.Parallel < 1 || s.Parallel > len(n.Axes) {
				t.Errorf("%s %s: %d of %d axes are tasks", kind, name, s.Parallel, len(n.Axes))
				continue
			}
			tasks := blocks(n.Axes[:s.Parallel])
			if tasks < enoughTasks && s.Parallel < len(n.Axes)-1 {
				t.Errorf("%s %s: %d tasks, with the axes of %d points left as loops", kind, name, tasks, blocks(n.Axes[s.Parallel:]))
			}
			if tasks == 1 && blocks(n.Axes) > 1 {
				t.Errorf("%s %s: one task", kind, name)
			}
			if outer := blocks(n.Axes[:s.Parallel-1]); s.Parallel > 1 && outer >= enoughTasks {
				t.Errorf("%s %s: %d tasks were enough, and became %d", kind, name, outer, tasks)
			}
			if code := loop.Lower(n, s); code.Tasks < min(tasks, enoughTasks)/2 && len(s.Tiles) > 0 {
				t.Errorf("%s %s: %d tasks became %d when it was lowered", kind, name, tasks, code.Tasks)
			}
		}
	}
}

// TestUnoptimizedIsPlain: -O0 tiles and unrolls nothing, and -O does.
func TestUnoptimizedIsPlain(t *testing.T) {
	var nests []*loop.Nest
	for _, n := range contractions(t) {
		nests = append(nests, n)
	}
	for i, s := range All(nests, false) {
		if len(s.Tiles) > 0 || s.Unroll > 1 {
			t.Errorf("nest %d has tiles %v, %d steps written out", i, s.Tiles, s.Unroll)
		}
	}
	tiled := 0
	for _, s := range All(nests, true) {
		tiled += len(s.Tiles)
	}
	if tiled == 0 {
		t.Error("nothing is tiled with -O")
	}
}

// TestOtherNestsStayPlain: only a sum of products at the heart of a nest is tiled.
func TestOtherNestsStayPlain(t *testing.T) {
	for _, c := range []struct {
		o  ir.Op
		in []ir.Type
	}{
		{op.Point("relu"), []ir.Type{ir.Float(64, 500)}},
		{&op.Sum{Axes: []int{0}}, []ir.Type{ir.Float(64, 500)}},
		{&op.MaxPool{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}}, []ir.Type{image(4, 8, 16, 16)}},
		{&op.Softmax{Axis: 1}, []ir.Type{ir.Float(64, 10)}},
		{&op.ConvGradData{Stride: []int{5, 5}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 1, Size: []int{13, 13}}, []ir.Type{image(1, 1, 3, 3), image(1, 1, 3, 3)}}, // every axis of more than one point is in a condition
		{&op.MatMul{}, []ir.Type{ir.Float(1, 8), ir.Float(8, 1)}}, // one point
		{&op.Constant{Value: 1, Shape: []int{8, 8}}, nil},
	} {
		if s := Tiled(nestOf(t, c.o, c.in...)); len(s.Tiles) > 0 {
			t.Errorf("%s %v is tiled", c.o.Mnemonic(), c.in)
		}
	}
}

// TestUnroll: the greatest divisor up to 8 that keeps the terms few.
func TestUnroll(t *testing.T) {
	for _, c := range []struct{ extent, points, want int }{
		{5, 8, 5}, {800, 8, 8}, {7, 8, 7}, {13, 8, 1}, {12, 8, 6}, {10, 10, 5}, {8, 16, 4}, {9, 16, 3}, {1, 1, 1}, {64, 64, 1},
	} {
		if got := unroll(c.extent, c.points); got != c.want {
			t.Errorf("%d steps of %d for %d points, want %d", got, c.extent, c.points, c.want)
		}
	}
}
