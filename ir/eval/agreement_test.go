package eval_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/example"
	"netc/ir/loop"
	"netc/ir/op"
)

// TestEveryOperator fails for an operator that has no evaluator or no example,
// so that a new one cannot go unjudged.
func TestEveryOperator(t *testing.T) {
	shown := map[string]bool{}
	for _, e := range example.All() {
		shown[e.Op.Mnemonic()] = true
	}
	names := ir.Mnemonics()
	slices.Sort(names)
	for _, name := range names {
		if !eval.Evaluates(name) {
			t.Errorf("%s has no evaluator", name)
		}
		if !shown[name] {
			t.Errorf("%s has no example", name)
		}
	}
}

// TestAgreesWithLoops compares, for every operator, the reference with the
// operator's own loop nests, which are all that the compiler sees.
func TestAgreesWithLoops(t *testing.T) {
	for number, e := range example.All() {
		t.Run(fmt.Sprintf("%d %s %s", number, e.Op.Mnemonic(), ir.Attributes(e.Op)), func(t *testing.T) {
			x := e.Instance(t, uint64(number))
			want, err := eval.Run(x.Graph, x.Feeds)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]float64{}
			for name, tensor := range x.Feeds {
				got[name] = tensor.Data
			}
			for _, v := range x.Node.Out {
				got[v.Name] = make([]float64, v.Type.Shape.Count())
				for i := range got[v.Name] {
					got[v.Name][i] = math.NaN() // must all be stored
				}
			}
			for _, nest := range e.Op.(op.Operator).Loops(x.Node) {
				loop.Interpret(nest, func(v *ir.Value) []float64 { return got[v.Name] }, eval.Uniform)
			}
			for _, v := range x.Node.Out {
				for i, w := range want[v.Name].Data {
					if g := got[v.Name][i]; !(math.Abs(g-w) <= 1e-12*math.Max(1, math.Abs(w))) {
						t.Fatalf("%s[%d]: loops give %v, the reference %v", v.Name, i, g, w)
					}
				}
			}
		})
	}
}

// TestGradients compares every operator's gradient with differences of the
// loss: the sum of the results, each element times a random number.
func TestGradients(t *testing.T) {
	const step = 1e-4
	for number, e := range example.All() {
		if e.Smooth == nil {
			continue
		}
		t.Run(fmt.Sprintf("%d %s %s", number, e.Op.Mnemonic(), ir.Attributes(e.Op)), func(t *testing.T) {
			x := e.Instance(t, uint64(number))
			gradients := addLoss(x, e.Smooth, uint64(number))
			values, err := eval.Run(x.Graph, x.Feeds)
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for i, v := range x.Node.In {
				if gradients[i] == nil {
					continue
				}
				slopes, err := eval.Slopes(x.Graph, x.Feeds, x.Graph.Loss.Name, v.Name, nil, step)
				if err != nil {
					t.Fatal(err)
				}
				steepest, kinks := 0.0, 0
				for _, s := range slopes {
					steepest = math.Max(steepest, math.Abs(s.Value))
				}
				for _, s := range slopes {
					if s.Kink {
						kinks++
						continue
					}
					compared++
					if got := values[gradients[i].Name].Data[s.Element]; !(math.Abs(got-s.Value) <= 1e-6*steepest) {
						t.Fatalf("gradient of operand %s[%d] is %v, differences give %v", v.Name, s.Element, got, s.Value)
					}
				}
				if kinks*20 > len(slopes) {
					t.Errorf("%d of %d elements of %s at kinks", kinks, len(slopes), v.Name)
				}
			}
			if compared == 0 {
				t.Error("no gradient flows")
			}
		})
	}
}

// addLoss appends to the instance's graph the loss and the gradients of the
// node's operands, nil where none flows.
func addLoss(x example.Instance, through []int, seed uint64) []*ir.Value {
	g := x.Graph
	d := make([]*ir.Value, len(x.Node.Out))
	var loss *ir.Value
	for i, result := range x.Node.Out {
		if !slices.Contains(through, i) {
			continue
		}
		d[i] = g.AddInput("weight", result.Type)
		x.Feeds[d[i].Name] = example.RandomWeights(seed, result.Type)
		term := g.Must(op.Point("mul"), "term", nil, result, d[i])
		all := make([]int, len(result.Type.Shape))
		for axis := range all {
			all[axis] = axis
		}
		if len(all) > 0 {
			term = g.Must(&op.Sum{Axes: all}, "total", nil, term)
		}
		if loss == nil {
			loss = term
		} else {
			loss = g.Must(op.Point("add"), "loss", nil, loss, term)
		}
	}
	g.Loss = loss
	return x.Node.Op.(op.Operator).Grad(&op.Builder{Graph: g}, x.Node, d)
}
