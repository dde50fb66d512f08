package loop

import "slices"

// mergeAxes joins neighbouring axes that every index uses as one: with extents
// H and W, y*W + x becomes one axis of H*W. Axes of one element disappear.
func mergeAxes(nest *Nest) *Nest {
	axes := slices.DeleteFunc(slices.Clone(nest.Axes), func(v *Var) bool { return v.Extent == 1 })
	nest = &Nest{Axes: axes, Body: nest.Body}
	for i := len(axes) - 2; i >= 0; i-- {
		if merged, ok := mergePair(nest, i); ok {
			nest = merged
		}
	}
	return nest
}

// mergePair merges axes i and i+1 where all uses allow it.
func mergePair(nest *Nest, i int) (*Nest, bool) {
	name := "i"
	if i+2 == len(nest.Axes) && len(nest.Axes) > 2 || i > 0 {
		name = nest.Axes[i].Name + nest.Axes[i+1].Name
	}
	axes, body, ok := MergeAxes(nest.Axes, i, nest.Body)
	if !ok {
		return nil, false
	}
	axes[i].Name = name
	return &Nest{Axes: axes, Body: body}, true
}

// MergeAxes puts one variable in the place of axes i and i+1, the first times
// the extent of the second plus the second, and gives the statements in terms
// of it. It is not ok where some integer uses the two in another way. Positions
// must be flat.
func MergeAxes(axes []*Var, i int, body []Stmt) (merged []*Var, rewritten []Stmt, ok bool) {
	outer, inner := axes[i], axes[i+1]
	both := Axis(outer.Name+inner.Name, outer.Extent*inner.Extent)
	merged = slices.Concat(axes[:i], []*Var{both}, axes[i+2:])
	ok = true
	rewritten = MapExprs(body, func(e *Expr) *Expr {
		return mapAffine(e, func(x *Expr) *Expr {
			if !ok || !x.Uses(outer, inner) {
				return x
			}
			a, affine := x.ToAffine()
			if !affine || a.Coef[outer] != a.Coef[inner]*inner.Extent {
				ok = false
				return x
			}
			a.Coef[both] = a.Coef[inner]
			delete(a.Coef, outer)
			delete(a.Coef, inner)
			return a.expr(merged)
		})
	})
	return merged, rewritten, ok
}

// mapAffine rebuilds e with f applied to its largest affine integer
// subexpressions; where a subexpression is not affine, f sees its parts.
func mapAffine(e *Expr, f func(*Expr) *Expr) *Expr {
	if e.Kind == Int && e.Op != Get {
		if _, ok := e.ToAffine(); ok {
			return f(e)
		}
	}
	if len(e.Args) == 0 {
		return e
	}
	args := make([]*Expr, len(e.Args))
	for i, a := range e.Args {
		args[i] = mapAffine(a, f)
	}
	return rebuild(e, args)
}

// expr writes an affine form as an expression, its variables in the order of
// first, then the others by name.
func (a Affine) expr(first []*Var) *Expr {
	var rest []*Var
	for v := range a.Coef {
		if !slices.Contains(first, v) {
			rest = append(rest, v)
		}
	}
	slices.SortFunc(rest, func(v, w *Var) int {
		if v.Name < w.Name {
			return -1
		}
		return 1
	})
	e := I(0)
	for _, v := range slices.Concat(first, rest) {
		if c := a.Coef[v]; c != 0 {
			e = Plus(e, Times(R(v), I(c)))
		}
	}
	return Plus(e, I(a.Const))
}
