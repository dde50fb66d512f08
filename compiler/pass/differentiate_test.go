package pass

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/op"
)

// learning lists the parameters with a learning rate.
func learning(g *ir.Graph) []*ir.Value {
	var list []*ir.Value
	for _, p := range g.Params {
		if p.Param.LrMult != 0 {
			list = append(list, p)
		}
	}
	return list
}

// TestDifferentiateArchives differentiates the graphs of testdata by their
// parameters: the result is the one written there, and it is the slope of the
// loss.
func TestDifferentiateArchives(t *testing.T) {
	files, err := filepath.Glob("testdata/differentiate-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a := readArchive(t, file)
			g, err := ir.Parse(a.in)
			if err != nil {
				t.Fatalf("in.ir: %v", err)
			}
			gradients, err := Differentiate(g, learning(g))
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Verify(); err != nil {
				t.Fatalf("%v\n%s", err, g)
			}
			got := g.String()
			a.compare(t, file, got)
			compareSlopes(t, g, gradients)
		})
	}
}

// compareSlopes compares gradients with differences of the loss. A parameter
// without a gradient must have no slope, unless something holds it back.
func compareSlopes(t *testing.T, g *ir.Graph, gradients map[*ir.Value]*ir.Value) {
	t.Helper()
	feeds := map[string]*eval.Tensor{}
	for i, list := range [][]*ir.Value{g.Inputs, g.Params, g.States} {
		for j, v := range list {
			x := eval.Zeros(v.Type)
			for k := range x.Data {
				if v.Type.DType == ir.F32 {
					x.Data[k] = math.Sin(float64(1 + 31*i + 7*j + k))
				}
			}
			feeds[v.Name] = x
		}
	}
	values, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	detached := slices.ContainsFunc(g.Nodes, func(n *ir.Node) bool { return n.Op.Mnemonic() == "detach" })
	for _, p := range learning(g) {
		slopes, err := eval.NumericGradient(g, feeds, p.Name, nil, 1e-4)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range slopes {
			d := 0.0
			if gradients[p] != nil {
				d = values[gradients[p].Name].Data[i]
			} else if detached {
				continue
			}
			if math.Abs(d-s) > 1e-6*(1+math.Abs(s)) {
				t.Errorf("the gradient of %s[%d] is %v, differences give %v", p.Name, i, d, s)
			}
		}
	}
}

// TestDifferentiateByAnyTensor: inputs, results and the loss itself can be
// wanted. Operators build the gradients of all their operands, but nothing flows
// on from those that lead to no wanted tensor, and DropDead removes them.
func TestDifferentiateByAnyTensor(t *testing.T) {
	g, err := ir.Parse(`graph g train
input x : f32[2]
input other : f32[2]
param w : f32[2]
v = exp other : f32[2]
a = mul x, w : f32[2]
b = tanh a : f32[2]
c = mul b, v : f32[2]
loss = sum c {axes: [0]} : f32[]
loss loss
`)
	if err != nil {
		t.Fatal(err)
	}
	before := len(g.Nodes)
	b, x := g.Lookup("b"), g.Lookup("x")
	gradients, err := Differentiate(g, []*ir.Value{b, g.Loss, x})
	if err != nil {
		t.Fatal(err)
	}
	if len(gradients) != 3 || gradients[b].Name != "b.d" || gradients[g.Loss].Name != "loss.d" || gradients[x].Name != "x.d" {
		t.Errorf("gradients %v", gradients)
	}
	if g.Lookup("other.d") != nil {
		t.Errorf("a gradient flows to what is not wanted\n%s", g)
	}
	g.Outputs = []*ir.Value{gradients[b], gradients[g.Loss], gradients[x]}
	if err := DropDead(g); err != nil {
		t.Fatal(err)
	}
	if added := len(g.Nodes) - before; added != 5 { // of loss, c, b, a and x
		t.Errorf("%d nodes were added\n%s", added, g)
	}
}

// TestDifferentiateOrigins: the gradient's nodes are from the layer whose
// gradient they are.
func TestDifferentiateOrigins(t *testing.T) {
	g, err := ir.Parse(`graph g train
param w : f32[2]                      # first n.net:1
a = tanh w : f32[2]                   # second n.net:2
loss = sum a {axes: [0]} : f32[]      # third n.net:3
loss loss
`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Differentiate(g, g.Params); err != nil {
		t.Fatal(err)
	}
	for name, layer := range map[string]string{"loss.d": "third", "a.d": "third", "w.d": "second"} {
		if from := g.Lookup(name).Def.From; len(from) != 1 || from[0].Layer != layer {
			t.Errorf("%s is from %v, not %s", name, from, layer)
		}
	}
}

func TestDifferentiateRefuses(t *testing.T) {
	g := ir.New("g", "train")
	if _, err := Differentiate(g, nil); err == nil || !strings.Contains(err.Error(), "no loss") {
		t.Errorf("error %v", err)
	}
	x := g.AddParam("x", ir.Float(2), ir.ParamInfo{})
	unknown := g.Must(&withoutGradient{}, "y", nil, x)
	g.Loss = g.Must(&op.Sum{Axes: []int{0}}, "loss", nil, unknown)
	if _, err := Differentiate(g, g.Params); err == nil || !strings.Contains(err.Error(), "without_gradient has no gradient") {
		t.Errorf("error %v", err)
	}
}

// withoutGradient is an operator of no package.
type withoutGradient struct{}

func (*withoutGradient) Mnemonic() string                      { return "without_gradient" }
func (*withoutGradient) Infer(in []ir.Type) ([]ir.Type, error) { return in, nil }
