package eval

import (
	"fmt"
	"math"

	"netc/ir/loop"
)

// compileFormula turns a map's formula over operands a, b, c, … into a function
// of their elements. The formula has been checked by the operator's Infer.
func compileFormula(text string, operands int, uniform func(seed, iteration, stream, element int) float64) func(x []float64) float64 {
	names := map[string]*loop.Expr{}
	c := formula{position: map[*loop.Var]int{}, uniform: uniform}
	for i := range operands {
		v := &loop.Var{Name: string(rune('a' + i)), Kind: loop.Float}
		c.position[v] = i
		names[v.Name] = loop.R(v)
	}
	e, err := loop.ParseExpr(text, names)
	if err != nil {
		panic(err)
	}
	return c.compile(e)
}

// formula compiles expressions to functions of the operands' elements.
type formula struct {
	position map[*loop.Var]int
	uniform  func(seed, iteration, stream, element int) float64
}

// compile turns an expression into a function; a condition gives 1 where it
// holds and 0 elsewhere.
func (c formula) compile(e *loop.Expr) func(x []float64) float64 {
	args := make([]func([]float64) float64, len(e.Args))
	for i, a := range e.Args {
		args[i] = c.compile(a)
	}
	holds := func(condition func(x []float64) bool) func(x []float64) float64 {
		return func(x []float64) float64 {
			if condition(x) {
				return 1
			}
			return 0
		}
	}
	switch e.Op {
	case loop.Const:
		if e.Kind == loop.Float {
			return func([]float64) float64 { return e.Num }
		}
		return func([]float64) float64 { return float64(e.Int) }
	case loop.Ref:
		i := c.position[e.Var]
		return func(x []float64) float64 { return x[i] }
	case loop.Add:
		return func(x []float64) float64 { return args[0](x) + args[1](x) }
	case loop.Sub:
		return func(x []float64) float64 { return args[0](x) - args[1](x) }
	case loop.Mul:
		return func(x []float64) float64 { return args[0](x) * args[1](x) }
	case loop.Div:
		return func(x []float64) float64 { return args[0](x) / args[1](x) }
	case loop.Neg:
		return func(x []float64) float64 { return -args[0](x) }
	case loop.Min:
		return func(x []float64) float64 { return math.Min(args[0](x), args[1](x)) }
	case loop.Max:
		return func(x []float64) float64 { return math.Max(args[0](x), args[1](x)) }
	case loop.Less:
		return holds(func(x []float64) bool { return args[0](x) < args[1](x) })
	case loop.LessEq:
		return holds(func(x []float64) bool { return args[0](x) <= args[1](x) })
	case loop.Eq:
		return holds(func(x []float64) bool { return args[0](x) == args[1](x) })
	case loop.NotEq:
		return holds(func(x []float64) bool { return args[0](x) != args[1](x) })
	case loop.And:
		return holds(func(x []float64) bool { return args[0](x) != 0 && args[1](x) != 0 })
	case loop.Or:
		return holds(func(x []float64) bool { return args[0](x) != 0 || args[1](x) != 0 })
	case loop.Not:
		return holds(func(x []float64) bool { return args[0](x) == 0 })
	case loop.Select:
		return func(x []float64) float64 {
			if args[0](x) != 0 {
				return args[1](x)
			}
			return args[2](x)
		}
	case loop.Call:
		return c.call(e.Name, args)
	}
	panic(fmt.Sprintf("a formula cannot have operation %d of %s", e.Op, loop.Format(e)))
}

// functions of one argument, as in loop.Functions.
var functions = map[string]func(float64) float64{
	"exp": math.Exp, "log": math.Log, "log1p": math.Log1p, "tanh": math.Tanh, "sqrt": math.Sqrt, "abs": math.Abs,
}

func (c formula) call(name string, args []func([]float64) float64) func(x []float64) float64 {
	switch name {
	case "pow":
		return func(x []float64) float64 { return math.Pow(args[0](x), args[1](x)) }
	case "uniform":
		return func(x []float64) float64 {
			return c.uniform(int(args[0](x)), int(args[1](x)), int(args[2](x)), int(args[3](x)))
		}
	}
	f := functions[name]
	if f == nil {
		panic("the reference does not know the function " + name)
	}
	return func(x []float64) float64 { return f(args[0](x)) }
}
