package pass

import "netc/ir"

// DropDead removes the nodes of which no output, loss or write needs a result.
//
//	a = exp x
//	b = relu x      =>      b = relu x
//	output b                output b
//
// A node with one needed result of several stays. Inputs, parameters and states
// stay too, read or not: inputs are what the caller feeds, and parameters and
// states are what the weights file and a resumed run hold, whichever phase uses
// them. Runs before the fusions, because dead readers would force stores.
func DropDead(g *ir.Graph) error {
	needed := map[*ir.Value]bool{}
	for _, v := range g.Roots() {
		needed[v] = true
	}
	dead := map[*ir.Node]bool{}
	for i := len(g.Nodes) - 1; i >= 0; i-- { // readers first
		n := g.Nodes[i]
		dead[n] = true
		for _, v := range n.Out {
			if needed[v] {
				dead[n] = false
			}
		}
		if dead[n] {
			continue
		}
		for _, v := range n.In {
			needed[v] = true
		}
	}
	g.Remove(func(n *ir.Node) bool { return dead[n] })
	return nil
}
