package loop

import (
	"fmt"
	"strconv"
	"strings"

	"netc/ir"
)

// Fingerprint writes down what a nest computes without the names of its tensors
// and variables, which it numbers in the order of their first use: nests with
// one fingerprint compute the same, each from its own tensors, and one kernel can
// serve them all. Tensors lists those of this nest by their numbers.
func (n *Nest) Fingerprint() (text string, tensors []*ir.Value) {
	f := fingerprint{values: map[*ir.Value]int{}, vars: map[*Var]int{}}
	for _, v := range n.Axes {
		f.variable(v)
	}
	f.body(n.Body)
	return f.b.String(), f.tensors
}

type fingerprint struct {
	b       strings.Builder
	values  map[*ir.Value]int
	tensors []*ir.Value
	vars    map[*Var]int
}

func (f *fingerprint) int(n int) {
	f.b.WriteString(strconv.Itoa(n))
	f.b.WriteByte(' ')
}

func (f *fingerprint) variable(v *Var) {
	number, known := f.vars[v]
	if !known {
		number = len(f.vars)
		f.vars[v] = number
	}
	f.b.WriteByte('v')
	f.int(number)
	if !known {
		f.int(int(v.Kind))
		f.int(v.Extent)
	}
}

func (f *fingerprint) tensor(v *ir.Value) {
	number, known := f.values[v]
	if !known {
		number = len(f.values)
		f.values[v] = number
		f.tensors = append(f.tensors, v)
	}
	f.b.WriteByte('t')
	f.int(number)
	if !known {
		type everyField ir.Type // Type's own text might leave one out
		fmt.Fprintf(&f.b, "%+v ", everyField(v.Type))
	}
}

func (f *fingerprint) body(body []Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *Let:
			f.b.WriteByte('L')
			f.variable(s.Var)
			f.expr(s.Of)
		case *For:
			f.b.WriteByte('F')
			f.variable(s.Axis)
			f.body(s.Body)
		case *Store:
			f.b.WriteByte('S')
			f.tensor(s.Value)
			for _, e := range s.Index {
				f.expr(e)
			}
			f.expr(s.Of)
		case *Reduce:
			f.b.WriteByte('R')
			f.int(int(s.Kind))
			f.variable(s.Var)
			f.int(len(s.Axes))
			for _, v := range s.Axes {
				f.variable(v)
			}
			f.int(len(s.Within))
			for _, w := range s.Within {
				f.expr(w.Index)
				f.int(w.Extent)
			}
			f.expr(s.Where)
			f.body(s.Body)
			f.expr(s.Of)
			if s.Arg != nil {
				f.b.WriteByte('A')
				f.variable(s.Arg)
				f.expr(s.ArgOf)
			}
		}
	}
	f.b.WriteByte('.')
}

func (f *fingerprint) expr(e *Expr) {
	if e == nil {
		f.b.WriteByte('-')
		return
	}
	f.int(int(e.Op))
	f.int(int(e.Kind))
	switch e.Op {
	case Const:
		f.b.WriteString(strconv.FormatFloat(e.Num, 'g', -1, 64))
		f.b.WriteByte(' ')
		f.int(e.Int)
	case Ref:
		f.variable(e.Var)
	case Load:
		f.tensor(e.Value)
	case Call:
		f.b.WriteString(e.Name)
		f.b.WriteByte(' ')
	}
	f.int(len(e.Args))
	for _, a := range e.Args {
		f.expr(a)
	}
}
