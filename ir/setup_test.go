package ir_test

import (
	"testing"

	"netc/ir"
	_ "netc/ir/op"
)

func TestSetup(t *testing.T) {
	const declared = "graph net test\ninput x : f32[4]\nparam w : f32[4]\nstate s : f32[4]\n"
	for _, c := range []struct {
		name, nodes string
		want        int
	}{
		{"parameters, states and constants", "a = mul w, s : f32[4]\nc = constant {value: 2, shape: [4]} : f32[4]\nb = add a, c : f32[4]\ny = mul x, b : f32[4]\noutput y\n", 3},
		{"behind a node of the step", "y = relu x : f32[4]\na = exp w : f32[4]\nz = mul y, a : f32[4]\noutput z\n", 0},
		{"up to a node of the step", "a = exp w : f32[4]\ny = relu x : f32[4]\nb = exp a : f32[4]\nz = map y, b {formula: \"a + b\"} : f32[4]\noutput z\n", 1},
		{"an output", "a = exp w : f32[4]\ny = relu x : f32[4]\noutput y, a\n", 1},
		{"a group", "b = fuse {\n    a = mul w, s : f32[4]\n    b = exp a : f32[4]\n}\ny = mul x, b : f32[4]\noutput y\n", 1},
		{"a group of both", "y = fuse {\n    a = exp w : f32[4]\n    y = mul x, a : f32[4]\n}\noutput y\n", 0},
		{"nothing else", "a = exp w : f32[4]\noutput a\n", 0},
		{"a phase that writes", "a = exp w : f32[4]\ny = mul x, a : f32[4]\nwrite s = y\n", 0},
	} {
		g, err := ir.Parse(declared + c.nodes)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := g.Setup(); got != c.want {
			t.Errorf("%s: a setup of %d nodes, want %d", c.name, got, c.want)
		}
	}
}
