// Package ir is the compiler's intermediate representation: a static single
// assignment graph over typed, statically shaped tensors.
//
// A Graph comes from the lowered layers of one phase of a network, or from its
// own text (Parse). Values are named after the user's layers; every node keeps
// the layers and source lines it came from through all passes. What a node
// computes is its Op; the operators live in ir/op.
//
// Invariants, checked by Verify: names are unique, a value is defined before it
// is read, a node's result types are what its operator infers, and each
// parameter or state is written at most once, at the end of the step.
package ir

import (
	"fmt"
	"slices"
)

// Kind says where a value comes from.
type Kind uint8

const (
	Result Kind = iota // computed by a node
	Input              // fed before each step: data, labels, learning rate
	Param              // learnable, lives across steps
	State              // lives across steps, not learnable: momentum, running mean
)

// Value is a tensor of the graph.
type Value struct {
	Name string
	Type Type
	Kind Kind
	From []Origin // for an Input, Param or State; a Result's origin is its node's

	Def   *Node      // the node that computes a Result; nil otherwise
	Param *ParamInfo // for a Param or State
}

// ParamInfo is what a parameter or state carries besides its type.
type ParamInfo struct {
	Filler    Filler  // how it starts
	LrMult    float64 // factor on the learning rate; 0 freezes
	DecayMult float64 // factor on the weight decay
	Saved     bool    // belongs in the weights file, as parameters and running statistics do
}

// Filler says how a parameter starts, with Caffe's names and meanings.
type Filler struct {
	Kind     string // constant, uniform, gaussian, xavier, msra, orthogonal, bilinear, positive_unitball
	Value    float64
	Min, Max float64
	Mean     float64
	Std      float64
	Sparse   int
	Gain     float64
	Variance string
}

// Origin is a layer and its place in the user's file.
type Origin struct {
	Layer string
	File  string
	Line  int
}

// Op is what a node computes: a pointer to a struct whose fields tagged `ir`
// are its attributes. Operators are registered under their mnemonic so that
// IR text can be parsed.
type Op interface {
	// Mnemonic names the operator in IR text.
	Mnemonic() string
	// Infer gives the result types for the operand types, or an error that
	// says what does not fit (preferably a *FitError).
	Infer(in []Type) ([]Type, error)
}

// FitError says why operands and attributes do not fit together. Field is the
// user's field at fault (such as "kernel_size"), or empty; Operand is the
// operand at fault, or -1. Help is the way out, or empty.
type FitError struct {
	Field   string
	Operand int
	Message string
	Help    string
}

// Error gives the message.
func (e *FitError) Error() string { return e.Message }

// Misfit builds a FitError that blames a field of the layer.
func Misfit(field, format string, args ...any) *FitError {
	return &FitError{Field: field, Operand: -1, Message: fmt.Sprintf(format, args...)}
}

// MisfitOperand builds a FitError that blames an operand.
func MisfitOperand(operand int, format string, args ...any) *FitError {
	return &FitError{Operand: operand, Message: fmt.Sprintf(format, args...)}
}

// Node applies an operator to values.
//
// A node with a Body is a fused group, made by the fusion passes: its Op is
// Fuse, Body lists the nodes that one kernel computes, In the values they read
// from outside, and Out those of their results that are stored. Values of the
// body that are not in Out exist only inside the kernel.
type Node struct {
	Op   Op
	In   []*Value
	Out  []*Value
	Body []*Node
	From []Origin
}

// Operators lists the nodes that a fused group computes, or the node itself.
func (n *Node) Operators() []*Node {
	if n.Body == nil {
		return []*Node{n}
	}
	return n.Body
}

// Write stores Value into the Param or State Target at the end of the step.
type Write struct {
	Target *Value
	Value  *Value
}

// Graph is one phase of a network. Nodes are in an order in which every value
// is defined before it is read.
type Graph struct {
	Name    string
	Phase   string   // "train", "test" or "update"
	Inputs  []*Value // in the order of the source
	Params  []*Value
	States  []*Value
	Nodes   []*Node
	Writes  []Write
	Outputs []*Value // results that the phase reports; the planner keeps them to the end
	Loss    *Value   // the weighted total, a scalar; nil without losses

	names map[string]*Value
}

// New returns an empty graph.
func New(name, phase string) *Graph {
	return &Graph{Name: name, Phase: phase, names: map[string]*Value{}}
}

