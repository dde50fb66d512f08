package pass

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// FuseEpilogues merges the elementwise operators that follow a convolution,
// product, pooling, normalisation or reduction into its kernel, so that they
// work on the value still in a register.
//
//	a = conv x, w                          a group of one kernel:
//	b = add a, bias               =>       conv, bias and relu
//	c = relu b
//
// A value that is also read elsewhere is stored as well; nothing is computed
// twice except views (broadcast, constant). A node joins if the group's kernel
// can be composed and if no other node would have to run both before and after
// the group. Runs after drop-dead, because dead readers would force stores, and
// before FusePointwise, which takes what is left.
func FuseEpilogues(g *ir.Graph) error {
	f := newFusion(g)
	for _, n := range slices.Clone(g.Nodes) {
		if _, elementwise := n.Op.(op.Elementwise); !elementwise && n.Body == nil {
			f.grow(n)
		}
	}
	f.finish()
	return nil
}

// FusePointwise merges chains of elementwise operators of one shape into one
// kernel, so that the values between them stay in registers.
//
//	a = add x, y
//	b = relu a      =>      one pass that loads x and y and stores b
//
// The rules are those of FuseEpilogues. Runs after it, so that a chain that
// can end a kernel does so instead of starting one.
func FusePointwise(g *ir.Graph) error {
	f := newFusion(g)
	for _, n := range slices.Clone(g.Nodes) {
		if _, elementwise := n.Op.(op.Elementwise); elementwise && !op.IsView(n) {
			f.grow(n)
		}
	}
	f.finish()
	return nil
}

// FusePrologues merges operators into the kernel that alone reads them, where
// that repeats no work: broadcasts and constants into any kernel, and other
// elementwise operators into a sum, which reads each element once.
//
//	a = square x
//	b = sum a       =>      one kernel that adds up squares
//
// Runs last of the fusions, so that an operand which can end its producer's
// kernel does so.
func FusePrologues(g *ir.Graph) error {
	f := newFusion(g)
	for _, n := range slices.Clone(g.Nodes) {
		if !f.present(n) || op.IsView(n) {
			continue
		}
		sums := slices.ContainsFunc(bodyOf(n), func(inner *ir.Node) bool {
			_, ok := inner.Op.(*op.Sum)
			return ok
		})
		group := []*ir.Node{n}
		refused := map[*ir.Node]bool{}
		for {
			p := f.operand(group, sums, refused)
			if p == nil {
				break
			}
			if trial := f.ordered(append(slices.Clone(group), p)); f.composes(trial) && !f.entangled(trial) {
				group = trial
			} else {
				refused[p] = true
			}
		}
		if len(group) > 1 {
			f.merge(group)
		}
	}
	f.finish()
	return nil
}

// operand finds a node that only the group reads and that can be computed where
// it is read: a broadcast or constant, and with sums anything elementwise.
func (f *fusion) operand(group []*ir.Node, sums bool, refused map[*ir.Node]bool) *ir.Node {
	for _, member := range group {
		for _, v := range member.In {
			p := v.Def
			if p == nil || refused[p] || !f.present(p) || slices.Contains(group, p) || len(p.Out) != 1 || f.roots[v] {
				continue
			}
			repeats := op.IsView(p) && !isCopy(p)
			if !repeats && !(sums && elementwiseGroup(p) && !repeatsElements(member, v)) {
				continue
			}
			if !slices.ContainsFunc(f.readers[v], func(r *ir.Node) bool { return !slices.Contains(group, r) }) {
				return p
			}
		}
	}
	return nil
}

// repeatsElements reports whether a node broadcasts an operand.
func repeatsElements(n *ir.Node, operand *ir.Value) bool {
	return slices.ContainsFunc(bodyOf(n), func(inner *ir.Node) bool {
		_, ok := inner.Op.(*op.Broadcast)
		return ok && inner.In[0] == operand
	})
}

// isCopy reports whether a view gives each element a place of its own, as a
// reshape does, which the planner makes an alias.
func isCopy(n *ir.Node) bool {
	switch n.Op.(type) {
	case *op.Broadcast, *op.Constant:
		return false
	}
	return true
}

