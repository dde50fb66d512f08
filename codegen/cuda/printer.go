package cuda

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"netc/codegen/cpu"
	"netc/codegen/describe"
	"netc/compiler"
	"netc/ir"
	"netc/ir/loop"
)

// printer prints one kernel.
type printer struct {
	out       strings.Builder
	indent    int
	name      string
	kernel    *compiler.Kernel
	offsets   map[*ir.Value]int
	helpers   map[string]bool
	scope     *cpu.Scope
	args      []argument
	names     map[*ir.Value]string
	vars      map[*loop.Var]string
	quads     map[*ir.Value]string     // arrays of four that hold a tensor's elements at the thread's place
	places    map[*ir.Value]*loop.Expr // this place, in each of these tensors
	plain     bool                     // no comment, and names that do not say what for
	precision string                   // of the contraction that is printed
}

func newPrinter(name string, plain bool, k *compiler.Kernel, offsets map[*ir.Value]int, helpers map[string]bool) *printer {
	p := &printer{
		name: name, plain: plain, kernel: k, offsets: offsets, helpers: helpers, scope: cpu.NewScope(reserved...), precision: float32Precision,
		args: argumentsOf(k.Nest), names: map[*ir.Value]string{}, vars: map[*loop.Var]string{},
	}
	p.scope.Take(name)
	for _, a := range p.args {
		p.names[a.value] = p.scope.Take(p.identifier(a.value.Name))
	}
	return p
}

// identifier is the name wanted for something that the user's network names.
func (p *printer) identifier(name string) string {
	if p.plain {
		return "x"
	}
	return cpu.Identifier(name)
}

// printf writes a line; one that ends in "{" opens a block and one that begins
// with "}" closes it. Directives stand at the margin of their block.
func (p *printer) printf(format string, args ...any) {
	line := format
	if len(args) > 0 {
		line = fmt.Sprintf(format, args...)
	}
	if strings.HasPrefix(line, "}") {
		p.indent--
	}
	p.out.WriteString(strings.Repeat("    ", max(p.indent, 0)) + line + "\n")
	if strings.HasSuffix(line, "{") {
		p.indent++
	}
}

// open writes the comment and the head of the kernel. launch says in words how
// it runs.
func (p *printer) open(launch string, grid, block [3]int) {
	var values []*ir.Value
	for _, a := range p.args {
		if a.value != nil {
			values = append(values, a.value)
		}
	}
	for _, line := range describe.Doc(p.name, p.kernel, values, launch) {
		if p.plain {
			break
		}
		p.printf("%s", strings.TrimRight("// "+comment(strings.ReplaceAll(line, "\t", "  ")), " "))
	}
	threads := block[0] * block[1] * block[2]
	p.printf(`extern "C" __global__ void __launch_bounds__(%d)`, threads)
	parameters := make([]string, len(p.args))
	for i, a := range p.args {
		parameters[i] = p.parameter(a)
	}
	p.printf("%s(%s)", p.name, strings.Join(parameters, ",\n    "))
	p.printf("{")
}

func (p *printer) parameter(a argument) string {
	typ, name := "float*", "partial"
	if a.value != nil {
		typ, name = cType(a.value)+"*", p.names[a.value]
	}
	if !a.written {
		typ = "const " + typ
	}
	if !p.overlaps(a) {
		typ += " __restrict__"
	}
	return typ + " " + name
}

// overlaps reports whether a tensor shares memory with another of the kernel's,
// one of which is written: it was computed in place.
func (p *printer) overlaps(a argument) bool {
	if a.value == nil {
		return false
	}
	from := p.offsets[a.value]
	for _, b := range p.args {
		if b.value == nil || b.value == a.value || !a.written && !b.written {
			continue
		}
		if other := p.offsets[b.value]; from < other+b.bytes && other < from+a.bytes {
			return true
		}
	}
	return false
}

// inPlace reports whether any of the kernel's results lies where an operand does.
func (p *printer) inPlace() bool {
	for _, a := range p.args {
		if p.overlaps(a) {
			return true
		}
	}
	return false
}

func (p *printer) done(grid, block [3]int) printed {
	p.printf("}")
	return printed{p.name, p.out.String(), grid, block, p.args}
}

func cType(v *ir.Value) string {
	return map[ir.DType]string{ir.F32: "float", ir.I32: "int", ir.U8: "unsigned char"}[v.Type.DType]
}

func kindName(k loop.Kind) string {
	return map[loop.Kind]string{loop.Float: "float", loop.Int: "int", loop.Bool: "bool"}[k]
}

