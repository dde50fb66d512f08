package spec

import (
	"netc/spec/diag"

	"github.com/alecthomas/participle/v2/lexer"
)

// converter turns what the grammar captured into the tree, and reports what
// the grammar lets through.
type converter struct{ found *diag.List }

func (c *converter) statement(g *statementGrammar) Node {
	switch {
	case g.Net != nil:
		return &NetName{Name: nameOf(g.Net.Token)}
	case g.Import != nil:
		path, _ := unquote(g.Import.Value)
		return &Import{Path: path, PathSpan: tokenSpan(*g.Import)}
	case g.Const != nil:
		return &Const{Name: nameOf(g.Const.Name.Token), Value: c.expr(g.Const.Value)}
	case g.Block != nil:
		return &BlockDef{Name: nameOf(g.Block.Name.Token), Params: c.params(g.Block.Params)}
	case g.Repeat != nil:
		return &Repeat{
			Variable: nameOf(g.Repeat.Variable.Token),
			First:    c.expr(g.Repeat.First),
			Last:     c.expr(g.Repeat.Last),
		}
	case g.Return != nil:
		return &Return{Results: names(g.Return)}
	}
	return c.assign(g.Assign)
}

func (c *converter) assign(g *assignGrammar) *Assign {
	a := &Assign{Targets: names(g.Targets)}
	for _, guard := range g.Guards {
		a.Guards = append(a.Guards, Guard{
			Word: guard.Word.Value, Negated: guard.Negated, Span: firstLine(guard.Tokens),
		})
	}
	switch {
	case g.Input != nil:
		a.Input = &InputType{Span: tokenSpan(g.Input.Keyword), Shape: c.list(g.Input.Shape)}
		if g.Input.DType != nil {
			name := nameOf(g.Input.DType.Token)
			a.Input.DType = &name
		}
	case g.Use.Args != nil:
		a.Call = &Call{Callee: nameOf(g.Use.Name.Token), Args: c.args(g.Use.Args)}
		if g.Use.Fields != nil {
			a.Call.Fields = c.fields(g.Use.Fields)
		}
	default:
		name := nameOf(g.Use.Name.Token)
		a.Alias = &name
	}
	return a
}

func (c *converter) params(g *paramsSyntax) *Bracket[*Param] {
	b := newBracket[*Param](g.Tokens)
	for _, p := range g.Params {
		param := &Param{Trivia: newTrivia(p.Tokens), Name: nameOf(p.Name.Token)}
		if p.Default != nil {
			param.Default = c.expr(p.Default)
		}
		b.Items = append(b.Items, param)
	}
	return b
}

func (c *converter) args(g *argsGrammar) *Bracket[*Arg] {
	b := newBracket[*Arg](g.Tokens)
	for _, a := range g.Args {
		arg := &Arg{Trivia: newTrivia(a.Tokens), Value: c.expr(a.First), Span: firstLine(a.Tokens)}
		if a.Second != nil {
			if label := arg.Value; label.Kind == NameExpr {
				arg.Label = &Name{Text: label.Text, Span: label.Span}
			} else {
				c.found.Errorf(codeSyntax, label.Span, `expected a parameter's name before ":"`)
			}
			arg.Value = c.expr(a.Second)
		}
		if arg.Value.Kind == BoolExpr {
			c.found.Errorf(codeKind, arg.Value.Span, "%s is neither a tensor nor an integer", arg.Value.Text)
		}
		b.Items = append(b.Items, arg)
	}
	return b
}

func (c *converter) fields(g *fieldsGrammar) *Bracket[*FieldItem] {
	b := newBracket[*FieldItem](g.Tokens)
	for _, f := range g.Fields {
		item := &FieldItem{Trivia: newTrivia(f.Tokens), Name: nameOf(f.Name)}
		if f.Fields != nil {
			item.Value = &ValueExpr{Span: firstLine(f.Fields.Tokens), Fields: c.fields(f.Fields)}
		} else {
			item.Value = c.value(f.Value)
		}
		b.Items = append(b.Items, item)
	}
	return b
}

