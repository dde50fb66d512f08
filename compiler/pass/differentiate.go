package pass

import (
	"fmt"

	"netc/ir"
	"netc/ir/op"
)

// Differentiate appends the gradient of the graph's loss with respect to the
// wanted values, by reverse accumulation, and returns the value of each. A
// wanted value that the loss does not depend on has no entry.
//
//	loss = … relu1 …        =>      relu1.d = …
//	relu1 = relu conv1              conv1.d = map conv1, relu1.d {formula: "a > 0 ? b : 0"}
//
// The gradient of a value x is named x.d; where several readers contribute,
// the parts are x.d.1, x.d.2, … from the last reader to the first, x.d.1-2 is the
// sum of two of more, and x.d that of all.
// Runs after the layers are lowered and before any other pass, so that all
// passes see one graph of forward, backward and update.
func Differentiate(g *ir.Graph, wanted []*ir.Value) (map[*ir.Value]*ir.Value, error) {
	if g.Loss == nil {
		return nil, fmt.Errorf("the network has no loss to differentiate")
	}
	d := &differentiation{g: g, needs: map[*ir.Value]bool{}, parts: map[*ir.Value][]*ir.Value{}}
	for _, v := range wanted {
		d.needs[v] = true
	}
	nodes := append([]*ir.Node{}, g.Nodes...)
	for _, n := range nodes { // producers first: what depends on a wanted value needs a gradient too
		for _, v := range n.In {
			if d.needs[v] {
				for _, r := range n.Out {
					d.needs[r] = true
				}
			}
		}
	}
	if !d.needs[g.Loss] {
		return map[*ir.Value]*ir.Value{}, nil
	}
	from := g.Loss.Def.From
	d.parts[g.Loss] = []*ir.Value{g.Must(&op.Constant{Value: 1}, g.Loss.Name+".d", from)}
	for i := len(nodes) - 1; i >= 0; i-- {
		if err := d.node(nodes[i]); err != nil {
			return nil, err
		}
	}
	gradients := map[*ir.Value]*ir.Value{}
	for _, v := range wanted {
		if dv := d.total(v, v.From); dv != nil {
			gradients[v] = dv
		}
	}
	return gradients, nil
}

type differentiation struct {
	g     *ir.Graph
	needs map[*ir.Value]bool
	parts map[*ir.Value][]*ir.Value // contributions to a value's gradient so far
}

// node lets the gradients of a node's results flow to its operands.
func (d *differentiation) node(n *ir.Node) error {
	results := make([]*ir.Value, len(n.Out))
	reached := false
	for i, v := range n.Out {
		if results[i] = d.total(v, n.From); results[i] != nil {
			reached = true
		}
	}
	if !reached {
		return nil
	}
	o, ok := n.Op.(op.Operator)
	if !ok {
		return fmt.Errorf("%s has no gradient", n.Op.Mnemonic())
	}
	flows := o.Grad(&op.Builder{Graph: d.g, From: n.From}, n, results)
	for i, v := range n.In {
		if i < len(flows) && flows[i] != nil && d.needs[v] {
			if !flows[i].Type.Equal(v.Type) {
				return fmt.Errorf("%s: the gradient for %s %s is %s", n.Op.Mnemonic(), v.Name, v.Type, flows[i].Type)
			}
			d.parts[v] = append(d.parts[v], flows[i])
		}
	}
	return nil
}

// total is the sum of the contributions to v's gradient, or nil.
func (d *differentiation) total(v *ir.Value, from []ir.Origin) *ir.Value {
	parts := d.parts[v]
	if len(parts) == 0 {
		return nil
	}
	if len(parts) == 1 {
		return parts[0]
	}
	for i, p := range parts {
		if p.Def != nil && p != d.g.Loss {
			d.g.Rename(p, fmt.Sprintf("%s.d.%d", v.Name, i+1))
		}
	}
	sum := parts[0]
	for i, p := range parts[1:] {
		name := v.Name + ".d"
		if i+2 < len(parts) {
			name = fmt.Sprintf("%s.d.1-%d", v.Name, i+2)
		}
		sum = d.g.Must(op.Point("add"), name, from, sum, p)
	}
	d.parts[v] = []*ir.Value{sum}
	return sum
}