func elementwiseGroup(n *ir.Node) bool {
	for _, inner := range bodyOf(n) {
		if _, ok := inner.Op.(op.Elementwise); !ok {
			return false
		}
	}
	return true
}

func bodyOf(n *ir.Node) []*ir.Node {
	if n.Body != nil {
		return n.Body
	}
	return []*ir.Node{n}
}

// A kernel takes at most this many tensors: beyond it, a fused kernel keeps so
// many values at once that they leave the registers again.
const mostOperands = 24

// fusion is a graph while its nodes are grouped. A merge touches only the nodes
// between the group's first and last, so that the time for all of them stays far
// from the square of the graph's size.
type fusion struct {
	g       *ir.Graph
	nodes   []*ir.Node // in order, nil where a merge left a gap
	place   map[*ir.Node]int
	readers map[*ir.Value][]*ir.Node // in any order
	roots   map[*ir.Value]bool

	invariant map[*ir.Node]bool // see ir.Graph.Invariant
}

func newFusion(g *ir.Graph) *fusion {
	f := &fusion{g: g, nodes: slices.Clone(g.Nodes), place: map[*ir.Node]int{}, readers: g.Readers(), roots: rootsOf(g), invariant: g.Invariant()}
	for i, n := range f.nodes {
		f.place[n] = i
	}
	return f
}

// finish gives the graph its new nodes.
func (f *fusion) finish() {
	f.g.Nodes = slices.DeleteFunc(f.nodes, func(n *ir.Node) bool { return n == nil })
}

func (f *fusion) present(n *ir.Node) bool {
	_, ok := f.place[n]
	return ok
}

// grow collects around a start node all elementwise nodes that can share its
// kernel, and merges them.
func (f *fusion) grow(start *ir.Node) {
	if !f.present(start) {
		return
	}
	group := []*ir.Node{start}
	shapes := []ir.Shape{start.Out[0].Type.Shape}
	if len(start.Out) > 1 && len(shapes[0]) == 0 { // a loss, and what it is computed from
		shapes = append(shapes, start.Out[1].Type.Shape)
	}
	refused := map[*ir.Node]bool{}
	for {
		next := f.candidate(group, shapes, refused)
		if next == nil {
			break
		}
		trial := f.ordered(append(slices.Clone(group), next...))
		if f.composes(trial) && !f.entangled(trial) {
			group = trial
		} else {
			refused[next[0]] = true
		}
	}
	// A node with results that nobody reads becomes a group of those that are read.
	alone := map[*ir.Node]bool{start: true}
	unread := slices.ContainsFunc(start.Out, func(v *ir.Value) bool { return !f.isStored(v, alone) })
	if len(group) > 1 || unread && start.Body == nil && f.composes(group) {
		f.merge(group)
	}
}

// candidate finds the first elementwise reader of the group's values that has one
// of the group's shapes, together with the views that it alone reads.
func (f *fusion) candidate(group []*ir.Node, shapes []ir.Shape, refused map[*ir.Node]bool) []*ir.Node {
	for _, member := range group {
		for _, v := range member.Out {
			for _, n := range f.ordered(f.readers[v]) {
				if slices.Contains(group, n) || refused[n] || n.Body != nil || !f.present(n) {
					continue
				}
				if _, ok := n.Op.(op.Elementwise); !ok || op.IsView(n) || !slices.ContainsFunc(shapes, n.Out[0].Type.Shape.Equal) || f.belongsToSum(n, group) {
					continue
				}
				return append([]*ir.Node{n}, f.views(n, group)...)
			}
		}
	}
	return nil
}

// A sum with fewer results than this is the work of so few tasks that computing
// its terms there as well would keep other workers waiting.
const fewSums = 16

