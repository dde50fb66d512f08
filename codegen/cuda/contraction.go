package cuda

import (
	"slices"

	"netc/ir/loop"
)

// contraction is a nest that multiplies two operands and sums: a matrix product
// or a convolution, in any direction. Its points are those of a matrix, or of
// several (batch): rows are the axes that only the operand a is indexed by,
// columns those of b alone, inner the axes summed over. A convolution read in
// this way is an implicit matrix product: the rows or columns are pixels, and
// the elements of the matrix are looked up in the image.
type contraction struct {
	reduce               *loop.Reduce
	batch, rows, columns []*loop.Var
	inner                []*loop.Var
	a, b                 operand
	rest                 []loop.Stmt // what is done with each sum
	quad                 *quad       // how with four at once; nil where it is done one by one
	after                float64     // the cycles that it takes for a sum
}

// operand is one factor: its value where cond holds (nil: always), 0 elsewhere.
type operand struct {
	of, cond *loop.Expr
}

// A matrix with fewer rows, columns or terms than these is no work for tiles.
const (
	leastSide  = 6
	leastTerms = 8
)

// contractionOf reads a nest as a contraction, or gives nil where it is none or
// too small.
func contractionOf(n *loop.Nest) *contraction {
	n = splitGroups(n)
	if len(n.Body) == 0 {
		return nil
	}
	r, ok := n.Body[0].(*loop.Reduce)
	if !ok || r.Kind != loop.Sum || len(r.Body) > 0 || r.Of.Op != loop.Mul {
		return nil
	}
	for _, s := range n.Body[1:] {
		switch s.(type) {
		case *loop.Let, *loop.Store:
		default:
			return nil
		}
	}
	c := &contraction{reduce: r, inner: r.Axes, rest: n.Body[1:], a: operand{of: r.Of.Args[0]}, b: operand{of: r.Of.Args[1]}}
	for _, v := range n.Axes {
		switch left, right := c.a.of.Uses(v), c.b.of.Uses(v); {
		case left && !right:
			c.rows = append(c.rows, v)
		case right && !left:
			c.columns = append(c.columns, v)
		default:
			c.batch = append(c.batch, v)
		}
	}
	if !c.shareConditions() {
		return nil
	}
	if c.storesAlong(c.rows) { // neighbouring threads store neighbouring columns
		c.rows, c.columns, c.a, c.b = c.columns, c.rows, c.b, c.a
	}
	rows, columns, terms := points(c.rows), points(c.columns), points(c.inner)
	if rows < leastSide || columns < leastSide || terms < leastTerms || points(c.batch) > 65535 {
		return nil
	}
	c.mergeInner()
	c.quad = quadOf(c, argumentsOf(n))
	rest := &loop.Nest{Body: c.rest}
	c.after = float64(loadTime*len(rest.Loads()) + storeTime*len(rest.Stores()))
	return c
}

// mergeInner joins neighbouring axes of the terms that both operands use as one,
// such as the lines of images that a window of one element passes over. Elements
// are then given by their places in memory.
func (c *contraction) mergeInner() {
	c.inner = slices.DeleteFunc(slices.Clone(c.inner), func(v *loop.Var) bool { return v.Extent == 1 })
	none := loop.Axis("none", 2)
	parts := []*loop.Expr{c.a.of, c.a.cond, c.b.of, c.b.cond}
	var body []loop.Stmt
	for _, e := range parts {
		if e == nil {
			e = loop.I(0)
		}
		body = append(body, &loop.Let{Var: none, Of: e.Flat()})
	}
	for i := len(c.inner) - 2; i >= 0; i-- {
		if axes, merged, ok := loop.MergeAxes(c.inner, i, body); ok {
			c.inner, body = axes, merged
		}
	}
	for i, e := range []**loop.Expr{&c.a.of, &c.a.cond, &c.b.of, &c.b.cond} {
		if parts[i] != nil {
			*e = body[i].(*loop.Let).Of
		}
	}
}

