package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &BatchNorm{} })
	ir.Register(func() ir.Op { return &BatchNormGrad{} })
}

// BatchNorm normalises each channel of x [N, C, …] by its own mean and
// variance over the batch and all further axes:
//
//	y = (x - mean[c]) / sqrt(variance[c] + eps)
//
// Results y of x's type, mean f32[C] and variance f32[C]; the variance is the
// biased one, the mean of (x - mean)^2. Source: Ioffe and Szegedy, "Batch
// Normalization" (2015), without the learned scale and shift, as in Caffe.
type BatchNorm struct {
	Eps float64 `ir:"eps,1e-05"`
}

// Mnemonic is "batchnorm".
func (*BatchNorm) Mnemonic() string { return "batchnorm" }

// ResultNames calls the further results mean and variance.
func (*BatchNorm) ResultNames() []string { return []string{"y", "mean", "variance"} }

// Infer gives x's type and two f32[C].
func (o *BatchNorm) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if err := checkNormalized(in, o.Eps); err != nil {
		return nil, err
	}
	channel := ir.Float(in[0].Shape[1])
	return []ir.Type{in[0], channel, channel}, nil
}

// checkNormalized wants f32 operands, the first of which is [N, C, …].
func checkNormalized(in []ir.Type, eps float64) error {
	if err := needFloat(in); err != nil {
		return err
	}
	if len(in[0].Shape) < 2 {
		return ir.MisfitOperand(0, "normalisation needs channels on axis 1, not %s", in[0])
	}
	if !(eps >= 0) {
		return ir.Misfit("eps", "eps must not be negative")
	}
	return nil
}

// checkStatistics wants the operands from first to last to be f32[C].
func checkStatistics(in []ir.Type, first, last int) error {
	want := ir.Float(in[0].Shape[1])
	for i := first; i <= last; i++ {
		if !in[i].Equal(want) {
			return ir.MisfitOperand(i, "operand %d must be %s, one number a channel, not %s", i+1, want, in[i])
		}
	}
	return nil
}

// Grad adds up what flows through y, through the mean (1/m of its gradient to
// each of the channel's m elements) and through the variance (2/m times the
// element's distance from the mean).
func (o *BatchNorm) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	x, mean, variance := n.In[0], n.Out[1], n.Out[2]
	var dx *ir.Value
	if d[0] != nil {
		dx = b.Grad(x, &BatchNormGrad{Eps: o.Eps}, x, mean, variance, d[0])
	}
	spread := func(v *ir.Value) *ir.Value {
		return b.Grad(v, &Broadcast{Shape: slices.Clone(x.Type.Shape), Axes: []int{1}}, v)
	}
	share := 1 / float64(elementsPerChannel(x.Type.Shape))
	if d[1] != nil {
		dx = b.total(x, dx, b.Grad(x, scaleBy(share), spread(d[1])))
	}
	if d[2] != nil {
		slope := b.Grad(variance, scaleBy(2*share), d[2])
		distance := b.Grad(x, Point("sub"), x, spread(mean))
		dx = b.total(x, dx, b.Grad(x, Point("mul"), spread(slope), distance))
	}
	return []*ir.Value{dx}
}

// scaleBy is the pointwise product with a number.
func scaleBy(factor float64) *Pointwise {
	scale := Point("scale")
	scale.By = factor
	return scale
}

// elementsPerChannel is the number of elements that share axis 1's index.
func elementsPerChannel(shape ir.Shape) int { return shape.Count() / shape[1] }

// channelReduce sums a term over all elements of one channel of x; term is
// given the element's index.
func channelReduce(name string, x *ir.Value, channel *loop.Expr, term func(index []*loop.Expr) *loop.Expr) *loop.Reduce {
	over := axesOf(x)
	over = slices.Delete(over, 1, 2)
	return &loop.Reduce{Var: scalar(name), Kind: loop.Sum, Axes: over, Of: term(inserted(loop.Refs(over...), 1, channel))}
}

// inverseDeviation is 1 / sqrt(variance + eps).
func inverseDeviation(variance *loop.Expr, eps float64) *loop.Expr {
	return loop.Over(loop.N(1), loop.Apply("sqrt", loop.Plus(variance, loop.N(eps))))
}

