package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &MatMul{} }) }

// MatMul multiplies two matrices, either of them read transposed:
//
//	out[i,j] = sum over k of A[i,k] * B[k,j]
//
// with A = a, or a transposed with TransA; B likewise.
type MatMul struct {
	TransA bool `ir:"trans_a"`
	TransB bool `ir:"trans_b"`
}

// Mnemonic is "matmul".
func (*MatMul) Mnemonic() string { return "matmul" }

// Infer wants [M, K] and [K, N], or [K, M] and [N, K] where transposed, and
// gives [M, N].
func (o *MatMul) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 2); err != nil {
		return nil, err
	}
	if err := needFloat(in); err != nil {
		return nil, err
	}
	for i, t := range in {
		if len(t.Shape) != 2 {
			return nil, ir.MisfitOperand(i, "a matrix product needs matrices, not %s", t)
		}
	}
	m, k := oriented(in[0].Shape, o.TransA)
	l, n := oriented(in[1].Shape, o.TransB)
	if k != l {
		return nil, ir.MisfitOperand(1, "the inner extents differ: %d of %s, %d of %s", k, in[0], l, in[1])
	}
	return []ir.Type{ir.Float(m, n)}, nil
}

// oriented gives a matrix's rows and columns as the product reads it.
func oriented(shape ir.Shape, transposed bool) (rows, columns int) {
	if transposed {
		return shape[1], shape[0]
	}
	return shape[0], shape[1]
}

// Grad: with out = A B, the gradient of A is d Bᵀ and that of B is Aᵀ d; for a
// transposed operand the product itself is transposed.
func (o *MatMul) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	x, y := n.In[0], n.In[1]
	var dx, dy *ir.Value
	if o.TransA {
		dx = b.Grad(x, &MatMul{o.TransB, true}, y, d[0])
	} else {
		dx = b.Grad(x, &MatMul{false, !o.TransB}, d[0], y)
	}
	if o.TransB {
		dy = b.Grad(y, &MatMul{true, o.TransA}, d[0], x)
	} else {
		dy = b.Grad(y, &MatMul{!o.TransA, false}, x, d[0])
	}
	return []*ir.Value{dx, dy}
}

// Loops reduces over the inner extent.
func (o *MatMul) Loops(n *ir.Node) []*loop.Nest {
	a, b, out := n.In[0], n.In[1], n.Out[0]
	axes := loop.Axes(out.Type.Shape, "i", "j")
	_, inner := oriented(a.Type.Shape, o.TransA)
	over := loop.Axis("k", inner)
	i, j, k := loop.R(axes[0]), loop.R(axes[1]), loop.R(over)
	element := func(v *ir.Value, row, column *loop.Expr, transposed bool) *loop.Expr {
		if transposed {
			row, column = column, row
		}
		return loop.At(v, row, column)
	}
	sum := scalar("sum")
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{Var: sum, Kind: loop.Sum, Axes: []*loop.Var{over},
			Of: loop.Times(element(a, i, k, o.TransA), element(b, k, j, o.TransB))},
		&loop.Store{Value: out, Index: []*loop.Expr{i, j}, Of: loop.R(sum)},
	}}}
}
