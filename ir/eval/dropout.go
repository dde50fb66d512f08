package eval

import (
	"netc/ir"
	"netc/ir/op"
)

func init() {
	evaluators["dropout"] = func(m *machine, o ir.Op, in, out []*Tensor) {
		dropout := o.(*op.Dropout)
		seed, iteration := int(in[1].Data[0]), int(in[2].Data[0])
		// The ratio is rounded as in compiled programs, so that the same elements
		// are kept.
		ratio := float64(float32(dropout.Ratio))
		for i, x := range in[0].Data {
			if m.uniform(seed, iteration, dropout.Stream, i) >= ratio {
				out[0].Data[i] = x / (1 - dropout.Ratio)
			}
		}
	}
}