// block prints statements in a scope of their own.
func (p *printer) block(body []loop.Stmt) {
	outer := p.scope
	p.scope = outer.Child()
	p.statements(body)
	p.scope = outer
}

// statements prints statements of a nest or of lowered code, for one thread to
// run in order.
func (p *printer) statements(body []loop.Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			p.let(s)
		case *loop.Declare:
			p.declare(s.Var, s.Of)
		case *loop.Assign:
			p.assign(s)
		case *loop.Put:
			p.printf("%s = %s;", p.element(s.Value, s.At), p.expr(s.Of))
		case *loop.Store:
			p.printf("%s = %s;", p.element(s.Value, loop.Position(s.Value.Type, s.Index)), p.expr(s.Of))
		case *loop.If:
			p.printf("if (%s) {", p.expr(s.Cond))
			p.block(s.Body)
			p.printf("}")
		case *loop.Loop:
			p.loop(s.Var, s.From, s.To, s.Step, func() { p.statements(s.Body) })
		case *loop.For:
			p.loop(s.Axis, 0, s.Axis.Extent, 1, func() { p.statements(s.Body) })
		case *loop.Reduce:
			p.reduce(s)
		}
	}
}

func (p *printer) let(s *loop.Let) {
	text := p.expr(s.Of)
	p.vars[s.Var] = p.scope.Take(p.variable(s.Var))
	p.printf("const %s %s = %s;", kindName(s.Of.Kind), p.vars[s.Var], text)
}

// variable is the identifier wanted for a scalar.
func (p *printer) variable(v *loop.Var) string { return p.identifier(v.Name) }

func (p *printer) declare(v *loop.Var, of *loop.Expr) {
	p.vars[v] = p.scope.Take(p.variable(v))
	p.printf("%s %s = %s;", kindName(of.Kind), p.vars[v], p.expr(of))
}

func (p *printer) loop(v *loop.Var, from, to, step int, body func()) {
	outer := p.scope
	p.scope = outer.Child()
	name := p.scope.Take(p.variable(v))
	p.vars[v] = name
	advance := name + "++"
	if step != 1 {
		advance = fmt.Sprintf("%s += %d", name, step)
	}
	p.printf("for (int %[1]s = %[2]d; %[1]s < %[3]d; %[4]s) {", name, from, to, advance)
	body()
	p.printf("}")
	p.scope = outer
}

func (p *printer) assign(s *loop.Assign) {
	name := p.vars[s.Var]
	switch s.Kind {
	case loop.Sum:
		p.printf("%s += %s;", name, p.expr(s.Of))
	case loop.Product:
		p.printf("%s *= %s;", name, p.expr(s.Of))
	case loop.Maximum:
		if s.Arg == nil {
			p.printf("%s = %s(%s, %s);", name, p.helper("larger"), name, p.expr(s.Of))
			return
		}
		term := p.scope.Child().Take("term")
		p.printf("if (const float %[1]s = %[2]s; %[1]s > %[3]s) {", term, p.expr(s.Of), name)
		p.printf("%s = %s;", name, term)
		p.printf("%s = %s;", p.vars[s.Arg], p.expr(s.ArgOf))
		p.printf("}")
	}
}

// start is what a reduction begins with.
func start(k loop.Reduction) *loop.Expr {
	return map[loop.Reduction]*loop.Expr{loop.Sum: loop.N(0), loop.Product: loop.N(1), loop.Maximum: loop.N(math.Inf(-1))}[k]
}

// reduce prints a reduction that one thread runs.
func (p *printer) reduce(r *loop.Reduce) {
	p.declare(r.Var, start(r.Kind))
	if r.Arg != nil {
		p.declare(r.Arg, loop.I(0))
	}
	var nested func(axes []*loop.Var)
	nested = func(axes []*loop.Var) {
		switch {
		case len(axes) == 0:
			p.term(r)
		case axes[0].Extent == 1:
			nested(axes[1:])
		default:
			p.loop(axes[0], 0, axes[0].Extent, 1, func() { nested(axes[1:]) })
		}
	}
	nested(r.Axes)
}

// term prints what a reduction does at one point.
func (p *printer) term(r *loop.Reduce) {
	p.statements(r.Body)
	assign := &loop.Assign{Var: r.Var, Kind: r.Kind, Of: r.Of, Arg: r.Arg, ArgOf: r.ArgOf}
	if cond := condition(r.Within, r.Where); cond != nil {
		p.statements([]loop.Stmt{&loop.If{Cond: cond, Body: []loop.Stmt{assign}}})
		return
	}
	p.assign(assign)
}

