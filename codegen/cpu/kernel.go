// Package cpu prints lowered loop nests as Go functions. It decides nothing:
// which loops, tiles and orders there are is in the loop.Code it is given.
package cpu

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"netc/ir"
	"netc/ir/loop"
)

// Kernel is one Go function and how to call it.
type Kernel struct {
	Name string      // the function's name
	Args []*ir.Value // its tensor parameters, in order
	Code *loop.Code
	Text string // its source, with the doc comment
	Math bool   // it uses package math
}

// Print writes a lowered nest as a Go function. doc gives the lines of its doc
// comment, without slashes, for the tensors it takes.
func Print(name string, code *loop.Code, doc func(args []*ir.Value) []string) *Kernel {
	p := &printer{
		code:   code,
		scope:  NewScope(slices.Concat(predeclared, []string{"math", "runtime", "lo", "hi"})...),
		names:  map[*ir.Value]string{},
		vars:   map[*loop.Var]string{},
		direct: map[string]string{},

		affines: map[*loop.Expr]affineOrNot{},
	}
	k := &Kernel{Name: name, Code: code}
	for _, v := range append(append([]*ir.Value{}, code.Writes...), code.Reads...) {
		if p.names[v] == "" {
			p.names[v] = p.scope.Take(Identifier(v.Name))
			k.Args = append(k.Args, v)
		}
	}
	for _, line := range doc(k.Args) {
		if line == "" {
			p.printf("//")
		} else {
			p.printf("// %s", Comment(line))
		}
	}
	p.printf("func %s(%s, lo, hi int) {", name, p.parameters(k.Args))
	p.function()
	p.printf("}")
	k.Text = p.out.String()
	k.Math = p.math
	return k
}

// predeclared are Go's own names that kernels use and nothing in them may take.
var predeclared = []string{"bool", "false", "float32", "float64", "int", "int32", "len", "max", "min", "true", "uint32", "uint8"}

type printer struct {
	out     strings.Builder
	indent  int
	code    *loop.Code
	scope   *Scope
	names   map[*ir.Value]string
	vars    map[*loop.Var]string
	windows []*window
	opened  []opening         // the window variables declared so far
	direct  map[string]string // hoisted scalar loads, by their text
	math    bool
	affines map[*loop.Expr]affineOrNot
}

func (p *printer) printf(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if strings.HasPrefix(line, "}") {
		p.indent--
	}
	p.out.WriteString(strings.Repeat("\t", max(p.indent, 0)) + line + "\n")
	if strings.HasSuffix(line, "{") {
		p.indent++
	}
}

func (p *printer) parameters(args []*ir.Value) string {
	var parts []string
	for i, v := range args {
		typ := goType(v)
		if i+1 < len(args) && goType(args[i+1]) == typ {
			typ = ""
		} else {
			typ = " []" + typ
		}
		parts = append(parts, p.names[v]+typ)
	}
	return strings.Join(parts, ", ")
}

func goType(v *ir.Value) string {
	return map[ir.DType]string{ir.F32: "float32", ir.I32: "int32", ir.U8: "uint8"}[v.Type.DType]
}

func (p *printer) function() {
	task := p.code.Task
	if p.code.Elementwise {
		p.elementwise()
		return
	}
	if p.code.Tasks == 1 {
		p.printf("if lo >= hi {")
		p.printf("return")
		p.printf("}")
		p.block(p.code.Body)
		return
	}
	p.vars[task] = p.scope.Take("task")
	p.printf("for %[1]s := lo; %[1]s < hi; %[1]s++ {", p.vars[task])
	p.block(p.code.Body)
	p.printf("}")
}

