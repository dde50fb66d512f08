package pass

import (
	"netc/compiler/plan"
	"netc/ir"
)

// Order puts the nodes in the order that needs the least memory at once.
//
//	d1 = …                          d1 = …
//	d2 = …                          w1.next = map w1, d1, …    d1 can go
//	w1.next = map w1, d1, …   =>    d2 = …
//	w2.next = map w2, d2, …         w2.next = map w2, d2, …
//
// Definitions stay before uses, and where possible a node whose result is
// written to a parameter or state comes after every other reader of the old
// contents, so that it can be stored over them. The given order is kept unless
// one of several list schedules lowers the peak, or keeps it and lowers the
// memory held over all steps; then they start again from the better order,
// until none helps. Nodes that no input has a part in come first: they are the
// graph's setup, which steps do not repeat. Runs last, because it orders
// kernels, which the fusions make.
func Order(g *ir.Graph) error {
	nests := plan.Composed()
	invariant := g.Invariant()
	g.Nodes = setupFirst(g.Nodes, invariant)
	cost, err := orderCost(g, nests)
	if err != nil {
		return err
	}
	for {
		best, improved := g.Nodes, false
		o := newOrdering(g, invariant)
		for _, strategy := range strategies {
			g.Nodes = setupFirst(o.schedule(strategy), invariant)
			c, err := orderCost(g, nests)
			if err != nil {
				return err
			}
			if c.less(cost) {
				best, cost, improved = g.Nodes, c, true
			}
		}
		g.Nodes = best
		if !improved {
			return nil
		}
	}
}

// setupFirst moves the invariant nodes before the others and keeps the order
// among both.
func setupFirst(nodes []*ir.Node, invariant map[*ir.Node]bool) []*ir.Node {
	var setup, step []*ir.Node
	for _, n := range nodes {
		if invariant[n] {
			setup = append(setup, n)
		} else {
			step = append(step, n)
		}
	}
	return append(setup, step...)
}

// memoryCost is what an order costs, the first more important.
type memoryCost struct{ peak, total int }

func (c memoryCost) less(d memoryCost) bool {
	return c.peak < d.peak || c.peak == d.peak && c.total < d.total
}

func orderCost(g *ir.Graph, nests plan.Nests) (c memoryCost, err error) {
	c.peak, c.total, err = plan.Peak(g, nests)
	return c, err
}

// A strategy picks the next node of a list schedule.
type strategy struct {
	backward bool // schedules from the last node to the first
	eager    bool // takes a node out of turn only if the live bytes do not grow, instead of always taking the one with the least growth
}

var strategies = []strategy{{false, true}, {true, true}, {false, false}, {true, false}}

// ordering is the graph as the list schedules see it.
type ordering struct {
	nodes   []*ir.Node
	before  [][]int // the nodes that must come before each node
	after   [][]int
	content map[*ir.Value]*orderedContent
}

// orderedContent is a value with its reshapes, which share its bytes.
type orderedContent struct {
	bytes    int // 0 for what takes no memory of its own: inputs, parameters, states and what is stored in them
	maker    int // node, or -1
	readers  []int
	survives bool // the step
	left     int  // while scheduling forward: readers that have not run; backward: readers that have
}

func newOrdering(g *ir.Graph, invariant map[*ir.Node]bool) *ordering {
	o := &ordering{nodes: g.Nodes, content: map[*ir.Value]*orderedContent{}}
	o.before, o.after = make([][]int, len(g.Nodes)), make([][]int, len(g.Nodes))
	for _, list := range [][]*ir.Value{g.Inputs, g.Params, g.States} {
		for _, v := range list {
			o.content[v] = &orderedContent{maker: -1}
		}
	}
	place := map[*ir.Node]int{}
	for i, n := range g.Nodes {
		place[n] = i
		for _, v := range n.In {
			c := o.content[v]
			if len(c.readers) == 0 || c.readers[len(c.readers)-1] != i {
				c.readers = append(c.readers, i)
			}
			if v.Def != nil {
				o.require(place[v.Def], i)
				c.survives = c.survives || invariant[v.Def] && !invariant[n]
			}
		}
		for _, v := range n.Out {
			if n.Op.Mnemonic() == "reshape" && n.Body == nil {
				o.content[v] = o.content[n.In[0]]
				continue
			}
			o.content[v] = &orderedContent{bytes: v.Type.Bytes(), maker: i}
		}
	}
	for _, v := range g.Roots() {
		o.content[v].survives = true
	}
	for _, w := range g.Writes {
		o.writeLast(w)
	}
	return o
}

