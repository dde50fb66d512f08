package pass

import (
	"slices"

	"netc/ir"
)

// choose finds the nodes that work with the channels in lanes: those with which
// the time of all nodes and of the conversions between their layouts is least.
//
// It is a minimum cut. On the first side are the nodes with the channels in
// lanes, on the second the others; a node's time in a layout is the price of
// its side. A conversion is paid once, however many nodes read its result: a
// vertex of its own stands for "some reader wants it", and goes with those that
// do. Where two choices cost the same, fewer nodes have the channels in lanes.
//
// Times are in picoseconds.
func (l *layouts) choose(nodeTime func(n *ir.Node, wide bool) float64, relayoutTime func(from, to ir.Type) float64) {
	c := &choice{layouts: l, relayoutTime: relayoutTime, cut: newCut(), vertex: map[*ir.Node]int{}, invariant: l.g.Invariant(), readers: l.g.Readers()}
	for _, n := range l.canBeWide() {
		v := c.cut.vertex()
		c.vertex[n] = v
		if !c.invariant[n] { // what a setup computes is for free
			c.cut.edge(v, secondSide, int(nodeTime(n, true)))
			c.cut.edge(firstSide, v, int(nodeTime(n, false)))
		}
	}
	if len(c.vertex) == 0 {
		return
	}
	for _, v := range slices.Concat(l.g.Inputs, l.g.Params, l.g.States) {
		c.conversions(v, nil)
	}
	for _, n := range l.g.Nodes {
		for _, v := range n.Out {
			c.conversions(v, n)
		}
	}
	first := c.cut.divide()
	for n, v := range c.vertex {
		if first[v] {
			l.wide[n] = true
		}
	}
}

type choice struct {
	*layouts
	relayoutTime func(from, to ir.Type) float64
	cut          *cut
	vertex       map[*ir.Node]int // nodes with a choice
	invariant    map[*ir.Node]bool
	readers      map[*ir.Value][]*ir.Node
}

// side is the vertex of a node; one without a choice has no channels in lanes.
func (c *choice) side(n *ir.Node) int {
	if v, ok := c.vertex[n]; ok {
		return v
	}
	return secondSide
}

// wants is a layout that nodes read a value in, and when.
type wants struct {
	to      ir.Type
	always  bool          // whatever is chosen
	readers [2][]*ir.Node // those that do if they have no channels in lanes, and if they have
}

// conversions adds the prices of the conversions of a value that a node, or
// none, computes.
func (c *choice) conversions(v *ir.Value, maker *ir.Node) {
	if c.isFree(v, maker) {
		return
	}
	var all []*wants
	find := func(to ir.Type) *wants {
		for _, w := range all {
			if w.to.SameLayout(to) {
				return w
			}
		}
		all = append(all, &wants{to: to})
		return all[len(all)-1]
	}
	if slices.Contains(c.g.Outputs, v) {
		find(v.Type.RowMajor()).always = true
	}
	for _, n := range c.readers[v] {
		narrow := c.wanted(n, v, false)
		if c.side(n) == secondSide {
			find(narrow).always = true
		} else if wide := c.wanted(n, v, true); wide.SameLayout(narrow) {
			find(wide).always = true
		} else {
			w := find(narrow)
			w.readers[0] = append(w.readers[0], n)
			w = find(wide)
			w.readers[1] = append(w.readers[1], n)
		}
	}
	made := [2]ir.Type{c.stored(maker, v, false), c.stored(maker, v, true)}
	for _, w := range all {
		var cost [2]int // by the maker's choice
		for i, from := range made {
			if !from.SameLayout(w.to) {
				cost[i] = int(c.relayoutTime(from, w.to))
			}
		}
		c.price(w, c.side(maker), cost)
	}
}

// price adds that of one conversion, by the choice of the node that makes the
// value. A reader with the same choice as the maker wants the value as it lies,
// unless the maker has no choice.
func (c *choice) price(w *wants, maker int, cost [2]int) {
	if w.always {
		c.cut.edge(firstSide, maker, cost[0])
		c.cut.edge(maker, secondSide, cost[1])
		return
	}
	if len(w.readers[1]) > 0 {
		some := c.cut.vertex()
		for _, n := range w.readers[1] {
			c.cut.edge(c.vertex[n], some, never)
		}
		c.cut.edge(some, maker, cost[0])
	}
	if len(w.readers[0]) > 0 {
		some := c.cut.vertex()
		for _, n := range w.readers[0] {
			c.cut.edge(some, c.vertex[n], never)
		}
		if maker == secondSide {
			c.cut.edge(firstSide, some, cost[0])
		} else {
			c.cut.edge(maker, some, cost[1])
		}
	}
}

// isFree reports whether a value's conversions are part of a setup.
func (c *choice) isFree(v *ir.Value, maker *ir.Node) bool {
	if maker != nil {
		return c.invariant[maker]
	}
	return v.Kind != ir.Input && len(c.g.Writes) == 0
}
