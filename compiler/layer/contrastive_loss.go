package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// smallestSquare is the floor under a squared distance before its root: below
// it no gradient flows, as the root's slope would grow without bound.
const smallestSquare = 1e-20

// ContrastiveLoss draws similar pairs together and pushes others apart.
var ContrastiveLoss = define("ContrastiveLoss", about{
	summary: "draws similar pairs together and pushes the others at least margin apart (Hadsell, Chopra and LeCun, 2006)",
	formula: "y = sum over samples of (s * d^2 + (1 - s) * max(margin - d, 0)^2) / (2 N), d the distance of a and b; legacy_version: max(margin - d^2, 0) in the second term",
	shape:   "a and b [N, C] and similarities [N], i32 or f32, 1 for a similar pair and 0 for others, give a scalar",
	example: `a       = input [2]
b       = input [2]
similar = input [] i32
loss    = ContrastiveLoss(a, b, similar)
`,
	loss: true,
}, arity(3, 1), lowerContrastiveLoss)

type contrastiveLossFields struct {
	Margin        float64 `net:"margin" default:"1" doc:"the distance that pairs which are not similar should keep"`
	LegacyVersion bool    `net:"legacy_version" default:"false" doc:"compares the squared distance with the margin, as old Caffe versions did"`
}

func lowerContrastiveLoss(c *Context, f *contrastiveLossFields) {
	x := c.In(0)
	count := int(samples(x))
	if labels := c.Any(2).Type; labels.Shape.Count() != count {
		c.MisfitInput(2, "pairs %s need similarities %s, not %s", x.Type, ir.Int(count), labels)
	}
	a := c.Reshape(x, count, x.Type.Shape.Count()/count)
	b := c.matchShape(1, c.In(1), a)
	similar := c.Reshape(c.Numbers(2), count)

	squares := c.Sum(c.Build(op.Point("square"), c.Build(op.Point("sub"), a, b)), 1)
	near := c.Build(op.Point("mul"), similar, squares)
	far := c.Build(op.Point("mul"), c.Affine(similar, -1, 1), f.gap(c, squares))
	c.Out(c.Affine(c.Sum(c.Build(op.Point("add"), near, far), 0), 1/(2*float64(count)), 0))
}

// gap is the loss of pairs that are not similar, from their squared distances.
func (f *contrastiveLossFields) gap(c *Context, squares *ir.Value) *ir.Value {
	if f.LegacyVersion {
		return c.Build(op.Point("relu"), c.Affine(squares, -1, f.Margin))
	}
	floor := op.Point("clip_below")
	floor.By = smallestSquare
	distance := c.Build(op.Point("sqrt"), c.Build(floor, squares))
	return c.Build(op.Point("square"), c.Build(op.Point("relu"), c.Affine(distance, -1, f.Margin)))
}
