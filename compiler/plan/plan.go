// Package plan gives every tensor of a step its place in one block of memory,
// the arena, at compile time. A graph in its final order comes in; offsets,
// aliases and the copies that remain at the end of the step go out. Check, which
// shares no code with the planner, judges the result.
package plan

import (
	"cmp"
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// Alignment is what every offset is a multiple of, in bytes: a cache line, and
// the widest vector register.
const Alignment = 64

// Nests gives the kernels that compute a node, or nil where they are not known;
// such a node computes nothing in place.
type Nests func(*ir.Node) []*loop.Nest

// Composed gives the kernels as ir/op composes them, each node's once: for as
// long as the caller keeps it, the nodes must not change.
func Composed() Nests {
	known := map[*ir.Node][]*loop.Nest{}
	return func(n *ir.Node) []*loop.Nest {
		list, ok := known[n]
		if !ok {
			// A body that cannot be composed is the fusion passes' mistake, which
			// the emitter reports; here it only means that nothing is known.
			list, _ = op.Nests(n)
			known[n] = list
		}
		return list
	}
}

// Plan is where the values of one phase lie in the arena.
type Plan struct {
	Graph *ir.Graph

	// Offsets, in bytes, of every input, parameter, state and node result.
	Offsets map[*ir.Value]int
	// Size of the part of the arena that this phase touches, in bytes.
	Size int

	Params int // bytes of the parameters of all phases that share the arena
	States int // bytes of their states
	// Persistent is where the phase's own bytes begin: before it lie the
	// parameters, the states and the scalar inputs of all phases.
	Persistent int

	// LowerBound is Persistent plus the most bytes live at once: no placement of
	// these buffers takes less. Where the phase has a setup, the room for the
	// inputs of whichever phase has the most counts as live.
	LowerBound int
	// WithoutReuse is what one buffer for each value would take.
	WithoutReuse int

	// Copies are the writes whose value could not be computed in its target's
	// place, because the old contents were still needed; they are to be carried
	// out in this order after the last node.
	Copies []ir.Write

	// Buffers lists the values that share storage, in order of offset.
	Buffers []Buffer
	// Lifetimes of the graph's values.
	Lifetimes map[*ir.Value]Lifetime
}

// Lifetime is the span of steps during which a value's bytes must stay as they
// are. Step i is node i of the graph; Start -1 is before the first, and End
// len(Nodes) after the last. Values that are reshapes of each other have one
// lifetime.
type Lifetime struct{ Start, End int }

// Buffer is a piece of the arena and the values that live there, one after the
// other or, for reshapes, at once.
type Buffer struct {
	Values     []*ir.Value // in order of their start
	Offset     int
	Bytes      int // a multiple of Alignment
	Start, End int // steps
	Persistent bool
}

// Ratio is Size relative to LowerBound; 1 is a perfect plan.
func (p *Plan) Ratio() float64 {
	if p.LowerBound == 0 {
		return 1
	}
	return float64(p.Size) / float64(p.LowerBound)
}

// IsAlias reports whether a node needs no code, because its result is its
// operand in another shape and lies in the same place.
func (p *Plan) IsAlias(n *ir.Node) bool {
	return isReshape(n) && p.Offsets[n.In[0]] == p.Offsets[n.Out[0]]
}

// Arena is one block of memory for several phases, which never run at the same
// time. Parameters, states and scalar inputs of one name have one place in all
// of them; everything else of a phase overlays the other phases'.
type Arena struct {
	Size  int // bytes
	Plans []*Plan
}

// Build plans a graph that has the arena to itself. A nil nests is op.Nests.
// The error says what makes the graph malformed.
func Build(g *ir.Graph, nests Nests) (*Plan, error) {
	a, err := BuildAll([]*ir.Graph{g}, nests)
	if err != nil {
		return nil, err
	}
	return a.Plans[0], nil
}

// BuildAll plans the phases of a network into one arena. A nil nests is
// op.Nests. It is an error when a parameter or state differs in type between
// phases, or when a graph is malformed.
func BuildAll(graphs []*ir.Graph, nests Nests) (*Arena, error) {
	if nests == nil {
		nests = Composed()
	}
	shared, err := layOutPersistent(graphs)
	if err != nil {
		return nil, err
	}
	arena := &Arena{Size: shared.size}
	for _, g := range graphs {
		life, err := analyse(g, nests)
		if err != nil {
			return nil, err
		}
		p := build(life, shared)
		arena.Plans = append(arena.Plans, p)
		arena.Size = max(arena.Size, p.Size)
	}
	return arena, nil
}

// persistent is the part of the arena that all phases share.
type persistent struct {
	offsets              map[string]int
	types                map[string]ir.Type
	params, states, size int
	inputs               int // the bytes after it in which the other inputs of any phase lie
}

// layOutPersistent puts parameters first, in order of first appearance, then
// states, then scalar inputs.
func layOutPersistent(graphs []*ir.Graph) (*persistent, error) {
	s := &persistent{offsets: map[string]int{}, types: map[string]ir.Type{}}
	sections := []struct {
		of    func(*ir.Graph) []*ir.Value
		bytes *int
	}{
		{func(g *ir.Graph) []*ir.Value { return g.Params }, &s.params},
		{func(g *ir.Graph) []*ir.Value { return g.States }, &s.states},
		{scalarInputs, new(int)},
	}
	for _, section := range sections {
		start := s.size
		for _, g := range graphs {
			for _, v := range section.of(g) {
				if known, ok := s.types[v.Name]; !ok {
					s.types[v.Name], s.offsets[v.Name] = v.Type, s.size
					s.size += rounded(v.Type.Bytes())
				} else if !known.Equal(v.Type) {
					return nil, fmt.Errorf("%s is %s in one phase and %s in phase %s", v.Name, known, v.Type, g.Phase)
				}
			}
		}
		*section.bytes = s.size - start
	}
	for _, g := range graphs {
		bytes := 0
		for _, v := range g.Inputs {
			if !isScalar(v) {
				bytes += rounded(v.Type.Bytes())
			}
		}
		s.inputs = max(s.inputs, bytes)
	}
	return s, nil
}

// scalarInputs have one place in all phases, so that the learning rate and the
// iteration are set once, whichever phase reads them.
func scalarInputs(g *ir.Graph) []*ir.Value {
	return slices.DeleteFunc(slices.Clone(g.Inputs), func(v *ir.Value) bool { return !isScalar(v) })
}

func isScalar(v *ir.Value) bool { return len(v.Type.Shape) == 0 }

// rounded is a size up to the next multiple of Alignment.
func rounded(bytes int) int { return (bytes + Alignment - 1) / Alignment * Alignment }

// build places the buffers of one phase above the shared part.
func build(life *liveness, shared *persistent) *Plan {
	g := life.graph
	p := &Plan{
		Graph: g, Offsets: map[*ir.Value]int{}, Lifetimes: map[*ir.Value]Lifetime{},
		Params: shared.params, States: shared.states, Persistent: shared.size,
		Copies: life.copies, WithoutReuse: shared.size,
	}
	var blocks []block
	var owners []*class
	base := shared.size
	for _, c := range life.classes {
		size := rounded(c.bytes)
		switch {
		case c.persistent != nil && c.isShared():
			c.offset = shared.offsets[c.persistent.Name]
		case c.persistent != nil:
			// Inputs live for the whole step, so no gap can come between them.
			c.offset = base
			base += size
		default:
			blocks = append(blocks, block{size: size, start: c.start, end: c.end})
			owners = append(owners, c)
		}
	}
	if g.Setup() > 0 {
		// Whoever fills another phase's inputs keeps what the setup made.
		base = max(base, shared.size+shared.inputs)
	}
	placement := place(blocks)
	p.Size = base + placement.height
	p.LowerBound = base + placement.bound
	for i, c := range owners {
		c.offset = base + placement.offsets[i]
	}
	for _, c := range life.classes {
		b := Buffer{Offset: c.offset, Bytes: rounded(c.bytes), Start: c.start, End: c.end, Persistent: c.persistent != nil}
		for _, content := range c.contents {
			for _, v := range content.members {
				b.Values = append(b.Values, v)
				p.Offsets[v] = c.offset
				p.Lifetimes[v] = Lifetime{content.start, content.end}
				if v.Kind == ir.Result || v.Kind == ir.Input && !isScalar(v) {
					p.WithoutReuse += rounded(v.Type.Bytes())
				}
			}
		}
		p.Buffers = append(p.Buffers, b)
	}
	slices.SortStableFunc(p.Buffers, func(a, b Buffer) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Start, b.Start))
	})
	return p
}
