package ir_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// verified fails unless a graph verifies and its text parses to the same text.
func verified(t *testing.T, g *ir.Graph) {
	t.Helper()
	if err := g.Verify(); err != nil {
		t.Fatalf("%v\n%s", err, g)
	}
	if text := g.String(); parse(t, text).String() != text {
		t.Fatalf("the text does not come back:\n%s", text)
	}
}

const chain = `graph g test
input x : f32[4]
param w : f32[4]
a = relu x : f32[4]                      # a g.net:1
b = mul a, w : f32[4]                    # b g.net:2, a g.net:1
c = tanh b : f32[4]                      # c g.net:3
d = add c, a : f32[4]                    # d g.net:4
e = exp d : f32[4]                       # e g.net:5
write w = c
output e
`

// TestGroup: the operands come from outside, each once; the results are what is
// read outside, written or an output; the group stands where its last member
// stood and is from where its members are from.
func TestGroup(t *testing.T) {
	for _, c := range []struct {
		first, last int
		in, out     string
		from        int
	}{
		{0, 1, "x w", "a b", 2}, // d reads a
		{1, 2, "a w", "c", 3},   // b exists only inside
		{2, 3, "b a", "c d", 2}, // c is written
		{3, 4, "c a", "e", 2},   // e is an output
		{4, 4, "d", "e", 1},     // a group of one
		{0, 4, "x w", "c e", 5}, // a whole graph
	} {
		g := parse(t, chain)
		group := g.Group(slices.Clone(g.Nodes[c.first : c.last+1]))
		verified(t, g)
		if names(group.In) != c.in || names(group.Out) != c.out || len(group.From) != c.from {
			t.Errorf("%d to %d: reads %s and gives %s, from %v", c.first, c.last, names(group.In), names(group.Out), group.From)
		}
		if len(g.Nodes) != 5-(c.last-c.first) || g.Nodes[c.first] != group {
			t.Errorf("%d to %d: the group is not in its place\n%s", c.first, c.last, g)
		}
	}
}

// TestGroupOfGroups: the bodies are joined, and what only they exchange is a
// result no longer.
func TestGroupOfGroups(t *testing.T) {
	g := parse(t, chain)
	first := g.Group(slices.Clone(g.Nodes[1:3]))
	second := g.Group(slices.Clone(g.Nodes[2:4]))
	all := g.Group([]*ir.Node{first, second})
	verified(t, g)
	if len(all.Body) != 4 || names(all.In) != "a w" || names(all.Out) != "c e" {
		t.Errorf("body of %d, reads %s and gives %s", len(all.Body), names(all.In), names(all.Out))
	}
	if d := g.Lookup("d"); d.Def != all.Body[2] {
		t.Error("an inner value belongs to a group that is gone")
	}
}

// TestReplace redirects readers inside and outside of groups, outputs, writes
// and the loss.
func TestReplace(t *testing.T) {
	g := parse(t, sound)
	b := g.Lookup("b")
	other := g.Must(op.Point("sigmoid"), "other", nil, g.Lookup("a"))
	g.Nodes = slices.Insert(g.Nodes[:len(g.Nodes)-1], 1, other.Def) // ahead of its readers
	g.Replace(b, other)
	group := g.Nodes[2]
	if split := g.Nodes[4]; split.In[0] != other || g.Writes[0].Value != other || group.Body[1].In[0] != other {
		t.Errorf("a reader keeps the old value\n%s", g)
	}
	s := g.Lookup("s")
	scalar := g.Must(&op.Constant{Value: 3}, "three", nil)
	g.Replace(s, scalar)
	if g.Loss != scalar || names(g.Outputs) != "p three" {
		t.Errorf("outputs %s, loss %s", names(g.Outputs), g.Loss.Name)
	}
	group.In = append(group.In, other) // the caller's duty: a group lists what it reads
	verified(t, g)
}

