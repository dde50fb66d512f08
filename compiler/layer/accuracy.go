package layer

import "netc/ir/op"

// Accuracy is the share of samples whose true class is among the best scores.
var Accuracy = define("Accuracy", about{
	summary: "the share of labels whose class is among the top_k scores; other scores equal to the true one count against it",
	formula: "y = (number of labels with fewer than top_k other scores >= the true one) / (number of labels not ignored)",
	shape:   "scores [N, C, ...] and i32 labels [N, ...] give a scalar; the second result is the accuracy of each class, [C]",
	example: `scores   = input [10]
label    = input [] i32
accuracy = Accuracy(scores, label) { top_k: 5 }
`,
}, wiring{2, 2, 1, 2}, lowerAccuracy)

type accuracyFields struct {
	TopK        int  `net:"top_k" default:"1" atLeast:"1" doc:"how many of the best scores count as right"`
	Axis        int  `net:"axis" default:"1" doc:"the axis of the classes"`
	IgnoreLabel *int `net:"ignore_label" doc:"a label that does not count"`
}

func lowerAccuracy(c *Context, f *accuracyFields) {
	scores := c.In(0)
	axis := c.Axis("axis", f.Axis, scores)
	if classes := scores.Type.Shape[axis]; f.TopK > classes {
		c.Misfit("top_k", "top_k is %d, but there are %d classes", f.TopK, classes)
	}
	labels := c.labelsFor(scores, axis, 1)
	overall := op.Accuracy{TopK: f.TopK, Axis: axis}
	if f.IgnoreLabel != nil {
		overall.Ignore, overall.HasIgnore = *f.IgnoreLabel, true
	}
	c.Out(c.Build(&overall, scores, labels))
	if c.Results() > 1 {
		perClass := op.AccuracyPerClass(overall)
		c.Out(c.Build(&perClass, scores, labels))
	}
}
