package describe

import (
	"slices"
	"strings"

	"netc/compiler"
	solver "netc/compiler/pass"
	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// The parts of a step, in the order in which Launch.Pass names them.
const (
	forward  = "forward"
	backward = "backward"
	update   = "update"
)

// Passes says of each operator of a phase to which part of the step it
// belongs:
//
//   - forward is what the outputs, the loss and the running statistics of the
//     weights file need;
//   - update is what reads the learning rate or the solver's own states, what
//     depends on that, and the norm by which gradients are clipped;
//   - backward is the rest: gradients.
//
// The graph is asked, not the emitter's names, because fusion puts operators of
// several parts into one kernel.
func Passes(p *compiler.Phase) map[*ir.Node]string {
	nodes := op.Unfused(p.Graph)
	passes := map[*ir.Node]string{}
	if p.Name == update {
		for _, n := range nodes {
			passes[n] = update
		}
		return passes
	}
	producer := map[*ir.Value]*ir.Node{}
	for _, n := range nodes {
		for _, v := range n.Out {
			producer[v] = n
		}
	}
	var need func(v *ir.Value)
	need = func(v *ir.Value) {
		n := producer[v]
		if n == nil || passes[n] != "" {
			return
		}
		passes[n] = forward
		for _, operand := range n.In {
			need(operand)
		}
	}
	for _, v := range forwardResults(p.Graph) {
		need(v)
	}
	for _, n := range nodes { // producers first
		if passes[n] != "" {
			continue
		}
		passes[n] = backward
		if strings.Contains(n.Out[0].Name, ".square_norm") || slices.ContainsFunc(n.In, func(v *ir.Value) bool {
			return v.Name == solver.RateInput || v.Kind == ir.State && !v.Param.Saved || producer[v] != nil && passes[producer[v]] == update
		}) {
			passes[n] = update
		}
	}
	return passes
}

// forwardResults lists what a phase computes before any gradient.
func forwardResults(g *ir.Graph) []*ir.Value {
	var list []*ir.Value
	for _, v := range g.Outputs {
		if !strings.HasSuffix(v.Name, compiler.GradientName("")) {
			list = append(list, v)
		}
	}
	if g.Loss != nil {
		list = append(list, g.Loss)
	}
	for _, w := range g.Writes {
		if w.Target.Kind == ir.State && w.Target.Param.Saved {
			list = append(list, w.Value)
		}
	}
	return list
}

// Work is what a kernel does and costs: the parts of the step it belongs to, the
// multiply-adds of its contraction (what is done with each result besides is not
// counted) or else its arithmetic, and the size of what it reads and writes of
// its tensors.
type Work struct {
	Pass         string
	MultiplyAdds int
	Operations   int // 0 where multiply-adds are counted
	Bytes        int
}

// WorkOf counts the work of a kernel of a phase, whose code has so many
// operations. passes is Passes of the phase.
func WorkOf(p *compiler.Phase, k *compiler.Kernel, operations int, passes map[*ir.Node]string) Work {
	body := k.Node.Operators()
	own, _ := ir.Needed(k.Nest.Stores(), body)
	var parts []string
	var w Work
	for _, part := range []string{forward, backward, update} {
		if slices.ContainsFunc(own, func(n *ir.Node) bool { return passes[n] == part }) {
			parts = append(parts, part)
		}
	}
	w.Pass = strings.Join(parts, " + ")
	for _, n := range body {
		if o, ok := n.Op.(op.Contraction); ok {
			w.MultiplyAdds += o.MultiplyAdds(n)
		}
	}
	if w.MultiplyAdds = share(p, k, w.MultiplyAdds); w.MultiplyAdds == 0 {
		w.Operations = operations
	}
	for v, elements := range k.Nest.Touched() {
		w.Bytes += elements * v.Type.DType.Size()
	}
	return w
}

// share divides the multiply-adds of a node among its kernels by the terms that
// each adds up, such that the shares have the node's sum.
func share(p *compiler.Phase, k *compiler.Kernel, multiplyAdds int) int {
	if multiplyAdds == 0 || k.Parts == 1 {
		return multiplyAdds
	}
	before, own, all := 0, 0, 0
	for _, other := range p.Kernels {
		if other.Node != k.Node {
			continue
		}
		terms := 0
		for _, s := range other.Nest.Body {
			if r, ok := s.(*loop.Reduce); ok {
				terms += extents(other.Nest.Axes) * extents(r.Axes)
			}
		}
		if other.Part < k.Part {
			before += terms
		}
		if other == k {
			own = terms
		}
		all += terms
	}
	upTo := func(terms int) int { return int(float64(terms) / float64(all) * float64(multiplyAdds)) }
	return upTo(before+own) - upTo(before)
}

func extents(axes []*loop.Var) int {
	points := 1
	for _, v := range axes {
		points *= v.Extent
	}
	return points
}

// CopyWork is the work of a copy into a parameter or state, which ends the step.
func CopyWork(w ir.Write) Work {
	part := update
	if w.Target.Kind == ir.State && w.Target.Param.Saved {
		part = forward
	}
	return Work{Pass: part, Bytes: 2 * w.Target.Type.Bytes()}
}