// elementwise prints one pass over the elements lo to hi-1. Tensors read or
// written at the task's own position become slices of equal length, which the
// Go compiler then indexes without checks; scalars are loaded once.
func (p *printer) elementwise() {
	task := p.code.Task
	i := p.scope.Take("i")
	self := map[*ir.Value]bool{}
	written := map[*ir.Value]bool{}
	for _, v := range p.code.Writes {
		written[v] = true
	}
	other := map[*ir.Value]bool{}
	p.walk(p.code.Body, func(v *ir.Value, at *loop.Expr) {
		switch {
		case at.Op == loop.Ref && at.Var == task:
			self[v] = true
		case at.Op == loop.Const && !written[v]:
			if key := p.names[v] + "[" + strconv.Itoa(at.Int) + "]"; p.direct[key] == "" {
				name := p.scope.Take(p.names[v] + "At" + strconv.Itoa(at.Int))
				if v.Type.Shape.Count() == 1 {
					name = p.scope.Take(p.names[v] + "Value")
				}
				p.printf("%s := %s", name, key)
				p.direct[key] = name
			}
		default:
			other[v] = true
		}
	})
	usesTask := false
	eachExpr(p.code.Body, func(e *loop.Expr) {
		if e.Op == loop.Get && e.Args[0].Op == loop.Ref && e.Args[0].Var == task {
			return
		}
		for _, a := range e.Args {
			usesTask = usesTask || a.Op == loop.Ref && a.Var == task
		}
	})
	first := ""
	for _, v := range append(append([]*ir.Value{}, p.code.Writes...), p.code.Reads...) {
		if !self[v] || other[v] || p.windowOf(v) != nil {
			continue
		}
		name := p.names[v]
		switch {
		case first == "":
			first = name
			p.printf("%[1]s = %[1]s[lo:hi]", name)
		default:
			p.printf("%[1]s = %[1]s[lo:hi][:len(%[2]s)]", name, first)
		}
		p.windows = append(p.windows, &window{value: v, name: name, index: i})
	}
	if first == "" {
		p.vars[task] = i
		p.printf("for %[1]s := lo; %[1]s < hi; %[1]s++ {", i)
	} else {
		p.printf("for %s := range %s {", i, first)
		if usesTask {
			p.vars[task] = p.scope.Take("task")
			p.printf("%s := lo + %s", p.vars[task], i)
		}
	}
	p.statements(p.code.Body)
	p.printf("}")
}

func (p *printer) windowOf(v *ir.Value) *window {
	for _, w := range p.windows {
		if w.value == v {
			return w
		}
	}
	return nil
}

// block prints statements in a scope of their own.
func (p *printer) block(body []loop.Stmt) {
	outer, windows, opened := p.scope, len(p.windows), len(p.opened)
	p.scope = outer.Child()
	if !hasLoop(body) {
		p.insideWindows(body)
	}
	p.statements(body)
	p.scope, p.windows, p.opened = outer, p.windows[:windows], p.opened[:opened]
}

func (p *printer) statements(body []loop.Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			p.let(s.Var, s.Of)
		case *loop.Declare:
			p.declare(s)
		case *loop.Assign:
			p.assign(s)
		case *loop.Put:
			value := p.expr(s.Of)
			if s.Value.Type.DType.IsInt() {
				value = goType(s.Value) + "(" + value + ")"
			}
			p.printf("%s = %s", p.element(s.Value, s.At), value)
		case *loop.If:
			p.printf("if %s {", p.expr(s.Cond))
			p.block(s.Body)
			p.printf("}")
		case *loop.Loop:
			p.loop(s)
		}
	}
}

func (p *printer) let(v *loop.Var, of *loop.Expr) {
	if of.Op == loop.Select {
		p.vars[v] = p.choose(of, p.variable(v))
		return
	}
	text := p.expr(of)
	if of.Op == loop.Const {
		text = p.typed(of)
	}
	p.vars[v] = p.scope.Take(p.variable(v))
	p.printf("%s := %s", p.vars[v], text)
}

// variable is the identifier wanted for a scalar: its name, and for one lane
// of a tile the lane after an underscore.
func (p *printer) variable(v *loop.Var) string {
	name, lane, tiled := strings.Cut(v.Name, "_")
	if _, err := strconv.Atoi(lane); tiled && err == nil {
		return Identifier(name) + "_" + lane
	}
	return Identifier(v.Name)
}

// typed is a constant with its Go type, for a variable that starts with it.
func (p *printer) typed(e *loop.Expr) string {
	text := p.expr(e)
	if e.Kind != loop.Float || strings.HasPrefix(text, "float32(") {
		return text
	}
	return "float32(" + text + ")"
}

func (p *printer) declare(s *loop.Declare) {
	p.vars[s.Var] = p.scope.Take(Identifier(s.Var.Name))
	if s.Of.Op == loop.Const && s.Of.Kind == loop.Float && s.Of.Num == 0 {
		p.printf("var %s float32", p.vars[s.Var])
		return
	}
	p.printf("%s := %s", p.vars[s.Var], p.typed(s.Of))
}

func (p *printer) assign(s *loop.Assign) {
	name := p.vars[s.Var]
	switch s.Kind {
	case loop.Sum:
		p.printf("%s += %s", name, p.expr(s.Of))
	case loop.Product:
		p.printf("%s *= %s", name, p.expr(s.Of))
	case loop.Maximum:
		if s.Arg == nil {
			p.printf("%[1]s = max(%[1]s, %[2]s)", name, p.expr(s.Of))
			return
		}
		v := p.scope.Child().Take("v")
		p.printf("if %s := %s; %s > %s {", v, p.expr(s.Of), v, name)
		p.printf("%s, %s = %s, %s", name, p.vars[s.Arg], v, p.expr(s.ArgOf))
		p.printf("}")
	}
}

