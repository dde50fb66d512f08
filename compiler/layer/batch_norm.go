package layer

import (
	"fmt"

	"netc/ir"
	"netc/ir/op"
)

// BatchNorm gives each channel mean 0 and variance 1.
var BatchNorm = define("BatchNorm", about{
	summary: "gives each channel mean 0 and variance 1 (Ioffe and Szegedy, 2015); a Scale layer with bias_term usually follows",
	formula: "y = (x - mean) / sqrt(variance + eps), over all axes but 1. Training uses the mini-batch's mean and variance and adds them to running sums: S = moving_average_fraction * S + batch (the variance times m/(m-1) for m elements a channel), factor = moving_average_fraction * factor + 1. Testing uses S / factor",
	shape:   "[N, C, ...], the input's",
	example: `x   = input [16, 12, 12]
bn1 = BatchNorm(x)
`,
}, arity(1, 1), lowerBatchNorm)

type batchNormFields struct {
	UseGlobalStats *bool   `net:"use_global_stats" doc:"takes the running statistics instead of the mini-batch's; true in the test phase where absent"`
	Fraction       float64 `net:"moving_average_fraction" default:"0.999" atLeast:"0" doc:"how much of the running sums each step keeps"`
	Eps            float64 `net:"eps" default:"1e-5" above:"0" doc:"added to the variance"`
}

func lowerBatchNorm(c *Context, f *batchNormFields) {
	for _, p := range c.every.Params {
		if p.Name != "" {
			c.low.messages.Errorf(codeParam, p.span, "the running statistics of %s cannot be shared by name", c.layer.Name)
			panic(stop{})
		}
	}
	x := c.In(0)
	if len(x.Type.Shape) < 2 {
		c.MisfitInput(0, "BatchNorm needs channels on axis 1, but the input is %s", x.Type)
	}
	channels := x.Type.Shape[1]
	stats := runningStats{
		mean:     c.State("mean", channels),
		variance: c.State("variance", channels),
		factor:   c.State("factor", 1),
	}
	global := !c.Training()
	if f.UseGlobalStats != nil {
		global = *f.UseGlobalStats
	}
	if global {
		mean, variance := stats.normalized(c)
		c.Out(c.Build(&op.Normalize{Eps: f.Eps}, x, mean, variance))
		return
	}
	results := c.BuildAll(&op.BatchNorm{Eps: f.Eps}, x)
	batchMean, batchVariance := c.Named("batch_mean", results[1]), c.Named("batch_variance", results[2])
	if c.Training() {
		stats.update(c, f.Fraction, batchMean, batchVariance, x.Type.Shape.Count()/channels)
	}
	c.Out(results[0])
}

// runningStats are Caffe's blobs: sums that are not normalised, and the factor
// that normalises them.
type runningStats struct{ mean, variance, factor *ir.Value }

// normalized gives mean and variance as sum / factor, 0 where the factor is 0.
func (s runningStats) normalized(c *Context) (mean, variance *ir.Value) {
	inverse := c.Named("inverse_factor", c.Build(&op.Map{Formula: "a == 0 ? 0 : 1 / a"}, s.factor))
	spread := c.Broadcast(c.Reshape(inverse), s.mean.Type.Shape, 0)
	mean = c.Named("global_mean", c.Build(op.Point("mul"), s.mean, spread))
	variance = c.Named("global_variance", c.Build(op.Point("mul"), s.variance, spread))
	return mean, variance
}

// update adds a mini-batch's statistics, over count elements a channel, to the
// running sums. The variance is made unbiased first.
func (s runningStats) update(c *Context, fraction float64, mean, variance *ir.Value, count int) {
	unbiased := 1.0
	if count > 1 {
		unbiased = float64(count) / float64(count-1)
	}
	next := func(state *ir.Value, role, formula string, in ...*ir.Value) {
		v := c.Build(&op.Map{Formula: formula}, append([]*ir.Value{state}, in...)...)
		c.Write(state, c.Named(role, v))
	}
	next(s.mean, "mean.next", fmt.Sprintf("%v * a + b", fraction), mean)
	next(s.variance, "variance.next", fmt.Sprintf("%v * a + %v * b", fraction, unbiased), variance)
	next(s.factor, "factor.next", fmt.Sprintf("%v * a + 1", fraction))
}
