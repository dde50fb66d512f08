// Package loop describes what an operator computes as loop nests: axes, bounded
// reductions and scalar expressions over tensor elements.
//
// A Nest says what is computed, element by element, and leaves the order free.
// Emitters lower it with a schedule (tiles, order, parallel axes) and print the
// result; Interpret runs it as it stands, in float64.
package loop

import (
	"fmt"
	"math"

	"netc/ir"
)

// Kind is the type of a scalar expression.
type Kind uint8

const (
	Float Kind = iota
	Int
	Bool
)

// Op says what an expression computes from its arguments.
type Op uint8

const (
	Const   Op = iota // Num (Float) or Int (Int)
	Ref               // Var
	Load              // Value at Args, one index per axis
	Get               // in lowered code: Value at the row-major position Args[0]
	Add               // Float or Int
	Sub               //
	Mul               //
	Div               // Int: floor division of a non-negative number, or exact
	Mod               // Int only, of a non-negative number
	Neg               //
	Min               //
	Max               //
	Less              // Bool of two Floats or two Ints
	LessEq            //
	Eq                //
	NotEq             //
	And               // Bool; the right side is evaluated only if the left holds
	Or                //
	Not               //
	Select            // Args[0] ? Args[1] : Args[2]; only the chosen side is evaluated
	ToFloat           // Int to Float
	Call              // Name applied to Args: exp, log, log1p, tanh, sqrt, pow, abs, uniform
)

// Expr is a scalar expression. Expressions are immutable and may be shared.
type Expr struct {
	Op    Op
	Kind  Kind
	Args  []*Expr
	Num   float64
	Int   int
	Name  string
	Var   *Var
	Value *ir.Value
}

// Var is a loop variable (Extent > 0: it runs from 0 to Extent-1) or a scalar
// set by Let or Reduce. Its identity is its address; names are for printing.
type Var struct {
	Name   string
	Kind   Kind
	Extent int
}

// Axis returns a loop variable.
func Axis(name string, extent int) *Var { return &Var{name, Int, extent} }

// Axes returns one loop variable per extent of a shape, named from names.
func Axes(shape ir.Shape, names ...string) []*Var {
	axes := make([]*Var, len(shape))
	for i, d := range shape {
		name := fmt.Sprintf("i%d", i)
		if i < len(names) {
			name = names[i]
		}
		axes[i] = Axis(name, d)
	}
	return axes
}

// Refs returns references to variables, as indices for a Load or Store.
func Refs(vars ...*Var) []*Expr {
	list := make([]*Expr, len(vars))
	for i, v := range vars {
		list[i] = R(v)
	}
	return list
}

// N is a float constant, I an integer constant, R a reference, At a load.
func N(x float64) *Expr { return &Expr{Op: Const, Kind: Float, Num: x} }

// I is an integer constant.
func I(n int) *Expr { return &Expr{Op: Const, Kind: Int, Int: n} }

// R refers to a variable. An axis with one element is the constant 0.
func R(v *Var) *Expr {
	if v.Extent == 1 {
		return I(0)
	}
	return &Expr{Op: Ref, Kind: v.Kind, Var: v}
}

// At loads an element of a tensor; an i32 or u8 tensor gives an Int.
func At(v *ir.Value, index ...*Expr) *Expr {
	if len(index) != len(v.Type.Shape) {
		panic(fmt.Sprintf("%s %s loaded with %d indices", v.Name, v.Type, len(index)))
	}
	kind := Float
	if v.Type.DType.IsInt() {
		kind = Int
	}
	return &Expr{Op: Load, Kind: kind, Value: v, Args: index}
}

// Plus adds, folding constants; a constant comes last, as in x + 3 or x - 3.
func Plus(a, b *Expr) *Expr {
	switch {
	case isInt(a, 0) || isNum(a, 0):
		return b
	case isInt(b, 0) || isNum(b, 0):
		return a
	case a.Op == Const && b.Op == Const:
		return constant(a.Kind, a.Num+b.Num, a.Int+b.Int)
	case a.Op == Const && a.Kind == Int:
		return Plus(b, a)
	case b.Op == Const && b.Kind == Int:
		return plusInt(a, b.Int)
	}
	return binary(Add, a, b)
}

