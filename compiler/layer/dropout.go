package layer

import (
	"hash/fnv"

	"netc/ir"
	"netc/ir/op"
)

// Dropout zeroes elements at random while training.
var Dropout = define("Dropout", about{
	summary: "while training zeroes elements at random and scales the others up; while testing changes nothing (Srivastava et al., 2014)",
	formula: "training: y = 0 with probability dropout_ratio, else x / (1 - dropout_ratio); testing: y = x",
	shape:   "the input's",
	example: `x     = input [10]
drop1 = Dropout(x) { dropout_ratio: 0.4 }
`,
}, arity(1, 1), lowerDropout)

type dropoutFields struct {
	Ratio float64 `net:"dropout_ratio" default:"0.5" atLeast:"0" below:"1" doc:"probability that an element is zeroed"`
}

func lowerDropout(c *Context, f *dropoutFields) {
	x := c.In(0)
	if !c.Training() || f.Ratio == 0 {
		c.Out(x)
		return
	}
	c.Out(c.Build(&op.Dropout{Ratio: f.Ratio, Stream: stream(c.layer.Name)}, x, c.stepNumber("solver.seed"), c.stepNumber("solver.iteration")))
}

// stream tells the random numbers of one layer from another's. It depends on
// the layer's name alone, so a change elsewhere in the net leaves it as it is.
func stream(layer string) int {
	h := fnv.New32a()
	h.Write([]byte(layer))
	return int(h.Sum32())
}

// stepNumber gives a number that the solver feeds before each step, declared
// when it is first needed.
func (c *Context) stepNumber(name string) *ir.Value {
	if v := c.low.graph.Lookup(name); v != nil && v.Kind == ir.Input {
		return v
	}
	return c.low.graph.AddInput(name, ir.Int())
}