func (p *printer) loop(s *loop.Loop) {
	outer, windows := p.scope, len(p.windows)
	if !hasLoop(s.Body) {
		p.outsideWindows(s)
	}
	p.scope = outer.Child()
	name := p.scope.Take(Identifier(s.Var.Name))
	p.vars[s.Var] = name
	switch {
	case !uses(s.Body, s.Var):
		p.printf("for range %d {", (s.To-s.From+s.Step-1)/s.Step)
	case s.From == 0 && s.Step == 1:
		p.printf("for %s := range %d {", name, s.To)
	case s.Step == 1:
		p.printf("for %[1]s := %[2]d; %[1]s < %[3]d; %[1]s++ {", name, s.From, s.To)
	default:
		p.printf("for %[1]s := %[2]d; %[1]s < %[3]d; %[1]s += %[4]d {", name, s.From, s.To, s.Step)
	}
	p.block(s.Body)
	p.printf("}")
	p.scope, p.windows = outer, p.windows[:windows]
}

// uses reports whether statements refer to a variable.
func uses(body []loop.Stmt, v *loop.Var) bool {
	for _, s := range body {
		found := false
		switch s := s.(type) {
		case *loop.Loop:
			found = uses(s.Body, v)
		case *loop.If:
			found = s.Cond.Uses(v) || uses(s.Body, v)
		default:
			for _, e := range expressions(s) {
				found = found || e.Uses(v)
			}
		}
		if found {
			return true
		}
	}
	return false
}

func hasLoop(body []loop.Stmt) bool {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Loop:
			return true
		case *loop.If:
			if hasLoop(s.Body) {
				return true
			}
		}
	}
	return false
}

// expr prints an expression. A Select becomes statements before the one being
// printed, because Go has no conditional expression and the side not chosen
// must not be evaluated.
func (p *printer) expr(e *loop.Expr) string { return p.bound(e, 0) }

const (
	bindOr = iota
	bindAnd
	bindCompare
	bindSum
	bindProduct
	bindUnary
	bindAtom
)

var infix = map[loop.Op]struct {
	text string
	bind int
}{
	loop.Or: {"||", bindOr}, loop.And: {"&&", bindAnd},
	loop.Less: {"<", bindCompare}, loop.LessEq: {"<=", bindCompare}, loop.Eq: {"==", bindCompare}, loop.NotEq: {"!=", bindCompare},
	loop.Add: {"+", bindSum}, loop.Sub: {"-", bindSum},
	loop.Mul: {"*", bindProduct}, loop.Div: {"/", bindProduct}, loop.Mod: {"%", bindProduct},
}

func (p *printer) bound(e *loop.Expr, outer int) string {
	text, bind := "", bindAtom
	switch e.Op {
	case loop.Const:
		text = p.constant(e)
		if strings.HasPrefix(text, "-") {
			bind = bindUnary
		}
	case loop.Ref:
		text = p.vars[e.Var]
	case loop.Get:
		text = p.load(e)
		if e.Kind == loop.Int {
			text = "int(" + text + ")"
		}
	case loop.Neg, loop.Not:
		text, bind = map[loop.Op]string{loop.Neg: "-", loop.Not: "!"}[e.Op]+p.bound(e.Args[0], bindUnary), bindUnary
	case loop.Select:
		text = p.choose(e, "chosen")
	case loop.Min, loop.Max:
		text = map[loop.Op]string{loop.Min: "min", loop.Max: "max"}[e.Op] + "(" + p.expr(e.Args[0]) + ", " + p.expr(e.Args[1]) + ")"
	case loop.ToFloat:
		text = "float32(" + p.expr(e.Args[0]) + ")"
	case loop.Call:
		text = p.call(e)
	default:
		in := infix[e.Op]
		bind = in.bind
		space := " "
		if bind == bindProduct {
			space = ""
		}
		text = p.bound(e.Args[0], bind) + space + in.text + space + p.bound(e.Args[1], bind+1)
	}
	if bind < outer {
		return "(" + text + ")"
	}
	return text
}

