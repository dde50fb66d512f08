package pass

import (
	"math"
	"slices"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// FoldConstants computes what depends on constants only, puts constants into
// the formulas that use them, and removes operators that do nothing.
//
//	c = constant {value: 2}
//	a = mul x, c                    a = scale x {by: 2}
//	b = reshape a {shape: [6]}  =>  d = reshape a {shape: [3, 2]}
//	d = reshape b {shape: [3, 2]}
//
// A constant that is not a finite f32 is not folded, so that overflow shows
// where it happens. A node whose result is an output or written is simplified
// but stays, because its name is part of the program. What loses its readers is
// left for DropDead. Runs before CommonSubexpressions, which then finds more
// that is equal.
func FoldConstants(g *ir.Graph) error {
	replaced := substitution{}
	for _, n := range g.Nodes {
		replaced.rewrite(n)
		if n.Body != nil {
			continue
		}
		for simplify(n) {
		}
		if v := operandOf(n); v != nil {
			replaced[n.Out[0]] = v
		}
	}
	return nil
}

// simplify replaces a node's operator and operands by simpler ones that give
// the same result, and reports whether it did.
func simplify(n *ir.Node) bool {
	if foldElementwise(n) {
		return true
	}
	switch o := n.Op.(type) {
	case *op.Sum:
		return simplifySum(n, o)
	case *op.Pointwise:
		return absorbConstant(n, o)
	case *op.Map:
		return absorbConstants(n, o)
	case *op.Reshape:
		if inner, ok := producer[*op.Reshape](n); ok {
			n.In = slices.Clone(inner.In)
			return true
		}
	case *op.Transpose:
		if inner, ok := producer[*op.Transpose](n); ok {
			n.Op = &op.Transpose{Perm: picked(inner.Op.(*op.Transpose).Perm, o.Perm)}
			n.In = slices.Clone(inner.In)
			return true
		}
	case *op.Broadcast:
		if inner, ok := producer[*op.Broadcast](n); ok {
			n.Op = &op.Broadcast{Shape: o.Shape, Axes: picked(o.Axes, inner.Op.(*op.Broadcast).Axes)}
			n.In = slices.Clone(inner.In)
			return true
		}
	}
	return false
}

// producer returns the node of a node's only operand, if its operator is a T.
func producer[T ir.Op](n *ir.Node) (*ir.Node, bool) {
	if len(n.In) != 1 || n.In[0].Def == nil || n.In[0].Def.Body != nil {
		return nil, false
	}
	_, ok := n.In[0].Def.Op.(T)
	return n.In[0].Def, ok
}

// picked gives the entries of list at the given places.
func picked(list, places []int) []int {
	out := make([]int, len(places))
	for i, p := range places {
		out[i] = list[p]
	}
	return out
}

// operandOf returns the operand that a node only passes on, or nil.
func operandOf(n *ir.Node) *ir.Value {
	if len(n.In) == 0 || len(n.Out) != 1 || !n.In[0].Type.Equal(n.Out[0].Type) {
		return nil
	}
	isIdentity := false
	switch o := n.Op.(type) {
	case *op.Reshape:
		isIdentity = true
	case *op.Broadcast:
		isIdentity = true // an operand of the result's shape fills every axis
	case *op.Transpose:
		isIdentity = slices.IsSorted(o.Perm)
	case *op.Sum:
		isIdentity = len(o.Axes) == 0
	case *op.Concat:
		isIdentity = len(n.In) == 1
	case *op.Split:
		isIdentity = true // one result of the operand's type is the whole
	case *op.Map:
		isIdentity = len(n.In) == 1 && o.Formula == "a"
	case *op.Pointwise:
		switch o.Mnemonic() {
		case "scale":
			isIdentity = o.By == 1
		case "offset":
			isIdentity = o.By == 0
		case "power":
			isIdentity = o.Power == 1
		case "detach": // gradients have been taken by now
			isIdentity = true
		}
	}
	if !isIdentity {
		return nil
	}
	return n.In[0]
}

// constantOf gives the number that every element of v is.
func constantOf(v *ir.Value) (float64, bool) {
	if v.Def == nil || v.Def.Body != nil {
		return 0, false
	}
	c, ok := v.Def.Op.(*op.Constant)
	if !ok {
		return 0, false
	}
	return c.Value, true
}

// becomeConstant makes a node a constant, if the number is a finite f32.
func becomeConstant(n *ir.Node, x float64) bool {
	if math.IsNaN(x) || math.Abs(x) > math.MaxFloat32 {
		return false
	}
	n.Op = &op.Constant{Value: x, Shape: slices.Clone(n.Out[0].Type.Shape)}
	n.In = nil
	return true
}

// foldElementwise makes a constant of an elementwise node with constant
// operands, if its elements do not depend on their place.
func foldElementwise(n *ir.Node) bool {
	e, ok := n.Op.(op.Elementwise)
	if !ok || len(n.In) == 0 || len(n.Out) != 1 || n.Out[0].Type.DType != ir.F32 {
		return false
	}
	for _, v := range n.In {
		if _, ok := constantOf(v); !ok {
			return false
		}
	}
	index := loop.Refs(loop.Axes(n.Out[0].Type.Shape)...)
	formula := e.Element(n, index, func(operand int, _ []*loop.Expr) *loop.Expr {
		x, _ := constantOf(n.In[operand])
		return loop.N(x)
	})
	x, ok := evaluate(formula)
	return ok && becomeConstant(n, x)
}

// evaluate computes an expression without variables and loads.
func evaluate(e *loop.Expr) (float64, bool) {
	isClosed := true
	e.Walk(func(x *loop.Expr) {
		isClosed = isClosed && x.Op != loop.Ref && x.Op != loop.Load
	})
	if !isClosed {
		return 0, false
	}
	result := &ir.Value{Name: "result", Type: ir.Float()}
	element := []float64{0}
	nest := &loop.Nest{Body: []loop.Stmt{&loop.Store{Value: result, Of: e}}}
	loop.Interpret(nest, func(*ir.Value) []float64 { return element }, nil)
	return element[0], true
}

// simplifySum makes a constant of the sum of a constant, and a reshape of a sum
// over axes with one element.
func simplifySum(n *ir.Node, o *op.Sum) bool {
	from, to := n.In[0].Type.Shape, n.Out[0].Type.Shape
	if x, ok := constantOf(n.In[0]); ok {
		return becomeConstant(n, x*float64(from.Count()/to.Count()))
	}
	if len(o.Axes) > 0 && from.Count() == to.Count() {
		n.Op = &op.Reshape{Shape: slices.Clone(to)}
		return true
	}
	return false
}

// absorbConstant makes one operand of a sum or product with a constant.
func absorbConstant(n *ir.Node, o *op.Pointwise) bool {
	if len(n.In) != 2 {
		return false
	}
	left, isLeft := constantOf(n.In[0])
	right, isRight := constantOf(n.In[1])
	with := func(name string, by float64, operand int) bool {
		simpler := op.Point(name)
		simpler.By = by
		n.Op, n.In = simpler, []*ir.Value{n.In[operand]}
		return true
	}
	switch name := o.Mnemonic(); {
	case name == "add" && isRight:
		return with("offset", right, 0)
	case name == "add" && isLeft:
		return with("offset", left, 1)
	case name == "sub" && isRight:
		return with("offset", -right, 0)
	case name == "mul" && isRight:
		return with("scale", right, 0)
	case name == "mul" && isLeft:
		return with("scale", left, 1)
	case name == "div" && isRight && right == 1:
		return with("scale", 1, 0)
	}
	return false
}

// absorbConstants puts constant operands of a map into its formula.
func absorbConstants(n *ir.Node, o *op.Map) bool {
	f := formula{names: map[string]*loop.Expr{}}
	found := false
	for i, v := range n.In {
		name := string(rune('a' + i))
		if x, ok := constantOf(v); ok {
			f.names[name] = loop.N(x)
			found = true
			continue
		}
		f.bind(name, v)
	}
	if !found {
		return false
	}
	simpler, in := f.compose(o.Formula)
	if len(in) == 0 {
		// Every operand cancelled out, as in "a * b" with b = 0.
		x, ok := evaluate(simpler)
		return ok && becomeConstant(n, x)
	}
	n.Op, n.In = &op.Map{Formula: loop.Format(simpler)}, in
	return true
}
