package op

import (
	"math"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &SoftmaxLoss{} })
	ir.Register(func() ir.Op { return &SoftmaxLossGrad{} })
	ir.Register(func() ir.Op { return &CountLabels{} })
}

// smallestProbability is Caffe's floor under a probability before its
// logarithm, the smallest normal float32; the largest loss is 87.34.
const smallestProbability = 0x1p-126

// SoftmaxLoss is the multinomial logistic loss of scores [N, C, …] with classes
// on Axis, against i32 labels of the scores' shape without Axis or with 1 there:
//
//	prob = softmax(scores)
//	loss = sum over positions of -log(max(prob[label], FLT_MIN)) / normaliser
//
// Results loss f32[] and prob of the scores' type. Positions labelled Ignore
// add nothing when HasIgnore is set. A label that is no class adds the largest
// loss, -log(FLT_MIN), a constant.
//
// Normalization says what the loss is divided by, at least 1: "valid" the
// labels not ignored, "full" all labels, "batch_size" the extents before Axis,
// "none" 1.
type SoftmaxLoss struct {
	Axis          int    `ir:"axis,1"`
	Ignore        int    `ir:"ignore"`
	HasIgnore     bool   `ir:"has_ignore"`
	Normalization string `ir:"normalization,valid"`
}

// Mnemonic is "softmax_loss".
func (*SoftmaxLoss) Mnemonic() string { return "softmax_loss" }

// ResultNames calls the second result prob.
func (*SoftmaxLoss) ResultNames() []string { return []string{"loss", "prob"} }

func (o *SoftmaxLoss) labels() classLabels { return classLabels{o.Axis, o.Ignore, o.HasIgnore} }

// Infer gives f32[] and the scores' type.
func (o *SoftmaxLoss) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := o.labels().check(in); err != nil {
		return nil, err
	}
	if err := checkNormalization(o.Normalization); err != nil {
		return nil, err
	}
	return []ir.Type{ir.Float(), in[0]}, nil
}

func checkNormalization(word string) error {
	switch word {
	case "valid", "full", "batch_size", "none":
		return nil
	}
	return ir.Misfit("normalization", "normalization is valid, full, batch_size or none, not %q", word)
}

// Grad flows to the scores, through the loss and through prob. What the loss is
// divided by enters its gradient as a factor, so that each element of the rest is
// computed with prob, in one kernel.
func (o *SoftmaxLoss) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	scores, labels, prob := n.In[0], n.In[1], n.Out[1]
	var dx *ir.Value
	if d[0] != nil {
		divisor, counted := o.labels().divisor(o.Normalization, scores.Type.Shape, labels)
		build := func(name string, o ir.Op, in ...*ir.Value) *ir.Value {
			return b.Graph.Must(o, n.Out[0].Name+"."+name, b.From, in...)
		}
		var factor *ir.Value
		if counted {
			factor = build("factor", Point("div"), d[0], build("count", &CountLabels{Ignore: o.Ignore}, labels))
		} else {
			factor = build("factor", scaleBy(1/divisor), d[0])
		}
		dx = b.Grad(scores, &SoftmaxLossGrad{Axis: o.Axis, Ignore: o.Ignore, HasIgnore: o.HasIgnore}, prob, labels, factor)
	}
	if d[1] != nil {
		dx = b.total(scores, dx, b.Grad(scores, &SoftmaxGrad{Axis: o.Axis}, prob, d[1]))
	}
	return []*ir.Value{dx, nil}
}

// Loops computes the probabilities, and then the loss by looking up each
// label's.
func (o *SoftmaxLoss) Loops(n *ir.Node) []*loop.Nest {
	scores, labels, loss, prob := n.In[0], n.In[1], n.Out[0], n.Out[1]
	l := o.labels()
	classes := scores.Type.Shape[o.Axis]
	over, along := rowsAlong(scores, o.Axis)
	_, index := along()
	label := integer("label")
	index[o.Axis] = loop.R(label)
	likelihood := loop.Larger(loop.At(prob, index...), loop.N(smallestProbability))
	sum := scalar("sum")
	divisor, count := normaliser(l, o.Normalization, scores.Type.Shape, labels)
	body := append(count,
		&loop.Reduce{
			Var: sum, Kind: loop.Sum, Axes: over,
			Body:  []loop.Stmt{&loop.Let{Var: label, Of: l.at(labels, index)}},
			Where: l.counted(loop.R(label)),
			Of: loop.Choose(valid(loop.R(label), classes),
				loop.Negate(loop.Apply("log", likelihood)), loop.N(-math.Log(smallestProbability))),
		},
		&loop.Store{Value: loss, Of: loop.Over(loop.R(sum), divisor)},
	)
	return []*loop.Nest{softmaxNest(scores, prob, o.Axis), {Body: body}}
}

