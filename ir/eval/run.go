// Package eval computes a graph in float64, slowly and plainly: the reference
// by which the generated code, the passes and the operators' gradients are
// judged.
//
// What comes in is a graph of package ir and a tensor for each of its inputs,
// parameters and states; what goes out is the value of every name of the graph
// and how the parameters and states end up. Each operator is written from its
// textbook definition and does not use the loop nests of package op, so that
// the two are independent accounts of the same operator.
package eval

import (
	"fmt"

	"netc/ir"
)

// Option changes how a graph is run.
type Option func(*machine)

// WithUniform replaces the random numbers of dropout, which are by default
// those of Uniform.
func WithUniform(uniform func(seed, iteration, stream, element int) float64) Option {
	return func(m *machine) { m.uniform = uniform }
}

// Run computes every value of the graph. feeds gives the inputs, parameters and
// states by name; names that the graph does not have are ignored, so that the
// same feeds serve a graph before and after a pass. The result has the feeds
// used and every computed value by name, those inside fused groups too; the
// writes have not taken place in it (see Step).
//
// It returns an error where the graph does not verify, or where a feed is
// missing or of another type.
func Run(g *ir.Graph, feeds map[string]*Tensor, options ...Option) (map[string]*Tensor, error) {
	m, err := newMachine(g, feeds, options)
	if err != nil {
		return nil, err
	}
	if err := m.run(g.Nodes); err != nil {
		return nil, err
	}
	all := make(map[string]*Tensor, len(m.values))
	for v, t := range m.values {
		all[v.Name] = t
	}
	return all, nil
}

// Step is Run for a step of training: besides all values it returns the
// parameters and states by name as they are after the graph's writes. Merged
// into the feeds, they feed the next step.
func Step(g *ir.Graph, feeds map[string]*Tensor, options ...Option) (values, stored map[string]*Tensor, err error) {
	values, err = Run(g, feeds, options...)
	if err != nil {
		return nil, nil, err
	}
	stored = map[string]*Tensor{}
	for _, list := range [][]*ir.Value{g.Params, g.States} {
		for _, v := range list {
			stored[v.Name] = values[v.Name]
		}
	}
	for _, w := range g.Writes {
		stored[w.Target.Name] = values[w.Value.Name]
	}
	return values, stored, nil
}

// machine is one run of a graph.
type machine struct {
	values  map[*ir.Value]*Tensor
	uniform func(seed, iteration, stream, element int) float64
}

// newMachine checks the graph and the feeds; every value that nodes read from
// outside is then there.
func newMachine(g *ir.Graph, feeds map[string]*Tensor, options []Option) (*machine, error) {
	if err := g.Verify(); err != nil {
		return nil, err
	}
	m := &machine{values: map[*ir.Value]*Tensor{}, uniform: Uniform}
	for _, o := range options {
		o(m)
	}
	for _, list := range []struct {
		kind   string
		values []*ir.Value
	}{{"input", g.Inputs}, {"param", g.Params}, {"state", g.States}} {
		for _, v := range list.values {
			if err := feeds[v.Name].check(v.Type); err != nil {
				return nil, fmt.Errorf("%s %s: %w", list.kind, v.Name, err)
			}
			m.values[v] = feeds[v.Name]
		}
	}
	return m, nil
}

func (m *machine) run(nodes []*ir.Node) error {
	for _, n := range nodes {
		if n.Body != nil {
			if err := m.run(n.Body); err != nil {
				return err
			}
			continue
		}
		compute := evaluators[n.Op.Mnemonic()]
		if compute == nil {
			return fmt.Errorf("the operator %s has no reference evaluator", n.Op.Mnemonic())
		}
		in := make([]*Tensor, len(n.In))
		for i, v := range n.In {
			in[i] = m.values[v]
		}
		out := make([]*Tensor, len(n.Out))
		for i, v := range n.Out {
			out[i] = Zeros(v.Type)
			m.values[v] = out[i]
		}
		compute(m, n.Op, in, out)
	}
	return nil
}

// evaluator computes the results of an operator; out comes as zeros of the
// result types.
type evaluator func(m *machine, o ir.Op, in, out []*Tensor)

// evaluators by mnemonic, filled by define.
var evaluators = map[string]evaluator{}

// define registers the evaluator of an operator. O is the operator's pointer
// type.
func define[O ir.Op](mnemonic string, compute func(o O, in, out []*Tensor)) {
	evaluators[mnemonic] = func(_ *machine, o ir.Op, in, out []*Tensor) { compute(o.(O), in, out) }
}

// Evaluates reports whether the operator of that mnemonic can be run.
func Evaluates(mnemonic string) bool { return evaluators[mnemonic] != nil }