// belongsToSum reports whether FusePrologues should rather find a reader of the
// group's values: a sum alone reads it, and what it is computed from is stored
// in any case. Adding it up where it is computed then saves storing it.
//
//	d     = …                       d is stored for the convolution
//	s.d   = mul d, y         =>     w.d = one kernel that adds up products
//	w.d   = sum s.d
//	x.d   = conv_grad_data d, w
func (f *fusion) belongsToSum(n *ir.Node, group []*ir.Node) bool {
	v := n.Out[0]
	if f.roots[v] || len(f.readers[v]) != 1 {
		return false
	}
	isAdded := slices.ContainsFunc(bodyOf(f.readers[v][0]), func(r *ir.Node) bool {
		_, ok := r.Op.(*op.Sum)
		return ok && r.In[0] == v && r.Out[0].Type.Shape.Count() >= fewSums
	})
	if !isAdded {
		return false
	}
	large := 0
	for _, operand := range n.In {
		p := operand.Def
		if p != nil && op.IsView(p) && !isCopy(p) {
			continue
		}
		if large++; p == nil || !slices.Contains(group, p) {
			continue
		}
		isStored := f.roots[operand] || slices.ContainsFunc(f.readers[operand], func(r *ir.Node) bool { return !isElementwise(r) && !slices.Contains(group, r) })
		if !isStored {
			return false
		}
	}
	return large <= 2 // with more, loading them again costs more than storing the result
}

// views lists the broadcasts and constants that n reads and no node outside
// the group does, transitively.
func (f *fusion) views(n *ir.Node, group []*ir.Node) []*ir.Node {
	var list []*ir.Node
	for _, v := range n.In {
		p := v.Def
		if p == nil || !f.present(p) || slices.Contains(group, p) || slices.Contains(list, p) || f.roots[v] {
			continue
		}
		switch p.Op.(type) {
		case *op.Broadcast, *op.Constant:
		default:
			continue
		}
		if len(f.readers[v]) > 1 {
			continue
		}
		list = append(append(list, p), f.views(p, group)...)
	}
	return list
}

// ordered sorts nodes by their place in the graph.
func (f *fusion) ordered(nodes []*ir.Node) []*ir.Node {
	slices.SortFunc(nodes, func(a, b *ir.Node) int { return f.place[a] - f.place[b] })
	return nodes
}

// mixes reports whether some of the nodes need not be computed in every step and
// others must: one kernel would repeat the former. What only repeats elements
// costs nothing where it is read.
func (f *fusion) mixes(nodes []*ir.Node) bool {
	invariant, varying := false, false
	for _, n := range nodes {
		switch {
		case !f.invariant[n]:
			varying = true
		case !op.IsView(n) || isCopy(n):
			invariant = true
		}
	}
	return invariant && varying
}

// composes reports whether the nodes can be one kernel.
func (f *fusion) composes(nodes []*ir.Node) bool {
	if f.mixes(nodes) {
		return false
	}
	trial := &ir.Node{Op: &ir.Fuse{}}
	inside := map[*ir.Node]bool{}
	for _, n := range nodes {
		inside[n] = true
		trial.Body = append(trial.Body, bodyOf(n)...)
	}
	produced := map[*ir.Value]bool{}
	operands := map[*ir.Value]bool{}
	for _, n := range nodes {
		for _, v := range n.In {
			if !produced[v] {
				operands[v] = true
			}
		}
		for _, v := range n.Out {
			produced[v] = true
			if f.isStored(v, inside) {
				trial.Out = append(trial.Out, v)
			}
		}
	}
	if len(trial.Out) == 0 || len(operands)+len(trial.Out) > mostOperands {
		return false
	}
	_, err := op.Nests(trial)
	return err == nil
}

// isStored reports whether a result of a group is: the graph or another node
// needs it, or a later kernel of the node itself reads it, as a loss reads
// probabilities.
func (f *fusion) isStored(v *ir.Value, inside map[*ir.Node]bool) bool {
	if f.roots[v] || slices.ContainsFunc(f.readers[v], func(r *ir.Node) bool { return !inside[r] }) {
		return true
	}
	nests, err := op.Nests(v.Def)
	return err == nil && len(nests) > 1 && slices.ContainsFunc(nests, func(n *loop.Nest) bool { return slices.Contains(n.Loads(), v) })
}