func (c *converter) list(g *listGrammar) *Bracket[*Element] {
	b := newBracket[*Element](g.Tokens)
	for _, v := range g.Items {
		b.Items = append(b.Items, &Element{Trivia: newTrivia(v.Tokens), Value: c.value(v)})
	}
	return b
}

func (c *converter) value(g *valueGrammar) *ValueExpr {
	v := &ValueExpr{Span: firstLine(g.Tokens)}
	switch {
	case g.List != nil:
		v.List = c.list(g.List)
	case g.Block != nil:
		v.Fields = c.fields(g.Block)
	default:
		v.Expr = c.expr(g.Expr)
		if g.Fields != nil {
			v.Fields = c.fields(g.Fields)
			if v.Expr.Kind != NameExpr {
				c.found.Errorf(codeValue, v.Expr.Span, "only a word can have fields of its own, as in gaussian { std: 0.01 }")
				v.Fields = nil
			}
		}
	}
	return v
}

func (c *converter) expr(g *exprGrammar) *Expr {
	e := c.term(g.First)
	for _, r := range g.Rest {
		e = binary(r.Operator.Value, e, c.term(r.Term))
	}
	e.Span = firstLine(g.Tokens)
	return e
}

func (c *converter) term(g *termGrammar) *Expr {
	e := c.factor(g.First)
	for _, r := range g.Rest {
		e = binary(r.Operator.Value, e, c.factor(r.Factor))
	}
	return e
}

// binary joins two operands. Its span is exact where they share a line.
func binary(operator string, x, y *Expr) *Expr {
	e := &Expr{Kind: BinaryExpr, Text: operator, X: x, Y: y, Span: x.Span}
	if y.Span.Line == x.Span.Line {
		e.Span.Length = y.Span.Column + y.Span.Length - x.Span.Column
	}
	return e
}

func (c *converter) factor(g *factorGrammar) *Expr {
	var e *Expr
	if g.Paren != nil {
		e = &Expr{Kind: ParenExpr, X: c.expr(g.Paren)}
	} else {
		e = literal(*g.Literal)
	}
	e.Span = firstLine(g.Tokens[len(g.Signs):])
	signs := len(g.Signs)
	if signs > maxNesting {
		c.found.Errorf(codeTooDeep, e.Span, "more than %d signs before one operand", maxNesting)
		signs = 0
	}
	for i := signs - 1; i >= 0; i-- {
		e = &Expr{Kind: SignExpr, Text: g.Signs[i].Token.Value, X: e, Span: firstLine(g.Tokens[i:])}
	}
	return e
}

func literal(t lexer.Token) *Expr {
	switch {
	case t.Type == tokenInt:
		return &Expr{Kind: IntExpr, Text: t.Value}
	case t.Type == tokenFloat:
		return &Expr{Kind: FloatExpr, Text: t.Value}
	case t.Type == tokenString:
		text, _ := unquote(t.Value)
		return &Expr{Kind: StringExpr, Text: text}
	case t.Value == "true" || t.Value == "false":
		return &Expr{Kind: BoolExpr, Text: t.Value}
	}
	return &Expr{Kind: NameExpr, Text: t.Value}
}

func nameOf(t lexer.Token) Name {
	if t.Type == tokenString {
		text, _ := unquote(t.Value)
		return Name{Text: text, Quoted: true, Span: tokenSpan(t)}
	}
	return Name{Text: t.Value, Span: tokenSpan(t)}
}

func names(list []*nameGrammar) []Name {
	out := make([]Name, len(list))
	for i, g := range list {
		out[i] = nameOf(g.Token)
	}
	return out
}

func newTrivia(tokens []lexer.Token) Trivia { return Trivia{at: extentOf(tokens)} }

func newBracket[T item](tokens []lexer.Token) *Bracket[T] {
	return &Bracket[T]{Inside: Inside{at: extentOf(tokens)}}
}