func (p *printer) constant(e *loop.Expr) string {
	switch {
	case e.Kind == loop.Int:
		return strconv.Itoa(e.Int)
	case e.Kind == loop.Bool:
		return strconv.FormatBool(e.Int != 0)
	case math.IsInf(e.Num, 0):
		p.math = true
		sign := 1
		if e.Num < 0 {
			sign = -1
		}
		return fmt.Sprintf("float32(math.Inf(%d))", sign)
	}
	// Beyond float32's range a constant would not compile; the nearest is meant.
	x := min(max(e.Num, -math.MaxFloat32), math.MaxFloat32)
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// choose prints a Select into a new variable and gives its name.
func (p *printer) choose(e *loop.Expr, want string) string {
	cond := p.expr(e.Args[0])
	name := p.scope.Take(want)
	otherwise := e.Args[2]
	kind := map[loop.Kind]string{loop.Float: "float32", loop.Int: "int", loop.Bool: "bool"}[e.Kind]
	switch {
	case otherwise.Op == loop.Const && e.Kind == loop.Float && otherwise.Num == 0:
		p.printf("var %s float32", name)
	case otherwise.Op == loop.Const:
		p.printf("%s := %s", name, p.typed(otherwise))
	case otherwise.Op == loop.Ref:
		p.printf("%s := %s", name, p.expr(otherwise))
	default:
		p.printf("var %s %s", name, kind)
		p.printf("if %s {", cond)
		p.printf("%s = %s", name, p.expr(e.Args[1]))
		p.printf("} else {")
		p.printf("%s = %s", name, p.expr(otherwise))
		p.printf("}")
		return name
	}
	p.printf("if %s {", cond)
	p.printf("%s = %s", name, p.expr(e.Args[1]))
	p.printf("}")
	return name
}

func (p *printer) call(e *loop.Expr) string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = p.expr(a)
	}
	if e.Name == "uniform" {
		for i, a := range e.Args[:2] { // seed and iteration are i32 tensors
			args[i] = "int32(" + args[i] + ")"
			if a.Op == loop.Get {
				args[i] = p.load(a)
			}
		}
		return fmt.Sprintf("runtime.Uniform(%s, %s, %s, %s)", args[0], args[1], args[2], args[3])
	}
	p.math = true
	for i := range args {
		args[i] = "float64(" + args[i] + ")"
	}
	function := map[string]string{"exp": "Exp", "log": "Log", "log1p": "Log1p", "tanh": "Tanh", "sqrt": "Sqrt", "pow": "Pow", "abs": "Abs"}[e.Name]
	return "float32(math." + function + "(" + strings.Join(args, ", ") + "))"
}

// load prints a Get as the tensor's own type: the element, or the variable it
// was loaded into before the loop.
func (p *printer) load(e *loop.Expr) string {
	text := p.element(e.Value, e.Args[0])
	if name := p.direct[text]; name != "" {
		return name
	}
	return text
}

// element prints a tensor's element at a flat position, through a window where
// one covers it.
func (p *printer) element(v *ir.Value, at *loop.Expr) string {
	if p.code.Elementwise && at.Op == loop.Ref && at.Var == p.code.Task {
		if w := p.windowOf(v); w != nil {
			return w.name + "[" + w.index + "]"
		}
	}
	if a, ok := p.affine(at); ok {
		for i := len(p.windows) - 1; i >= 0; i-- {
			if w := p.windows[i]; w.value == v && w.index == "" && w.key.equals(a.Coef) {
				return w.name + "[" + w.at(p, a) + "]"
			}
		}
	}
	return p.names[v] + "[" + p.expr(at) + "]"
}

// affine is at.ToAffine, worked out once for each expression.
func (p *printer) affine(at *loop.Expr) (loop.Affine, bool) {
	if known, ok := p.affines[at]; ok {
		return known.of, known.ok
	}
	a, ok := at.ToAffine()
	p.affines[at] = affineOrNot{a, ok}
	return a, ok
}

type affineOrNot struct {
	of loop.Affine
	ok bool
}

// walk visits every access to a tensor.
func (p *printer) walk(body []loop.Stmt, visit func(v *ir.Value, at *loop.Expr)) {
	eachExpr(body, func(e *loop.Expr) {
		if e.Op == loop.Get {
			visit(e.Value, e.Args[0])
		}
	})
	for _, s := range body {
		if put, ok := s.(*loop.Put); ok {
			visit(put.Value, put.At)
		}
	}
}

// eachExpr visits every expression of statements, not entering loops and ifs.
func eachExpr(body []loop.Stmt, visit func(*loop.Expr)) {
	for _, s := range body {
		for _, e := range expressions(s) {
			e.Walk(visit)
		}
	}
}

func expressions(s loop.Stmt) []*loop.Expr {
	switch s := s.(type) {
	case *loop.Let:
		return []*loop.Expr{s.Of}
	case *loop.Declare:
		return []*loop.Expr{s.Of}
	case *loop.Put:
		return []*loop.Expr{s.At, s.Of}
	case *loop.Assign:
		if s.ArgOf != nil {
			return []*loop.Expr{s.Of, s.ArgOf}
		}
		return []*loop.Expr{s.Of}
	}
	return nil
}
