package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &Accuracy{} })
	ir.Register(func() ir.Op { return &AccuracyPerClass{} })
}

// Accuracy is the fraction of positions whose label is among the TopK highest
// scores, f32[]. Scores have their classes on Axis; labels are i32 with the
// scores' shape without Axis or with 1 there.
//
// A class that ties with the label's counts against it, as in Caffe. Positions
// labelled Ignore do not count when HasIgnore is set; without any position the
// accuracy is 0. A label that is no class, and one whose score is not a number,
// is a miss.
type Accuracy struct {
	TopK      int  `ir:"top_k,1"`
	Axis      int  `ir:"axis,1"`
	Ignore    int  `ir:"ignore"`
	HasIgnore bool `ir:"has_ignore"`

	withoutGradient
}

// Mnemonic is "accuracy".
func (*Accuracy) Mnemonic() string { return "accuracy" }

func (o *Accuracy) labels() classLabels { return classLabels{o.Axis, o.Ignore, o.HasIgnore} }

// Infer gives f32[].
func (o *Accuracy) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := o.labels().check(in); err != nil {
		return nil, err
	}
	if err := checkTopK(o.TopK); err != nil {
		return nil, err
	}
	return []ir.Type{ir.Float()}, nil
}

func checkTopK(topK int) error {
	if topK < 1 {
		return ir.Misfit("top_k", "top_k must be at least 1, not %d", topK)
	}
	return nil
}

// Loops counts hits and positions and divides.
func (o *Accuracy) Loops(n *ir.Node) []*loop.Nest {
	hits, count := countHits(n, o.labels(), o.TopK, nil)
	return []*loop.Nest{{Body: []loop.Stmt{
		hits, count,
		&loop.Store{Value: n.Out[0], Of: fraction(hits, count)},
	}}}
}

// countHits reduces over all positions that count, with class only over those
// of that label, to the hits among them and to their number. Both are exact in
// float32 up to 2^24 positions.
func countHits(n *ir.Node, l classLabels, topK int, class *loop.Expr) (hits, count *loop.Reduce) {
	scores, labels := n.In[0], n.In[1]
	label, own := integer("label"), scalar("own")
	positions, along := rowsAlong(scores, l.axis)
	i, index := along()
	inRange := valid(loop.R(label), scores.Type.Shape[l.axis])
	atLabel := slices.Clone(index)
	atLabel[l.axis] = loop.R(label)

	// rank is the number of scores that reach the label's, its own among them.
	rank := &loop.Reduce{Var: scalar("rank"), Kind: loop.Sum, Axes: []*loop.Var{i},
		Where: loop.Compare(loop.LessEq, loop.R(own), loop.At(scores, index...)), Of: loop.N(1)}
	hit := loop.Both(inRange, loop.Both(
		loop.Compare(loop.Less, loop.N(0), loop.R(rank.Var)),
		loop.Compare(loop.LessEq, loop.R(rank.Var), loop.N(float64(topK)))))
	counts := func(label *loop.Expr) *loop.Expr {
		counted := l.counted(label)
		if class != nil {
			counted = loop.Both(loop.Compare(loop.Eq, label, class), counted)
		}
		return counted
	}
	hits = &loop.Reduce{Var: scalar("hits"), Kind: loop.Sum, Axes: positions,
		Body: []loop.Stmt{
			&loop.Let{Var: label, Of: l.at(labels, index)},
			&loop.Let{Var: own, Of: loop.Choose(inRange, loop.At(scores, atLabel...), loop.N(0))},
			rank,
		},
		Where: counts(loop.R(label)),
		Of:    loop.Choose(hit, loop.N(1), loop.N(0)),
	}
	all := axesOf(labels)
	count = &loop.Reduce{Var: scalar("count"), Kind: loop.Sum, Axes: all,
		Where: counts(loop.At(labels, loop.Refs(all...)...)), Of: loop.N(1)}
	return hits, count
}

// fraction is hits / count, 0 where nothing counts: there are no hits then.
func fraction(hits, count *loop.Reduce) *loop.Expr {
	return loop.Over(loop.R(hits.Var), loop.Larger(loop.R(count.Var), loop.N(1)))
}

// AccuracyPerClass is Accuracy for each class by itself, f32[C]: the hits among
// the positions with that label, 0 for a class without any.
type AccuracyPerClass struct {
	TopK      int  `ir:"top_k,1"`
	Axis      int  `ir:"axis,1"`
	Ignore    int  `ir:"ignore"`
	HasIgnore bool `ir:"has_ignore"`

	withoutGradient
}

// Mnemonic is "accuracy_per_class".
func (*AccuracyPerClass) Mnemonic() string { return "accuracy_per_class" }

func (o *AccuracyPerClass) labels() classLabels { return classLabels{o.Axis, o.Ignore, o.HasIgnore} }

// Infer gives f32[C].
func (o *AccuracyPerClass) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := o.labels().check(in); err != nil {
		return nil, err
	}
	if err := checkTopK(o.TopK); err != nil {
		return nil, err
	}
	return []ir.Type{ir.Float(in[0].Shape[o.Axis])}, nil
}

// Loops counts hits and positions of each class and divides.
func (o *AccuracyPerClass) Loops(n *ir.Node) []*loop.Nest {
	class := loop.Axis("class", n.Out[0].Type.Shape[0])
	hits, count := countHits(n, o.labels(), o.TopK, loop.R(class))
	return []*loop.Nest{{Axes: []*loop.Var{class}, Body: []loop.Stmt{
		hits, count,
		&loop.Store{Value: n.Out[0], Index: loop.Refs(class), Of: fraction(hits, count)},
	}}}
}
