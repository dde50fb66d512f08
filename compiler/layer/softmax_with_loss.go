package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// SoftmaxWithLoss is the cross entropy of the softmax of scores.
var SoftmaxWithLoss = define("SoftmaxWithLoss", about{
	summary: "the softmax of scores, and the mean of -log of the true class's probability",
	formula: "p = softmax(x) along axis; y = sum over labels of -log(max(p[label], 1.17549435e-38)) / normaliser, which is at least 1",
	shape:   "scores [N, C, ...] and i32 labels [N, ...] give a scalar; the second result is p",
	example: `scores = input [10]
label  = input [] i32
loss   = SoftmaxWithLoss(scores, label)
`,
	loss: true,
}, wiring{2, 2, 1, 2}, lowerSoftmaxWithLoss)

type softmaxWithLossFields struct {
	Axis          int    `net:"axis" default:"1" doc:"the axis of the classes"`
	IgnoreLabel   *int   `net:"ignore_label" doc:"a label that does not count"`
	Normalization string `net:"normalization" default:"valid" words:"full valid batch_size none" doc:"the sum is divided by the number of labels, of labels not ignored, of samples, or not at all"`
}

func lowerSoftmaxWithLoss(c *Context, f *softmaxWithLossFields) {
	scores := c.In(0)
	axis := c.Axis("axis", f.Axis, scores)
	o := &op.SoftmaxLoss{Axis: axis, Normalization: f.Normalization}
	if f.IgnoreLabel != nil {
		o.Ignore, o.HasIgnore = *f.IgnoreLabel, true
	}
	results := c.BuildAll(o, scores, c.labelsFor(scores, axis, 1))
	c.Out(results...)
}

// labelsFor gives input i as labels for scores: one for each position of the
// other axes. As in Caffe only the number of labels must be right.
func (c *Context) labelsFor(scores *ir.Value, axis, i int) *ir.Value {
	labels := c.Labels(i)
	shape := append(append(ir.Shape{}, scores.Type.Shape[:axis]...), scores.Type.Shape[axis+1:]...)
	if labels.Type.Shape.Count() != shape.Count() {
		c.MisfitInput(i, "scores %s need labels i32%s, not %s", scores.Type, shape, labels.Type)
	}
	return c.Reshape(labels, shape...)
}
