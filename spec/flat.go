package spec

import "strings"

// The flat functions write a part of the tree on one line.

// flatStatement is false where a statement has a body or comments inside.
func flatStatement(s *Statement) (oneLiner, bool) {
	if anyKeepsLines(s.brackets()) {
		return oneLiner{}, false
	}
	switch node := s.Node.(type) {
	case *NetName:
		return oneLiner{left: "net " + flatName(node.Name)}, true
	case *Import:
		return oneLiner{left: "import " + quote(node.Path)}, true
	case *Return:
		return oneLiner{left: "return " + flatTargets(node.Results)}, true
	case *Const:
		return oneLiner{
			keyword: "const", left: "const " + flatName(node.Name), right: flatExpr(node.Value),
		}, true
	case *Assign:
		return flatAssign(node), true
	}
	return oneLiner{}, false
}

func flatAssign(node *Assign) oneLiner {
	l := oneLiner{left: flatTargets(node.Targets), tail: flatGuards(node.Guards)}
	switch {
	case node.Input != nil:
		l.keyword = "input"
		l.right = "input " + flatList(node.Input.Shape)
		if node.Input.DType != nil {
			l.right += " " + flatName(*node.Input.DType)
		}
	case node.Alias != nil:
		l.right = flatName(*node.Alias)
	default:
		l.right = flatName(node.Call.Callee) + "(" + flatItems(node.Call.Args, flatArg) + ")"
		if node.Call.Fields != nil {
			l.braces = true
			for _, f := range node.Call.Fields.Items {
				l.fields = append(l.fields, flatField(f))
				l.names = append(l.names, f.Name.Text)
			}
		}
	}
	return l
}

func flatRepeat(node *Repeat) string {
	var b strings.Builder
	b.WriteString("repeat " + flatName(node.Variable) + " = ")
	writeExpr(&b, node.First, "") // without blanks: 1..n+1, not 1..n + 1
	if strings.HasSuffix(b.String(), ".") {
		b.WriteByte(' ') // "1." and ".." would run together
	}
	b.WriteString("..")
	writeExpr(&b, node.Last, "")
	b.WriteString(" {")
	return b.String()
}

func flatName(n Name) string {
	if n.Quoted || !isPlainName(n.Text) {
		return quote(n.Text)
	}
	return n.Text
}

func flatTargets(list []Name) string {
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = flatName(n)
	}
	return strings.Join(parts, ", ")
}

func flatGuards(guards []Guard) string {
	var b strings.Builder
	for _, g := range guards {
		b.WriteString(" " + g.String())
	}
	return b.String()
}

func flatItems(b bracket, flat func(item) string) string {
	parts := make([]string, b.count())
	for i := range parts {
		parts[i] = flat(b.item(i))
	}
	return strings.Join(parts, ", ")
}

func flatArg(it item) string {
	arg := it.(*Arg)
	if arg.Label != nil {
		return arg.Label.Text + ": " + flatExpr(arg.Value)
	}
	return flatExpr(arg.Value)
}

func flatParam(it item) string {
	p := it.(*Param)
	if p.Default != nil {
		return flatName(p.Name) + " = " + flatExpr(p.Default)
	}
	return flatName(p.Name)
}

// flatFieldHead is a field up to its value.
func flatFieldHead(f *FieldItem) string {
	if f.Value.Expr == nil && f.Value.Fields != nil {
		return f.Name.Text + " "
	}
	return f.Name.Text + ": "
}

func flatField(f *FieldItem) string { return flatFieldHead(f) + flatValue(f.Value) }

func flatValue(v *ValueExpr) string {
	var text string
	switch {
	case v.List != nil:
		return flatList(v.List)
	case v.Expr != nil:
		if text = flatExpr(v.Expr); v.Fields == nil {
			return text
		}
		text += " "
	}
	fields := make([]string, len(v.Fields.Items))
	for i, f := range v.Fields.Items {
		fields[i] = flatField(f)
	}
	return text + inBraces(fields, " ")
}

func inBraces(fields []string, between string) string {
	if len(fields) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(fields, between) + " }"
}

func flatList(b *Bracket[*Element]) string {
	parts := make([]string, len(b.Items))
	for i, element := range b.Items {
		parts[i] = flatValue(element.Value)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// flatExpr writes sums with blanks and products without, so that the layout
// shows which binds tighter.
func flatExpr(x *Expr) string {
	var b strings.Builder
	writeExpr(&b, x, " ")
	return b.String()
}

// writeExpr puts around on both sides of + and -.
func writeExpr(b *strings.Builder, x *Expr, around string) {
	switch x.Kind {
	case StringExpr:
		b.WriteString(quote(x.Text))
	case SignExpr:
		b.WriteString(x.Text)
		writeExpr(b, x.X, around)
	case ParenExpr:
		b.WriteByte('(')
		writeExpr(b, x.X, around)
		b.WriteByte(')')
	case BinaryExpr:
		writeExpr(b, x.X, around)
		if x.Text == "+" || x.Text == "-" {
			b.WriteString(around + x.Text + around)
		} else {
			b.WriteString(x.Text)
		}
		writeExpr(b, x.Y, around)
	default:
		b.WriteString(x.Text)
	}
}