// plusInt adds a constant other than 0 to an expression that is none.
func plusInt(a *Expr, n int) *Expr {
	rest := a
	switch {
	case a.Op == Add && a.Args[1].Op == Const:
		rest, n = a.Args[0], n+a.Args[1].Int
	case a.Op == Sub && a.Args[1].Op == Const:
		rest, n = a.Args[0], n-a.Args[1].Int
	}
	switch {
	case n == 0:
		return rest
	case n < 0:
		return binary(Sub, rest, I(-n))
	}
	return binary(Add, rest, I(n))
}

// Minus subtracts, folding constants.
func Minus(a, b *Expr) *Expr {
	switch {
	case isInt(b, 0) || isNum(b, 0):
		return a
	case a.Op == Const && b.Op == Const:
		return constant(a.Kind, a.Num-b.Num, a.Int-b.Int)
	case b.Op == Const && b.Kind == Int:
		return plusInt(a, -b.Int)
	case isNum(a, 0):
		return Negate(b)
	}
	return binary(Sub, a, b)
}

// Times multiplies, folding constants.
func Times(a, b *Expr) *Expr {
	switch {
	case isInt(a, 1) || isNum(a, 1):
		return b
	case isInt(b, 1) || isNum(b, 1):
		return a
	case isInt(a, 0) || isInt(b, 0):
		return I(0)
	case isNum(a, 0) || isNum(b, 0):
		return N(0)
	case a.Op == Const && b.Op == Const:
		return constant(a.Kind, a.Num*b.Num, a.Int*b.Int)
	case isNum(a, -1):
		return Negate(b)
	}
	return binary(Mul, a, b)
}

// Over divides; for integers, see Div.
func Over(a, b *Expr) *Expr {
	switch {
	case isInt(b, 1) || isNum(b, 1):
		return a
	case a.Op == Const && b.Op == Const && a.Kind == Float:
		return N(a.Num / b.Num)
	case a.Op == Const && b.Op == Const && b.Int != 0 && a.Int >= 0:
		return I(a.Int / b.Int)
	}
	return binary(Div, a, b)
}

// Remainder is a modulo b for integers, a ≥ 0.
func Remainder(a, b *Expr) *Expr {
	switch {
	case isInt(b, 1):
		return I(0)
	case a.Op == Const && b.Op == Const && b.Int != 0 && a.Int >= 0:
		return I(a.Int % b.Int)
	}
	return binary(Mod, a, b)
}

// Negate is -a.
func Negate(a *Expr) *Expr {
	if a.Op == Const {
		return constant(a.Kind, -a.Num, -a.Int)
	}
	if a.Op == Neg {
		return a.Args[0]
	}
	return &Expr{Op: Neg, Kind: a.Kind, Args: []*Expr{a}}
}

// Smaller and Larger are the minimum and maximum of two numbers of one kind.
func Smaller(a, b *Expr) *Expr { return binary(Min, a, b) }

// Larger is the maximum of two numbers of one kind.
func Larger(a, b *Expr) *Expr { return binary(Max, a, b) }

// Compare builds Less, LessEq, Eq or NotEq.
func Compare(op Op, a, b *Expr) *Expr {
	if a.Op == Const && b.Op == Const {
		x, y := a.Num, b.Num
		if a.Kind == Int {
			x, y = float64(a.Int), float64(b.Int)
		}
		switch op {
		case Less:
			return truth(x < y)
		case LessEq:
			return truth(x <= y)
		case Eq:
			return truth(x == y)
		}
		return truth(x != y)
	}
	return &Expr{Op: op, Kind: Bool, Args: []*Expr{a, b}}
}

