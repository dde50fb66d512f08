package spec

import (
	"math"
	"strconv"

	"netc/spec/diag"
)

// greatestInteger bounds integers and all results of arithmetic: up to here a
// float64, which carries every number to the compiler, is exact.
const greatestInteger = 1 << 53

// integer computes an integer expression. A mistake is reported, and ok is false.
func (e *expander) integer(in *scope, x *Expr) (value int64, ok bool) {
	switch x.Kind {
	case IntExpr:
		n, err := strconv.ParseInt(x.Text, 10, 64)
		if err != nil || n > greatestInteger {
			e.errorf(codeInteger, x.Span, "%s is greater than the greatest integer, %d", x.Text, int64(greatestInteger))
			return 0, false
		}
		return n, true
	case ParenExpr:
		return e.integer(in, x.X)
	case SignExpr:
		n, ok := e.integer(in, x.X)
		if x.Text == "-" {
			n = -n
		}
		return n, ok
	case BinaryExpr:
		a, okA := e.integer(in, x.X)
		b, okB := e.integer(in, x.Y)
		if !okA || !okB {
			return 0, false
		}
		return e.apply(x, a, b)
	case NameExpr:
		m := e.lookup(in, x.Text, x.Span)
		if m.kind == isTensor {
			e.errorf(codeKind, x.Span, "%q is a tensor, but an integer is needed here", x.Text)
		}
		return m.value, m.kind == isInteger
	case FloatExpr:
		e.errorf(codeInteger, x.Span, "%s is not an integer, and arithmetic is for integers only", x.Text).
			Helpf("write the result as a number")
	case StringExpr:
		e.errorf(codeInteger, x.Span, "a string is not an integer")
	case BoolExpr:
		e.errorf(codeInteger, x.Span, "%s is not an integer", x.Text)
	}
	return 0, false
}

// apply computes a binary operation. Division cuts off towards zero, and the
// remainder has the sign of the dividend.
func (e *expander) apply(x *Expr, a, b int64) (int64, bool) {
	var n int64
	isLarge := false
	switch x.Text {
	case "+":
		n = a + b // |a|, |b| ≤ 2^53: no overflow of 64 bits
	case "-":
		n = a - b
	case "*":
		n = a * b
		isLarge = math.Abs(float64(a)*float64(b)) > 2*greatestInteger
	default:
		if b == 0 {
			e.errorf(codeInteger, x.Y.Span, "division by zero")
			return 0, false
		}
		if n = a / b; x.Text == "%" {
			n = a % b
		}
	}
	if isLarge || n > greatestInteger || n < -greatestInteger {
		e.errorf(codeInteger, x.Span, "the result is greater than the greatest integer, %d", int64(greatestInteger))
		return 0, false
	}
	return n, true
}

// fields evaluates what stands in braces.
func (e *expander) fields(in *scope, items []*FieldItem) []*Field {
	var list []*Field
	for _, f := range items {
		if v, ok := e.value(in, f.Value); ok {
			list = append(list, &Field{Name: f.Name.Text, Span: f.Name.Span, Value: v})
		}
	}
	return list
}

// value evaluates one field's value. A mistake is reported, and ok is false.
func (e *expander) value(in *scope, v *ValueExpr) (value Value, ok bool) {
	if !e.step(v.Span) {
		return Value{}, false
	}
	switch {
	case v.List != nil:
		value = Value{Kind: List, Span: v.Span}
		for _, element := range v.List.Items {
			item, itemOK := e.value(in, element.Value)
			if !itemOK {
				return Value{}, false
			}
			value.Items = append(value.Items, item)
		}
		return value, true
	case v.Expr == nil:
		return Value{Kind: Block, Span: v.Span, Fields: e.fields(in, v.Fields.Items)}, true
	}
	value, ok = e.simple(in, v.Expr)
	if v.Fields == nil || !ok {
		return value, ok
	}
	if value.Kind != Word {
		e.errorf(codeValue, v.Expr.Span, "%q is an integer here, so it has no fields", v.Expr.Text)
		return Value{}, false
	}
	value.Fields = e.fields(in, v.Fields.Items)
	return value, true
}

// simple evaluates a value without brackets.
func (e *expander) simple(in *scope, x *Expr) (Value, bool) {
	v := Value{Span: x.Span, Text: x.Text}
	switch x.Kind {
	case BoolExpr:
		v.Kind, v.Bool = Bool, x.Text == "true"
		v.Text = ""
		return v, true
	case StringExpr:
		v.Kind = String
		return v, true
	case NameExpr:
		switch m, found := e.meaningOf(in, x.Text, x.Span); {
		case found && m.kind == isInteger:
			return number(x.Span, float64(m.value), true), true
		case found && m.kind == isUnknown:
			return Value{}, false
		}
		v.Kind = Word // also where a tensor has this name: fields take no tensors
		return v, true
	}
	if text, sign := float(x); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			e.errorf(codeInteger, x.Span, "%s is too large", text)
			return Value{}, false
		}
		return number(x.Span, sign*n, false), true
	}
	n, ok := e.integer(in, x)
	return number(x.Span, float64(n), true), ok
}

func number(at diag.Span, n float64, isInt bool) Value {
	return Value{Kind: Number, Span: at, Num: n, IsInt: isInt}
}

// float gives the digits and the sign of a float literal, which may stand in
// round brackets; of anything else, "".
func float(x *Expr) (text string, sign float64) {
	for sign = 1; ; x = x.X {
		switch {
		case x.Kind == FloatExpr:
			return x.Text, sign
		case x.Kind == SignExpr && x.Text == "-":
			sign = -sign
		case x.Kind != SignExpr && x.Kind != ParenExpr:
			return "", sign
		}
	}
}
