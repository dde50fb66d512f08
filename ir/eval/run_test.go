package eval_test

import (
	"math"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/op"
)

// descent is a step of gradient descent on a line through points.
const descent = `graph descent train

input x : f32[3,1]
input t : f32[3,1]
param w : f32[1,1]
state steps : f32[]

y = matmul x, w : f32[3,1]
r = sub y, t : f32[3,1]
s = square r : f32[3,1]
total = sum s {axes: [0, 1]} : f32[]
half = scale total {by: 0.5} : f32[]
w.d = matmul x, r {trans_a: true} : f32[1,1]
w.next = map w, w.d {formula: "a - 0.1 * b"} : f32[1,1]
steps.next = offset steps {by: 1} : f32[]

write w = w.next
write steps = steps.next
output half
loss half
`

func parse(t *testing.T, text string) *ir.Graph {
	t.Helper()
	g, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func descentFeeds() map[string]*eval.Tensor {
	return map[string]*eval.Tensor{
		"x": eval.Floats(ir.Shape{3, 1}, 1, 2, 0), "t": eval.Floats(ir.Shape{3, 1}, 3, 6, 0),
		"w": eval.Floats(ir.Shape{1, 1}, 1), "steps": eval.Floats(nil, 0),
	}
}

func TestStep(t *testing.T) {
	g, feeds := parse(t, descent), descentFeeds()
	values, stored, err := eval.Step(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "half", values["half"].Data, []float64{0.5 * (4 + 16)})
	compare(t, "w.d", values["w.d"].Data, []float64{-10})
	compare(t, "w before", values["w"].Data, []float64{1})
	compare(t, "w after", stored["w"].Data, []float64{2})
	compare(t, "steps after", stored["steps"].Data, []float64{1})
	if len(stored) != 2 {
		t.Errorf("%d tensors stored, not the parameter and the state", len(stored))
	}
	for range 40 {
		for name, tensor := range stored {
			feeds[name] = tensor
		}
		if _, stored, err = eval.Step(g, feeds); err != nil {
			t.Fatal(err)
		}
	}
	if w := stored["w"].Data[0]; math.Abs(w-3) > 1e-9 {
		t.Errorf("w is %v after 41 steps, not 3", w)
	}
}

func TestFusedGroup(t *testing.T) {
	g, feeds := parse(t, descent), descentFeeds()
	want, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	g.Group(g.Nodes[0:3])
	if err := g.Verify(); err != nil {
		t.Fatal(err)
	}
	got, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || g.Nodes[0].Body == nil {
		t.Errorf("%d values, want %d", len(got), len(want))
	}
	for name, tensor := range want { // y exists only inside the group
		compare(t, name, got[name].Data, tensor.Data)
	}
	a, err := eval.NumericGradient(g, feeds, "w", nil, 1e-4)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(a[0]+10) > 1e-7 {
		t.Errorf("gradient %v through the group, want -10", a)
	}
}

func TestBadFeeds(t *testing.T) {
	labelled := ir.New("labelled", "test")
	label := labelled.AddInput("label", ir.Int(2))
	labelled.Must(&op.ToFloat{}, "y", nil, label)
	counted := ir.New("counted", "test")
	count := counted.AddInput("count", ir.Byte(2))
	counted.Must(&op.Reshape{Shape: []int{2, 1}}, "y", nil, count)
	unsorted := parse(t, descent)
	unsorted.Nodes[0], unsorted.Nodes[1] = unsorted.Nodes[1], unsorted.Nodes[0]
	for _, c := range []struct {
		graph *ir.Graph
		name  string
		feed  *eval.Tensor
		want  string
	}{
		{parse(t, descent), "x", nil, "input x: no tensor is given; it is f32[3,1]"},
		{parse(t, descent), "w", eval.Floats(ir.Shape{1}, 1), "param w: the tensor given is f32[1], not f32[1,1]"},
		{parse(t, descent), "steps", eval.Ints(nil, 1), "state steps: the tensor given is i32[], not f32[]"},
		{parse(t, descent), "t", eval.Floats(ir.Shape{3, 1}, 1, 2), "input t: 2 elements are given, but f32[3,1] has 3"},
		{labelled, "label", &eval.Tensor{Type: ir.Int(2), Data: []float64{1, 0.5}}, "input label: element 1 is 0.5, which is no i32"},
		{counted, "count", &eval.Tensor{Type: ir.Byte(2), Data: []float64{255, 256}}, "input count: element 1 is 256, which is no u8"},
		{labelled, "label", &eval.Tensor{Type: ir.Int(2), Data: []float64{1, math.NaN()}}, "input label: element 1 is NaN, which is no i32"},
		{unsorted, "more", nil, "sub r reads y before it is defined"},
	} {
		feeds := descentFeeds()
		feeds[c.name] = c.feed
		_, err := eval.Run(c.graph, feeds)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	if _, err := eval.Run(parse(t, descent), descentFeeds()); err != nil {
		t.Error(err)
	}
}

func TestUnknownOperator(t *testing.T) {
	g := ir.New("g", "test")
	x := g.AddInput("x", ir.Float(1))
	g.Must(&unheardOf{}, "y", nil, x)
	_, err := eval.Run(g, map[string]*eval.Tensor{"x": eval.Floats(ir.Shape{1}, 1)})
	if err == nil || !strings.Contains(err.Error(), "unheard_of has no reference evaluator") {
		t.Errorf("error %v", err)
	}
}

type unheardOf struct{}

func (*unheardOf) Mnemonic() string                      { return "unheard_of" }
func (*unheardOf) Infer(in []ir.Type) ([]ir.Type, error) { return in, nil }

func TestTensorConversions(t *testing.T) {
	a := eval.FromFloat32(ir.Shape{2}, []float32{0.1, -2})
	if got := a.Float32s(); got[0] != 0.1 || got[1] != -2 {
		t.Errorf("round trip gives %v", got)
	}
	b := a.Clone()
	b.Data[0] = 7
	if a.Data[0] != float64(float32(0.1)) {
		t.Error("a clone shares elements")
	}
	c := eval.FromInt32(ir.Shape{2}, []int32{math.MinInt32, 5})
	if !c.Type.Equal(ir.Int(2)) || c.Data[0] != math.MinInt32 || c.Data[1] != 5 {
		t.Errorf("i32 tensor %v", c)
	}
}
