// Package schedule decides how each loop nest runs: which axes become tasks,
// and for contractions the register tile and the unrolling. Emitters print
// what is decided here.
package schedule

import (
	"netc/ir/loop"
)

// Enough tasks to keep many cores busy with a static partition.
const enoughTasks = 256

// With fewer tasks than this, the innermost axis becomes tasks too.
const fewTasks = 16

// A contraction's inner loop has at most this many multiply-adds written out:
// enough to hide the cost of the loop, few enough to read.
const mostTerms = 64

// Plain runs a nest as it stands, one loop per axis: the schedule of -O0.
func Plain(n *loop.Nest) loop.Schedule {
	return loop.Schedule{Parallel: parallelAxes(n, nil)}
}

// Tiled gives contractions a register tile and leaves other nests plain.
func Tiled(n *loop.Nest) loop.Schedule {
	r := contraction(n)
	if r == nil {
		return Plain(n)
	}
	tiles := bestTiles(n, r)
	if tiles == nil {
		return Plain(n)
	}
	points := 1
	for _, t := range tiles {
		points *= t.Size
	}
	return loop.Schedule{
		Tiles:    tiles,
		Unroll:   unroll(r.Axes[len(r.Axes)-1].Extent, points),
		Parallel: parallelAxes(n, tiles),
	}
}

// contraction returns the sum at the heart of a convolution or matrix product:
// a Sum of products of loads, followed by scalars and stores only.
func contraction(n *loop.Nest) *loop.Reduce {
	if len(n.Body) == 0 {
		return nil
	}
	r, ok := n.Body[0].(*loop.Reduce)
	if !ok || r.Kind != loop.Sum || len(r.Body) > 0 || len(loads(r.Of)) < 2 || len(r.Axes) == 0 {
		return nil
	}
	for _, s := range n.Body[1:] {
		switch s.(type) {
		case *loop.Let, *loop.Store:
		default:
			return nil
		}
	}
	return r
}

func loads(e *loop.Expr) []*loop.Expr {
	var list []*loop.Expr
	e.Walk(func(x *loop.Expr) {
		if x.Op == loop.Load {
			list = append(list, x)
		}
	})
	return list
}

// bestTiles tries all pairs of axes and sizes and takes the cheapest.
func bestTiles(n *loop.Nest, r *loop.Reduce) []loop.Tile {
	var best [2]loop.Tile
	m := newModel(n, r)
	untiled := pointCost(1) * float64(points(n.Axes))
	least := untiled
	consider := func(tiles [2]loop.Tile) {
		if c := m.cost(tiles); c < least*0.999 {
			best, least = tiles, c
		}
	}
	for _, a := range n.Axes {
		for _, b := range n.Axes {
			if a == b || !tileable(r, a) || !tileable(r, b) {
				continue
			}
			for _, size := range [][2]int{{2, 4}, {2, 5}, {5, 2}, {4, 2}, {3, 3}, {1, 8}, {2, 3}, {3, 2}, {2, 2}, {1, 5}, {1, 4}, {4, 1}, {5, 1}, {1, 3}, {1, 2}} {
				if size[0] <= a.Extent && size[1] <= b.Extent {
					consider([2]loop.Tile{{Axis: a, Size: size[0]}, {Axis: b, Size: size[1]}})
				}
			}
		}
	}
	if least == untiled {
		return nil
	}
	return best[:]
}

func points(axes []*loop.Var) int {
	count := 1
	for _, v := range axes {
		count *= v.Extent
	}
	return count
}

// tileable: neighbouring points must be able to share a load, and a condition
// that is no range can not be decided for a whole tile.
func tileable(r *loop.Reduce, v *loop.Var) bool {
	if v.Extent < 2 || r.Where != nil && r.Where.Uses(v) {
		return false
	}
	for _, l := range loads(r.Of) {
		if !l.Uses(v) {
			return true
		}
	}
	return false
}

// pointCost is the relative time of one point's term in a tile of that many
// points, measured on a 5x5 convolution in plain Go: one accumulator waits for
// its own last addition, eight keep the adders busy.
func pointCost(tile int) float64 {
	switch {
	case tile >= 8:
		return 1
	case tile >= 6:
		return 1.1
	case tile >= 4:
		return 1.25
	case tile >= 2:
		return 2
	}
	return 3.5
}

// model is what the cost of a tile depends on, of a nest and its contraction.
type model struct {
	points int
	edges  map[*loop.Var]int // see edge
	loads  []load
	// Checks in the innermost reduction loop, which keep it from being unrolled.
	isConditional bool             // one that is no range
	checks        []checkedIndices // ranges
}

