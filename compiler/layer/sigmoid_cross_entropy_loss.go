package layer

import (
	"fmt"

	"netc/ir"
	"netc/ir/op"
)

// SigmoidCrossEntropyLoss is the cross entropy of the sigmoid of scores.
var SigmoidCrossEntropyLoss = define("SigmoidCrossEntropyLoss", about{
	summary: "the sigmoid of scores, and its cross entropy with targets between 0 and 1",
	formula: "y = sum of max(x, 0) - x*t + log(1 + exp(-|x|)) / normaliser, which is at least 1",
	shape:   "scores and as many targets (i32 targets are converted) give a scalar",
	example: `scores = input [10]
target = input [10]
loss   = SigmoidCrossEntropyLoss(scores, target)
`,
	loss: true,
}, arity(2, 1), lowerSigmoidCrossEntropyLoss)

type sigmoidCrossEntropyLossFields struct {
	IgnoreLabel   *int   `net:"ignore_label" doc:"a target that does not count"`
	Normalization string `net:"normalization" default:"batch_size" words:"full valid batch_size none" doc:"the sum is divided by the number of targets, of targets not ignored, of samples, or not at all"`
}

func lowerSigmoidCrossEntropyLoss(c *Context, f *sigmoidCrossEntropyLossFields) {
	x := c.In(0)
	target := c.Detach(c.matchShape(1, c.Numbers(1), x)) // as in Caffe, no gradient flows to targets
	losses := c.Build(op.Point("logistic_loss"), x, target)
	var counted *ir.Value
	if f.IgnoreLabel != nil {
		// The mask steps from 0 to 1, so no gradient may reach it.
		mask := c.Build(&op.Map{Formula: fmt.Sprintf("a == %d ? 0 : 1", *f.IgnoreLabel)}, target)
		counted = c.Named("counted", c.Detach(mask))
		losses = c.Build(op.Point("mul"), losses, counted)
	}
	total := c.Sum(losses, 0)
	if f.Normalization == "valid" && counted != nil {
		atLeastOne := op.Point("clip_below")
		atLeastOne.By = 1
		c.Out(c.Build(op.Point("div"), total, c.Build(atLeastOne, c.Sum(counted, 0))))
		return
	}
	normaliser := 1.0
	switch f.Normalization {
	case "full", "valid":
		normaliser = float64(x.Type.Shape.Count())
	case "batch_size":
		normaliser = samples(x)
	}
	c.Out(c.Affine(total, 1/normaliser, 0))
}
