package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// Eltwise combines tensors of one shape element by element.
var Eltwise = define("Eltwise", about{
	summary: "adds, multiplies or compares tensors of one shape, element by element",
	formula: "sum: y = coeff[0]*a + coeff[1]*b + ...; prod: y = a * b * ...; max: y = the greatest of a, b, ... (where a and b are equal, the gradient flows to b)",
	shape:   "the inputs', which must be equal",
	example: `a = input [10]
b = input [10]
y = Eltwise(a, b) { operation: sum coeff: [1, -1] }
`,
}, wiring{2, many, 1, 1}, lowerEltwise)

type eltwiseFields struct {
	Operation      string    `net:"operation" default:"sum" words:"sum prod max" doc:"how the inputs are combined"`
	Coeff          []float64 `net:"coeff" doc:"factors of a sum, one for each input; 1 where absent"`
	StableProdGrad bool      `net:"stable_prod_grad" default:"true" doc:"accepted for Caffe's sake: the gradient of a product never divides by an input"`
}

func lowerEltwise(c *Context, f *eltwiseFields) {
	in := c.All()
	for i, v := range in[1:] {
		if !v.Type.Equal(in[0].Type) {
			c.MisfitInput(i+1, "input %d is %s, but input 1 is %s: Eltwise needs equal shapes", i+2, v.Type, in[0].Type)
		}
	}
	if n := len(f.Coeff); n > 0 {
		if f.Operation != "sum" {
			c.Conflict("coeff", "coeff belongs to operation sum, not %s", f.Operation)
		}
		if n != len(in) {
			c.low.messages.Errorf(codeCount, c.fieldSpan("coeff"), "coeff has %s, but there are %d inputs", span(n, n, "entry"), len(in))
			panic(stop{})
		}
	}
	y := in[0]
	switch f.Operation {
	case "sum":
		y = f.sum(c, in)
	case "prod":
		for _, v := range in[1:] {
			y = c.Build(op.Point("mul"), y, v)
		}
	case "max":
		y = c.Build(op.Point("max"), in[0], in[1])
		for _, v := range in[2:] {
			y = c.Build(op.Point("max"), v, y) // a later input must be strictly greater, as in Caffe
		}
	}
	c.Out(y)
}

// sum adds the inputs in order, each times its coefficient.
func (f *eltwiseFields) sum(c *Context, in []*ir.Value) *ir.Value {
	coefficient := func(i int) float64 {
		if len(f.Coeff) == 0 {
			return 1
		}
		return f.Coeff[i]
	}
	y := c.Affine(in[0], coefficient(0), 0)
	for i, v := range in[1:] {
		if by := coefficient(i + 1); by == -1 {
			y = c.Build(op.Point("sub"), y, v)
		} else {
			y = c.Build(op.Point("add"), y, c.Affine(v, by, 0))
		}
	}
	return y
}
