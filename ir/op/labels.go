package op

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
)

// classLabels is how labels name classes along an axis of a score tensor. The
// labels are i32 with the scores' shape without that axis, or with a 1 there.
type classLabels struct {
	axis      int
	ignore    int // the label that does not count, where hasIgnore is set
	hasIgnore bool
}

// check wants two operands, f32 scores and their labels.
func (l classLabels) check(in []ir.Type) error {
	if err := needOperands(in, 2); err != nil {
		return err
	}
	return l.checkTypes(in[0], in[1])
}

func (l classLabels) checkTypes(scores, labels ir.Type) error {
	if err := needFloat([]ir.Type{scores}); err != nil {
		return err
	}
	if err := checkAxis(l.axis, 0, scores); err != nil {
		return err
	}
	if labels.DType != ir.I32 {
		return ir.MisfitOperand(1, "labels must be i32, not %s", labels)
	}
	without := slices.Delete(slices.Clone(scores.Shape), l.axis, l.axis+1)
	if !labels.Shape.Equal(without) && !labels.Shape.Equal(inserted(without, l.axis, 1)) {
		return ir.MisfitOperand(1, "scores %s with classes on axis %d need labels %s, not %s", scores, l.axis, ir.Type{DType: ir.I32, Shape: without}, labels)
	}
	return nil
}

// place is the index of the label of the score at index.
func (l classLabels) place(labels *ir.Value, index []*loop.Expr) []*loop.Expr {
	place := slices.Delete(slices.Clone(index), l.axis, l.axis+1)
	if len(labels.Type.Shape) == len(index) {
		place = inserted(place, l.axis, loop.I(0))
	}
	return place
}

// at loads the label of the score at index.
func (l classLabels) at(labels *ir.Value, index []*loop.Expr) *loop.Expr {
	return loop.At(labels, l.place(labels, index)...)
}

// counted is the condition that a label is not ignored; nil where all count.
func (l classLabels) counted(label *loop.Expr) *loop.Expr {
	if !l.hasIgnore {
		return nil
	}
	return loop.Compare(loop.NotEq, label, loop.I(l.ignore))
}

// valid is the condition that a label is one of the classes. A label that is
// not must never be used as an index.
func valid(label *loop.Expr, classes int) *loop.Expr {
	return loop.Range{Index: label, Extent: classes}.Condition()
}
