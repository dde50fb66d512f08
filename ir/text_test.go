package ir_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"netc/ir"
	_ "netc/ir/op"
)

// everything is a graph with each construct of the text, as Print writes it.
const everything = `graph "two words" "my phase"

input data : f32[2,3,4,4]                                                                                 # data some.net:3
input label : i32[2]                                                                                      # label some.net:4
input "solver rate" : f32[]

param conv.weight : f32[5,3,3,3] {filler: xavier, variance: fan_in, lr_mult: 0.5, decay_mult: 0}          # conv some.net:5
param conv.bias : f32[5] {value: 0.25}                                                                    # conv some.net:5
param "w \"q\" \\ \n" : f32[5] {filler: gaussian, mean: -1, std: 0.01, sparse: 3}
param spread : f32[5] {filler: uniform, min: -Inf, max: 1e-30, gain: 2}

state conv.weight.momentum : f32[5,3,3,3]                                                                 # conv some.net:5
state running : f32[5] {value: 1, saved: true}                                                            # "a layer" "odd name.net":12

input           = conv data, conv.weight {pad: [1, 1]}                   : f32[2,5,4,4]                   # conv some.net:5
conv, stored.sum = fuse {
    added           = broadcast conv.bias {shape: [2, 5, 4, 4], axes: [1]}  : f32[2,5,4,4]                # conv some.net:5
    inside          = add input, added                                   : f32[2,5,4,4]                   # conv some.net:5
    conv            = relu inside                                        : f32[2,5,4,4]                   # relu, second some.net:7
    stored.sum      = map conv, inside {formula: "a - b"}                : f32[2,5,4,4]
}
pool, pool.argmax = maxpool conv {kernel: [2, 2], stride: [2, 2]}        : f32[2,5,2,2], u8[2,5,2,2]      # pool
write           = reshape pool {shape: [2, 20]}                          : f32[2,20]                      # "", "x#y" "z\n.net":2
loss, loss.prob = softmax_loss write, label {ignore: -1, has_ignore: true}  : f32[], f32[2,20]
one             = constant {value: 1}                                    : f32[]
output          = constant {value: -2.5, shape: [5]}                     : f32[5]
"true"          = constant {value: NaN, shape: [1]}                      : f32[1]

write running = output
output loss, pool, data
loss loss
`

// TestTextRoundTrip: what prints also parses, and prints the same.
func TestTextRoundTrip(t *testing.T) {
	first := parse(t, everything)
	text := first.String()
	if text != everything {
		t.Errorf("printed\n%s\nwant\n%s", text, everything)
	}
	var written strings.Builder
	if err := parse(t, text).Print(&written); err != nil {
		t.Fatal(err)
	}
	if written.String() != text {
		t.Errorf("printed again\n%s\nprinted first\n%s", written.String(), text)
	}
}