// Both is a && b; a nil side is true.
func Both(a, b *Expr) *Expr {
	switch {
	case a == nil || isTrue(a):
		return b
	case b == nil || isTrue(b):
		return a
	}
	return &Expr{Op: And, Kind: Bool, Args: []*Expr{a, b}}
}

// Choose is cond ? a : b.
func Choose(cond, a, b *Expr) *Expr {
	switch {
	case isTrue(cond):
		return a
	case isFalse(cond):
		return b
	}
	return &Expr{Op: Select, Kind: a.Kind, Args: []*Expr{cond, a, b}}
}

// Floating converts an Int to a Float.
func Floating(a *Expr) *Expr {
	if a.Op == Const {
		return N(float64(a.Int))
	}
	return &Expr{Op: ToFloat, Kind: Float, Args: []*Expr{a}}
}

// Apply calls a function; see Functions.
func Apply(name string, args ...*Expr) *Expr {
	return &Expr{Op: Call, Kind: Float, Name: name, Args: args}
}

// Functions maps each function that Apply knows to its number of arguments.
// uniform takes four Ints (seed, iteration, stream, element) and gives a number
// in [0,1) that depends on nothing else.
var Functions = map[string]int{
	"exp": 1, "log": 1, "log1p": 1, "tanh": 1, "sqrt": 1, "abs": 1, "pow": 2, "uniform": 4,
}

func binary(op Op, a, b *Expr) *Expr {
	if a.Kind != b.Kind {
		panic(fmt.Sprintf("mixed operand kinds in %s", Format(&Expr{Op: op, Args: []*Expr{a, b}})))
	}
	return &Expr{Op: op, Kind: a.Kind, Args: []*Expr{a, b}}
}

func constant(kind Kind, num float64, n int) *Expr {
	if kind == Int {
		return I(n)
	}
	return N(num)
}

func truth(b bool) *Expr {
	n := 0
	if b {
		n = 1
	}
	return &Expr{Op: Const, Kind: Bool, Int: n}
}

func isInt(e *Expr, n int) bool     { return e.Op == Const && e.Kind == Int && e.Int == n }
func isNum(e *Expr, x float64) bool { return e.Op == Const && e.Kind == Float && e.Num == x }
func isTrue(e *Expr) bool           { return e.Op == Const && e.Kind == Bool && e.Int == 1 }
func isFalse(e *Expr) bool          { return e.Op == Const && e.Kind == Bool && e.Int == 0 }

// Map rebuilds an expression bottom-up: f sees each subexpression after its
// arguments were rebuilt, and returns its replacement or the same.
func (e *Expr) Map(f func(*Expr) *Expr) *Expr {
	var args []*Expr // made when the first of them changes
	for i, a := range e.Args {
		b := a.Map(f)
		if b != a && args == nil {
			args = append(make([]*Expr, 0, len(e.Args)), e.Args[:i]...)
		}
		if args != nil {
			args = append(args, b)
		}
	}
	if args != nil {
		e = rebuild(e, args)
	}
	return f(e)
}

// rebuild applies e's operation to new arguments, folding constants again.
func rebuild(e *Expr, args []*Expr) *Expr {
	switch e.Op {
	case Add:
		return Plus(args[0], args[1])
	case Sub:
		return Minus(args[0], args[1])
	case Mul:
		return Times(args[0], args[1])
	case Div:
		return Over(args[0], args[1])
	case Mod:
		return Remainder(args[0], args[1])
	case Neg:
		return Negate(args[0])
	case Less, LessEq, Eq, NotEq:
		return Compare(e.Op, args[0], args[1])
	case And:
		return Both(args[0], args[1])
	case Select:
		return Choose(args[0], args[1], args[2])
	}
	c := *e
	c.Args = args
	return &c
}

