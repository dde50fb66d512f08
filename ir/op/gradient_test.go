package op_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// TestGradients compares the gradient that Grad builds, run by its loop nests,
// with central differences of the operator's own nests. The loss is the sum of
// the results' elements, each times a random number.
func TestGradients(t *testing.T) {
	const step, tolerance = 1e-5, 1e-6
	each(t, 12, func(t *testing.T, x trial, r *rand.Rand) {
		if x.through == nil {
			t.Skip("no gradient flows through it")
		}
		g, n, e := build(t, x, r)
		d := make([]*ir.Value, len(n.Out))
		for _, i := range x.through {
			d[i] = g.AddInput("weight", n.Out[i].Type)
			e[d[i]] = ordinary(r, d[i].Type, 0)
		}
		gradients := x.op.Grad(&op.Builder{Graph: g, From: n.From}, n, d)
		if len(gradients) != len(n.In) {
			t.Fatalf("%s\n%d gradients for %d operands", g, len(gradients), len(n.In))
		}
		if err := g.Verify(); err != nil {
			t.Fatalf("%s\n%v", g, err)
		}
		e.run(g.Nodes)

		loss := func() (sum float64) {
			e.run([]*ir.Node{n})
			for _, i := range x.through {
				for j, y := range e[n.Out[i]] {
					sum += y * e[d[i]][j]
				}
			}
			return sum
		}
		slopes := func(v *ir.Value) []float64 {
			list := make([]float64, len(e[v]))
			for i, here := range e[v] {
				e[v][i] = here + step
				above := loss()
				e[v][i] = here - step
				below := loss()
				e[v][i] = here
				list[i] = (above - below) / (2 * step)
			}
			return list
		}
		flows := false
		for i, v := range n.In {
			if gradients[i] == nil {
				continue
			}
			flows = true
			if !gradients[i].Type.Equal(v.Type) {
				t.Fatalf("%s\nthe gradient of %s is %s", g, v.Name, gradients[i].Type)
			}
			got := slices.Clone(e[gradients[i]])
			want := slopes(v)
			steepest := 1.0
			for _, s := range want {
				steepest = max(steepest, math.Abs(s))
			}
			for j, s := range want {
				if !(math.Abs(got[j]-s) <= tolerance*steepest) {
					t.Fatalf("%s\nthe gradient of %s[%d] is %v, differences give %v", g, v.Name, j, got[j], s)
				}
			}
		}
		if !flows {
			t.Fatalf("%s\nno gradient flows", g)
		}
	})
}

// TestNoGradient checks that an operator without a gradient says so instead of
// building nodes.
func TestNoGradient(t *testing.T) {
	for _, x := range []trial{
		{op: &op.Constant{Shape: []int{2}}},
		{op: &op.ToFloat{}, in: one(ir.Int(2))},
		{op: op.Point("detach"), in: one(ir.Float(2))},
		{op: &op.OneHot{Classes: 2}, in: one(ir.Int(2))},
		{op: &op.Accuracy{TopK: 1, Axis: 1}, in: one(ir.Float(2, 3), ir.Int(2))},
		{op: &op.AccuracyPerClass{TopK: 1, Axis: 1}, in: one(ir.Float(2, 3), ir.Int(2))},
	} {
		g, n, _ := build(t, x, rand.New(rand.NewPCG(1, 1)))
		gradients := x.op.Grad(&op.Builder{Graph: g}, n, []*ir.Value{g.AddInput("d", n.Out[0].Type)})
		if len(gradients) != len(n.In) || len(g.Nodes) != 1 {
			t.Errorf("%s: %d gradients, %d nodes", x.op.Mnemonic(), len(gradients), len(g.Nodes))
		}
		for _, d := range gradients {
			if d != nil {
				t.Errorf("%s has the gradient %s", x.op.Mnemonic(), d.Name)
			}
		}
	}
}

// TestUnusedResults checks results that the loss does not depend on.
func TestUnusedResults(t *testing.T) {
	for _, x := range []trial{
		{op: &op.MaxPool{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}}, in: one(ir.Float(1, 1, 4, 4))},
		{op: &op.BatchNorm{Eps: 1e-5}, in: one(ir.Float(2, 2))},
		{op: &op.Split{Axis: 0, Sizes: []int{1, 1}}, in: one(ir.Float(2))},
		{op: &op.SoftmaxLoss{Axis: 1, Normalization: "valid"}, in: one(ir.Float(2, 3), ir.Int(2))},
	} {
		g, n, _ := build(t, x, rand.New(rand.NewPCG(1, 1)))
		if d := x.op.Grad(&op.Builder{Graph: g}, n, make([]*ir.Value, len(n.Out))); d[0] != nil {
			t.Errorf("%s has the gradient %s without one of its results", x.op.Mnemonic(), d[0].Name)
		}
	}
}

// TestGradientZeroByAttribute: where an attribute makes the gradient 0
// everywhere, it is a constant, so that the parameter behind it still decays.
func TestGradientZeroByAttribute(t *testing.T) {
	for _, o := range []*op.Pointwise{op.Point("scale"), op.Point("power")} {
		g := ir.New("g", "train")
		x := g.AddInput("x", ir.Float(2, 3))
		y := g.Must(o, "y", nil, x)
		d := o.Grad(&op.Builder{Graph: g}, y.Def, []*ir.Value{g.AddInput("d", ir.Float(2, 3))})
		zero, ok := d[0].Def.Op.(*op.Constant)
		if !ok || zero.Value != 0 || !d[0].Type.Equal(x.Type) {
			t.Errorf("the gradient of %s is %s %s", o.Mnemonic(), d[0].Def.Op.Mnemonic(), d[0].Type)
		}
	}
}
