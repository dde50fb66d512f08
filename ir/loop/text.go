package loop

import (
	"fmt"
	"strconv"
	"strings"
)

// Format prints an expression as a formula, as in "max(x + y, 0)". The same
// text can be parsed by ParseExpr where it has no loads.
func Format(e *Expr) string { return format(e, 0) }

// Binding strengths, from loosest to tightest.
const (
	bindSelect = iota
	bindOr
	bindAnd
	bindCompare
	bindSum
	bindProduct
	bindUnary
	bindAtom
)

var infix = map[Op]struct {
	text string
	bind int
}{
	Or: {"||", bindOr}, And: {"&&", bindAnd},
	Less: {"<", bindCompare}, LessEq: {"<=", bindCompare}, Eq: {"==", bindCompare}, NotEq: {"!=", bindCompare},
	Add: {"+", bindSum}, Sub: {"-", bindSum},
	Mul: {"*", bindProduct}, Div: {"/", bindProduct}, Mod: {"%", bindProduct},
}

func format(e *Expr, outer int) string {
	text, bind := "", bindAtom
	switch e.Op {
	case Const:
		switch e.Kind {
		case Float:
			text = strconv.FormatFloat(e.Num, 'g', -1, 64)
		case Int:
			text = strconv.Itoa(e.Int)
		case Bool:
			text = strconv.FormatBool(e.Int != 0)
		}
		if strings.HasPrefix(text, "-") {
			bind = bindUnary
		}
	case Ref:
		text = e.Var.Name
	case Load:
		text = e.Value.Name + "[" + formatList(e.Args) + "]"
	case Neg, Not:
		text, bind = map[Op]string{Neg: "-", Not: "!"}[e.Op]+format(e.Args[0], bindUnary), bindUnary
	case Select:
		text = format(e.Args[0], bindOr) + " ? " + format(e.Args[1], bindOr) + " : " + format(e.Args[2], bindSelect)
		bind = bindSelect
	case Min, Max:
		text = map[Op]string{Min: "min", Max: "max"}[e.Op] + "(" + formatList(e.Args) + ")"
	case ToFloat:
		text = format(e.Args[0], outer)
		return text
	case Call:
		text = e.Name + "(" + formatList(e.Args) + ")"
	default:
		in := infix[e.Op]
		bind = in.bind
		left, right := bind, bind+1
		if e.Op == Or || e.Op == And {
			right = bind
		}
		text = format(e.Args[0], left) + " " + in.text + " " + format(e.Args[1], right)
		if bind == bindProduct {
			text = format(e.Args[0], left) + in.text + format(e.Args[1], right)
		}
	}
	if bind < outer {
		return "(" + text + ")"
	}
	return text
}

func formatList(list []*Expr) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = format(e, 0)
	}
	return strings.Join(parts, ", ")
}

// ParseExpr reads a float formula over named values: numbers, + - * /,
// comparisons, && || !, cond ? a : b, min, max and the one- and two-argument
// Functions. Names are looked up in names.
func ParseExpr(text string, names map[string]*Expr) (e *Expr, err error) {
	p := &formula{text: text, names: names}
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, fmt.Errorf("formula %q: %v", text, r)
		}
	}()
	e = p.choice(0)
	if p.blank(); p.pos < len(p.text) {
		panic(fmt.Sprintf("unexpected %q", p.text[p.pos:]))
	}
	if e.Kind != Float {
		panic("not a number")
	}
	return e, nil
}

type formula struct {
	text  string
	pos   int
	names map[string]*Expr
}

const maxFormulaDepth = 200

func (p *formula) blank() {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
}

func (p *formula) accept(symbol string) bool {
	p.blank()
	if strings.HasPrefix(p.text[p.pos:], symbol) {
		p.pos += len(symbol)
		return true
	}
	return false
}

func (p *formula) expect(symbol string) {
	if !p.accept(symbol) {
		panic("expected " + symbol)
	}
}