func condition(within []loop.Range, where *loop.Expr) *loop.Expr {
	var cond *loop.Expr
	for _, w := range within {
		cond = loop.Both(cond, w.Condition())
	}
	return loop.Both(cond, where)
}

// helper names a device function of the preamble, and has it printed.
func (p *printer) helper(name string) string {
	p.helpers[name] = true
	return name
}

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

var infix = map[loop.Op]struct {
	text string
	bind int
}{
	loop.Or: {"||", bindOr}, loop.And: {"&&", bindAnd},
	loop.Less: {"<", bindCompare}, loop.LessEq: {"<=", bindCompare}, loop.Eq: {"==", bindCompare}, loop.NotEq: {"!=", bindCompare},
	loop.Add: {"+", bindSum}, loop.Sub: {"-", bindSum},
	loop.Mul: {"*", bindProduct}, loop.Div: {"/", bindProduct}, loop.Mod: {"%", bindProduct},
}

func (p *printer) expr(e *loop.Expr) string { return p.bound(e, 0) }

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
		text = p.element(e.Value, e.Args[0])
	case loop.Load:
		text = p.element(e.Value, loop.Position(e.Value.Type, e.Args))
	case loop.Neg, loop.Not:
		// Bound as an atom, so that a negative number in it gets brackets: --1
		// would be another operator.
		text, bind = map[loop.Op]string{loop.Neg: "-", loop.Not: "!"}[e.Op]+p.bound(e.Args[0], bindAtom), bindUnary
	case loop.Select:
		text = p.bound(e.Args[0], bindOr) + " ? " + p.bound(e.Args[1], bindOr) + " : " + p.bound(e.Args[2], bindSelect)
		bind = bindSelect
	case loop.Min, loop.Max:
		name := map[loop.Op]string{loop.Min: "smaller", loop.Max: "larger"}[e.Op]
		text = p.helper(name) + "(" + p.expr(e.Args[0]) + ", " + p.expr(e.Args[1]) + ")"
	case loop.ToFloat:
		text, bind = "(float)"+p.bound(e.Args[0], bindAtom), bindUnary
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
	case math.IsInf(e.Num, 1):
		return p.helper("infinity") + "()"
	case math.IsInf(e.Num, -1):
		return "-" + p.helper("infinity") + "()"
	}
	// Beyond float32's range the nearest number is meant.
	x := min(max(e.Num, -math.MaxFloat32), math.MaxFloat32)
	text := strconv.FormatFloat(float64(float32(x)), 'g', -1, 32)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text + "f"
}

func (p *printer) call(e *loop.Expr) string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = p.expr(a)
	}
	function := map[string]string{"exp": "expf", "log": "logf", "log1p": "log1pf", "tanh": "tanhf", "sqrt": "sqrtf", "pow": "powf", "abs": "fabsf"}[e.Name]
	if e.Name == "uniform" {
		function = p.helper("uniform")
		if e.Args[2].Op == loop.Const {
			args[2] += "u"
		}
	}
	return function + "(" + strings.Join(args, ", ") + ")"
}

// element prints a tensor's element at a position.
func (p *printer) element(v *ir.Value, at *loop.Expr) string {
	if quad := p.quads[v]; quad != "" && at.Equal(p.places[v]) {
		return quad
	}
	return p.names[v] + "[" + p.expr(at) + "]"
}

// decode declares the axes whose row-major number is in the variable index.
func (p *printer) decode(axes []*loop.Var, index string) {
	stride := 1
	for _, v := range axes {
		stride *= v.Extent
	}
	var parts []string
	first := true
	for _, v := range axes {
		stride /= v.Extent
		if v.Extent == 1 {
			continue
		}
		text := index
		if stride > 1 {
			text += fmt.Sprintf("/%d", stride)
		}
		if !first {
			text += fmt.Sprintf("%%%d", v.Extent)
		}
		first = false
		name := p.scope.Take(p.variable(v))
		p.vars[v] = name
		parts = append(parts, name+" = "+text)
	}
	if len(parts) > 0 {
		p.printf("const int %s;", strings.Join(parts, ", "))
	}
}

func points(axes []*loop.Var) int {
	count := 1
	for _, v := range axes {
		count *= v.Extent
	}
	return count
}

func ceil(a, b int) int { return (a + b - 1) / b }