// load is by how many elements a load moves along each axis, 0 where the index
// uses an axis but is not affine.
type load map[*loop.Var]int

// checkedIndices are the axes that the index of a range uses.
type checkedIndices map[*loop.Var]bool

func newModel(n *loop.Nest, r *loop.Reduce) *model {
	m := &model{points: points(n.Axes), edges: map[*loop.Var]int{}}
	inner := r.Axes[len(r.Axes)-1]
	m.isConditional = r.Where != nil && r.Where.Uses(inner)
	for _, v := range n.Axes {
		m.edges[v] = edge(r, v)
	}
	for _, l := range loads(r.Of) {
		moves := load{}
		flat, _ := loop.Flat(l.Value.Type.Shape, l.Args).ToAffine()
		for _, v := range n.Axes {
			if l.Uses(v) {
				moves[v] = flat.Coef[v]
			}
		}
		m.loads = append(m.loads, moves)
	}
	for _, w := range r.Within {
		if !w.Index.Uses(inner) {
			continue
		}
		uses := checkedIndices{}
		for _, v := range n.Axes {
			if w.Index.Uses(v) {
				uses[v] = true
			}
		}
		m.checks = append(m.checks, uses)
	}
	return m
}

// cost estimates the time of the nest in points of the best kind: each axis
// is split into edges (checked, untiled), whole tiles and a rest.
func (m *model) cost(tiles [2]loop.Tile) float64 {
	type part struct {
		points, size int
		edge         bool
	}
	var parts [2][3]part
	rest := float64(m.points)
	for i, t := range tiles {
		inside := t.Axis.Extent - m.edges[t.Axis]
		whole := inside / t.Size * t.Size
		parts[i] = [3]part{{t.Axis.Extent - inside, 1, true}, {whole, t.Size, false}, {inside - whole, inside - whole, false}}
		rest /= float64(t.Axis.Extent)
	}
	checked, atEdges := m.checkCost(tiles, false), m.checkCost(tiles, true)
	total := 0.0
	for _, p := range parts[0] {
		for _, q := range parts[1] {
			if p.points == 0 || q.points == 0 {
				continue
			}
			check := checked
			if p.edge || q.edge {
				check = atEdges
			}
			total += float64(p.points*q.points) * pointCost(p.size*q.size) * check
		}
	}
	// Loads that depend on the second axis are repeated for each point: better
	// few of them, and side by side.
	for _, l := range m.loads {
		moves, uses := l[tiles[1].Axis]
		if !uses {
			continue
		}
		total *= 1.01
		if moves > 16 || moves < -16 {
			total *= 1.1
		}
		if _, uses := l[tiles[0].Axis]; uses {
			total *= 1.2
		}
	}
	return total * rest
}

// checkCost is the factor for checks in the innermost reduction loop: those of
// axes outside the tile, and at the edges also those of the tiled axes.
func (m *model) checkCost(tiles [2]loop.Tile, edges bool) float64 {
	if m.isConditional {
		return 2
	}
	for _, uses := range m.checks {
		if edges || !uses[tiles[0].Axis] && !uses[tiles[1].Axis] {
			return 2
		}
	}
	return 1
}

// edge counts the points of an axis at which some range must be checked.
func edge(r *loop.Reduce, v *loop.Var) int {
	lo, hi := loop.Interior(v, []loop.Stmt{r})
	return v.Extent - max(hi-lo, 0)
}

// unroll is the greatest divisor of the reduction axis, up to 8, that keeps
// the written-out terms few.
func unroll(extent, points int) int {
	for u := min(8, mostTerms/points); u > 1; u-- {
		if extent%u == 0 {
			return u
		}
	}
	return 1
}

// parallelAxes takes outer axes as tasks until there are enough, and leaves
// the innermost as a loop unless they are few.
func parallelAxes(n *loop.Nest, tiles []loop.Tile) int {
	tasks := 1
	for i, v := range n.Axes {
		if i > 0 && (tasks >= enoughTasks || i == len(n.Axes)-1 && tasks >= fewTasks) {
			return i
		}
		size := 1
		for _, t := range tiles {
			if t.Axis == v {
				size = t.Size
			}
		}
		tasks *= (v.Extent + size - 1) / size
	}
	return len(n.Axes)
}

// All chooses for each nest of a node: Tiled with optimize, else Plain.
func All(nests []*loop.Nest, optimize bool) []loop.Schedule {
	list := make([]loop.Schedule, len(nests))
	for i, n := range nests {
		if optimize {
			list[i] = Tiled(n)
		} else {
			list[i] = Plain(n)
		}
	}
	return list
}
