package op

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"netc/ir"
	"netc/ir/loop"
)

// row is one pointwise operator: its formula over operands a, b and its
// attributes, and beside it the gradient for each operand, over the operands,
// the result y and the result's gradient dy. An empty gradient is none.
type row struct {
	name       string
	operands   int
	attributes string // names of the attributes the formula reads
	formula    string
	gradients  []string
}

var rows = []row{
	{"add", 2, "", "a + b", []string{"dy", "dy"}},
	{"sub", 2, "", "a - b", []string{"dy", "-dy"}},
	{"mul", 2, "", "a * b", []string{"dy * b", "dy * a"}},
	{"div", 2, "", "a / b", []string{"dy / b", "-dy * y / b"}},
	{"max", 2, "", "a > b ? a : b", []string{"a > b ? dy : 0", "a > b ? 0 : dy"}}, // a tie goes to b, as in Caffe's Eltwise
	{"neg", 1, "", "-a", []string{"-dy"}},
	{"scale", 1, "by", "by * a", []string{"by * dy"}},
	{"offset", 1, "by", "a + by", []string{"dy"}},
	{"square", 1, "", "a * a", []string{"2 * a * dy"}},
	{"sqrt", 1, "", "sqrt(a)", []string{"0.5 * dy / y"}},
	{"abs", 1, "", "abs(a)", []string{"a > 0 ? dy : (a < 0 ? -dy : 0)"}},
	{"exp", 1, "", "exp(a)", []string{"dy * y"}},
	{"log", 1, "", "log(a)", []string{"dy / a"}},
	{"relu", 1, "slope", "a < 0 ? slope * a : a", []string{"a > 0 ? dy : slope * dy"}}, // see gradientText
	{"prelu", 2, "", "a < 0 ? b * a : a", []string{"a > 0 ? dy : b * dy", "a > 0 ? 0 : a * dy"}},
	{"elu", 1, "alpha", "a < 0 ? alpha * (exp(a) - 1) : a", []string{"a > 0 ? dy : dy * (y + alpha)"}},
	{"sigmoid", 1, "", "1 / (1 + exp(-a))", []string{"dy * y * (1 - y)"}},
	{"tanh", 1, "", "tanh(a)", []string{"dy * (1 - y * y)"}},
	// log(1 + e^a) without overflow; Caffe's BNLL.
	{"softplus", 1, "", "max(a, 0) + log1p(exp(-abs(a)))", []string{"dy / (1 + exp(-a))"}},
	{"power", 1, "power", "pow(a, power)", []string{"dy * power * pow(a, power - 1)"}},
	// The logistic loss of score a against target b in [0, 1], without overflow.
	{"logistic_loss", 2, "", "max(a, 0) - a * b + log1p(exp(-abs(a)))", []string{"dy * (1 / (1 + exp(-a)) - b)", "-dy * a"}},
	{"detach", 1, "", "a", []string{""}}, // lets no gradient through
	{"clip_below", 1, "by", "max(a, by)", []string{"a < by ? 0 : dy"}},
}

var rowByName = map[string]*row{}

func init() {
	for i := range rows {
		r := &rows[i]
		rowByName[r.name] = r
		ir.Register(func() ir.Op { return &Pointwise{row: r} })
	}
	ir.Register(func() ir.Op { return &Map{} })
}

// Pointwise is an operator of the table: operands and result have one shape.
// Only the attributes that the row's formula names are used.
type Pointwise struct {
	row   *row
	By    float64 `ir:"by"`
	Slope float64 `ir:"slope"`
	Alpha float64 `ir:"alpha"`
	Power float64 `ir:"power"`
}

// Point returns the pointwise operator of that name; the name is the
// compiler's, never the user's.
func Point(name string) *Pointwise {
	r := rowByName[name]
	if r == nil {
		panic("no pointwise operator " + name)
	}
	return &Pointwise{row: r}
}

// PointwiseNames lists the table's operators, sorted.
func PointwiseNames() []string {
	var list []string
	for name := range rowByName {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

// Mnemonic is the row's name.
func (p *Pointwise) Mnemonic() string { return p.row.name }

// Operands is the number of operands.
func (p *Pointwise) Operands() int { return p.row.operands }

// Infer wants f32 operands of one shape, which is the result's.
func (p *Pointwise) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, p.row.operands); err != nil {
		return nil, err
	}
	return sameShapes(in)
}

func sameShapes(in []ir.Type) ([]ir.Type, error) {
	if err := needFloat(in); err != nil {
		return nil, err
	}
	for i, t := range in[1:] {
		if !t.Equal(in[0]) {
			return nil, ir.MisfitOperand(i+1, "operand %d is %s, operand 1 is %s: the shapes must be equal", i+2, t, in[0])
		}
	}
	return []ir.Type{in[0]}, nil
}

// attributes gives the values of the names that the row's formulas use.
func (p *Pointwise) attributes() map[string]float64 {
	all := map[string]float64{"by": p.By, "slope": p.Slope, "alpha": p.Alpha, "power": p.Power}
	used := map[string]float64{}
	for _, name := range strings.Fields(p.row.attributes) {
		used[name] = all[name]
	}
	return used
}

