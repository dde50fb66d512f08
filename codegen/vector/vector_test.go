package vector

import (
	"fmt"
	"testing"

	"netc/codegen/asm"
	"netc/ir"
	"netc/ir/example"
	"netc/ir/op"
)

// graphOf is a graph of one node on inputs of the example's types.
func graphOf(t *testing.T, x example.Example) *ir.Node {
	t.Helper()
	g := ir.New("example", "test")
	var in []*ir.Value
	for i, typ := range x.In {
		in = append(in, g.AddInput(string(rune('a'+i)), typ))
	}
	outs, err := g.Add(x.Op, "out", nil, in...)
	if err != nil {
		t.Fatal(err)
	}
	return outs[0].Def
}

// keepsBatch reports whether an example may have its batch in lanes: a reshape
// that takes the batch apart reads rows, see pass.BatchInLanes.
func keepsBatch(x example.Example) bool {
	o, ok := x.Op.(*op.Reshape)
	return !ok || len(o.Shape) > 0 && len(x.In[0].Shape) > 0 && o.Shape[0] == x.In[0].Shape[0]
}

func TestCompiles(t *testing.T) {
	for i, x := range example.All() {
		for _, isa := range []asm.ISA{asm.AVX2, asm.AVX512} {
			for _, inLanes := range []bool{false, true} {
				n := graphOf(t, x)
				if inLanes && !keepsBatch(x) {
					continue
				}
				if inLanes && len(n.In) > 0 && len(n.In[0].Type.Shape) > 0 {
					for _, v := range append(n.In, n.Out...) {
						if len(v.Type.Shape) >= 2 && v.Type.Shape[0] == n.In[0].Type.Shape[0] {
							v.Type = v.Type.InLanes(0)
						}
					}
				}
				nests, err := op.Nests(n)
				if err != nil {
					t.Fatal(err)
				}
				for k, nest := range nests {
					if _, err := Compile(fmt.Sprintf("k%d_%d", i, k), nest, isa); err != nil {
						t.Errorf("%d %s lanes %v %s: %v", i, x.Op.Mnemonic(), inLanes, isa, err)
					}
				}
			}
		}
	}
}