// TestClone: a copy reads the same, and what changes one leaves the other.
func TestClone(t *testing.T) {
	for _, source := range []string{chain, sound} {
		g := parse(t, source)
		g.Group(slices.Clone(g.Nodes[:2]))
		text := g.String()
		c, copies := g.Clone()
		verified(t, c)
		if c.String() != text {
			t.Fatalf("the copy is\n%s", c)
		}
		for v, twin := range copies {
			if twin == v || twin.Name != v.Name || g.Lookup(v.Name) != v || c.Lookup(v.Name) != twin {
				t.Errorf("%s is not copied", v.Name)
			}
		}
		for _, v := range slices.Concat(c.Params, c.Nodes[0].Out) {
			c.Rename(v, v.Name+".other")
			v.Type = v.Type.InLanes(0)
		}
		c.Must(op.Point("relu"), "more", nil, c.Params[0])
		c.Writes, c.Loss, c.Nodes[0].In[0] = nil, nil, c.Params[0]
		if g.String() != text {
			t.Errorf("a change of the copy shows in the graph:\n%s", g)
		}
		verified(t, g)
	}
}

// TestRemove forgets the nodes' names, those inside groups too.
func TestRemove(t *testing.T) {
	g := parse(t, chain)
	g.Outputs, g.Writes = g.Outputs[:0], nil
	group := g.Group(slices.Clone(g.Nodes[2:5]))
	if len(group.Out) != 0 {
		t.Fatalf("%s is read by nobody", names(group.Out))
	}
	g.Remove(func(n *ir.Node) bool { return n == group })
	verified(t, g)
	for _, name := range []string{"c", "d", "e"} {
		if g.Lookup(name) != nil {
			t.Errorf("%s is still known", name)
		}
		if v := g.Must(op.Point("exp"), name, nil, g.Lookup("a")); v.Name != name {
			t.Errorf("the name %s is still taken", name)
		}
	}
	verified(t, g)
}

func TestRemoveUnread(t *testing.T) {
	g := parse(t, `graph g train
input unread : f32[]
param used : f32[]
param written : f32[]
param idle : f32[]
state idle.state : f32[]
state shown : f32[]
a = exp used : f32[]
write written = a
output shown
`)
	g.RemoveUnread()
	verified(t, g)
	if names(g.Inputs) != "unread" || names(g.Params) != "used written" || names(g.States) != "shown" {
		t.Errorf("inputs %s, params %s, states %s", names(g.Inputs), names(g.Params), names(g.States))
	}
	if g.Lookup("idle") != nil || g.Lookup("idle.state") != nil {
		t.Error("the names of what was removed are still known")
	}
}

func TestRename(t *testing.T) {
	g := parse(t, chain)
	g.Rename(g.Lookup("b"), "a") // is taken
	if g.Lookup("b") != nil || g.Lookup("a_2") == nil || g.Nodes[1].Out[0].Name != "a_2" {
		t.Errorf("renamed to %s", g.Nodes[1].Out[0].Name)
	}
	g.Rename(g.Lookup("a"), "a") // is its own
	verified(t, g)
	if g.Lookup("a") != g.Nodes[0].Out[0] {
		t.Error("a value lost its name to itself")
	}
}

// TestNamesOfResults: a taken name gets the least free number.
func TestNamesOfResults(t *testing.T) {
	g := ir.New("g", "test")
	x := g.AddInput("x", ir.Float(1, 4, 4, 4))
	for i := range 3 {
		g.Must(op.Point("exp"), "y", nil, x)
		want := []string{"y", "y_2", "y_3"}[i]
		if got := g.Nodes[i].Out[0].Name; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	g.MustAll(&op.Split{Axis: 1, Sizes: []int{1, 1, 2}}, "s", nil, x)
	g.MustAll(&op.MaxPool{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}}, "p", nil, x)
	if got := names(g.Nodes[3].Out) + " " + names(g.Nodes[4].Out); got != "s s.1 s.2 p p.argmax" {
		t.Errorf("results are named %s", got)
	}
	if v := g.AddParam("y", ir.Float(), ir.ParamInfo{}); v.Name != "y_4" || !v.Param.Saved {
		t.Errorf("parameter %s, saved %v", v.Name, v.Param.Saved)
	}
	if _, err := g.Add(op.Point("add"), "z", nil, x); err == nil {
		t.Error("an operand is missing, and Add accepts it")
	}
	verified(t, g)
}

