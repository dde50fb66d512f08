package ir

import (
	"fmt"
	"slices"
)

// Verify checks the graph's invariants and returns the first that is broken.
func (g *Graph) Verify() error {
	v := verifier{g: g, defined: map[*Value]bool{}, names: map[string]bool{}}
	for _, declared := range []struct {
		kind Kind
		list []*Value
	}{{Input, g.Inputs}, {Param, g.Params}, {State, g.States}} {
		for _, x := range declared.list {
			if err := v.define(x); err != nil {
				return err
			}
			if x.Kind != declared.kind || (x.Param != nil) != (x.Kind != Input) || x.Def != nil {
				return fmt.Errorf("%s is declared with the wrong kind", x.Name)
			}
		}
	}
	if err := v.nodes(g.Nodes, nil); err != nil {
		return err
	}
	written := map[*Value]bool{}
	for _, w := range g.Writes {
		switch {
		case !v.defined[w.Target] || !v.defined[w.Value]:
			return fmt.Errorf("write %s = %s: not part of the graph", w.Target.Name, w.Value.Name)
		case w.Target.Kind != Param && w.Target.Kind != State:
			return fmt.Errorf("write %s: only parameters and states can be written", w.Target.Name)
		case written[w.Target]:
			return fmt.Errorf("%s is written twice", w.Target.Name)
		case !w.Target.Type.Equal(w.Value.Type) || !w.Target.Type.SameLayout(w.Value.Type):
			return fmt.Errorf("write %s: type %s, but the value %s is %s", w.Target.Name, w.Target.Type, w.Value.Name, w.Value.Type)
		case w.Value.Kind != Result:
			return fmt.Errorf("write %s: the value %s is not computed by the graph", w.Target.Name, w.Value.Name)
		}
		written[w.Target] = true
	}
	for _, x := range g.Outputs {
		if !v.defined[x] {
			return fmt.Errorf("output %s is not part of the graph", x.Name)
		}
	}
	if g.Loss != nil && (!v.defined[g.Loss] || !g.Loss.Type.Equal(Float())) {
		return fmt.Errorf("loss %s must be an f32[] of the graph", g.Loss.Name)
	}
	return nil
}

type verifier struct {
	g       *Graph
	defined map[*Value]bool
	names   map[string]bool
}

func (v *verifier) define(x *Value) error {
	if x.Name == "" || v.names[x.Name] {
		return fmt.Errorf("the name %q is used twice or empty", x.Name)
	}
	if v.g.names[x.Name] != x {
		return fmt.Errorf("%s is not registered under its name", x.Name)
	}
	for _, d := range x.Type.Shape {
		if d <= 0 {
			return fmt.Errorf("%s has the empty shape %s", x.Name, x.Type)
		}
	}
	v.names[x.Name] = true
	v.defined[x] = true
	return nil
}

func (v *verifier) nodes(list []*Node, group *Node) error {
	for _, n := range list {
		for _, x := range n.In {
			if !v.defined[x] {
				return fmt.Errorf("%s reads %s before it is defined", nodeName(n), x.Name)
			}
		}
		if n.Body != nil {
			if err := v.group(n); err != nil {
				return err
			}
			continue
		}
		types := make([]Type, len(n.In))
		for i, x := range n.In {
			types[i] = x.Type
		}
		want, err := n.Op.Infer(types)
		if err != nil {
			return fmt.Errorf("%s: %w", nodeName(n), err)
		}
		if len(want) != len(n.Out) {
			return fmt.Errorf("%s has %d results, its operator gives %d", nodeName(n), len(n.Out), len(want))
		}
		for i, x := range n.Out {
			if !x.Type.Equal(want[i]) {
				return fmt.Errorf("%s is %s, its operator gives %s", x.Name, x.Type, want[i])
			}
			if x.Kind != Result {
				return fmt.Errorf("%s is computed by a node but is no result", x.Name)
			}
			if x.Def != n && (group == nil || x.Def != group || !slices.Contains(group.Out, x)) {
				return fmt.Errorf("%s does not know the node that computes it", x.Name)
			}
			if err := v.define(x); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifier) group(n *Node) error {
	if _, ok := n.Op.(*Fuse); !ok {
		return fmt.Errorf("%s is a group without the operator fuse", nodeName(n))
	}
	if len(n.Body) == 0 || len(n.Out) == 0 {
		return fmt.Errorf("%s is an empty group", nodeName(n))
	}
	before := map[*Value]bool{}
	for _, x := range n.In {
		before[x] = true
	}
	if err := v.nodes(n.Body, n); err != nil {
		return err
	}
	inside, read := map[*Value]bool{}, map[*Value]bool{}
	for _, inner := range n.Body {
		for _, x := range inner.In {
			read[x] = true
			if !inside[x] && !before[x] {
				return fmt.Errorf("the group of %s reads %s, which is not among its operands", nodeName(n), x.Name)
			}
		}
		for _, x := range inner.Out {
			inside[x] = true
		}
	}
	for _, x := range n.In {
		if !read[x] || inside[x] {
			return fmt.Errorf("the group of %s lists the operand %s, which it does not read from outside", nodeName(n), x.Name)
		}
	}
	for _, x := range n.Out {
		if !inside[x] || x.Def != n {
			return fmt.Errorf("the group does not compute its result %s", x.Name)
		}
	}
	// What is not a result exists only inside the kernel.
	for x := range inside {
		if !slices.Contains(n.Out, x) {
			delete(v.defined, x)
		}
	}
	return nil
}

func nodeName(n *Node) string {
	if len(n.Out) > 0 {
		return n.Op.Mnemonic() + " " + n.Out[0].Name
	}
	return n.Op.Mnemonic()
}
