package plan

import (
	"cmp"
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// Check judges a plan without any of the planner's code. It walks the nodes
// once and keeps, for every byte of the arena, whose value was last written
// there. A node may read a value only where all its bytes still hold it, and
// may store a result over an operand only where its nests prove that no element
// is read after it was stored over. At the end, outputs and everything that
// lives across steps must hold what the graph says. A graph with a setup is
// walked twice, the second time from the first node after it, as a step is that
// follows another.
//
// The error names the values, the step and the bytes. A nil nests is op.Nests.
func Check(g *ir.Graph, p *Plan, nests Nests) error {
	if nests == nil {
		nests = Composed()
	}
	c := checker{graph: g, plan: p, nests: nests, holds: map[*ir.Value]*ir.Value{}, targets: map[*ir.Value]*ir.Value{}}
	for _, w := range g.Writes {
		c.targets[w.Target] = w.Value
	}
	if err := c.start(); err != nil {
		return err
	}
	setup := g.Setup()
	if err := c.setup(g.Nodes[:setup]); err != nil {
		return err
	}
	if err := c.step(0); err != nil {
		return err
	}
	if setup == 0 {
		return nil
	}
	if err := c.step(setup); err != nil {
		return fmt.Errorf("without the setup: %w", err)
	}
	return nil
}

// step walks the nodes from the first that is computed.
func (c *checker) step(first int) error {
	for i, n := range c.graph.Nodes[first:] {
		c.now = first + i
		if err := c.node(n); err != nil {
			return fmt.Errorf("step %d, %s: %w", c.now, n.Op.Mnemonic(), err)
		}
	}
	c.now = len(c.graph.Nodes)
	if err := c.copies(); err != nil {
		return err
	}
	return c.end()
}

// setup checks that nodes depend on nothing that a step changes.
func (c *checker) setup(nodes []*ir.Node) error {
	if len(nodes) > 0 && len(c.graph.Writes) > 0 {
		return fmt.Errorf("a phase that writes %s has a setup", c.graph.Writes[0].Target.Name)
	}
	made := map[*ir.Value]bool{}
	for _, n := range nodes {
		for _, v := range n.In {
			if v.Kind == ir.Input || v.Kind == ir.Result && !made[v] {
				return fmt.Errorf("the setup reads %s, which each step has anew", v.Name)
			}
		}
		for _, v := range n.Out {
			made[v] = true
		}
	}
	return nil
}

// CheckAll judges the plans of phases that share an arena: each by itself, and
// that what lives across steps has one place of its own in all of them.
func CheckAll(graphs []*ir.Graph, a *Arena, nests Nests) error {
	if len(graphs) != len(a.Plans) {
		return fmt.Errorf("%d plans for %d phases", len(a.Plans), len(graphs))
	}
	type place struct {
		name   string
		lo, hi int
	}
	var places []place
	known := map[string]place{}
	for i, g := range graphs {
		p := a.Plans[i]
		if err := Check(g, p, nests); err != nil {
			return fmt.Errorf("phase %s: %w", g.Phase, err)
		}
		if p.Size > a.Size {
			return fmt.Errorf("phase %s takes %d bytes of an arena of %d", g.Phase, p.Size, a.Size)
		}
		if p.Persistent != a.Plans[0].Persistent {
			return fmt.Errorf("phase %s begins at byte %d, phase %s at %d", g.Phase, p.Persistent, graphs[0].Phase, a.Plans[0].Persistent)
		}
		for _, list := range [][]*ir.Value{g.Params, g.States, scalarsAmong(g.Inputs)} {
			for _, v := range list {
				here := place{v.Name, p.Offsets[v], p.Offsets[v] + v.Type.Bytes()}
				if there, ok := known[v.Name]; ok && there != here {
					return fmt.Errorf("%s lies at byte %d in phase %s and at %d before", v.Name, here.lo, g.Phase, there.lo)
				} else if !ok {
					known[v.Name] = here
					places = append(places, here)
				}
			}
		}
	}
	for i, g := range graphs {
		if err := spared(graphs, a.Plans, i); err != nil {
			return fmt.Errorf("phase %s: %w", g.Phase, err)
		}
	}
	slices.SortFunc(places, func(x, y place) int { return cmp.Compare(x.lo, y.lo) })
	for i := 1; i < len(places); i++ {
		if places[i].lo < places[i-1].hi {
			return fmt.Errorf("%s and %s both lie at byte %d", places[i-1].name, places[i].name, places[i].lo)
		}
	}
	return nil
}

// spared returns an error unless the inputs of all phases, which may be filled
// at any time, lie apart from what the setup of one makes.
func spared(graphs []*ir.Graph, plans []*Plan, of int) error {
	g := graphs[of]
	for _, n := range g.Nodes[:g.Setup()] {
		for _, v := range n.Out {
			lo := plans[of].Offsets[v]
			for i, other := range graphs {
				for _, input := range other.Inputs {
					at := plans[i].Offsets[input]
					if lo < at+input.Type.Bytes() && at < lo+v.Type.Bytes() {
						return fmt.Errorf("%s, which the setup makes, lies at byte %d as does the input %s of phase %s", v.Name, max(lo, at), input.Name, other.Phase)
					}
				}
			}
		}
	}
	return nil
}

func scalarsAmong(values []*ir.Value) []*ir.Value {
	var list []*ir.Value
	for _, v := range values {
		if len(v.Type.Shape) == 0 {
			list = append(list, v)
		}
	}
	return list
}

// checker is the state of one walk.
type checker struct {
	graph   *ir.Graph
	plan    *Plan
	nests   Nests
	targets map[*ir.Value]*ir.Value // what each written parameter or state is to hold

	// owned lists the pieces of the arena that hold something, by offset and
	// without overlap.
	owned []owned
	// holds gives the value whose bytes a value's place must hold: itself, or
	// for a reshape in place, what its operand's place holds.
	holds map[*ir.Value]*ir.Value
	now   int
}

type owned struct {
	lo, hi int
	by     *ir.Value
	since  int // step
}

// extent gives the bytes that a value lies in.
func (c *checker) extent(v *ir.Value) (lo, hi int) {
	lo = c.plan.Offsets[v]
	return lo, lo + v.Type.Bytes()
}

// placed checks a value's offset by itself.
func (c *checker) placed(v *ir.Value) error {
	if _, ok := c.plan.Offsets[v]; !ok {
		return fmt.Errorf("%s has no place", v.Name)
	}
	lo, hi := c.extent(v)
	switch {
	case lo%Alignment != 0:
		return fmt.Errorf("%s lies at byte %d, which is not a multiple of %d", v.Name, lo, Alignment)
	case lo < 0 || hi > c.plan.Size || hi < lo:
		return fmt.Errorf("%s lies at bytes %d to %d, outside of the %d of the arena", v.Name, lo, hi, c.plan.Size)
	}
	return nil
}

// start puts what exists before the step in its place.
func (c *checker) start() error {
	c.now = -1
	for _, list := range [][]*ir.Value{c.graph.Params, c.graph.States, c.graph.Inputs} {
		for _, v := range list {
			if err := c.placed(v); err != nil {
				return err
			}
			lo, hi := c.extent(v)
			isShared := v.Kind != ir.Input || len(v.Type.Shape) == 0
			if isShared != (hi <= c.plan.Persistent) {
				return fmt.Errorf("%s lies at bytes %d to %d, on the wrong side of the shared %d bytes", v.Name, lo, hi, c.plan.Persistent)
			}
			if other := c.anyIn(lo, hi); other != nil {
				return fmt.Errorf("%s and %s both lie at byte %d before the step", other.by.Name, v.Name, max(lo, other.lo))
			}
			c.claim(v)
		}
	}
	return nil
}

// anyIn returns a piece that lies in the bytes, or nil.
func (c *checker) anyIn(lo, hi int) *owned {
	i := c.firstAfter(lo)
	if i < len(c.owned) && c.owned[i].lo < hi {
		return &c.owned[i]
	}
	return nil
}

// firstAfter is the position of the first piece that ends after byte lo.
func (c *checker) firstAfter(lo int) int {
	i, _ := slices.BinarySearchFunc(c.owned, lo, func(o owned, lo int) int {
		if o.hi <= lo {
			return -1
		}
		return 1
	})
	return i
}

// claim makes a value's place hold the value.
func (c *checker) claim(v *ir.Value) { c.store(v, v) }

// store makes the place of a value hold contents.
func (c *checker) store(place, contents *ir.Value) {
	lo, hi := c.extent(place)
	c.holds[place] = contents
	first := c.firstAfter(lo)
	last := first
	pieces := []owned{}
	for last < len(c.owned) && c.owned[last].lo < hi {
		old := c.owned[last]
		if old.lo < lo {
			pieces = append(pieces, owned{old.lo, lo, old.by, old.since})
		}
		if last++; old.hi > hi {
			pieces = append(pieces, owned{hi, old.hi, old.by, old.since})
		}
	}
	pieces = append(pieces, owned{lo, hi, contents, c.now})
	slices.SortFunc(pieces, func(x, y owned) int { return cmp.Compare(x.lo, y.lo) })
	c.owned = slices.Replace(c.owned, first, last, pieces...)
}

// intact returns an error unless the place of v holds contents in every byte.
func (c *checker) intact(v, contents *ir.Value) error {
	lo, hi := c.extent(v)
	i := c.firstAfter(lo)
	for at := lo; at < hi; i++ {
		if i == len(c.owned) || c.owned[i].lo > at {
			return fmt.Errorf("%s lies at bytes %d to %d, but nothing was stored from byte %d", v.Name, lo, hi, at)
		}
		o := c.owned[i]
		if o.by != contents {
			return fmt.Errorf("%s lies at bytes %d to %d, but bytes %d to %d hold %s since step %d",
				v.Name, lo, hi, max(lo, o.lo), min(hi, o.hi), o.by.Name, o.since)
		}
		at = o.hi
	}
	return nil
}

// node reads the operands, then stores the results.
func (c *checker) node(n *ir.Node) error {
	for _, v := range n.In {
		if err := c.placed(v); err != nil {
			return err
		}
		contents, ok := c.holds[v]
		if !ok {
			return fmt.Errorf("%s is read before it is stored", v.Name)
		}
		if err := c.intact(v, contents); err != nil {
			return fmt.Errorf("reading %s: %w", v.Name, err)
		}
	}
	for i, v := range n.Out {
		if err := c.placed(v); err != nil {
			return err
		}
		lo, hi := c.extent(v)
		for _, other := range n.Out[:i] {
			if l, h := c.extent(other); lo < h && l < hi {
				return fmt.Errorf("the results %s and %s overlap at byte %d", other.Name, v.Name, max(lo, l))
			}
		}
	}
	if n.Op.Mnemonic() == "reshape" && n.Body == nil && c.plan.Offsets[n.In[0]] == c.plan.Offsets[n.Out[0]] {
		c.holds[n.Out[0]] = c.holds[n.In[0]] // the same bytes under another name
		return nil
	}
	for _, v := range n.Out {
		lo, hi := c.extent(v)
		if lo < c.plan.Persistent && !c.isTargetPlace(v) {
			return fmt.Errorf("%s lies at byte %d among the values that live across steps", v.Name, lo)
		}
		for _, operand := range n.In {
			l, h := c.extent(operand)
			if lo >= h || l >= hi {
				continue
			}
			if l != lo || h != hi {
				return fmt.Errorf("%s at bytes %d to %d overlaps its operand %s at %d to %d", v.Name, lo, hi, operand.Name, l, h)
			}
			if err := c.elementwise(n, operand, v); err != nil {
				return fmt.Errorf("%s is stored over its operand %s: %w", v.Name, operand.Name, err)
			}
		}
	}
	for _, v := range n.Out {
		c.claim(v)
	}
	return nil
}

// isTargetPlace reports whether v lies exactly where something that the step
// writes does.
func (c *checker) isTargetPlace(v *ir.Value) bool {
	lo, hi := c.extent(v)
	for target := range c.targets {
		if l, h := c.extent(target); l == lo && h == hi {
			return true
		}
	}
	return false
}

// copies carries out the copies at the end of the step.
func (c *checker) copies() error {
	for _, w := range c.plan.Copies {
		if c.targets[w.Target] != w.Value {
			return fmt.Errorf("the copy of %s to %s is not a write of the graph", w.Value.Name, w.Target.Name)
		}
		if err := c.intact(w.Value, c.holds[w.Value]); err != nil {
			return fmt.Errorf("copying %s to %s: %w", w.Value.Name, w.Target.Name, err)
		}
		lo, hi := c.extent(w.Target)
		if l, h := c.extent(w.Value); lo < h && l < hi {
			return fmt.Errorf("the copy of %s to %s overlaps itself", w.Value.Name, w.Target.Name)
		}
		c.store(w.Target, c.holds[w.Value])
	}
	return nil
}

// end checks what must be left after the step.
func (c *checker) end() error {
	g := c.graph
	for _, list := range [][]*ir.Value{g.Params, g.States, g.Inputs} {
		for _, v := range list {
			contents := v
			if written, ok := c.targets[v]; ok {
				contents = c.holds[written]
			}
			if err := c.intact(v, contents); err != nil {
				return fmt.Errorf("after the step: %w", err)
			}
		}
	}
	outputs := g.Outputs
	if g.Loss != nil {
		outputs = append(slices.Clone(outputs), g.Loss)
	}
	for _, v := range outputs {
		if _, isWritten := c.targets[v]; isWritten {
			continue // shows what was stored, which was checked above
		}
		if err := c.intact(v, c.holds[v]); err != nil {
			return fmt.Errorf("output after the step: %w", err)
		}
	}
	return nil
}

// elementwise returns an error unless the nests of a node never load an element
// of operand that they have stored result over. Kernels run one after the
// other, so a kernel before the first that stores may load anything. Inside one
// that stores, iterations run in any order: each element is stored by one
// iteration, and loaded by no other and not after the store. Several kernels may
// store parts of the result, as long as no element is in two of them: then each
// loads only what none before it has stored.
func (c *checker) elementwise(n *ir.Node, operand, result *ir.Value) error {
	if !operand.Type.SameLayout(result.Type) {
		return fmt.Errorf("%s and %s lie differently", operand.Name, result.Name)
	}
	var parts []storeOver
	for _, nest := range c.nests(n) {
		if !slices.Contains(nest.Stores(), result) {
			if len(parts) > 0 && slices.Contains(nest.Loads(), operand) {
				return fmt.Errorf("a later kernel of the node reads it")
			}
			continue
		}
		walk := storeOver{operand: operand, result: result, scope: slices.Clone(nest.Axes)}
		if err := walk.findStore(nest.Body); err != nil {
			return err
		}
		for _, before := range parts {
			if !apart(before.index, walk.index) {
				return fmt.Errorf("two kernels of the node may store one element of %s", result.Name)
			}
		}
		if err := walk.loads(nest.Body); err != nil {
			return err
		}
		parts = append(parts, walk)
	}
	if len(parts) == 0 {
		return fmt.Errorf("no kernel is known to store %s", result.Name)
	}
	return nil
}

// apart reports whether two indices, linear in their loops, never agree: along
// some axis one ends before the other begins, as the pieces of a concatenation
// do, or they leave different remainders by a number that divides all steps of
// both, as the phases of a strided gradient do.
func apart(x, y []loop.Affine) bool {
	for axis := range x {
		xLeast, xMost := x[axis].Bounds()
		yLeast, yMost := y[axis].Bounds()
		if xMost < yLeast || yMost < xLeast {
			return true
		}
		step := 0
		for _, at := range []loop.Affine{x[axis], y[axis]} {
			for _, k := range at.Coef {
				for k != 0 {
					step, k = k, step%k
				}
			}
		}
		distance := x[axis].Const - y[axis].Const
		if step == 0 && distance != 0 || step != 0 && distance%step != 0 {
			return true
		}
	}
	return false
}

// storeOver compares the place that a nest stores to with those it loads from,
// as row-major positions that are linear in the loop variables.
type storeOver struct {
	operand, result *ir.Value
	scope           []*loop.Var // the loops around the statement
	at              *loop.Affine
	index           []loop.Affine // at, along each axis of the result
	isStored        bool
}

// findStore sets at to the position of the only store of the result.
func (s *storeOver) findStore(body []loop.Stmt) error {
	for _, statement := range body {
		switch statement := statement.(type) {
		case *loop.For:
			s.scope = append(s.scope, statement.Axis)
			if err := s.findStore(statement.Body); err != nil {
				return err
			}
			s.scope = s.scope[:len(s.scope)-1]
		case *loop.Store:
			if statement.Value != s.result {
				continue
			}
			if s.at != nil {
				return fmt.Errorf("it is stored twice")
			}
			at, ok := loop.Flat(s.result.Type.Shape, statement.Index).ToAffine()
			if !ok {
				return fmt.Errorf("the place of the store is not linear in the loops")
			}
			if !isOneToOne(at, s.scope) {
				return fmt.Errorf("two iterations may store one element")
			}
			s.at = &at
			for _, e := range statement.Index {
				along, ok := e.ToAffine()
				if !ok {
					return fmt.Errorf("the place of the store is not linear in the loops")
				}
				s.index = append(s.index, along)
			}
		}
	}
	return nil
}

// isOneToOne reports whether each point of the loops has its own position: in
// order of stride, each stride exceeds what the loops before it span.
func isOneToOne(at loop.Affine, loops []*loop.Var) bool {
	type digit struct{ stride, extent int }
	var digits []digit
	for _, v := range loops {
		if v.Extent > 1 {
			digits = append(digits, digit{max(at.Coef[v], -at.Coef[v]), v.Extent})
		}
	}
	isLoop := func(v *loop.Var) bool { return slices.Contains(loops, v) }
	for v := range at.Coef {
		if !isLoop(v) {
			return false
		}
	}
	slices.SortFunc(digits, func(x, y digit) int { return cmp.Compare(x.stride, y.stride) })
	span := 0
	for _, d := range digits {
		if d.stride <= span {
			return false
		}
		span += d.stride * (d.extent - 1)
	}
	return true
}

// loads walks the statements in order and checks each load of the operand.
func (s *storeOver) loads(body []loop.Stmt) error {
	for _, statement := range body {
		var err error
		switch statement := statement.(type) {
		case *loop.For:
			err = s.loads(statement.Body)
		case *loop.Store:
			err = s.expressions(statement)
			s.isStored = s.isStored || statement.Value == s.result
		default:
			err = s.expressions(statement)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *storeOver) expressions(statement loop.Stmt) (err error) {
	loop.WalkExprs([]loop.Stmt{statement}, func(e *loop.Expr) {
		if e.Op != loop.Load || e.Value != s.operand || err != nil {
			return
		}
		if s.isStored {
			err = fmt.Errorf("it is read after the store")
			return
		}
		from, ok := loop.Flat(s.operand.Type.Shape, e.Args).ToAffine()
		if !ok || from.Const != s.at.Const || len(from.Coef) != len(s.at.Coef) {
			err = fmt.Errorf("%s is read where another element is stored", loop.Format(e))
			return
		}
		for v, k := range from.Coef {
			if s.at.Coef[v] != k {
				err = fmt.Errorf("%s is read where another element is stored", loop.Format(e))
			}
		}
	})
	return err
}