// Substitute replaces references to variables.
func (e *Expr) Substitute(with map[*Var]*Expr) *Expr {
	if len(with) == 0 {
		return e
	}
	return e.Map(func(x *Expr) *Expr {
		if x.Op == Ref {
			if r, ok := with[x.Var]; ok {
				return r
			}
		}
		return x
	})
}

// Walk visits e and all its subexpressions, parents first.
func (e *Expr) Walk(visit func(*Expr)) {
	visit(e)
	for _, a := range e.Args {
		a.Walk(visit)
	}
}

// Uses reports whether e refers to any of the variables.
func (e *Expr) Uses(vars ...*Var) bool {
	found := false
	e.Walk(func(x *Expr) {
		if x.Op == Ref {
			for _, v := range vars {
				found = found || x.Var == v
			}
		}
	})
	return found
}

// Affine is an integer expression of the form Const + sum of Coef[v] * v.
type Affine struct {
	Coef  map[*Var]int
	Const int
}

// Bounds gives the least and the greatest value that a has.
func (a Affine) Bounds() (least, most int) {
	least, most = a.Const, a.Const
	for v, k := range a.Coef {
		least += min(0, k*(v.Extent-1))
		most += max(0, k*(v.Extent-1))
	}
	return least, most
}

// ToAffine analyses an integer expression; ok is false where it is not affine.
func (e *Expr) ToAffine() (a Affine, ok bool) {
	a.Coef = map[*Var]int{}
	ok = e.affine(&a, 1)
	return a, ok
}

func (e *Expr) affine(a *Affine, factor int) bool {
	switch e.Op {
	case Const:
		a.Const += factor * e.Int
		return e.Kind == Int
	case Ref:
		if a.Coef[e.Var] += factor; a.Coef[e.Var] == 0 {
			delete(a.Coef, e.Var)
		}
		return true
	case Add:
		return e.Args[0].affine(a, factor) && e.Args[1].affine(a, factor)
	case Sub:
		return e.Args[0].affine(a, factor) && e.Args[1].affine(a, -factor)
	case Neg:
		return e.Args[0].affine(a, -factor)
	case Mul:
		for i, k := range e.Args {
			if k.Op == Const {
				return e.Args[1-i].affine(a, factor*k.Int)
			}
		}
	}
	return false
}

// Equal reports whether two expressions are the same by structure.
func (e *Expr) Equal(f *Expr) bool {
	if e == f {
		return true
	}
	if e.Op != f.Op || e.Kind != f.Kind || e.Num != f.Num && !(math.IsNaN(e.Num) && math.IsNaN(f.Num)) ||
		e.Int != f.Int || e.Name != f.Name || e.Var != f.Var || e.Value != f.Value || len(e.Args) != len(f.Args) {
		return false
	}
	for i := range e.Args {
		if !e.Args[i].Equal(f.Args[i]) {
			return false
		}
	}
	return true
}

// Flat is the row-major position of an element: the index of a Load or Store
// as one integer expression.
func Flat(shape ir.Shape, index []*Expr) *Expr {
	flat := I(0)
	stride := shape.Count()
	for i, d := range shape {
		stride /= d
		flat = Plus(flat, Times(index[i], I(stride)))
	}
	return flat
}

// Position is where an element of a tensor lies in memory, in elements. On an
// axis in lanes it is affine only where the index is a multiple of a block.
func Position(t ir.Type, index []*Expr) *Expr {
	if t.IsRowMajor() {
		return Flat(t.Shape, index)
	}
	shape, places := make(ir.Shape, len(t.Shape)), make([]*Expr, len(t.Shape))
	for i, axis := range t.Order() {
		shape[i], places[i] = t.Blocks(axis), index[axis]
		if axis == t.Lanes-1 {
			places[i] = Over(index[axis], I(ir.LaneBlock))
		}
	}
	if t.Lanes == 0 {
		return Flat(shape, places)
	}
	return Plus(Times(Flat(shape, places), I(ir.LaneBlock)), Remainder(index[t.Lanes-1], I(ir.LaneBlock)))
}
