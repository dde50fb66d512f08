package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &Moments{} })
	ir.Register(func() ir.Op { return &MergeMoments{} })
}

// Moments describes each channel of each sample of x [N, C, …] by the mean of
// its elements and the sum of their squared distances from it, both f32[N,C].
type Moments struct{ withoutGradient }

// Mnemonic is "moments".
func (*Moments) Mnemonic() string { return "moments" }

// ResultNames calls the second result squares.
func (*Moments) ResultNames() []string { return []string{"mean", "squares"} }

// Infer gives two f32[N,C].
func (o *Moments) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if err := needFloat(in); err != nil {
		return nil, err
	}
	if len(in[0].Shape) < 3 {
		return nil, ir.MisfitOperand(0, "moments need elements behind samples and channels, not %s", in[0])
	}
	part := ir.Float(in[0].Shape[0], in[0].Shape[1])
	return []ir.Type{part, part}, nil
}

// Loops reads each sample's channel twice.
func (o *Moments) Loops(n *ir.Node) []*loop.Nest {
	x, mean, squares := n.In[0], n.Out[0], n.Out[1]
	outer := axesOf(x)[:2]
	index, average := loop.Refs(outer...), scalar("average")
	overPixels := func(name string, term func(element *loop.Expr) *loop.Expr) *loop.Reduce {
		pixels := axesOf(x)[2:]
		element := loop.At(x, append(slices.Clone(index), loop.Refs(pixels...)...)...)
		return &loop.Reduce{Var: scalar(name), Kind: loop.Sum, Axes: pixels, Of: term(element)}
	}
	sum := overPixels("sum", func(element *loop.Expr) *loop.Expr { return element })
	distances := overPixels("distances", func(element *loop.Expr) *loop.Expr {
		distance := loop.Minus(element, loop.R(average))
		return loop.Times(distance, distance)
	})
	return []*loop.Nest{{Axes: outer, Body: []loop.Stmt{
		sum,
		&loop.Let{Var: average, Of: loop.Over(loop.R(sum.Var), loop.N(float64(x.Type.Shape[2:].Count())))},
		distances,
		&loop.Store{Value: mean, Index: index, Of: loop.R(average)},
		&loop.Store{Value: squares, Index: index, Of: loop.R(distances.Var)},
	}}}
}

// MergeMoments makes one mean and one variance a channel of those of its
// samples, each of so many elements: of results of Moments, the mean of all
// elements and the mean of their squared distances from it. Source: Chan, Golub
// and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
// Variances" (1979).
type MergeMoments struct {
	Of int `ir:"of"` // elements of a sample's channel

	withoutGradient
}

// Mnemonic is "merge_moments".
func (*MergeMoments) Mnemonic() string { return "merge_moments" }

// ResultNames calls the second result variance.
func (*MergeMoments) ResultNames() []string { return []string{"mean", "variance"} }

// Infer gives two f32[C] for operands f32[N,C].
func (o *MergeMoments) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 2); err != nil {
		return nil, err
	}
	if _, err := sameShapes(in); err != nil {
		return nil, err
	}
	if len(in[0].Shape) != 2 || o.Of < 1 {
		return nil, ir.MisfitOperand(0, "moments to merge are [N, C], of at least one element, not %s", in[0])
	}
	channel := ir.Float(in[0].Shape[1])
	return []ir.Type{channel, channel}, nil
}

// Loops adds to the distances inside of the samples those of their means.
func (o *MergeMoments) Loops(n *ir.Node) []*loop.Nest {
	means, squares, mean, variance := n.In[0], n.In[1], n.Out[0], n.Out[1]
	samples := means.Type.Shape[0]
	channel := loop.Axis("c", means.Type.Shape[1])
	c, average := loop.R(channel), scalar("average")
	overSamples := func(name string, term func(sample *loop.Expr) *loop.Expr) *loop.Reduce {
		sample := loop.Axis("n", samples)
		return &loop.Reduce{Var: scalar(name), Kind: loop.Sum, Axes: []*loop.Var{sample}, Of: term(loop.R(sample))}
	}
	sum := overSamples("sum", func(n *loop.Expr) *loop.Expr { return loop.At(means, n, c) })
	within := overSamples("within", func(n *loop.Expr) *loop.Expr { return loop.At(squares, n, c) })
	between := overSamples("between", func(n *loop.Expr) *loop.Expr {
		distance := loop.Minus(loop.At(means, n, c), loop.R(average))
		return loop.Times(distance, distance)
	})
	all := loop.Plus(loop.R(within.Var), loop.Times(loop.R(between.Var), loop.N(float64(o.Of))))
	return []*loop.Nest{{Axes: []*loop.Var{channel}, Body: []loop.Stmt{
		sum,
		within,
		&loop.Let{Var: average, Of: loop.Over(loop.R(sum.Var), loop.N(float64(samples)))},
		between,
		&loop.Store{Value: mean, Index: []*loop.Expr{c}, Of: loop.R(average)},
		&loop.Store{Value: variance, Index: []*loop.Expr{c}, Of: loop.Over(all, loop.N(float64(samples*o.Of)))},
	}}}
}
