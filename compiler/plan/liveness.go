package plan

import (
	"cmp"
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// content is a tensor's contents: a value and the reshapes of it, which share
// its bytes because they are the same bytes.
type content struct {
	root       *ir.Value
	members    []*ir.Value
	start, end int // see Lifetime
	class      *class
}

// class is a set of contents that take turns in one buffer.
type class struct {
	contents   []*content // in order of their start
	bytes      int
	start, end int
	persistent *ir.Value // the input, parameter or state whose place this is, or nil
	isCopied   bool      // a copy at the end of the step fills it, so nothing else may outlive the last node here
	offset     int
}

// isShared reports whether the buffer has the same place in all phases.
func (c *class) isShared() bool { return c.persistent.Kind != ir.Input || isScalar(c.persistent) }

// liveness is when the contents of a graph are needed, and which share a buffer.
type liveness struct {
	graph    *ir.Graph
	nests    Nests
	step     map[*ir.Node]int
	contents []*content // in order of their start
	of       map[*ir.Value]*content
	classes  []*class
	copies   []ir.Write
}

// analyse finds the lifetimes of a graph's values in the order of its nodes,
// then the values that can share a buffer.
func analyse(g *ir.Graph, nests Nests) (*liveness, error) {
	l := &liveness{graph: g, nests: nests, step: map[*ir.Node]int{}, of: map[*ir.Value]*content{}}
	if err := l.findContents(); err != nil {
		return nil, err
	}
	l.findLifetimes()
	l.keepForRuns()
	l.findClasses()
	return l, nil
}

// isReshape reports whether the result of a node has the same bytes as its
// operand.
func isReshape(n *ir.Node) bool {
	_, ok := n.Op.(*op.Reshape)
	return ok && n.Body == nil && n.In[0].Type.LiesAs(n.Out[0].Type)
}

// findContents gives each value its content. A reshape of a parameter or state
// that the step overwrites is its own content when it must survive the step,
// because its operand does not.
func (l *liveness) findContents() error {
	g := l.graph
	overwritten := map[*ir.Value]bool{}
	for _, w := range g.Writes {
		overwritten[w.Target] = true
	}
	survives := map[*ir.Value]bool{}
	for _, v := range g.Roots() {
		survives[v] = true
	}
	define := func(v *ir.Value) {
		c := &content{root: v, members: []*ir.Value{v}}
		l.contents = append(l.contents, c)
		l.of[v] = c
	}
	for _, list := range [][]*ir.Value{g.Inputs, g.Params, g.States} {
		for _, v := range list {
			define(v)
		}
	}
	for i, n := range g.Nodes {
		l.step[n] = i
		for _, v := range n.In {
			if l.of[v] == nil {
				return fmt.Errorf("node %d reads %s before it is defined", i, v.Name)
			}
		}
		for _, v := range n.Out {
			if l.of[v] != nil {
				return fmt.Errorf("%s is defined twice", v.Name)
			}
			if isReshape(n) {
				if c := l.of[n.In[0]]; !(overwritten[c.root] && survives[v]) {
					c.members = append(c.members, v)
					l.of[v] = c
					continue
				}
			}
			define(v)
		}
	}
	for _, v := range g.Roots() {
		if l.of[v] == nil {
			return fmt.Errorf("%s is an output or written, but not computed", v.Name)
		}
	}
	for _, w := range g.Writes {
		if l.of[w.Target] == nil {
			return fmt.Errorf("%s is written, but not declared", w.Target.Name)
		}
	}
	return nil
}

// findLifetimes sets the contents' starts and ends. A parameter or state that
// the step overwrites lives to its last reader, any other and every input to
// the end of the step; an output that is itself a parameter or state shows what
// is stored after the step, so it needs no more than that. What the setup makes
// for the step lives to its end too, because the next step reads it again.
func (l *liveness) findLifetimes() {
	g := l.graph
	end := len(g.Nodes)
	for _, c := range l.contents {
		c.start, c.end = -1, end
		if c.root.Kind == ir.Result {
			c.start = l.step[c.root.Def]
			c.end = c.start
		}
	}
	for _, w := range g.Writes {
		l.of[w.Target].end = -1
	}
	for i, n := range g.Nodes {
		for _, v := range n.In {
			l.of[v].end = max(l.of[v].end, i)
		}
	}
	for _, v := range g.Roots() {
		if v.Kind == ir.Result {
			l.of[v].end = end
		}
	}
	setup := g.Setup()
	for _, c := range l.contents {
		if c.start >= 0 && c.start < setup && c.end >= setup {
			c.end = end
		}
	}
}

// keepForRuns lets what the kernels of a run read as a whole, such as weights and
// one number a channel, live to the run's end, so that one part of the batch may
// pass through all of the run before another has begun. A run is a row of nodes
// that keep to rows of their results, in a graph for vector kernels, with others
// between them that do not need what it makes.
func (l *liveness) keepForRuns() {
	if !slices.ContainsFunc(l.contents, func(c *content) bool { return c.root.Type.Lanes != 0 }) {
		return
	}
	rows, last := 0, 0 // of the run: the extent of the batch, its last node
	made := map[*content]bool{}
	var kept []*content
	end := func() {
		for _, c := range kept {
			c.end = max(c.end, last)
		}
		rows, kept = 0, nil
		clear(made)
	}
	for i, n := range l.graph.Nodes {
		nests := l.nests(n)
		extent := rowsOf(nests)
		whole := map[*ir.Value]bool{} // what some nest of the node does not keep to rows
		for _, nest := range nests {
			for v, isKept := range nest.Rows() {
				whole[v] = whole[v] || !isKept
			}
		}
		var shared []*content // what the node reads as a whole
		for _, v := range n.In {
			if extent == 0 || whole[v] {
				shared = append(shared, l.of[v])
			}
		}
		needs := slices.ContainsFunc(shared, func(c *content) bool { return made[c] })
		if needs || extent > 0 && rows > 0 && extent != rows {
			end()
		}
		if extent == 0 {
			continue
		}
		rows, last = extent, i
		for _, v := range n.Out {
			made[l.of[v]] = true
		}
		for _, c := range shared {
			if c.root.Kind == ir.Result {
				kept = append(kept, c)
			}
		}
	}
	end()
}

// rowsOf is the extent of the first axis of nests that all keep to rows of it
// in what they store, or 0.
func rowsOf(nests []*loop.Nest) int {
	extent := 0
	for _, nest := range nests {
		if len(nest.Axes) == 0 || extent > 0 && nest.Axes[0].Extent != extent {
			return 0
		}
		extent = nest.Axes[0].Extent
		if !nest.StoresRows() {
			return 0
		}
	}
	return extent
}

// findClasses merges contents into classes: first written values with their
// targets, since that saves the copy as well, then results with operands that
// die where the result is made.
func (l *liveness) findClasses() {
	for _, c := range l.contents {
		c.class = &class{contents: []*content{c}, bytes: c.root.Type.Bytes(), start: c.start, end: c.end}
		if c.root.Kind != ir.Result {
			c.class.persistent = c.root
		}
	}
	for _, w := range l.graph.Writes {
		if !l.merge(l.of[w.Target], l.of[w.Value]) {
			l.copies = append(l.copies, w)
			l.of[w.Target].class.isCopied = true
		}
	}
	for i, n := range l.graph.Nodes {
		for _, v := range n.Out {
			for _, operand := range n.In {
				// Only a content that dies here can make room for the result.
				if c := l.of[operand]; c.end == i && c != l.of[v] && l.merge(c, l.of[v]) {
					break
				}
			}
		}
	}
	seen := map[*class]bool{}
	for _, c := range l.contents {
		if !seen[c.class] {
			seen[c.class] = true
			l.classes = append(l.classes, c.class)
		}
	}
}

// merge puts the contents a and b and all that share their buffers into one
// buffer, if each two of them can take turns in it.
func (l *liveness) merge(a, b *content) bool {
	into, from := a.class, b.class
	if into == from {
		return true
	}
	if into.bytes != from.bytes || into.persistent != nil && from.persistent != nil {
		return false
	}
	end := len(l.graph.Nodes)
	if into.isCopied && from.end == end || from.isCopied && into.end == end {
		return false
	}
	for _, x := range into.contents {
		for _, y := range from.contents {
			if !l.follows(x, y) && !l.follows(y, x) {
				return false
			}
		}
	}
	if from.persistent != nil {
		into.persistent = from.persistent
	}
	into.isCopied = into.isCopied || from.isCopied
	into.contents = append(into.contents, from.contents...)
	slices.SortStableFunc(into.contents, func(x, y *content) int { return cmp.Compare(x.start, y.start) })
	into.start, into.end = min(into.start, from.start), max(into.end, from.end)
	for _, c := range from.contents {
		c.class = into
	}
	return true
}

// follows reports whether y can take the place of x: x is dead before y begins,
// or y is computed from x element by element.
func (l *liveness) follows(x, y *content) bool {
	if x.end != y.start || y.root.Kind != ir.Result {
		return x.end < y.start
	}
	n := y.root.Def
	isOperand := false
	for _, v := range n.In {
		if l.of[v] == x {
			isOperand = true
			if !InPlace(n, v, y.root, l.nests) {
				return false
			}
		}
	}
	return isOperand
}