func (o *ordering) require(first, then int) {
	o.after[first] = append(o.after[first], then)
	o.before[then] = append(o.before[then], first)
}

// writeLast makes the node that computes a write come after the other readers
// of the target's old contents, except those that depend on it.
func (o *ordering) writeLast(w ir.Write) {
	written, target := o.content[w.Value], o.content[w.Target]
	if written.maker < 0 {
		return
	}
	isInPlace := true
	for _, r := range target.readers {
		switch {
		case r == written.maker:
		case o.reaches(written.maker, r):
			isInPlace = false
		default:
			o.require(r, written.maker)
		}
	}
	if isInPlace {
		written.bytes = 0
	}
}

// reaches reports whether node j must come after node i.
func (o *ordering) reaches(i, j int) bool {
	seen := make([]bool, len(o.nodes))
	stack := []int{i}
	for len(stack) > 0 {
		k := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if k == j {
			return true
		}
		if seen[k] {
			continue
		}
		seen[k] = true
		stack = append(stack, o.after[k]...)
	}
	return false
}

// schedule builds an order of the nodes.
func (o *ordering) schedule(s strategy) []*ir.Node {
	blockers, release := o.before, o.after
	if s.backward {
		blockers, release = o.after, o.before
	}
	waiting := make([]int, len(o.nodes))
	var ready []int
	for i := range o.nodes {
		if waiting[i] = len(blockers[i]); waiting[i] == 0 {
			ready = append(ready, i)
		}
	}
	live := o.newLive(s.backward)
	order := make([]*ir.Node, 0, len(o.nodes))
	for len(ready) > 0 {
		k := o.pick(ready, live, s)
		i := ready[k]
		ready[k] = ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		order = append(order, o.nodes[i])
		live.run(i)
		for _, j := range release[i] {
			if waiting[j]--; waiting[j] == 0 {
				ready = append(ready, j)
			}
		}
	}
	if s.backward {
		for i, j := 0, len(order)-1; i < j; i, j = i+1, j-1 {
			order[i], order[j] = order[j], order[i]
		}
	}
	return order
}

// pick gives the position of the node to run next. Ties go to the given order.
func (o *ordering) pick(ready []int, live *liveBytes, s strategy) int {
	inTurn := func(i, j int) bool { return (i < j) != s.backward }
	best, growth := 0, live.growth(ready[0])
	if s.eager {
		growth = min(growth, 1)
	}
	for k := 1; k < len(ready); k++ {
		g := live.growth(ready[k])
		if s.eager {
			g = min(g, 1) // all that grow wait for their turn
		}
		if g < growth || g == growth && inTurn(ready[k], ready[best]) {
			best, growth = k, g
		}
	}
	return best
}

// liveBytes follows which contents are live while a schedule is built.
type liveBytes struct {
	o        *ordering
	backward bool
	of       [][]*orderedContent // what each node reads, each once
	made     [][]*orderedContent // what it makes
}

func (o *ordering) newLive(backward bool) *liveBytes {
	l := &liveBytes{o: o, backward: backward}
	l.of, l.made = make([][]*orderedContent, len(o.nodes)), make([][]*orderedContent, len(o.nodes))
	seen := map[*orderedContent]bool{}
	for _, n := range o.nodes {
		for _, v := range n.Out {
			c := o.content[v]
			if c.bytes == 0 || seen[c] {
				continue
			}
			seen[c] = true
			l.made[c.maker] = append(l.made[c.maker], c)
			for _, r := range c.readers {
				l.of[r] = append(l.of[r], c)
			}
			c.left = 0
			if !backward {
				c.left = len(c.readers)
			}
			if c.survives {
				c.left++ // a reader after the step
			}
		}
	}
	return l
}

// growth is by how much the live bytes change when node i runs next. Forward,
// its results become live and operands that it is the last to read die;
// backward, operands that nothing read yet become live and its results die.
func (l *liveBytes) growth(i int) int {
	g := 0
	for _, c := range l.of[i] {
		switch {
		case !l.backward && c.left == 1:
			g -= c.bytes
		case l.backward && c.left == 0:
			g += c.bytes
		}
	}
	for _, c := range l.made[i] {
		switch {
		case c.left == 0: // nothing reads it
		case l.backward:
			g -= c.bytes
		default:
			g += c.bytes
		}
	}
	return g
}

// run marks node i as done.
func (l *liveBytes) run(i int) {
	for _, c := range l.of[i] {
		if l.backward {
			c.left++
		} else {
			c.left--
		}
	}
}