func TestReadersAndRoots(t *testing.T) {
	g := parse(t, sound)
	readers := g.Readers()
	for name, want := range map[string]int{"x": 2, "a": 1, "b": 1, "c": 1, "h": 0, "w": 1, "rate": 0} {
		if got := len(readers[g.Lookup(name)]); got != want {
			t.Errorf("%s has %d readers, want %d", name, got, want)
		}
	}
	twice := g.Must(op.Point("mul"), "twice", nil, g.Lookup("p"), g.Lookup("p"))
	if got := g.Readers()[g.Lookup("p")]; len(got) != 1 || got[0] != twice.Def {
		t.Errorf("p has %d readers: a node that reads it twice is one", len(got))
	}
	if got := names(g.Roots()); got != "p s b c" {
		t.Errorf("roots %s, want outputs, loss and written values, each once", got)
	}
}

func TestOriginsAreJoinedOnce(t *testing.T) {
	a, b, c := ir.Origin{Layer: "a"}, ir.Origin{Layer: "b", File: "f", Line: 1}, ir.Origin{Layer: "b", File: "f", Line: 2}
	got := ir.Origins(&ir.Node{From: []ir.Origin{a, b}}, &ir.Node{From: []ir.Origin{b, c, a}})
	if !slices.Equal(got, []ir.Origin{a, b, c}) {
		t.Errorf("%v", got)
	}
}

// TestRandomRewrites groups, renames, replaces and removes at random, in ways
// that a pass may, and verifies after each.
func TestRandomRewrites(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := ir.New("random", "test")
		values := []*ir.Value{g.AddInput("x", ir.Float(3)), g.AddParam("w", ir.Float(3), ir.ParamInfo{})}
		for i := range 30 {
			pick := func() *ir.Value { return values[r.IntN(len(values))] }
			values = append(values, g.Must(op.Point([]string{"add", "mul", "max"}[r.IntN(3)]), fmt.Sprintf("v%d", i), nil, pick(), pick()))
		}
		g.Outputs = []*ir.Value{values[len(values)-1], values[10]}
		g.Writes = []ir.Write{{Target: values[1], Value: values[20]}}
		for range 20 {
			i := r.IntN(len(g.Nodes))
			switch r.IntN(4) {
			case 0: // neighbours with at least one result
				members := slices.Clone(g.Nodes[i:min(i+1+r.IntN(4), len(g.Nodes))])
				if reads(g, members) {
					g.Group(members)
				}
			case 1:
				n := g.Nodes[i]
				g.Rename(n.Out[r.IntN(len(n.Out))], []string{"v1", "new", "x"}[r.IntN(3)])
			case 2: // by a value that is there before all readers
				if n := g.Nodes[i]; n.Body == nil && !slices.Contains(g.Roots(), n.Out[0]) {
					g.Replace(n.Out[0], n.In[0])
					for _, m := range g.Nodes { // groups list what they read
						if m.Body != nil {
							m.In = operands(m.Body)
						}
					}
				}
			case 3:
				readers, roots := g.Readers(), g.Roots()
				g.Remove(func(n *ir.Node) bool {
					return !slices.ContainsFunc(n.Out, func(v *ir.Value) bool { return len(readers[v]) > 0 || slices.Contains(roots, v) })
				})
			}
			verified(t, g)
		}
	}
}

// reads reports whether something outside of the nodes needs one of their results.
func reads(g *ir.Graph, nodes []*ir.Node) bool {
	readers, roots := g.Readers(), g.Roots()
	for _, n := range nodes {
		for _, v := range n.Out {
			if slices.Contains(roots, v) || slices.ContainsFunc(readers[v], func(m *ir.Node) bool { return !slices.Contains(nodes, m) }) {
				return true
			}
		}
	}
	return false
}

// operands lists what a body reads from outside, each once, in order.
func operands(body []*ir.Node) []*ir.Value {
	var list, inside []*ir.Value
	for _, n := range body {
		for _, v := range n.In {
			if !slices.Contains(inside, v) && !slices.Contains(list, v) {
				list = append(list, v)
			}
		}
		inside = append(inside, n.Out...)
	}
	return list
}