// Clone returns a copy of the graph, and its copy of each value. The two share
// operators and shapes, which nothing changes once they are there.
func (g *Graph) Clone() (*Graph, map[*Value]*Value) {
	copies := map[*Value]*Value{}
	c := &Graph{Name: g.Name, Phase: g.Phase, names: make(map[string]*Value, len(g.names))}
	for name, v := range g.names {
		twin := *v
		copies[v], c.names[name] = &twin, &twin
	}
	list := func(values []*Value) []*Value {
		twins := make([]*Value, len(values))
		for i, v := range values {
			twins[i] = copies[v]
		}
		return twins
	}
	var clone func(n *Node) *Node
	clone = func(n *Node) *Node {
		twin := &Node{Op: n.Op, In: list(n.In), Out: list(n.Out), From: n.From}
		for _, inner := range n.Body {
			twin.Body = append(twin.Body, clone(inner))
		}
		for _, v := range twin.Out { // of a group's results, the group's word is the last
			v.Def = twin
		}
		return twin
	}
	for _, n := range g.Nodes {
		c.Nodes = append(c.Nodes, clone(n))
	}
	c.Inputs, c.Params, c.States, c.Outputs = list(g.Inputs), list(g.Params), list(g.States), list(g.Outputs)
	for _, w := range g.Writes {
		c.Writes = append(c.Writes, Write{copies[w.Target], copies[w.Value]})
	}
	if g.Loss != nil {
		c.Loss = copies[g.Loss]
	}
	return c, copies
}

// Lookup finds a value by name, or returns nil. Values that exist only inside
// a fused group are found too.
func (g *Graph) Lookup(name string) *Value { return g.names[name] }

// AddInput declares a value that is fed before each step.
func (g *Graph) AddInput(name string, t Type, from ...Origin) *Value {
	v := &Value{Name: g.Fresh(name), Type: t, Kind: Input, From: from}
	g.names[v.Name] = v
	g.Inputs = append(g.Inputs, v)
	return v
}

// AddParam declares a learnable parameter.
func (g *Graph) AddParam(name string, t Type, info ParamInfo, from ...Origin) *Value {
	info.Saved = true
	v := &Value{Name: g.Fresh(name), Type: t, Kind: Param, From: from, Param: &info}
	g.names[v.Name] = v
	g.Params = append(g.Params, v)
	return v
}

// AddState declares a tensor that lives across steps and is not learnable.
func (g *Graph) AddState(name string, t Type, info ParamInfo, from ...Origin) *Value {
	v := &Value{Name: g.Fresh(name), Type: t, Kind: State, From: from, Param: &info}
	g.names[v.Name] = v
	g.States = append(g.States, v)
	return v
}

// Add appends a node and returns its results. The results are named by name
// (several results: name, name.1, …, unless the operator names them); a name
// already taken gets a number appended.
func (g *Graph) Add(op Op, name string, from []Origin, in ...*Value) ([]*Value, error) {
	types := make([]Type, len(in))
	for i, v := range in {
		types[i] = v.Type
	}
	outs, err := op.Infer(types)
	if err != nil {
		return nil, err
	}
	n := &Node{Op: op, In: slices.Clone(in), From: from} // nodes never share a list: passes rewrite them
	for i, t := range outs {
		full := name
		if i > 0 {
			full = fmt.Sprintf("%s.%d", name, i)
			if r, ok := op.(ResultNamer); ok {
				full = name + "." + r.ResultNames()[i]
			}
		}
		v := &Value{Name: g.Fresh(full), Type: t, Def: n}
		g.names[v.Name] = v
		n.Out = append(n.Out, v)
	}
	g.Nodes = append(g.Nodes, n)
	return n.Out, nil
}

// ResultNamer is implemented by operators with several results; the names
// become suffixes, as in "pool1.argmax". The first is not used.
type ResultNamer interface{ ResultNames() []string }

// Must is Add for compiler-made nodes, whose types always fit: a misfit is a
// bug in the pass, which the pass runner reports with a reproducer.
func (g *Graph) Must(op Op, name string, from []Origin, in ...*Value) *Value {
	return g.MustAll(op, name, from, in...)[0]
}

// MustAll is Must for operators with several results.
func (g *Graph) MustAll(op Op, name string, from []Origin, in ...*Value) []*Value {
	outs, err := g.Add(op, name, from, in...)
	if err != nil {
		panic(fmt.Sprintf("%s %s: %v", op.Mnemonic(), name, err))
	}
	return outs
}

// Fresh returns name, or name with the least number appended that makes it new.
func (g *Graph) Fresh(name string) string {
	if g.names[name] == nil {
		return name
	}
	for i := 2; ; i++ {
		if full := fmt.Sprintf("%s_%d", name, i); g.names[full] == nil {
			return full
		}
	}
}

// Readers maps each value to the nodes of g.Nodes that read it, in order. A
// fused group counts as one reader.
func (g *Graph) Readers() map[*Value][]*Node {
	readers := map[*Value][]*Node{}
	for _, n := range g.Nodes {
		for i, v := range n.In {
			if slices.Index(n.In[:i], v) < 0 {
				readers[v] = append(readers[v], n)
			}
		}
	}
	return readers
}

// Roots lists the values that must be computed: outputs, loss and writes.
func (g *Graph) Roots() []*Value {
	var roots []*Value
	add := func(v *Value) {
		if v != nil && !slices.Contains(roots, v) {
			roots = append(roots, v)
		}
	}
	for _, v := range g.Outputs {
		add(v)
	}
	add(g.Loss)
	for _, w := range g.Writes {
		add(w.Value)
	}
	return roots
}

