//go:build linux

package vector_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"netc/codegen/vector/vectortest"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/example"
	"netc/ir/op"
)

// applied makes an application of one operator, on operands rounded to float32.
// In lanes, every tensor whose first axis is the batch is, but for those that
// the pass layouts leaves row-major; it is nil where there is none.
func applied(t *testing.T, name string, o ir.Op, in []ir.Type, data [][]float64, lanes bool) *vectortest.Application {
	t.Helper()
	b := newBuilder(0, 0, lanes)
	var values []*ir.Value
	for i, typ := range in {
		v := b.g.AddInput(string(rune('a'+i)), typ)
		x := eval.Zeros(typ)
		for j, e := range data[i] {
			x.Data[j] = e
			if typ.DType == ir.F32 {
				x.Data[j] = float64(float32(e))
			}
		}
		b.feeds[v.Name] = x
		values = append(values, v)
	}
	if lanes {
		switch o.(type) {
		case *op.Relayout, *op.Constant:
			return nil
		}
		if len(in) == 0 || len(in[0].Shape) < 2 {
			return nil
		}
		b.batch = in[0].Shape[0]
	}
	outs, err := b.g.Add(o, "out", nil, values...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	x := b.done(t, fmt.Sprintf("%s %s %s", name, o.Mnemonic(), ir.Attributes(o)))
	if !lanes {
		return x
	}
	// Pieces of the batch, and classes along it, which labels point at, have no
	// vector form.
	switch o := o.(type) {
	case *op.Accuracy:
		x.Rare = o.Axis == 0
	case *op.AccuracyPerClass:
		x.Rare = o.Axis == 0
	case *op.SoftmaxLoss:
		x.Rare = o.Axis == 0
	case *op.Concat:
		if o.Axis == 0 {
			return nil
		}
	case *op.Split:
		if o.Axis == 0 {
			return nil
		}
	case *op.Reshape:
		if len(o.Shape) < 2 || o.Shape[0] != b.batch || outs[0].Type.Lanes == 0 {
			return nil
		}
	case *op.Conv, *op.ConvGradData:
		values[1].Type = in[1]
	case *op.ConvGradWeight:
		outs[0].Type.Lanes = 0
	case *op.MatMul:
		values[1].Type = in[1]
	}
	return x
}

// exampleKernels makes all examples of operators, row-major and in lanes.
func exampleKernels(t *testing.T) func() []*vectortest.Application {
	return func() (list []*vectortest.Application) {
		for i, e := range example.All() {
			x := e.Instance(t, uint64(i))
			var data [][]float64
			for _, v := range x.Node.In {
				data = append(data, x.Feeds[v.Name].Data)
			}
			for _, lanes := range []bool{false, true} {
				if a := applied(t, fmt.Sprintf("example %d", i), e.Op, e.In, data, lanes); a != nil {
					list = append(list, a)
				}
			}
		}
		return list
	}
}

func TestExamplesConform(t *testing.T) { vectortest.EachISA(t, exampleKernels(t)) }

// trialsOf is how many random applications of each operator are tried.
const trialsOf = 12

func trialKernels(t *testing.T) func() []*vectortest.Application {
	return func() (list []*vectortest.Application) {
		names := ir.Mnemonics()
		slices.Sort(names)
		for _, name := range names {
			count := trialsOf
			if *vectortest.Long {
				count *= 20
			}
			for i := range count {
				r := rand.New(rand.NewPCG(uint64(i), 9))
				x := example.WideTrialOf(name, r)
				if a := applied(t, fmt.Sprintf("trial %d", i), x.Op, x.In, x.Operands(r), i%2 == 1); a != nil {
					a.Rare = a.Rare || i >= trialsOf
					list = append(list, a)
				}
			}
		}
		return list
	}
}

func TestTrialsConform(t *testing.T) { vectortest.EachISA(t, trialKernels(t)) }