// TestParsedParts looks at what the text became.
func TestParsedParts(t *testing.T) {
	g := parse(t, everything)
	if g.Name != "two words" || g.Phase != "my phase" {
		t.Errorf("graph %q, phase %q", g.Name, g.Phase)
	}
	if n := []int{len(g.Inputs), len(g.Params), len(g.States), len(g.Nodes), len(g.Writes), len(g.Outputs)}; n[0] != 3 || n[1] != 4 || n[2] != 2 || n[3] != 8 || n[4] != 1 || n[5] != 3 {
		t.Errorf("counts %v", n)
	}
	weight := g.Lookup("conv.weight")
	if weight.Kind != ir.Param || !weight.Param.Saved || weight.Param.LrMult != 0.5 || weight.Param.DecayMult != 0 ||
		weight.Param.Filler != (ir.Filler{Kind: "xavier", Variance: "fan_in"}) {
		t.Errorf("conv.weight became %+v", weight.Param)
	}
	if o := weight.From; len(o) != 1 || o[0] != (ir.Origin{Layer: "conv", File: "some.net", Line: 5}) {
		t.Errorf("conv.weight is from %v", o)
	}
	if v := g.Lookup("w \"q\" \\ \n"); v == nil || v.Param.Filler.Sparse != 3 {
		t.Error("a quoted name is lost")
	}
	if m := g.Lookup("conv.weight.momentum"); m.Kind != ir.State || m.Param.Saved || m.Param.LrMult != 0 {
		t.Errorf("the momentum became %+v", m.Param)
	}
	if !g.Lookup("running").Param.Saved {
		t.Error("a saved state is not saved any more")
	}
	group := g.Nodes[1]
	if names(group.In) != "conv.bias input" || names(group.Out) != "conv stored.sum" {
		t.Errorf("the group reads %s and gives %s", names(group.In), names(group.Out))
	}
	if g.Lookup("conv").Def != group || g.Lookup("inside").Def != group.Body[1] {
		t.Error("a group's result belongs to the group, an inner value to its node")
	}
	want := []ir.Origin{{Layer: "conv", File: "some.net", Line: 5}, {Layer: "relu"}, {Layer: "second", File: "some.net", Line: 7}}
	if len(group.From) != 3 || group.From[0] != want[0] || group.From[1] != want[1] || group.From[2] != want[2] {
		t.Errorf("the group is from %v", group.From)
	}
	if g.Writes[0].Target != g.Lookup("running") || g.Writes[0].Value != g.Lookup("output") || g.Loss != g.Lookup("loss") {
		t.Error("write or loss is lost")
	}
}

func names(values []*ir.Value) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.Name
	}
	return strings.Join(list, " ")
}

// TestPrintedNames: only words that the scanner reads back are printed bare.
func TestPrintedNames(t *testing.T) {
	for _, name := range []string{"conv1", "a.conv/1x1-b", "_x", "1st", "", "true", "false", "a b", `"`, "\\", "tab\t", "ünï", "#", "\xff", "NaN", "input", "fuse"} {
		g := ir.New("g", "test")
		v := g.AddInput("x", ir.Float())
		if name != "" {
			g.Rename(v, name)
			g.Name, g.Phase = name, name
		}
		v.From = []ir.Origin{{Layer: name}, {Layer: name, File: "f" + name, Line: 1}}
		again := parse(t, g.String())
		got := again.Inputs[0]
		if got.Name != v.Name || again.Name != g.Name || again.Phase != g.Phase {
			t.Errorf("%q came back as %q in graph %q %q", name, got.Name, again.Name, again.Phase)
		}
		if len(got.From) != 2 || got.From[0].Layer != name || got.From[1].File != filepath.Base("f"+name) {
			t.Errorf("%q: origins %v", name, got.From)
		}
	}
}

// TestFoldersAreNotPrinted: the text is the same wherever the file lies.
func TestFoldersAreNotPrinted(t *testing.T) {
	g := ir.New("g", "test")
	g.AddInput("x", ir.Float(), ir.Origin{Layer: "x", File: "/somewhere/nets/a.net", Line: 2})
	if text := g.String(); !strings.Contains(text, "# x a.net:2\n") || strings.Contains(text, "somewhere") {
		t.Error(text)
	}
}

func parse(t *testing.T, text string) *ir.Graph {
	t.Helper()
	g, err := ir.Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return g
}

