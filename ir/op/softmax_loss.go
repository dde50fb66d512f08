package op

import (
	"math"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &SoftmaxLoss{} })
	ir.Register(func() ir.Op { return &SoftmaxLossGrad{} })
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

// Grad flows to the scores, through the loss and through prob.
func (o *SoftmaxLoss) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	scores, labels, prob := n.In[0], n.In[1], n.Out[1]
	var dx *ir.Value
	if d[0] != nil {
		dx = b.Grad(scores, &SoftmaxLossGrad{Axis: o.Axis, Ignore: o.Ignore, HasIgnore: o.HasIgnore, Normalization: o.Normalization},
			prob, labels, d[0])
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
	switch normalization {
	case "full":
		return loop.N(float64(labels.Type.Shape.Count())), nil
	case "batch_size":
		return loop.N(float64(scores[:l.axis].Count())), nil
	case "none":
		return loop.N(1), nil
	}
	if !l.hasIgnore {
		return loop.N(float64(labels.Type.Shape.Count())), nil
	}
	over := axesOf(labels)
	count := &loop.Reduce{Var: scalar("count"), Kind: loop.Sum, Axes: over,
		Where: l.counted(loop.At(labels, loop.Refs(over...)...)), Of: loop.N(1)}
	return loop.Larger(loop.R(count.Var), loop.N(1)), []loop.Stmt{count}
}

// SoftmaxLossGrad is the gradient of SoftmaxLoss with respect to its scores:
// operands prob, labels and the loss's gradient dloss f32[] give
//
//	dx[c] = dloss / normaliser * (prob[c] - (c == label ? 1 : 0))
//
// It is 0 where the label is ignored. The floor under the probability does not
// enter, as in Caffe, and a label that is no class hits none.
type SoftmaxLossGrad struct {
	Axis          int    `ir:"axis,1"`
	Ignore        int    `ir:"ignore"`
	HasIgnore     bool   `ir:"has_ignore"`
	Normalization string `ir:"normalization,valid"`

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
		return nil, ir.MisfitOperand(2, "the loss's gradient must be f32[], not %s", in[2])
	}
	if err := checkNormalization(o.Normalization); err != nil {
		return nil, err
	}
	return []ir.Type{in[0]}, nil
}

// Loops computes every element. Where labels have to be counted first, one
// point counts them and then computes all elements.
func (o *SoftmaxLossGrad) Loops(n *ir.Node) []*loop.Nest {
	prob, labels, dloss, out := n.In[0], n.In[1], n.In[2], n.Out[0]
	l := o.labels()
	axes := axesOf(prob)
	index := loop.Refs(axes...)
	label, factor := integer("label"), scalar("factor")
	divisor, count := normaliser(l, o.Normalization, prob.Type.Shape, labels)
	scale := &loop.Let{Var: factor, Of: loop.Over(loop.At(dloss), divisor)}
	hit := loop.Choose(loop.Compare(loop.Eq, loop.R(label), index[o.Axis]), loop.N(1), loop.N(0))
	of := loop.Times(loop.R(factor), loop.Minus(loop.At(prob, index...), hit))
	if counted := l.counted(loop.R(label)); counted != nil {
		of = loop.Choose(counted, of, loop.N(0))
	}
	element := []loop.Stmt{
		&loop.Let{Var: label, Of: l.at(labels, index)},
		&loop.Store{Value: out, Index: index, Of: of},
	}
	if count != nil {
		return []*loop.Nest{{Body: append(append(count, scale), nested(axes, element...)...)}}
	}
	return []*loop.Nest{{Axes: axes, Body: append([]loop.Stmt{scale}, element...)}}
}
