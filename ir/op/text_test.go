package op_test

import (
	"math/rand/v2"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// TestText checks that a graph of each operator and of its gradient prints,
// parses to the same operators and prints the same.
func TestText(t *testing.T) {
	each(t, 10, func(t *testing.T, x trial, r *rand.Rand) {
		g, n, _ := build(t, x, r)
		if x.through != nil {
			d := make([]*ir.Value, len(n.Out))
			for _, i := range x.through {
				d[i] = g.AddInput("weight", n.Out[i].Type)
			}
			x.op.Grad(&op.Builder{Graph: g, From: n.From}, n, d)
		}
		g.Outputs = n.Out
		text := g.String()
		parsed, err := ir.Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if again := parsed.String(); again != text {
			t.Fatalf("printed again:\n%s\nprinted first:\n%s", again, text)
		}
		for i, n := range g.Nodes {
			if !ir.EqualOps(n.Op, parsed.Nodes[i].Op) {
				t.Errorf("%s %s was read as %s", n.Op.Mnemonic(), ir.Attributes(n.Op), ir.Attributes(parsed.Nodes[i].Op))
			}
		}
	})
}

// TestResultNames checks the names that readers of the IR see.
func TestResultNames(t *testing.T) {
	for _, x := range []struct {
		trial trial
		names []string
	}{
		{trial{op: &op.MaxPool{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}}, in: one(ir.Float(1, 1, 4, 4))}, []string{"out", "out.argmax"}},
		{trial{op: &op.BatchNorm{}, in: one(ir.Float(2, 2))}, []string{"out", "out.mean", "out.variance"}},
		{trial{op: &op.Moments{}, in: one(ir.Float(2, 2, 2))}, []string{"out", "out.squares"}},
		{trial{op: &op.MergeMoments{Of: 4}, in: one(ir.Float(2, 2), ir.Float(2, 2))}, []string{"out", "out.variance"}},
		{trial{op: &op.SoftmaxLoss{Axis: 1, Normalization: "none"}, in: one(ir.Float(2, 3), ir.Int(2))}, []string{"out", "out.prob"}},
		{trial{op: &op.Split{Sizes: []int{1, 1}}, in: one(ir.Float(2))}, []string{"out", "out.1"}},
	} {
		_, n, _ := build(t, x.trial, rand.New(rand.NewPCG(1, 1)))
		for i, v := range n.Out {
			if v.Name != x.names[i] {
				t.Errorf("%s result %d is called %s, not %s", x.trial.op.Mnemonic(), i, v.Name, x.names[i])
			}
		}
	}
}
