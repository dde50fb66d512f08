package oracle

import (
	"fmt"
	"testing"

	"netc/ir/op"
)

func TestMatrixProduct(t *testing.T) {
	const m, k, n = 7, 5, 6
	for _, o := range []op.MatMul{{}, {TransA: true}, {TransB: true}, {TransA: true, TransB: true}} {
		t.Run(fmt.Sprint(o.TransA, o.TransB), func(t *testing.T) {
			a, b := random(1, m, k), random(2, k, n)
			if o.TransA {
				a = random(1, k, m)
			}
			if o.TransB {
				b = random(2, n, k)
			}
			x, y := Dense(a), Dense(b)
			if o.TransA {
				must(0, x.T())
			}
			if o.TransB {
				must(0, y.T())
			}
			agree(t, reference(t, &o, a, b)[0], must(x.MatMul(y)))
		})
	}
}