// shareConditions gives each condition of the sum to the operand whose axes it
// depends on. It fails where one depends on both sides' axes, or where one side
// has elements that exist only under the other's conditions.
func (c *contraction) shareConditions() bool {
	var conditions []*loop.Expr
	for _, w := range c.reduce.Within {
		conditions = append(conditions, w.Condition())
	}
	for e := c.reduce.Where; e != nil; {
		if e.Op != loop.And {
			conditions = append(conditions, e)
			break
		}
		conditions = append(conditions, e.Args[0])
		e = e.Args[1]
	}
	sideA, sideB := false, false // whether a side has conditions of its own
	for _, e := range conditions {
		a, b := e.Uses(c.rows...), e.Uses(c.columns...)
		switch {
		case a && b:
			return false
		case a:
			c.a.cond, sideA = loop.Both(c.a.cond, e), true
		case b:
			c.b.cond, sideB = loop.Both(c.b.cond, e), true
		default:
			c.a.cond, c.b.cond = loop.Both(c.a.cond, e), loop.Both(c.b.cond, e)
		}
	}
	return (!sideB || isInside(c.a.of)) && (!sideA || isInside(c.b.of))
}

// isInside reports whether all elements that e loads exist, whatever its loop
// variables are.
func isInside(e *loop.Expr) bool {
	inside := true
	e.Walk(func(x *loop.Expr) {
		if x.Op != loop.Load {
			return
		}
		for i, index := range x.Args {
			a, ok := index.ToAffine()
			least, most := a.Bounds()
			inside = inside && ok && least >= 0 && most < x.Value.Type.Shape[i]
		}
	})
	return inside
}

// storesAlong reports whether one of the axes is that along which neighbouring
// points store neighbouring elements.
func (c *contraction) storesAlong(axes []*loop.Var) bool {
	for _, s := range c.rest {
		if store, ok := s.(*loop.Store); ok {
			a, _ := loop.Position(store.Value.Type, store.Index).ToAffine()
			nearest, step := (*loop.Var)(nil), 0
			for _, list := range [][]*loop.Var{c.rows, c.columns} {
				for _, v := range list {
					if k := a.Coef[v]; v.Extent > 1 && k > 0 && (step == 0 || k < step) {
						nearest, step = v, k
					}
				}
			}
			return slices.Contains(axes, nearest)
		}
	}
	return false
}

// splitGroups replaces each axis that is only used in groups, as v/c or v%c, by
// two: the group and the place in it. The channels of a grouped convolution
// become a batch of products in this way.
func splitGroups(n *loop.Nest) *loop.Nest {
	for i, v := range n.Axes {
		size := 0
		loop.WalkExprs(n.Body, func(e *loop.Expr) {
			if (e.Op == loop.Div || e.Op == loop.Mod) && e.Args[0].Op == loop.Ref && e.Args[0].Var == v && e.Args[1].Op == loop.Const {
				size = e.Args[1].Int
			}
		})
		if size < 2 || v.Extent%size != 0 || v.Extent == size {
			continue
		}
		group, place := loop.Axis(v.Name+" group", v.Extent/size), loop.Axis(v.Name, size)
		whole := loop.Plus(loop.Times(loop.R(group), loop.I(size)), loop.R(place))
		body := loop.MapExprs(n.Body, func(e *loop.Expr) *loop.Expr {
			return e.Map(func(x *loop.Expr) *loop.Expr {
				switch {
				case x.Op == loop.Ref && x.Var == v:
					return whole
				case x.Op == loop.Div && x.Args[0] == whole && x.Args[1].Op == loop.Const && x.Args[1].Int == size:
					return loop.R(group)
				case x.Op == loop.Mod && x.Args[0] == whole && x.Args[1].Op == loop.Const && x.Args[1].Int == size:
					return loop.R(place)
				}
				return x
			})
		})
		return splitGroups(&loop.Nest{Axes: slices.Concat(n.Axes[:i], []*loop.Var{group, place}, n.Axes[i+1:]), Body: body})
	}
	return n
}
