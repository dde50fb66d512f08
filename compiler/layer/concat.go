package layer

import "netc/ir/op"

// Concat joins tensors along an axis.
var Concat = define("Concat", about{
	summary: "joins tensors along an axis",
	formula: "y = a, then b, ... along axis",
	shape:   "the inputs', which may differ along axis only; along it the sum of theirs",
	example: `a = input [8, 12, 12]
b = input [16, 12, 12]
y = Concat(a, b)
`,
}, wiring{1, many, 1, 1}, lowerConcat)

type concatFields struct {
	Axis int `net:"axis" default:"1" doc:"the axis along which the inputs are joined"`
}

func lowerConcat(c *Context, f *concatFields) {
	in := c.bottoms
	axis := c.Axis("axis", f.Axis, in[0])
	for i, v := range in[1:] {
		fits := v.Type.DType == in[0].Type.DType && len(v.Type.Shape) == len(in[0].Type.Shape)
		for a := range v.Type.Shape {
			fits = fits && (a == axis || v.Type.Shape[a] == in[0].Type.Shape[a])
		}
		if !fits {
			c.MisfitInput(i+1, "input %d is %s and input 1 is %s: they may differ along axis %d only", i+2, v.Type, in[0].Type, axis)
		}
	}
	if len(in) == 1 {
		c.Out(in[0])
		return
	}
	c.Out(c.Build(&op.Concat{Axis: axis}, in...))
}
