package ir_test

import (
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// sound is a graph that keeps every invariant, with something of each kind.
const sound = `graph g train
input x : f32[2,3]
input rate : f32[]
param w : f32[2,3]
state m : f32[2,3]
a = add x, w : f32[2,3]
c, b = fuse {
    b = relu a : f32[2,3]
    h = mul b, x : f32[2,3]
    c = tanh h : f32[2,3]
}
s = sum c {axes: [0, 1]} : f32[]
p, q = split b {axis: 1, sizes: [1, 2]} : f32[2,1], f32[2,2]
write w = b
write m = c
output p, s
loss s
`

// TestVerifyRefuses breaks one invariant of a sound graph at a time.
func TestVerifyRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(g *ir.Graph)
		message string
	}{
		{"two values of one name", func(g *ir.Graph) { g.Lookup("b").Name = "x" }, `the name "x" is used twice or empty`},
		{"a value without a name", func(g *ir.Graph) { g.Lookup("a").Name = "" }, `the name "" is used twice or empty`},
		{"a name changed without Rename", func(g *ir.Graph) { g.Lookup("a").Name = "other" }, "other is not registered under its name"},
		{"an input declared twice", func(g *ir.Graph) { g.Inputs = append(g.Inputs, g.Inputs[0]) }, `the name "x" is used twice`},
		{"an empty shape", func(g *ir.Graph) { g.Lookup("x").Type.Shape[1] = 0 }, "x has the empty shape f32[2,0]"},
		{"a parameter without its settings", func(g *ir.Graph) { g.Lookup("w").Param = nil }, "w is declared with the wrong kind"},
		{"an input with settings", func(g *ir.Graph) { g.Lookup("x").Param = &ir.ParamInfo{} }, "x is declared with the wrong kind"},
		{"a result among the inputs", func(g *ir.Graph) { g.Lookup("x").Kind = ir.Result }, "x is declared with the wrong kind"},
		{"a state among the parameters", func(g *ir.Graph) { g.Lookup("w").Kind = ir.State }, "w is declared with the wrong kind"},
		{"an input among the states", func(g *ir.Graph) { g.Lookup("m").Kind, g.Lookup("m").Param = ir.Input, nil }, "m is declared with the wrong kind"},
		{"an input with a node", func(g *ir.Graph) { g.Lookup("x").Def = g.Nodes[0] }, "x is declared with the wrong kind"},
		{"a result of another kind", func(g *ir.Graph) { g.Lookup("a").Kind = ir.Input }, "a is computed by a node but is no result"},
		{"a value read too early", func(g *ir.Graph) { g.Nodes[0], g.Nodes[1] = g.Nodes[1], g.Nodes[0] }, "fuse c reads a before it is defined"},
		{"a value of another graph", func(g *ir.Graph) { g.Nodes[0].In[1] = &ir.Value{Name: "w", Type: ir.Float(2, 3)} }, "add a reads w before it is defined"},
		{"a node in the list twice", func(g *ir.Graph) { g.Nodes = append(g.Nodes, g.Nodes[0]) }, `the name "a" is used twice`},
		{"operands that do not fit", func(g *ir.Graph) { g.Nodes[0].In[1] = g.Lookup("rate") }, "add a: operand 2 is f32[], operand 1 is f32[2,3]"},
		{"too few results", func(g *ir.Graph) { g.Nodes[3].Out = g.Nodes[3].Out[:1] }, "split p has 1 results, its operator gives 2"},
		{"another result type", func(g *ir.Graph) { g.Lookup("s").Type = ir.Int() }, "s is i32[], its operator gives f32[]"},
		{"a result that knows another node", func(g *ir.Graph) { g.Lookup("a").Def = g.Nodes[2] }, "a does not know the node that computes it"},
		{"an inner value that knows the group", func(g *ir.Graph) { g.Lookup("h").Def = g.Nodes[1] }, "h does not know the node that computes it"},
		{"a group's result that knows its inner node", func(g *ir.Graph) { g.Lookup("b").Def = g.Nodes[1].Body[0] }, "the group does not compute its result b"},
		{"a group without a body", func(g *ir.Graph) { g.Nodes[1].Body = []*ir.Node{} }, "fuse c is an empty group"},
		{"a group without results", func(g *ir.Graph) { g.Nodes[1].Out = nil }, "fuse is an empty group"},
		{"a group with a foreign result", func(g *ir.Graph) { g.Nodes[1].Out = append(g.Nodes[1].Out, g.Lookup("a")) }, "the group does not compute its result a"},
		{"an operand that the group does not list", func(g *ir.Graph) { g.Nodes[1].In = g.Nodes[1].In[:1] }, "the group of fuse c reads x, which is not among its operands"},
		{"an operand that the group does not read", func(g *ir.Graph) { g.Nodes[1].In = append(g.Nodes[1].In, g.Lookup("w")) }, "the group of fuse c lists the operand w, which it does not read"},
		{"an inner value read outside", func(g *ir.Graph) { g.Nodes[2].In[0] = g.Lookup("h") }, "sum s reads h before it is defined"},
		{"an inner value read too early", func(g *ir.Graph) {
			body := g.Nodes[1].Body
			body[1], body[2] = body[2], body[1]
		}, "tanh c reads h before it is defined"},
		{"a group that is no group's operator", func(g *ir.Graph) { g.Nodes[1].Op = op.Point("relu") }, "relu c is a group without the operator fuse"},
		{"a write of a foreign value", func(g *ir.Graph) { g.Writes[0].Value = &ir.Value{Name: "b", Type: ir.Float(2, 3)} }, "write w = b: not part of the graph"},
		{"a write of an inner value", func(g *ir.Graph) { g.Writes[0].Value = g.Lookup("h") }, "write w = h: not part of the graph"},
		{"a write to a foreign target", func(g *ir.Graph) { g.Writes[0].Target = &ir.Value{Name: "v"} }, "write v = b: not part of the graph"},
		{"a write to an input", func(g *ir.Graph) { g.Writes[0].Target = g.Lookup("x") }, "write x: only parameters and states can be written"},
		{"two writes to one target", func(g *ir.Graph) { g.Writes[1].Target = g.Lookup("w") }, "w is written twice"},
		{"a write of another type", func(g *ir.Graph) { g.Writes[0].Value = g.Lookup("s") }, "write w: type f32[2,3], but the value s is f32[]"},
		{"a write of an input", func(g *ir.Graph) { g.Writes[0].Value = g.Lookup("x") }, "write w: the value x is not computed by the graph"},
		{"a foreign output", func(g *ir.Graph) { g.Outputs[0] = &ir.Value{Name: "o"} }, "output o is not part of the graph"},
		{"an inner value as output", func(g *ir.Graph) { g.Outputs[0] = g.Lookup("h") }, "output h is not part of the graph"},
		{"a loss that is no scalar", func(g *ir.Graph) { g.Loss = g.Lookup("c") }, "loss c must be an f32[] of the graph"},
		{"a foreign loss", func(g *ir.Graph) { g.Loss = &ir.Value{Name: "l", Type: ir.Float()} }, "loss l must be an f32[] of the graph"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := parse(t, sound)
			c.change(g)
			if err := g.Verify(); err == nil || !strings.HasPrefix(err.Error(), c.message) {
				t.Errorf("error %v, want %s", err, c.message)
			}
		})
	}
}

func TestVerifyAccepts(t *testing.T) {
	if err := parse(t, sound).Verify(); err != nil {
		t.Error(err)
	}
	if err := ir.New("empty", "test").Verify(); err != nil {
		t.Error(err)
	}
}
