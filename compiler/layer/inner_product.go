package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// InnerProduct connects every input to every output.
var InnerProduct = define("InnerProduct", about{
	summary: "connects every input to every output (a fully connected layer)",
	formula: "y[n,o] = bias[o] + sum over k of x[n,k] * weight[o,k], with x flattened from axis on",
	shape:   "the axes before axis stay, the others become one of num_output: [N, C, H, W] gives [N, num_output]",
	example: `data = input [28, 28]
ip1  = InnerProduct(data) { num_output: 500 weight_filler: xavier }
`,
}, arity(1, 1), lowerInnerProduct)

type innerProductFields struct {
	NumOutput    int       `net:"num_output" required:"true" atLeast:"1" doc:"number of outputs"`
	BiasTerm     bool      `net:"bias_term" default:"true" doc:"adds a bias to each output"`
	Axis         int       `net:"axis" default:"1" doc:"first of the axes that are flattened"`
	Transpose    bool      `net:"transpose" default:"false" doc:"keeps the weights as [inputs, outputs] instead of [outputs, inputs]"`
	WeightFiller ir.Filler `net:"weight_filler" default:"constant" doc:"how the weights start"`
	BiasFiller   ir.Filler `net:"bias_filler" default:"constant" doc:"how the biases start"`
}

func lowerInnerProduct(c *Context, f *innerProductFields) {
	x := c.In(0)
	axis := c.Axis("axis", f.Axis, x)
	outer, inner := x.Type.Shape[:axis], x.Type.Shape[axis:]
	rows, inputs := outer.Count(), inner.Count()
	shape := []int{f.NumOutput, inputs}
	if f.Transpose {
		shape = []int{inputs, f.NumOutput}
	}
	weight := c.Param("weight", "weight_filler", f.WeightFiller, shape...)
	var bias *ir.Value
	if f.BiasTerm {
		bias = c.Param("bias", "bias_filler", f.BiasFiller, f.NumOutput)
	}
	y := c.Build(&op.MatMul{TransB: !f.Transpose}, c.Reshape(x, rows, inputs), weight)
	y = c.addBias(y, bias)
	c.Out(c.Reshape(y, append(append([]int{}, outer...), f.NumOutput)...))
}
