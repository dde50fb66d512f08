package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// HingeLoss is the one-against-all margin loss.
var HingeLoss = define("HingeLoss", about{
	summary: "asks the true class's score to be above 1 and the others' below -1",
	formula: "y = sum over samples and classes of max(0, 1 - s*x)^p / N, s = 1 for the true class and -1 for the others, p = 1 (l1) or 2 (l2)",
	shape:   "scores [N, C, ...] and i32 labels [N] give a scalar; all axes but the first count as classes",
	example: `scores = input [10]
label  = input [] i32
loss   = HingeLoss(scores, label) { norm: l2 }
`,
	loss: true,
}, arity(2, 1), lowerHingeLoss)

type hingeLossFields struct {
	Norm string `net:"norm" default:"l1" words:"l1 l2" doc:"sums the margins or their squares"`
}

func lowerHingeLoss(c *Context, f *hingeLossFields) {
	scores, truth := c.oneHotLabels()
	sign := c.Affine(truth, 2, -1)
	margins := c.Build(op.Point("relu"), c.Affine(c.Build(op.Point("mul"), scores, sign), -1, 1))
	if f.Norm == "l2" {
		margins = c.Build(op.Point("square"), margins)
	}
	c.Out(c.Affine(c.Sum(margins, 0), 1/samples(scores), 0))
}

// oneHotLabels gives input 0 as scores [N, classes] and input 1, its labels, as
// a tensor of the same shape that is 1 at the true class and 0 elsewhere.
func (c *Context) oneHotLabels() (scores, truth *ir.Value) {
	x, labels := c.In(0), c.Labels(1)
	if len(x.Type.Shape) < 2 {
		c.MisfitInput(0, "%s needs scores [N, classes], not %s", c.layer.Type, x.Type)
	}
	count := x.Type.Shape[0]
	if labels.Type.Shape.Count() != count {
		c.MisfitInput(1, "scores %s need labels %s, not %s", x.Type, ir.Int(count), labels.Type)
	}
	classes := x.Type.Shape[1:].Count()
	scores = c.Reshape(x, count, classes)
	truth = c.Build(&op.OneHot{Classes: classes}, c.Reshape(labels, count))
	return scores, truth
}