// normaliser is what the losses are divided by, with the statements that must
// run before it: none unless labels have to be counted.
func normaliser(l classLabels, normalization string, scores ir.Shape, labels *ir.Value) (*loop.Expr, []loop.Stmt) {
	divisor, counted := l.divisor(normalization, scores, labels)
	if !counted {
		return loop.N(divisor), nil
	}
	number, count := l.count(labels)
	return number, []loop.Stmt{count}
}

// divisor is what the losses are divided by, unless the labels must be counted
// for it.
func (l classLabels) divisor(normalization string, scores ir.Shape, labels *ir.Value) (divisor float64, counted bool) {
	switch normalization {
	case "batch_size":
		return float64(scores[:l.axis].Count()), false
	case "none":
		return 1, false
	}
	return float64(labels.Type.Shape.Count()), normalization == "valid" && l.hasIgnore
}

// count gives the number of labels that are not ignored, at least 1, and the sum
// that it needs.
func (l classLabels) count(labels *ir.Value) (number *loop.Expr, sum *loop.Reduce) {
	over := axesOf(labels)
	sum = &loop.Reduce{Var: scalar("count"), Kind: loop.Sum, Axes: over,
		Where: l.counted(loop.At(labels, loop.Refs(over...)...)), Of: loop.N(1)}
	return loop.Larger(loop.R(sum.Var), loop.N(1)), sum
}

// CountLabels is the number of labels i32[…] other than Ignore, at least 1, as
// f32[]. It is exact up to 2^24 labels.
type CountLabels struct {
	Ignore int `ir:"ignore"`

	withoutGradient
}

// Mnemonic is "count_labels".
func (*CountLabels) Mnemonic() string { return "count_labels" }

// Infer gives f32[].
func (o *CountLabels) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if in[0].DType != ir.I32 {
		return nil, ir.MisfitOperand(0, "labels must be i32, not %s", in[0])
	}
	return []ir.Type{ir.Float()}, nil
}

// Loops counts.
func (o *CountLabels) Loops(n *ir.Node) []*loop.Nest {
	number, sum := classLabels{ignore: o.Ignore, hasIgnore: true}.count(n.In[0])
	return []*loop.Nest{{Body: []loop.Stmt{sum, &loop.Store{Value: n.Out[0], Of: number}}}}
}

// SoftmaxLossGrad is the gradient of SoftmaxLoss with respect to its scores:
// operands prob, labels and factor f32[], the loss's gradient over what the loss
// is divided by, give
//
//	dx[c] = factor * (prob[c] - (c == label ? 1 : 0))
//
// It is 0 where the label is ignored. The floor under the probability does not
// enter, as in Caffe, and a label that is no class hits none.
type SoftmaxLossGrad struct {
	Axis      int  `ir:"axis,1"`
	Ignore    int  `ir:"ignore"`
	HasIgnore bool `ir:"has_ignore"`

	gradientOnly
}

// Mnemonic is "softmax_loss_grad".
func (*SoftmaxLossGrad) Mnemonic() string { return "softmax_loss_grad" }

func (o *SoftmaxLossGrad) labels() classLabels { return classLabels{o.Axis, o.Ignore, o.HasIgnore} }

// Infer gives the type of prob.
func (o *SoftmaxLossGrad) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 3); err != nil {
		return nil, err
	}
	if err := o.labels().checkTypes(in[0], in[1]); err != nil {
		return nil, err
	}
	if !in[2].Equal(ir.Float()) {
		return nil, ir.MisfitOperand(2, "the factor must be f32[], not %s", in[2])
	}
	return []ir.Type{in[0]}, nil
}

// Element compares the label with the class.
func (o *SoftmaxLossGrad) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	l := o.labels()
	label := load(1, l.place(n.In[1], index))
	hit := loop.Choose(loop.Compare(loop.Eq, label, index[o.Axis]), loop.N(1), loop.N(0))
	of := loop.Times(load(2, nil), loop.Minus(load(0, index), hit))
	if counted := l.counted(label); counted != nil {
		of = loop.Choose(counted, of, loop.N(0))
	}
	return of
}

// Loops is one nest over all elements.
func (o *SoftmaxLossGrad) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(o, n) }
