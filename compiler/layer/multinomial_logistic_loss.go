package layer

import "netc/ir/op"

// smallestLikelihood is Caffe's floor under a probability before its logarithm.
const smallestLikelihood = 1e-20

// MultinomialLogisticLoss is the cross entropy of given probabilities.
var MultinomialLogisticLoss = define("MultinomialLogisticLoss", about{
	summary: "the mean of -log of the true class's probability; from scores, SoftmaxWithLoss is better behaved",
	formula: "y = sum over samples of -log(max(x[label], 1e-20)) / N",
	shape:   "probabilities [N, C, ...] and i32 labels [N] give a scalar; all axes but the first count as classes",
	example: `prob  = input [10]
label = input [] i32
loss  = MultinomialLogisticLoss(prob, label)
`,
	loss: true,
}, arity(2, 1), lowerMultinomialLogisticLoss)

func lowerMultinomialLogisticLoss(c *Context, _ *noFields) {
	prob, truth := c.oneHotLabels()
	likelihood := c.Sum(c.Build(op.Point("mul"), prob, truth), 1)
	floor := op.Point("clip_below")
	floor.By = smallestLikelihood
	logs := c.Build(op.Point("log"), c.Build(floor, likelihood))
	c.Out(c.Affine(c.Sum(logs, 0), -1/samples(prob), 0))
}