func (p *formula) choice(depth int) *Expr {
	if depth > maxFormulaDepth {
		panic("nested too deeply")
	}
	cond := p.infix(bindOr, depth)
	if !p.accept("?") {
		return cond
	}
	a := p.choice(depth + 1)
	p.expect(":")
	b := p.choice(depth + 1)
	if cond.Kind != Bool || a.Kind != b.Kind {
		panic("cond ? a : b needs a condition and two numbers")
	}
	return Choose(cond, a, b)
}

// operators by binding strength; longer ones first.
var operators = [][]struct {
	text  string
	build func(a, b *Expr) *Expr
}{
	bindOr:  {{"||", func(a, b *Expr) *Expr { return &Expr{Op: Or, Kind: Bool, Args: []*Expr{a, b}} }}},
	bindAnd: {{"&&", Both}},
	bindCompare: {
		{"<=", func(a, b *Expr) *Expr { return Compare(LessEq, a, b) }},
		{">=", func(a, b *Expr) *Expr { return Compare(LessEq, b, a) }},
		{"==", func(a, b *Expr) *Expr { return Compare(Eq, a, b) }},
		{"!=", func(a, b *Expr) *Expr { return Compare(NotEq, a, b) }},
		{"<", func(a, b *Expr) *Expr { return Compare(Less, a, b) }},
		{">", func(a, b *Expr) *Expr { return Compare(Less, b, a) }},
	},
	bindSum:     {{"+", Plus}, {"-", Minus}},
	bindProduct: {{"*", Times}, {"/", Over}},
}

func (p *formula) infix(bind, depth int) *Expr {
	if bind == bindUnary {
		return p.unary(depth)
	}
	e := p.infix(bind+1, depth)
	for {
		found := false
		for _, o := range operators[bind] {
			if p.accept(o.text) {
				b := p.infix(bind+1, depth)
				logic := bind == bindOr || bind == bindAnd
				if (e.Kind == Bool) != logic || (b.Kind == Bool) != logic {
					panic("operands of " + o.text + " have the wrong kind")
				}
				e, found = o.build(e, b), true
				break
			}
		}
		if !found {
			return e
		}
	}
}

func (p *formula) unary(depth int) *Expr {
	if depth > maxFormulaDepth {
		panic("nested too deeply")
	}
	p.blank()
	switch {
	case p.accept("-"):
		e := p.unary(depth + 1)
		if e.Kind != Float {
			panic("- needs a number")
		}
		return Negate(e)
	case p.accept("!"):
		e := p.unary(depth + 1)
		if e.Kind != Bool {
			panic("! needs a condition")
		}
		return &Expr{Op: Not, Kind: Bool, Args: []*Expr{e}}
	case p.accept("("):
		e := p.choice(depth + 1)
		p.expect(")")
		return e
	}
	start := p.pos
	for p.pos < len(p.text) && (isWord(p.text[p.pos]) || p.isExponentSign(start)) {
		p.pos++
	}
	word := p.text[start:p.pos]
	if x, err := strconv.ParseFloat(word, 64); err == nil && word[0] <= '9' {
		return N(x)
	}
	if p.accept("(") {
		args := []*Expr{p.choice(depth + 1)}
		for p.accept(",") {
			args = append(args, p.choice(depth+1))
		}
		p.expect(")")
		for _, a := range args {
			if a.Kind != Float {
				panic("the arguments of " + word + " must be numbers")
			}
		}
		switch {
		case word == "min" && len(args) == 2:
			return Smaller(args[0], args[1])
		case word == "max" && len(args) == 2:
			return Larger(args[0], args[1])
		case Functions[word] == len(args):
			return Apply(word, args...)
		}
		panic(fmt.Sprintf("no function %s of %d arguments", word, len(args)))
	}
	if e := p.names[word]; e != nil {
		return e
	}
	panic(fmt.Sprintf("unknown name %q", word))
}

// isExponentSign reports whether the sign at pos belongs to a number such as
// 1e-06 that began at start.
func (p *formula) isExponentSign(start int) bool {
	c := p.text[p.pos]
	return (c == '-' || c == '+') && p.pos > start && p.text[start] <= '9' &&
		(p.text[p.pos-1] == 'e' || p.text[p.pos-1] == 'E')
}

func isWord(c byte) bool {
	return c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
