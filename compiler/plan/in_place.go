package plan

import (
	"netc/ir"
	"netc/ir/loop"
)

// InPlace reports whether the result of a node may be stored where its operand
// lies, because no element of the operand is needed after the element of the
// result at the same place was stored:
//
//   - each nest of the node stores the result, in one place;
//   - no two iterations of a loop inside a point store the same element;
//   - each load of the operand has the index of that store, which is affine in
//     the loop variables, comes no later than it in the order of the statements,
//     and is not part of a reduction.
//
// Different points store different elements, those of different nests too, so
// no point can see what another has stored.
func InPlace(n *ir.Node, operand, result *ir.Value, nests Nests) bool {
	if !operand.Type.Equal(result.Type) || !operand.Type.SameLayout(result.Type) {
		return false
	}
	list := nests(n)
	for _, nest := range list {
		store, count := findStore(nest.Body, result)
		if count != 1 {
			return false
		}
		axes := map[*loop.Var]bool{}
		for _, v := range nest.Axes {
			axes[v] = true
		}
		scan := inPlaceScan{operand: operand, store: store, axes: axes}
		if !scan.body(nest.Body) || !scan.stored {
			return false
		}
	}
	return len(list) > 0
}

// findStore returns the last store to a value, and how many there are.
func findStore(body []loop.Stmt, v *ir.Value) (store *loop.Store, count int) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Store:
			if s.Value == v {
				store = s
				count++
			}
		case *loop.For:
			if inner, k := findStore(s.Body, v); k > 0 {
				store = inner
				count += k
			}
		case *loop.Reduce:
			if inner, k := findStore(s.Body, v); k > 0 {
				store = inner
				count += k
			}
		}
	}
	return store, count
}

// inPlaceScan walks a nest in the order in which one point runs it.
type inPlaceScan struct {
	operand *ir.Value
	store   *loop.Store
	axes    map[*loop.Var]bool // the loop variables around the statement
	inner   []*loop.Var        // those of them that are loops inside the point
	stored  bool
}

func (s *inPlaceScan) body(body []loop.Stmt) bool {
	for _, statement := range body {
		ok := true
		switch statement := statement.(type) {
		case *loop.Let:
			ok = s.loads(statement.Of)
		case *loop.Reduce:
			ok = !s.reads([]loop.Stmt{statement})
		case *loop.For:
			if s.axes[statement.Axis] {
				return false // the same variable twice: an index no longer says which element
			}
			s.axes[statement.Axis] = true
			s.inner = append(s.inner, statement.Axis)
			ok = s.body(statement.Body)
			s.inner = s.inner[:len(s.inner)-1]
			delete(s.axes, statement.Axis)
		case *loop.Store:
			ok = s.loads(statement.Of)
			for _, x := range statement.Index {
				ok = ok && s.loads(x)
			}
			if statement == s.store {
				ok = ok && s.isPlain(statement.Index) && s.isDistinct(statement.Index)
				s.stored = true
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// loads reports whether every load of the operand in e is at the store's index
// and before the store.
func (s *inPlaceScan) loads(e *loop.Expr) bool {
	ok := true
	e.Walk(func(x *loop.Expr) {
		if x.Op != loop.Load || x.Value != s.operand {
			return
		}
		same := !s.stored && len(x.Args) == len(s.store.Index) && s.isPlain(x.Args)
		for i := 0; same && i < len(x.Args); i++ {
			same = x.Args[i].Equal(s.store.Index[i])
		}
		ok = ok && same
	})
	return ok
}

// isPlain reports whether an index is affine in the loop variables around it.
func (s *inPlaceScan) isPlain(index []*loop.Expr) bool {
	for _, e := range index {
		a, ok := e.ToAffine()
		if !ok {
			return false
		}
		for v := range a.Coef {
			if !s.axes[v] {
				return false
			}
		}
	}
	return true
}

// isDistinct reports whether an index differs between any two iterations of the
// loops around it: each loop variable is one of its entries.
func (s *inPlaceScan) isDistinct(index []*loop.Expr) bool {
	for _, v := range s.inner {
		isEntry := v.Extent <= 1
		for _, e := range index {
			isEntry = isEntry || e.Op == loop.Ref && e.Var == v
		}
		if !isEntry {
			return false
		}
	}
	return true
}

func (s *inPlaceScan) reads(body []loop.Stmt) bool {
	found := false
	loop.WalkExprs(body, func(e *loop.Expr) {
		found = found || e.Op == loop.Load && e.Value == s.operand
	})
	return found
}
