package loop

import (
	"fmt"
	"math"

	"netc/ir"
)

// Tensors finds the elements of a tensor, row-major; i32 and u8 elements are whole
// numbers.
type Tensors func(v *ir.Value) []float64

// Interpret runs a nest in float64, in row-major order of its axes. uniform
// stands for the function of that name; see Functions.
func Interpret(n *Nest, tensors Tensors, uniform func(seed, iteration, stream, element int) float64) {
	m := &machine{tensors: tensors, uniform: uniform, scalars: map[*Var]float64{}}
	m.overAxes(n.Axes, func() { m.run(n.Body) })
}

// rowMajor is the row-major number of the element at a position in memory.
func rowMajor(t ir.Type, position int) int {
	rest, lane := position, 0
	if t.Lanes != 0 {
		rest, lane = position/ir.LaneBlock, position%ir.LaneBlock
	}
	order, index := t.Order(), make([]int, len(t.Shape))
	for i := len(order) - 1; i >= 0; i-- {
		axis := order[i]
		index[axis] = rest % t.Blocks(axis)
		rest /= t.Blocks(axis)
		if axis == t.Lanes-1 {
			index[axis] = index[axis]*ir.LaneBlock + lane
		}
	}
	number := 0
	for i, d := range t.Shape {
		number = number*d + index[i]
	}
	return number
}

// InterpretCode runs lowered code in float64, task by task.
func InterpretCode(c *Code, tensors Tensors, uniform func(seed, iteration, stream, element int) float64) {
	m := &machine{tensors: tensors, uniform: uniform, scalars: map[*Var]float64{}}
	for task := range c.Tasks {
		m.scalars[c.Task] = float64(task)
		m.lowered(c.Body)
	}
}

func (m *machine) lowered(body []Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *Let:
			m.scalars[s.Var] = m.eval(s.Of)
		case *Declare:
			m.scalars[s.Var] = m.eval(s.Of)
		case *Put:
			m.tensors(s.Value)[rowMajor(s.Value.Type, int(m.eval(s.At)))] = m.eval(s.Of)
		case *If:
			if m.eval(s.Cond) != 0 {
				m.lowered(s.Body)
			}
		case *Loop:
			for i := s.From; i < s.To; i += s.Step {
				m.scalars[s.Var] = float64(i)
				m.lowered(s.Body)
			}
		case *Assign:
			x := m.eval(s.Of)
			switch {
			case s.Kind == Sum:
				m.scalars[s.Var] += x
			case s.Kind == Product:
				m.scalars[s.Var] *= x
			case x > m.scalars[s.Var]:
				m.scalars[s.Var] = x
				if s.Arg != nil {
					m.scalars[s.Arg] = m.eval(s.ArgOf)
				}
			}
		}
	}
}

type machine struct {
	tensors Tensors
	uniform func(seed, iteration, stream, element int) float64
	scalars map[*Var]float64
}

func (m *machine) overAxes(axes []*Var, point func()) {
	if len(axes) == 0 {
		point()
		return
	}
	for i := range axes[0].Extent {
		m.scalars[axes[0]] = float64(i)
		m.overAxes(axes[1:], point)
	}
}

func (m *machine) run(body []Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *Let:
			m.scalars[s.Var] = m.eval(s.Of)
		case *For:
			m.overAxes([]*Var{s.Axis}, func() { m.run(s.Body) })
		case *Store:
			m.tensors(s.Value)[m.flat(s.Value, s.Index)] = m.eval(s.Of)
		case *Reduce:
			m.reduce(s)
		}
	}
}

func (m *machine) reduce(r *Reduce) {
	acc := map[Reduction]float64{Sum: 0, Product: 1, Maximum: math.Inf(-1)}[r.Kind]
	arg := 0.0
	found := false
	m.overAxes(r.Axes, func() {
		m.run(r.Body)
		for _, w := range r.Within {
			if i := m.eval(w.Index); i < 0 || i >= float64(w.Extent) {
				return
			}
		}
		if r.Where != nil && m.eval(r.Where) == 0 {
			return
		}
		x := m.eval(r.Of)
		switch r.Kind {
		case Sum:
			acc += x
		case Product:
			acc *= x
		case Maximum:
			if x > acc || !found {
				acc, found = x, true
				if r.ArgOf != nil {
					arg = m.eval(r.ArgOf)
				}
			}
		}
	})
	m.scalars[r.Var] = acc
	if r.Arg != nil {
		m.scalars[r.Arg] = arg
	}
}

func (m *machine) flat(v *ir.Value, index []*Expr) int {
	flat := 0
	for i, d := range v.Type.Shape {
		x := int(m.eval(index[i]))
		if x < 0 || x >= d {
			panic(fmt.Sprintf("%s %s: index %d of axis %d is outside", v.Name, v.Type, x, i))
		}
		flat = flat*d + x
	}
	return flat
}

func (m *machine) eval(e *Expr) float64 {
	arg := func(i int) float64 { return m.eval(e.Args[i]) }
	holds := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	switch e.Op {
	case Const:
		if e.Kind == Float {
			return e.Num
		}
		return float64(e.Int)
	case Ref:
		return m.scalars[e.Var]
	case Load:
		return m.tensors(e.Value)[m.flat(e.Value, e.Args)]
	case Get:
		return m.tensors(e.Value)[rowMajor(e.Value.Type, int(arg(0)))]
	case Add:
		return arg(0) + arg(1)
	case Sub:
		return arg(0) - arg(1)
	case Mul:
		return arg(0) * arg(1)
	case Div:
		if e.Kind == Int {
			return math.Floor(arg(0) / arg(1))
		}
		return arg(0) / arg(1)
	case Mod:
		return math.Mod(arg(0), arg(1))
	case Neg:
		return -arg(0)
	case Min:
		return math.Min(arg(0), arg(1))
	case Max:
		return math.Max(arg(0), arg(1))
	case Less:
		return holds(arg(0) < arg(1))
	case LessEq:
		return holds(arg(0) <= arg(1))
	case Eq:
		return holds(arg(0) == arg(1))
	case NotEq:
		return holds(arg(0) != arg(1))
	case And:
		return holds(arg(0) != 0 && arg(1) != 0)
	case Or:
		return holds(arg(0) != 0 || arg(1) != 0)
	case Not:
		return holds(arg(0) == 0)
	case Select:
		if arg(0) != 0 {
			return arg(1)
		}
		return arg(2)
	case ToFloat:
		return arg(0)
	case Call:
		return m.call(e.Name, arg)
	}
	panic(fmt.Sprintf("expression operation %d", e.Op))
}

func (m *machine) call(name string, arg func(int) float64) float64 {
	switch name {
	case "exp":
		return math.Exp(arg(0))
	case "log":
		return math.Log(arg(0))
	case "log1p":
		return math.Log1p(arg(0))
	case "tanh":
		return math.Tanh(arg(0))
	case "sqrt":
		return math.Sqrt(arg(0))
	case "abs":
		return math.Abs(arg(0))
	case "pow":
		return math.Pow(arg(0), arg(1))
	case "uniform":
		return m.uniform(int(arg(0)), int(arg(1)), int(arg(2)), int(arg(3)))
	}
	panic("unknown function " + name)
}
