package pass

import "netc/ir"

// substitution says which values stand in for others. A pass that visits nodes
// in order and rewrites each before it looks at it redirects all readers in one
// walk. Outputs, the loss and writes keep their own values, and so their names.
type substitution map[*ir.Value]*ir.Value

// rewrite makes a node read what its operands were replaced by.
func (s substitution) rewrite(n *ir.Node) {
	for i, v := range n.In {
		if r, ok := s[v]; ok {
			n.In[i] = r
		}
	}
	for _, inner := range n.Body {
		s.rewrite(inner)
	}
}
