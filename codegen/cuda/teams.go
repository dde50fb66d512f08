package cuda

import (
	"fmt"
	"slices"

	"netc/ir/loop"
)

// warp is the number of threads that run in step.
const warp = 32

// manyPoints is the number of points that fill a GPU with one thread each.
const manyPoints = 1 << 16

// teamFor is how many threads share one point of a nest: 1, a warp, or a block.
// With many points or short loops one thread does a point by itself.
func teamFor(n *loop.Nest) int {
	work := 0
	for _, s := range n.Body {
		switch s := s.(type) {
		case *loop.Reduce:
			if s.Arg != nil || s.Kind == loop.Product {
				return 1
			}
			work = max(work, points(s.Axes))
		case *loop.For:
			axes, _ := together(s)
			work = max(work, points(axes))
		}
	}
	switch count := points(n.Axes); {
	case work < warp || count >= manyPoints || count*work >= manyPoints*warp && work < 4*warp:
		return 1
	case work <= 16*warp && count > 1:
		return warp
	case work <= 4096:
		return 256
	case work <= 32768:
		return 512
	}
	return 1024
}

// together joins loops of which each is all there is in the one before it.
func together(f *loop.For) (axes []*loop.Var, body []loop.Stmt) {
	for {
		axes = append(axes, f.Axis)
		if len(f.Body) == 1 {
			if inner, ok := f.Body[0].(*loop.For); ok {
				f = inner
				continue
			}
		}
		return axes, f.Body
	}
}

// teams prints a nest with a team of threads, a warp or a block, for each of its
// points. The members share the terms of each reduction, member i taking terms
// i, i+team, …, and combine their results in a fixed tree; they share the
// elements of each loop; the first of them stores what belongs to the point.
func (p *printer) teams(team int) printed {
	nest := p.kernel.Nest
	count := points(nest.Axes)
	size, perBlock := team, 1
	if team == warp {
		perBlock = 8
		size = warp * perBlock
	}
	grid, block := [3]int{ceil(count, perBlock), 1, 1}, [3]int{size, 1, 1}
	who := "a block"
	if team == warp {
		who = "a warp"
	}
	p.open(fmt.Sprintf("%s for each of %d points: %d blocks of %d", who, count, grid[0], size), grid, block)
	member := "threadIdx.x"
	if team == warp {
		member = "lane"
		p.printf("const int lane = threadIdx.x%%%d;", warp)
		if count > 1 {
			p.printf("const int point = blockIdx.x*%d + threadIdx.x/%d;", perBlock, warp)
		}
		if count%perBlock != 0 {
			p.printf("if (point >= %d) return;", count)
		}
	} else {
		member = "thread"
		p.printf("const int thread = threadIdx.x;")
		if count > 1 {
			p.printf("const int point = blockIdx.x;")
		}
	}
	p.decode(nest.Axes, "point")
	t := &teamPrinter{printer: p, team: team, member: member, first: member, stride: team}
	t.body(nest.Body)
	return p.done(grid, block)
}

type teamPrinter struct {
	*printer
	team   int
	member string // a variable: the thread's number in the team
	first  string // the first of the points that a thread takes of those that are shared
	stride int    // from one to the next
}

func (t *teamPrinter) body(body []loop.Stmt) {
	last := -1 // the last statement that the team shares
	for i, s := range body {
		switch s.(type) {
		case *loop.Reduce, *loop.For:
			last = i
		}
	}
	for _, s := range body[:last+1] {
		switch s := s.(type) {
		case *loop.Reduce:
			t.reduction(s)
		case *loop.For:
			t.barrier()
			axes, inner := together(s)
			t.share(axes, func() { t.statements(inner) })
		case *loop.Store:
			t.barrier()
			t.printf("if (%s == 0) {", t.member)
			t.statements([]loop.Stmt{s})
			t.printf("}")
		default:
			t.statements([]loop.Stmt{s})
		}
	}
	if rest := body[last+1:]; len(rest) > 0 {
		t.barrier()
		t.printf("if (%s == 0) {", t.member)
		t.block(rest)
		t.printf("}")
	}
}

// barrier makes the team wait for all its members' loads before any of them
// stores over an operand.
func (t *teamPrinter) barrier() {
	if !t.inPlace() {
		return
	}
	if t.team == warp {
		t.printf("__syncwarp();")
	} else {
		t.printf("__syncthreads();")
	}
}

// share runs body for each point of axes, the members in turn.
func (t *teamPrinter) share(axes []*loop.Var, body func()) {
	axes = slices.DeleteFunc(slices.Clone(axes), func(v *loop.Var) bool { return v.Extent == 1 })
	outer := t.scope
	t.scope = outer.Child()
	index := "i"
	if len(axes) == 1 {
		index = t.variable(axes[0])
	}
	index = t.scope.Take(index)
	t.printf("for (int %[1]s = %[2]s; %[1]s < %[3]d; %[1]s += %[4]d) {", index, t.first, points(axes), t.stride)
	if len(axes) == 1 {
		t.vars[axes[0]] = index
	} else {
		t.decode(axes, index)
	}
	body()
	t.printf("}")
	t.scope = outer
}

func (t *teamPrinter) reduction(r *loop.Reduce) { t.reductions([]*loop.Reduce{r}) }

// reductions prints several over as many points, in one loop.
func (t *teamPrinter) reductions(list []*loop.Reduce) {
	for _, r := range list {
		t.declare(r.Var, start(r.Kind))
	}
	t.share(list[0].Axes, func() {
		for _, r := range list {
			for i, v := range list[0].Axes {
				t.vars[r.Axes[i]] = t.vars[v]
			}
			t.term(r)
		}
	})
	for _, r := range list {
		t.combine(r)
	}
}

// combine prints how the members' numbers become one.
func (t *teamPrinter) combine(r *loop.Reduce) {
	name := t.vars[r.Var]
	word := map[loop.Reduction]string{loop.Sum: "Sum", loop.Maximum: "Maximum"}[r.Kind]
	if t.team == warp {
		t.printf("%s = %s(%s);", name, t.helper("warp"+word), name)
	} else {
		t.printf("%s = %s<%d>(%s);", name, t.helper("block"+word), t.team, name)
	}
}
