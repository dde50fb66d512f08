package loop

// Operations counts what the code does to float values in all its tasks
// together: one for each addition, subtraction, multiplication, division,
// negation, minimum, maximum, comparison and function call, and one for each
// term that a reduction combines. Index arithmetic, loads and stores do not
// count. Conditions count as holding, and of the two sides of a choice the
// longer one counts, so the number does not depend on the data.
func (c *Code) Operations() int { return c.Tasks * operations(c.Body) }

func operations(body []Stmt) int {
	total := 0
	for _, s := range body {
		switch s := s.(type) {
		case *Let:
			total += s.Of.operations()
		case *Declare:
			total += s.Of.operations()
		case *Put:
			total += s.Of.operations()
		case *Assign:
			total += 1 + s.Of.operations()
			if s.ArgOf != nil {
				total += s.ArgOf.operations()
			}
		case *If:
			total += s.Cond.operations() + operations(s.Body)
		case *Loop:
			total += (s.To - s.From + s.Step - 1) / s.Step * operations(s.Body)
		}
	}
	return total
}

// operations counts one evaluation of an expression.
func (e *Expr) operations() int {
	if e.Op == Select {
		return e.Args[0].operations() + max(e.Args[1].operations(), e.Args[2].operations())
	}
	total := 0
	switch e.Op {
	case Add, Sub, Mul, Div, Neg, Min, Max, Call:
		if e.Kind == Float {
			total = 1
		}
	case Less, LessEq, Eq, NotEq:
		if e.Args[0].Kind == Float {
			total = 1
		}
	}
	for _, a := range e.Args {
		total += a.operations()
	}
	return total
}
