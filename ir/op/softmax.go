package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &Softmax{} })
	ir.Register(func() ir.Op { return &SoftmaxGrad{} })
}

// Softmax turns scores into probabilities along Axis:
//
//	out[c] = exp(in[c] - max(in)) / sum over i of exp(in[i] - max(in))
//
// Taking off the largest score keeps exp from overflowing.
type Softmax struct {
	Axis int `ir:"axis,1"`
}

// Mnemonic is "softmax".
func (*Softmax) Mnemonic() string { return "softmax" }

// Infer gives the operand's type.
func (o *Softmax) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if err := needFloat(in); err != nil {
		return nil, err
	}
	if err := checkAxis(o.Axis, 0, in[0]); err != nil {
		return nil, err
	}
	return []ir.Type{in[0]}, nil
}

// Grad needs the result only.
func (o *Softmax) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	return []*ir.Value{b.Grad(n.In[0], &SoftmaxGrad{Axis: o.Axis}, n.Out[0], d[0])}
}

// Loops computes each row along Axis: its largest score, its sum, its elements.
func (o *Softmax) Loops(n *ir.Node) []*loop.Nest {
	return []*loop.Nest{softmaxNest(n.In[0], n.Out[0], o.Axis)}
}

// rowsAlong gives loop variables for the points of all axes but one, and a function
// that makes a new variable for that axis with the element's index under it.
func rowsAlong(v *ir.Value, axis int) (axes []*loop.Var, along func() (*loop.Var, []*loop.Expr)) {
	all := axesOf(v)
	axes = slices.Delete(slices.Clone(all), axis, axis+1)
	return axes, func() (*loop.Var, []*loop.Expr) {
		i := loop.Axis(all[axis].Name, all[axis].Extent)
		return i, inserted(loop.Refs(axes...), axis, loop.R(i))
	}
}

func softmaxNest(x, y *ir.Value, axis int) *loop.Nest {
	axes, along := rowsAlong(x, axis)
	largest, sum := scalar("largest"), scalar("sum")
	weight := func(index []*loop.Expr) *loop.Expr {
		return loop.Apply("exp", loop.Minus(loop.At(x, index...), loop.R(largest)))
	}
	i, atI := along()
	j, atJ := along()
	k, atK := along()
	return &loop.Nest{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{Var: largest, Kind: loop.Maximum, Axes: []*loop.Var{i}, Of: loop.At(x, atI...)},
		&loop.Reduce{Var: sum, Kind: loop.Sum, Axes: []*loop.Var{j}, Of: weight(atJ)},
		&loop.For{Axis: k, Body: []loop.Stmt{
			&loop.Store{Value: y, Index: atK, Of: loop.Over(weight(atK), loop.R(sum))},
		}},
	}}
}

// SoftmaxGrad is the gradient of Softmax: operands y, its result, and dy give
//
//	dx[c] = y[c] * (dy[c] - sum over i of y[i] * dy[i])
type SoftmaxGrad struct {
	Axis int `ir:"axis,1"`

	gradientOnly
}

// Mnemonic is "softmax_grad".
func (*SoftmaxGrad) Mnemonic() string { return "softmax_grad" }

// Infer gives the operands' type.
func (o *SoftmaxGrad) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 2); err != nil {
		return nil, err
	}
	if err := checkAxis(o.Axis, 0, in[0]); err != nil {
		return nil, err
	}
	return sameShapes(in)
}

// Loops computes each row along Axis.
func (o *SoftmaxGrad) Loops(n *ir.Node) []*loop.Nest {
	y, dy, out := n.In[0], n.In[1], n.Out[0]
	axes, along := rowsAlong(y, o.Axis)
	sum := scalar("sum")
	i, atI := along()
	j, atJ := along()
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		&loop.Reduce{Var: sum, Kind: loop.Sum, Axes: []*loop.Var{i}, Of: loop.Times(loop.At(y, atI...), loop.At(dy, atI...))},
		&loop.For{Axis: j, Body: []loop.Stmt{
			&loop.Store{Value: out, Index: atJ,
				Of: loop.Times(loop.At(y, atJ...), loop.Minus(loop.At(dy, atJ...), loop.R(sum)))},
		}},
	}}}
}
