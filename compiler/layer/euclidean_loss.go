package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// EuclideanLoss is half the mean squared distance of two tensors.
var EuclideanLoss = define("EuclideanLoss", about{
	summary: "half the squared distance of two tensors, averaged over the samples; gradients flow to both",
	formula: "y = sum of (a - b)^2 / (2 N), N the number of samples",
	shape:   "two tensors with as many elements give a scalar; i32 inputs are converted",
	example: `x      = input [10]
target = input [10]
loss   = EuclideanLoss(x, target)
`,
	loss: true,
}, arity(2, 1), lowerEuclideanLoss)

func lowerEuclideanLoss(c *Context, _ *noFields) {
	a, b := c.Numbers(0), c.Numbers(1)
	b = c.matchShape(1, b, a)
	squares := c.Build(op.Point("square"), c.Build(op.Point("sub"), a, b))
	c.Out(c.Affine(c.Sum(squares, 0), 1/(2*samples(a)), 0))
}

// matchShape gives v, which is input i, the shape of another value; as in Caffe
// only the batch and the number of elements must be right.
func (c *Context) matchShape(i int, v, like *ir.Value) *ir.Value {
	from, to := v.Type.Shape, like.Type.Shape
	if from.Count() != to.Count() || len(from) > 0 && len(to) > 0 && from[0] != to[0] {
		c.MisfitInput(i, "input %d is %s, but %s is needed to match input 1", i+1, v.Type, like.Type)
	}
	return c.Reshape(v, to...)
}

// samples is the batch's size: the extent of axis 0.
func samples(v *ir.Value) float64 {
	if len(v.Type.Shape) == 0 {
		return 1
	}
	return float64(v.Type.Shape[0])
}