// Loops computes the statistics of each channel, the variance in a second pass
// around the mean, and then every element.
func (o *BatchNorm) Loops(n *ir.Node) []*loop.Nest {
	x, y, mean, variance := n.In[0], n.Out[0], n.Out[1], n.Out[2]
	count := loop.N(float64(elementsPerChannel(x.Type.Shape)))

	channel := loop.Axis("c", x.Type.Shape[1])
	c := loop.R(channel)
	average, spread := scalar("average"), scalar("spread")
	sum := channelReduce("sum", x, c, func(index []*loop.Expr) *loop.Expr { return loop.At(x, index...) })
	squares := channelReduce("squares", x, c, func(index []*loop.Expr) *loop.Expr {
		distance := loop.Minus(loop.At(x, index...), loop.R(average))
		return loop.Times(distance, distance)
	})
	statistics := &loop.Nest{Axes: []*loop.Var{channel}, Body: []loop.Stmt{
		sum,
		&loop.Let{Var: average, Of: loop.Over(loop.R(sum.Var), count)},
		squares,
		&loop.Let{Var: spread, Of: loop.Over(loop.R(squares.Var), count)},
		&loop.Store{Value: mean, Index: []*loop.Expr{c}, Of: loop.R(average)},
		&loop.Store{Value: variance, Index: []*loop.Expr{c}, Of: loop.R(spread)},
	}}

	axes := axesOf(x)
	index := loop.Refs(axes...)
	inverse := scalar("inverse")
	normalize := &loop.Nest{Axes: axes, Body: []loop.Stmt{
		&loop.Let{Var: inverse, Of: inverseDeviation(loop.At(variance, index[1]), o.Eps)},
		&loop.Store{Value: y, Index: index,
			Of: loop.Times(loop.Minus(loop.At(x, index...), loop.At(mean, index[1])), loop.R(inverse))},
	}}
	return []*loop.Nest{statistics, normalize}
}

// BatchNormGrad is the gradient of BatchNorm's y with respect to x, through
// the statistics as well. Operands x, mean, variance and dy; with z the
// normalised x and m the elements of a channel,
//
//	dx = (dy - sum(dy)/m - z * sum(dy * z)/m) / sqrt(variance + eps)
type BatchNormGrad struct {
	Eps float64 `ir:"eps,1e-05"`

	gradientOnly
}

// Mnemonic is "batchnorm_grad".
func (*BatchNormGrad) Mnemonic() string { return "batchnorm_grad" }

// Infer gives x's type.
func (o *BatchNormGrad) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 4); err != nil {
		return nil, err
	}
	if err := checkNormalized(in, o.Eps); err != nil {
		return nil, err
	}
	if err := checkStatistics(in, 1, 2); err != nil {
		return nil, err
	}
	if !in[3].Equal(in[0]) {
		return nil, ir.MisfitOperand(3, "the gradient must be %s, not %s", in[0], in[3])
	}
	return []ir.Type{in[0]}, nil
}

// Loops reduces each channel to two sums and then stores its elements.
func (o *BatchNormGrad) Loops(n *ir.Node) []*loop.Nest {
	x, mean, variance, dy, out := n.In[0], n.In[1], n.In[2], n.In[3], n.Out[0]
	count := loop.N(float64(elementsPerChannel(x.Type.Shape)))
	channel := loop.Axis("c", x.Type.Shape[1])
	c := loop.R(channel)
	average, inverse := scalar("average"), scalar("inverse")
	normalized := func(index []*loop.Expr) *loop.Expr {
		return loop.Times(loop.Minus(loop.At(x, index...), loop.R(average)), loop.R(inverse))
	}
	sum := channelReduce("sum", x, c, func(index []*loop.Expr) *loop.Expr { return loop.At(dy, index...) })
	cross := channelReduce("cross", x, c, func(index []*loop.Expr) *loop.Expr {
		return loop.Times(loop.At(dy, index...), normalized(index))
	})
	shift, slope := scalar("shift"), scalar("slope")

	elements := slices.Delete(axesOf(x), 1, 2)
	index := inserted(loop.Refs(elements...), 1, c)
	rest := loop.Minus(loop.Minus(loop.At(dy, index...), loop.R(shift)), loop.Times(normalized(index), loop.R(slope)))
	body := []loop.Stmt{
		&loop.Let{Var: average, Of: loop.At(mean, c)},
		&loop.Let{Var: inverse, Of: inverseDeviation(loop.At(variance, c), o.Eps)},
		sum,
		cross,
		&loop.Let{Var: shift, Of: loop.Over(loop.R(sum.Var), count)},
		&loop.Let{Var: slope, Of: loop.Over(loop.R(cross.Var), count)},
	}
	body = append(body, nested(elements, &loop.Store{Value: out, Index: index, Of: loop.Times(rest, loop.R(inverse))})...)
	return []*loop.Nest{{Axes: []*loop.Var{channel}, Body: body}}
}