// Formula is the row's formula with the attributes' values in place, over a
// and b, as the IR's reader and the kernels' comments show it.
func (p *Pointwise) Formula() string {
	names := operandNames(p.row.operands)
	return loop.Format(formulaOf(p.row.formula, p.named(placeholders(names))))
}

func (p *Pointwise) named(names map[string]*loop.Expr) map[string]*loop.Expr {
	for name, x := range p.attributes() {
		names[name] = loop.N(x)
	}
	return names
}

// placeholders gives variables that stand for operands in a formula's text.
func placeholders(names []string) map[string]*loop.Expr {
	m := map[string]*loop.Expr{}
	for _, name := range names {
		m[name] = loop.R(&loop.Var{Name: name, Kind: loop.Float})
	}
	return m
}

// operandNames is a, b, c, … .
func operandNames(count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = string(rune('a' + i))
	}
	return names
}

// formulaOf parses a formula of the table or one that this package built; a
// mistake in it is a mistake in this package.
func formulaOf(text string, names map[string]*loop.Expr) *loop.Expr {
	e, err := loop.ParseExpr(text, names)
	if err != nil {
		panic(err)
	}
	return e
}

// Grad builds, for each operand, a Map of the row's gradient; a gradient that
// is dy itself needs no node.
func (p *Pointwise) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	out := make([]*ir.Value, len(n.In))
	for i := range p.row.gradients {
		switch text := p.gradientText(i); text {
		case "":
		case "dy":
			out[i] = d[0]
		default:
			out[i] = p.gradient(b, n, d[0], i, text)
		}
	}
	return out
}

// gradientText is the row's gradient for an operand. A relu whose slope is not
// negative has a result with its operand's sign, so the result alone has to be
// kept for the gradient; where a kernel follows, it is kept already.
func (p *Pointwise) gradientText(operand int) string {
	text := p.row.gradients[operand]
	if p.row.name == "relu" && p.Slope >= 0 {
		return strings.ReplaceAll(text, "a > 0", "y > 0")
	}
	return text
}

// gradient builds the Map for one operand: the names that the formula uses
// become its operands.
func (p *Pointwise) gradient(b *Builder, n *ir.Node, dy *ir.Value, operand int, text string) *ir.Value {
	names := append(operandNames(p.row.operands), "y", "dy")
	values := append(append([]*ir.Value{}, n.In...), n.Out[0], dy)
	vars := p.named(placeholders(names))
	e := formulaOf(text, vars)
	var in []*ir.Value
	rename := map[*loop.Var]*loop.Expr{}
	for i, name := range names {
		if v := vars[name]; e.Uses(v.Var) {
			rename[v.Var] = loop.R(&loop.Var{Name: string(rune('a' + len(in))), Kind: loop.Float})
			in = append(in, values[i])
		}
	}
	if len(in) == 0 { // 0 by an attribute, as for "scale" by 0
		return b.Grad(n.In[operand], &Constant{Value: e.Num, Shape: slices.Clone(n.In[operand].Type.Shape)})
	}
	return b.Map(n.In[operand], loop.Format(e.Substitute(rename)), in...)
}

// Element evaluates the formula on the operands' elements.
func (p *Pointwise) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	return formulaOf(p.row.formula, p.named(elements(len(n.In), index, load)))
}

func elements(count int, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) map[string]*loop.Expr {
	m := map[string]*loop.Expr{}
	for i, name := range operandNames(count) {
		m[name] = load(i, index)
	}
	return m
}

// Loops is one nest over all elements.
func (p *Pointwise) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(p, n) }

// Map applies a formula over its operands a, b, c, …, all of one shape. The
// gradients of pointwise operators and the solver's updates are Maps.
type Map struct {
	Formula string `ir:"formula"`
}

// Mnemonic is "map".
func (*Map) Mnemonic() string { return "map" }

// Infer wants at least one f32 operand, all of one shape, and a formula over
// as many names.
func (m *Map) Infer(in []ir.Type) ([]ir.Type, error) {
	if len(in) == 0 || len(in) > 26 {
		return nil, fmt.Errorf("%d operands, not 1 to 26", len(in))
	}
	if _, err := loop.ParseExpr(m.Formula, placeholders(operandNames(len(in)))); err != nil {
		return nil, err
	}
	return sameShapes(in)
}

// Grad is not defined: maps appear only in gradients and updates, which are
// not differentiated again.
func (m *Map) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	panic("the gradient of a map is not defined: " + m.Formula)
}

// Element evaluates the formula on the operands' elements.
func (m *Map) Element(n *ir.Node, index []*loop.Expr, load func(int, []*loop.Expr) *loop.Expr) *loop.Expr {
	return formulaOf(m.Formula, elements(len(n.In), index, load))
}

// Loops is one nest over all elements.
func (m *Map) Loops(n *ir.Node) []*loop.Nest { return ElementLoops(m, n) }