// entangled reports whether a node outside would have to run both after and
// before the group: it depends on the group, and the group on it.
func (f *fusion) entangled(nodes []*ir.Node) bool {
	first, last := f.place[nodes[0]], f.place[nodes[len(nodes)-1]]
	inside := map[*ir.Node]bool{}
	for _, n := range nodes {
		inside[n] = true
	}
	after := map[*ir.Value]bool{} // values outside that depend on the group
	for _, n := range f.nodes[first : last+1] {
		if n == nil {
			continue
		}
		depends := slices.ContainsFunc(n.In, func(v *ir.Value) bool { return after[v] })
		if inside[n] {
			if depends {
				return true
			}
			continue
		}
		if depends || slices.ContainsFunc(n.In, func(v *ir.Value) bool { return v.Def != nil && inside[v.Def] }) {
			for _, v := range n.Out {
				after[v] = true
			}
		}
	}
	return false
}

// merge makes the nodes one group and puts the graph back in order: nodes that
// stood between the group's members and read its results move behind it.
func (f *fusion) merge(nodes []*ir.Node) {
	first, last := f.place[nodes[0]], f.place[nodes[len(nodes)-1]]
	member := map[*ir.Node]bool{}
	for _, n := range nodes {
		member[n] = true
	}
	group := ir.NewGroup(nodes, func(v *ir.Value) bool { return f.isStored(v, member) })
	f.invariant[group] = !slices.ContainsFunc(nodes, func(n *ir.Node) bool { return !f.invariant[n] })
	for _, n := range nodes {
		for _, v := range n.In {
			f.readers[v] = slices.DeleteFunc(f.readers[v], func(r *ir.Node) bool { return member[r] })
		}
		delete(f.place, n)
	}
	inside := map[*ir.Value]bool{}
	for _, v := range group.Out {
		inside[v] = true
	}
	var before, behind []*ir.Node
	for _, n := range f.nodes[first:last] {
		switch {
		case n == nil || member[n]:
		case slices.ContainsFunc(n.In, func(v *ir.Value) bool { return inside[v] }):
			behind = append(behind, n)
			for _, v := range n.Out {
				inside[v] = true
			}
		default:
			before = append(before, n)
		}
	}
	clear(f.nodes[first : last+1])
	for i, n := range slices.Concat(before, []*ir.Node{group}, behind) {
		f.nodes[first+i] = n
		f.place[n] = first + i
	}
	for _, v := range group.In {
		f.readers[v] = append(f.readers[v], group)
	}
}

// SpreadViews gives every reader of a broadcast or constant a copy of its own,
// so that each can be fused into its reader: repeating an element costs
// nothing there, and storing it does.
//
//	b = broadcast bias            b, b_2 = broadcast bias
//	c = add x, b          =>      c = add x, b
//	d = mul y, b                  d = mul y, b_2
//
// Runs before the fusions and after common subexpressions, which would join
// the copies again.
func SpreadViews(g *ir.Graph) error {
	isRoot, readersOf := rootsOf(g), g.Readers()
	copies := map[*ir.Node][]*ir.Node{}          // of each view, in their order
	for _, n := range slices.Backward(g.Nodes) { // readers first, so that a view of a view is spread too
		switch n.Op.(type) {
		case *op.Broadcast, *op.Constant:
		default:
			continue
		}
		v := n.Out[0]
		readers := readersOf[v]
		if !isRoot[v] && len(readers) > 0 {
			readers = readers[1:]
		}
		for _, r := range readers {
			copied, err := g.Add(n.Op, v.Name, n.From, n.In...)
			if err != nil {
				return err
			}
			substitution{v: copied[0]}.rewrite(r)
			// Each copy comes right behind its view.
			last := len(g.Nodes) - 1
			c := g.Nodes[last]
			g.Nodes = g.Nodes[:last]
			copies[n] = slices.Insert(copies[n], 0, c)
			for _, operand := range c.In {
				at := slices.Index(readersOf[operand], n)
				readersOf[operand] = slices.Insert(readersOf[operand], at+1, c)
			}
		}
	}
	var nodes []*ir.Node
	for _, n := range g.Nodes {
		nodes = append(append(nodes, n), copies[n]...)
	}
	g.Nodes = nodes
	return nil
}