// TestParseErrors gives broken texts, each with the line and the beginning of
// the message.
func TestParseErrors(t *testing.T) {
	const head = "graph g test\ninput x : f32[2]\n" // so that the mistake is on line 3
	for _, c := range []struct {
		text    string
		line    int
		message string
	}{
		{"", 1, `expected "graph NAME PHASE", found "end of text"`},
		{"# a comment\n\nnode g", 3, `expected "graph NAME PHASE", found "node"`},
		{"graph g", 1, `expected a name, found "end of text"`},
		{"graph 1 test", 1, `expected a name, found "1"`},
		{"graph g test extra", 1, `expected the end of the line, found "extra"`},
		{head + "input x : f32[2]", 3, `"x" is defined twice`},
		{head + "x = relu x : f32[2]", 3, `"x" is defined twice`},
		{head + "y relu x : f32[2]", 3, `unknown statement "y"`},
		{head + "y = relu z : f32[2]", 3, `"z" is not defined above`},
		{head + "y = really x : f32[2]", 3, `unknown operator "really"`},
		{head + "y = relu x {steep: 1} : f32[2]", 3, `unknown attribute "steep"`},
		{head + "y = relu x {slope: steep} : f32[2]", 3, `bad value "steep"`},
		{head + "y = relu x {slope: 1 by: 2} : f32[2]", 3, `expected ",", found "by"`},
		{head + "y = sum x {axes: 0} : f32[]", 3, `bad value "0"`},
		{head + "y = sum x {axes: [0.5]} : f32[]", 3, `bad value "0.5"`},
		{head + "y = sum x {axes: [0 : f32[]", 3, `expected ",", found ":"`},
		{head + "y = map x {formula: [1]} : f32[2]", 3, `bad value "["`},
		{head + "y = accuracy x {has_ignore: maybe} : f32[2]", 3, `bad value "maybe"`},
		{head + "y = relu x", 3, `expected ":", found "end of text"`},
		{head + "y = relu x : f64[2]", 3, `unknown element type "f64"`},
		{head + "y = relu x : f32[2", 3, `expected ",", found "end of text"`},
		{head + "y = relu x : f32[0]", 3, `bad extent "0"`},
		{head + "y = relu x : f32[-1]", 3, `bad extent "-1"`},
		{head + "y = relu x : f32[99999999999999999999]", 3, `bad extent "99999999999999999999"`},
		{head + "y = relu x : f32[1048576,1048576,2]", 3, `bad extent "2"`},
		{head + "y = relu x : f32[" + strings.Repeat("1,", 32) + "1]", 3, "more than 32 axes"},
		{head + "y, z = relu x : f32[2]", 3, "2 results, but 1 types"},
		{head + "y = relu x : f32[2] more", 3, `expected the end of the line, found "more"`},
		{head + "y = relu x : f32[3]\n", 4, "y is f32[3], its operator gives f32[2]"},
		{head + "y = \"unclosed : f32[2]\nz = relu x : f32[2]", 3, `expected a name, found "bad string"`},
		{head + "y = fuse {\n    z = relu x : f32[2]\n", 5, "a fused group is not closed"},
		{head + "y = fuse {\n    z = relu x : f32[2]\n}\n", 5, `the group does not compute "y"`},
		{head + "y = fuse {\n}\n", 4, `the group does not compute "y"`},
		{head + "y = fuse {\n    y = relu x : f32[2]\n} extra\n", 5, `expected the end of the line, found "extra"`},
		{head + strings.Repeat("y = fuse {\n", 10), 11, "groups nested too deeply"},
		{head + "write x = y", 3, `"y" is not defined above`},
		{head + "output y", 3, `"y" is not defined above`},
		{head + "output x,", 3, `expected a name, found "end of text"`},
		{head + "loss x", 3, "loss x must be an f32[] of the graph"},
		{head + "write x = x", 3, "write x: only parameters and states can be written"},
		{head + "param w : f32[2] {filler: 3}", 3, `bad value "3"`},
		{head + "input y : f32[2] {value: 1}", 3, `expected the end of the line, found "{"`},
		{head + "= relu x", 3, `expected a name, found "="`},
		{head + "\u00a0", 3, "expected a name"},
	} {
		g, err := ir.Parse(c.text)
		var mistake *ir.ParseError
		if !errors.As(err, &mistake) {
			t.Errorf("%q: error %v, graph %v", c.text, err, g)
			continue
		}
		if mistake.Line != c.line || !strings.HasPrefix(mistake.Message, c.message) {
			t.Errorf("%q: %v, want line %d: %s", c.text, err, c.line, c.message)
		}
	}
}
