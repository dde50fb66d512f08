//go:build linux

package vector_test

import (
	"fmt"
	"testing"

	"netc/codegen/vector/vectortest"
	"netc/ir"
	"netc/ir/example"
	"netc/ir/op"
)

// relaid are tensors with whole and partial blocks of the first two axes, and
// some of which a relayout is cut into tasks and pieces of rows.
var relaid = []ir.Shape{
	{1, 1}, {3, 16}, {16, 5}, {17, 33}, {100, 20}, {2, 2500}, {17, 2100},
	{1, 16, 1, 1}, {1, 32, 3, 5}, {2, 16, 7, 7}, {3, 48, 2, 3}, {15, 16, 1, 9}, {16, 32, 4, 4}, {17, 16, 3, 3}, {33, 48, 2, 1},
	{2, 3, 5, 5}, {16, 17, 3, 2}, {20, 6, 1, 11}, {32, 3, 7, 7}, {48, 15, 3, 3},
	{2, 17, 46, 45}, {1, 16, 47, 45}, {18, 16, 13, 17},
}

// relayoutKernels convert between all layouts that the pass layouts makes:
// row-major, the first or the second axis in lanes, and from row-major to
// exchanged axes.
func relayoutKernels(t *testing.T) func() []*vectortest.Application {
	pairs := []struct {
		from int
		to   op.Relayout
	}{
		{0, op.Relayout{Lanes: 1}}, {1, op.Relayout{}},
		{0, op.Relayout{Lanes: 2}}, {2, op.Relayout{}},
		{1, op.Relayout{Lanes: 2}}, {2, op.Relayout{Lanes: 1}},
		{0, op.Relayout{Swap: true}}, {0, op.Relayout{Lanes: 2, Swap: true}},
	}
	return func() (list []*vectortest.Application) {
		for i, shape := range relaid {
			for k, pair := range pairs {
				for _, d := range []ir.DType{ir.F32, ir.I32, ir.U8} {
					if d != ir.F32 && shape.Count() > 3000 {
						continue
					}
					b := newBuilder(uint64(100*i+k), 0, false)
					v := b.g.AddInput("x", ir.Type{DType: d, Shape: shape, Lanes: pair.from})
					x := example.RandomTensor(b.Rand, ir.Type{DType: ir.I32, Shape: shape})
					x.Type = v.Type
					for j := range x.Data {
						x.Data[j] = float64(j % 251)
					}
					b.feeds[v.Name] = x
					to := b.node(&pair.to, v)
					list = append(list, b.done(t, fmt.Sprintf("relayout %s to %s", v.Type, to.Type)))
				}
			}
		}
		return list
	}
}

func TestRelayoutsConform(t *testing.T) { vectortest.EachISA(t, relayoutKernels(t)) }
