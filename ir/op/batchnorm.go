package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &BatchNorm{} }) }

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
		dx = o.throughAll(b, n, d[0])
	}
	spread := func(v *ir.Value) *ir.Value { return b.overChannels(x, v) }
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

// throughAll is the gradient of y with respect to x, through the statistics as
// well: with m the elements of a channel,
//
//	dx = (dy - sum(dy)/m - y * sum(dy * y)/m) / sqrt(variance + eps)
//
// Where a Scale follows, dy is factor * dz. The factor is left out of the sums,
// which are then those of the Scale's own gradients, and computed once.
func (o *BatchNorm) throughAll(b *Builder, n *ir.Node, dy *ir.Value) *ir.Value {
	x, y, mean, variance := n.In[0], n.Out[0], n.Out[1], n.Out[2]
	build := func(name string, o ir.Op, in ...*ir.Value) *ir.Value {
		return b.Graph.Must(o, y.Name+"."+name, b.From, in...)
	}
	share := number(1 / float64(elementsPerChannel(x.Type.Shape)))
	others := otherAxes(len(x.Type.Shape), []int{1})
	dz, factor := channelFactor(dy)
	sum := build("sum", &Sum{Axes: others}, dz)
	cross := build("cross", &Sum{Axes: slices.Clone(others)}, build("product", &Map{Formula: productGradient}, y, dz))
	inverse := build("inverse", InverseDeviation(o.Eps), variance)
	shift := build("shift", &Map{Formula: "a*" + share}, sum)
	slope := build("slope", &Map{Formula: "a*b*" + share}, cross, inverse)
	scale := inverse
	if factor != nil {
		scale = build("gain", Point("mul"), inverse, factor)
	}
	spread := func(v *ir.Value) *ir.Value { return b.overChannels(x, v) }
	return b.Map(x, "(a - b - (c - d)*e)*f", dz, spread(shift), x, spread(mean), spread(slope), spread(scale))
}

// productGradient is the formula of a product's gradient with respect to its
// second operand, over the first and the gradient of the product.
const productGradient = "b*a"

// channelFactor takes a gradient apart that is a product with one number a
// channel; the factor is nil where it is not.
func channelFactor(dy *ir.Value) (rest, factor *ir.Value) {
	if dy.Def == nil {
		return dy, nil
	}
	if m, ok := dy.Def.Op.(*Map); !ok || m.Formula != productGradient {
		return dy, nil
	}
	for i, v := range dy.Def.In {
		if v.Def == nil {
			continue
		}
		if spread, ok := v.Def.Op.(*Broadcast); ok && slices.Equal(spread.Axes, []int{1}) {
			return dy.Def.In[1-i], v.Def.In[0]
		}
	}
	return dy, nil
}

// InverseDeviation gives, of a variance, what a normalisation multiplies with.
func InverseDeviation(eps float64) *Map {
	return &Map{Formula: "1/sqrt(a + " + number(eps) + ")"}
}

// number is how a formula writes a number.
func number(x float64) string { return loop.Format(loop.N(x)) }

// overChannels repeats one number a channel over all elements of x.
func (b *Builder) overChannels(x, v *ir.Value) *ir.Value {
	return b.Grad(v, &Broadcast{Shape: slices.Clone(x.Type.Shape), Axes: []int{1}}, v)
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
