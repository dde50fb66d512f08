package loop

import "netc/ir"

// Touched counts for each tensor how many of its elements the nest loads or
// stores: all, or fewer where the loops that its indices use have fewer points
// together. A tensor that is used at several indices counts as the largest of
// them; an index that depends on data may be anywhere in the tensor.
func (n *Nest) Touched() map[*ir.Value]int {
	counts := map[*ir.Value]int{}
	note := func(v *ir.Value, index []*Expr) {
		total := v.Type.Shape.Count()
		points, seen := 1, map[*Var]bool{}
		for _, e := range index {
			e.Walk(func(x *Expr) {
				switch {
				case x.Op == Load || x.Op == Ref && x.Var.Extent == 0:
					points = total
				case x.Op == Ref && !seen[x.Var] && points < total:
					seen[x.Var] = true
					points *= x.Var.Extent
				}
			})
		}
		counts[v] = max(counts[v], min(points, total))
	}
	WalkExprs(n.Body, func(e *Expr) {
		if e.Op == Load {
			note(e.Value, e.Args)
		}
	})
	var stores func(body []Stmt)
	stores = func(body []Stmt) {
		for _, s := range body {
			switch s := s.(type) {
			case *Store:
				note(s.Value, s.Index)
			case *For:
				stores(s.Body)
			}
		}
	}
	stores(n.Body)
	return counts
}
