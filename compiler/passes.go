package compiler

import (
	"netc/compiler/pass"
	"netc/ir"
)

// A step is one entry of the pass table.
type step struct {
	name     string
	does     string // for netc ir --help and ARCHITECTURE
	because  string // why it stands where it stands
	required bool   // runs with -O0 too
	phase    string // the only phase it is for; empty for all
	lanes    bool   // only for kernels that compute in vectors; see Options.Lanes
	run      func(c *compilation, p *Phase) error
}

// steps is the pipeline of one graph, from the lowered layers to the final
// order. The runner verifies the graph after each step.
var steps = []step{
	{
		name: "differentiate", required: true, phase: "train",
		does:    "appends the gradient of the loss with respect to every learnable parameter",
		because: "first, so that all passes see one graph of forward and backward",
		run: func(c *compilation, p *Phase) (err error) {
			c.gradients, err = pass.Differentiate(p.Graph, c.wanted(p))
			return err
		},
	},
	{
		name: "update", required: true, phase: "train",
		does:    "appends the solver's update of parameters and history",
		because: "right after the gradients exist, so that updates are fused and planned with the rest",
		run:     func(c *compilation, p *Phase) error { return c.update(p) },
	},
	{
		name: "recompute", phase: "train",
		does:    "normalises batches again for their gradients instead of keeping the values",
		because: "once all readers of the values exist, and before the fusions, which take the formula into the readers' kernels",
		run:     pure(pass.Recompute),
	},
	{
		name:    "fold-constants",
		does:    "computes constants and removes operators that do nothing",
		because: "before common subexpressions, which then find more that is equal",
		run:     pure(pass.FoldConstants),
	},
	{
		name:    "common-subexpressions",
		does:    "computes equal expressions once",
		because: "before drop-dead, which removes what it leaves behind",
		run:     pure(pass.CommonSubexpressions),
	},
	{
		name:    "fold-affine",
		does:    "makes one product and one sum of a chain of normalisations, scales and shifts that parameters alone decide",
		because: "before drop-dead, which removes what it leaves behind, and before the fusions, which take it into the kernel before it",
		run:     pure(pass.FoldAffine),
	},
	{
		name:    "drop-dead",
		does:    "removes what no output and no update needs",
		because: "before the fusions, because dead readers would force stores",
		run:     pure(pass.DropDead),
	},
	{
		name:    "spread-views",
		does:    "gives every reader of a broadcast or constant its own copy",
		because: "after common subexpressions, which would join them again, and before the fusions, which absorb them",
		run:     pure(pass.SpreadViews),
	},
	{
		name:    "fuse-epilogues",
		does:    "merges elementwise operators into the kernel of the convolution, product, pooling or reduction before them",
		because: "before fuse-pointwise: a chain that can end a kernel should not start one",
		run:     pure(pass.FuseEpilogues),
	},
	{
		name:    "fuse-pointwise",
		does:    "merges the chains of elementwise operators that are left",
		because: "after the epilogues have taken theirs",
		run:     pure(pass.FusePointwise),
	},
	{
		name:    "fuse-prologues",
		does:    "merges elementwise operators into the sum that alone reads them",
		because: "last of the fusions: an operand that can end its producer's kernel does so",
		run:     pure(pass.FusePrologues),
	},
	{
		name: "sum-by-sample", lanes: true,
		does:    "sums over the batch by sample first, in statistics of normalisations too",
		because: "after the fusions, whose groups it divides, and before layouts, which chooses how the parts lie",
		run:     pure(pass.SumBySample),
	},
	{
		name: "layouts", lanes: true,
		does:    "puts the channels or the batch of activations innermost in blocks of 16, whichever is estimated to take less time with the conversions where layouts meet",
		because: "after the fusions, because only what kernels store has a layout; before order, which orders the conversions too",
		run: func(_ *compilation, p *Phase) error {
			moved, err := pass.Layouts(p.Graph, p.Batch)
			for name, v := range p.Names {
				if row := moved[v]; row != nil {
					p.Names[name] = row
				}
			}
			return err
		},
	},
	{
		name:    "order",
		does:    "puts the kernels that steps need not repeat first, and orders all for the least peak memory",
		because: "last, because it orders kernels, which the fusions make",
		run:     pure(pass.Order),
	},
}

func pure(f func(*ir.Graph) error) func(*compilation, *Phase) error {
	return func(_ *compilation, p *Phase) error { return f(p.Graph) }
}

// PassInfo describes one pass of the pipeline.
type PassInfo struct {
	Name, Does, Because string
	Required            bool
	Lanes               bool // runs for vector kernels only
}

// Passes lists the pipeline in order, from "lower" to "order".
func Passes() []PassInfo {
	list := []PassInfo{{"lower", "turns layers into operators, and prunes the layers of other phases", "first: everything after it works on the graph", true, false}}
	for _, s := range steps {
		list = append(list, PassInfo{s.name, s.does, s.because, s.required, s.lanes})
	}
	return list
}
