package layer

import (
	"netc/ir"
	"netc/ir/op"
)

// PReLU keeps positive values and scales negative ones by learned slopes.
var PReLU = define("PReLU", about{
	summary: "keeps positive values, scales negative ones by a learned slope of the channel (He, Zhang, Ren and Sun, 2015)",
	formula: "y = x where x > 0, else slope[c] * x",
	shape:   "[N, C, ...], the input's",
	example: `x      = input [16, 12, 12]
prelu1 = PReLU(x)
`,
}, arity(1, 1), lowerPReLU)

type preluFields struct {
	Filler        ir.Filler `net:"filler" default:"constant 0.25" doc:"how the slopes start"`
	ChannelShared bool      `net:"channel_shared" default:"false" doc:"one slope for all channels"`
}

func lowerPReLU(c *Context, f *preluFields) {
	x := c.In(0)
	if len(x.Type.Shape) < 2 {
		c.MisfitInput(0, "PReLU needs channels on axis 1, but the input is %s", x.Type)
	}
	shape := ir.Shape{x.Type.Shape[1]}
	if f.ChannelShared {
		shape = ir.Shape{}
	}
	slope := c.Param("slope", "filler", f.Filler, shape...)
	c.Out(c.Build(op.Point("prelu"), x, c.Broadcast(slope, x.Type.Shape, 1)))
}
