package oracle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/tensor"

	"netc/ir"
	"netc/ir/eval"
)

// reference runs one operator in the float64 reference.
func reference(t *testing.T, o ir.Op, in ...*eval.Tensor) []*eval.Tensor {
	t.Helper()
	g := ir.New("oracle", "test")
	feeds := map[string]*eval.Tensor{}
	var operands []*ir.Value
	for i, tensor := range in {
		v := g.AddInput(fmt.Sprintf("operand%d", i), tensor.Type)
		feeds[v.Name] = tensor
		operands = append(operands, v)
	}
	results, err := g.Add(o, "result", nil, operands...)
	if err != nil {
		t.Fatal(err)
	}
	values, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	var out []*eval.Tensor
	for _, v := range results {
		out = append(out, values[v.Name])
	}
	return out
}

// must gives a result that cannot fail but for a mistake in the test.
func must[T any](result T, err error) T {
	if err != nil {
		panic(err)
	}
	return result
}

func random(seed uint64, shape ...int) *eval.Tensor {
	source := rand.New(rand.NewPCG(seed, 0))
	x := eval.Zeros(ir.Float(shape...))
	for i := range x.Data {
		x.Data[i] = source.NormFloat64()
	}
	return x
}

// agree compares the reference's result with gorgonia's, element by element.
func agree(t *testing.T, got *eval.Tensor, judge tensor.Tensor) {
	t.Helper()
	agreeElements(t, got, must(Floats(judge)))
}

func agreeElements(t *testing.T, got *eval.Tensor, want []float64) {
	t.Helper()
	if len(got.Data) != len(want) {
		t.Fatalf("%d elements, gorgonia has %d", len(got.Data), len(want))
	}
	for i, w := range want {
		if !(math.Abs(got.Data[i]-w) <= 1e-12*math.Max(1, math.Abs(w))) {
			t.Fatalf("element %d of %s is %v, gorgonia has %v", i, got.Type, got.Data[i], w)
		}
	}
}