// Replace makes every reader of old read new instead, writes and outputs too.
func (g *Graph) Replace(old, new *Value) {
	var replace func(nodes []*Node)
	replace = func(nodes []*Node) {
		for _, n := range nodes {
			for i, v := range n.In {
				if v == old {
					n.In[i] = new
				}
			}
			replace(n.Body)
		}
	}
	replace(g.Nodes)
	for i, v := range g.Outputs {
		if v == old {
			g.Outputs[i] = new
		}
	}
	for i := range g.Writes {
		if g.Writes[i].Value == old {
			g.Writes[i].Value = new
		}
	}
	if g.Loss == old {
		g.Loss = new
	}
}

// Remove drops the nodes for which dead holds, and forgets their names.
func (g *Graph) Remove(dead func(*Node) bool) {
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *Node) bool {
		if dead(n) {
			g.forget(n)
			return true
		}
		return false
	})
}

// forget frees the names of a node's results, those inside a group too.
func (g *Graph) forget(n *Node) {
	for _, v := range n.Out {
		delete(g.names, v.Name)
	}
	for _, inner := range n.Body {
		g.forget(inner)
	}
}

// RemoveUnread drops the parameters and states that nothing reads, writes or
// reports any more. Inputs stay: they are what the caller feeds.
func (g *Graph) RemoveUnread() {
	used := map[*Value]bool{}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			used[v] = true
		}
	}
	for _, w := range g.Writes {
		used[w.Target], used[w.Value] = true, true
	}
	for _, v := range g.Roots() {
		used[v] = true
	}
	drop := func(list []*Value) []*Value {
		return slices.DeleteFunc(list, func(v *Value) bool {
			if !used[v] {
				delete(g.names, v.Name)
			}
			return !used[v]
		})
	}
	g.Params, g.States = drop(g.Params), drop(g.States)
}

// Rename gives v a new, unused name.
func (g *Graph) Rename(v *Value, name string) {
	delete(g.names, v.Name)
	v.Name = g.Fresh(name)
	g.names[v.Name] = v
}

// Origins joins the origins of several nodes, each once, in order.
func Origins(nodes ...*Node) []Origin {
	var all []Origin
	for _, n := range nodes {
		for _, o := range n.From {
			if !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	return all
}

// Fuse is the operator of a fused group; see Node.
type Fuse struct{}

// Mnemonic is "fuse".
func (*Fuse) Mnemonic() string { return "fuse" }

// Infer is never asked: a group's types are those of its body.
func (*Fuse) Infer([]Type) ([]Type, error) {
	return nil, fmt.Errorf("a fused group has no types of its own")
}

// Group replaces the given nodes of g.Nodes, which must be in order, by one
// fused group at the place of the last. The results that nodes outside the
// group, the outputs or the writes read become the group's results.
func (g *Graph) Group(nodes []*Node) *Node {
	member := map[*Node]bool{}
	for _, n := range nodes {
		member[n] = true
	}
	outside := map[*Value]bool{}
	for _, v := range g.Roots() {
		outside[v] = true
	}
	for _, n := range g.Nodes {
		if !member[n] {
			for _, v := range n.In {
				outside[v] = true
			}
		}
	}
	group := NewGroup(nodes, func(v *Value) bool { return outside[v] })
	last := nodes[len(nodes)-1]
	var kept []*Node
	for _, n := range g.Nodes {
		switch {
		case n == last:
			kept = append(kept, group)
		case !member[n]:
			kept = append(kept, n)
		}
	}
	g.Nodes = kept
	return group
}

// Needed divides nodes in order into those that values depend on and the rest.
func Needed(values []*Value, nodes []*Node) (needed, rest []*Node) {
	isNeeded := map[*Value]bool{}
	for _, v := range values {
		isNeeded[v] = true
	}
	for _, n := range slices.Backward(nodes) {
		if !slices.ContainsFunc(n.Out, func(v *Value) bool { return isNeeded[v] }) {
			rest = append(rest, n)
			continue
		}
		needed = append(needed, n)
		for _, v := range n.In {
			isNeeded[v] = true
		}
	}
	slices.Reverse(needed)
	slices.Reverse(rest)
	return needed, rest
}

// NewGroup makes the fused group of nodes, which must be in order, for a pass
// that keeps its own list of them; isRead says which results are read elsewhere.
func NewGroup(nodes []*Node, isRead func(*Value) bool) *Node {
	var body []*Node
	for _, n := range nodes {
		if n.Body != nil {
			body = append(body, n.Body...)
		} else {
			body = append(body, n)
		}
	}
	group := &Node{Op: &Fuse{}, Body: body, From: Origins(body...)}
	inside := map[*Value]bool{}
	for _, n := range body {
		for _, v := range n.Out {
			inside[v] = true
		}
	}
	for _, n := range body {
		for _, v := range n.In {
			if !inside[v] && !slices.Contains(group.In, v) {
				group.In = append(group.In, v)
			}
		}
		for _, v := range n.Out {
			v.Def = n
			if isRead(v) {
				group.Out = append(group.Out, v)
			}
		}
	}
	for _, v := range group.Out {
		v.Def = group
	}
	return group
}
