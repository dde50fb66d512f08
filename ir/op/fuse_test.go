package op_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/loop"
	"netc/ir/op"
)

// groupMaker builds a random graph that is to become one group.
type groupMaker struct {
	*rand.Rand
	g     *ir.Graph
	feeds map[string]*eval.Tensor
	count int
}

func newGroupMaker(seed uint64) *groupMaker {
	return &groupMaker{rand.New(rand.NewPCG(seed, 7)), ir.New("group", "test"), map[string]*eval.Tensor{}, 0}
}

func (m *groupMaker) name() string {
	m.count++
	return fmt.Sprintf("v%d", m.count)
}

func (m *groupMaker) input(t ir.Type, data []float64) *ir.Value {
	v := m.g.AddInput("in", t)
	m.feeds[v.Name] = &eval.Tensor{Type: t, Data: data}
	return v
}

// float is a fresh input with numbers in [-2, 2).
func (m *groupMaker) float(shape ir.Shape) *ir.Value {
	return m.input(ir.Float(shape...), ordinary(m.Rand, ir.Float(shape...), m.count))
}

// pointwise applies a random elementwise operator to values of one shape.
func (m *groupMaker) pointwise(values []*ir.Value) *ir.Value {
	pick := func() *ir.Value { return values[m.IntN(len(values))] }
	switch m.IntN(4) {
	case 0:
		return m.g.Must(op.Point([]string{"tanh", "relu", "square", "abs"}[m.IntN(4)]), m.name(), nil, pick())
	case 1:
		return m.g.Must(&op.Map{Formula: "a > b ? tanh(c) * a : b - 0.5*c"}, m.name(), nil, pick(), pick(), pick())
	}
	return m.g.Must(op.Point([]string{"add", "sub", "mul", "max"}[m.IntN(4)]), m.name(), nil, pick(), pick())
}

// view is a value of that shape which moves or repeats the elements of an input.
func (m *groupMaker) view(shape ir.Shape) *ir.Value {
	switch m.IntN(4) {
	case 0:
		return m.g.Must(&op.Constant{Value: m.Float64(), Shape: shape}, m.name(), nil)
	case 1:
		o := &op.Broadcast{Shape: shape, Axes: subset(m.Rand, len(shape))}
		var from ir.Shape
		for _, a := range o.Axes {
			from = append(from, shape[a])
		}
		return m.g.Must(o, m.name(), nil, m.float(from))
	case 2:
		return m.g.Must(&op.Reshape{Shape: shape}, m.name(), nil, m.float(ir.Shape{shape.Count()}))
	}
	perm := m.Perm(len(shape))
	from := make(ir.Shape, len(shape))
	for i, p := range perm {
		from[p] = shape[i]
	}
	return m.g.Must(&op.Transpose{Perm: perm}, m.name(), nil, m.float(from))
}

// chain adds some elementwise nodes over values of one shape, views among
// them, and returns all values, the last node's last.
func (m *groupMaker) chain(values []*ir.Value, nodes int) []*ir.Value {
	shape := values[0].Type.Shape
	for range nodes {
		switch m.IntN(4) {
		case 0:
			values = append(values, m.view(shape))
		case 1:
			values = append(values, m.float(shape))
		}
		values = append(values, m.pointwise(values))
	}
	return values
}

// anchors are the operators that a group can be built around.
func anchors() []string {
	var list []string
	for _, name := range ir.Mnemonics() {
		if _, ok := trialOf(name, rand.New(rand.NewPCG(1, 1))).op.(op.Elementwise); !ok {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// around builds a prologue, an anchor and an epilogue.
func (m *groupMaker) around(mnemonic string) {
	x := trialOf(mnemonic, m.Rand)
	data := make([][]float64, len(x.in))
	for i, t := range x.in {
		if fill := x.fill[i]; fill != nil {
			data[i] = fill(m.Rand, t)
		} else {
			data[i] = ordinary(m.Rand, t, i)
		}
	}
	if x.prepare != nil {
		x.prepare(data)
	}
	var in []*ir.Value
	for i, t := range x.in {
		v := m.input(t, data[i])
		if x.prepare == nil && t.DType == ir.F32 && m.IntN(3) == 0 {
			chain := m.chain([]*ir.Value{v}, 1+m.IntN(3))
			v = chain[len(chain)-1]
		}
		in = append(in, v)
	}
	for _, v := range m.g.MustAll(x.op, "anchor", nil, in...) {
		if v.Type.DType == ir.F32 && m.IntN(3) > 0 {
			m.chain([]*ir.Value{v}, m.IntN(4))
		}
	}
}

// group makes all nodes one group, which stores what no node reads and some of
// what nodes read.
func (m *groupMaker) group() *ir.Node {
	readers := m.g.Readers()
	for _, n := range m.g.Nodes {
		for _, v := range n.Out {
			if len(readers[v]) == 0 || m.IntN(6) == 0 {
				m.g.Outputs = append(m.g.Outputs, v)
			}
		}
	}
	return m.g.Group(slices.Clone(m.g.Nodes))
}

// compare runs a group's nests, and compares what they store with what the
// reference computes node by node.
func (m *groupMaker) compare(t *testing.T, group *ir.Node, nests []*loop.Nest) {
	t.Helper()
	want, err := eval.Run(m.g, m.feeds)
	if err != nil {
		t.Fatal(err)
	}
	stored := elements{}
	for _, v := range group.Out {
		stored[v] = unset(v)
	}
	for _, nest := range nests {
		loop.Interpret(nest, func(v *ir.Value) []float64 {
			if stored[v] != nil {
				return stored[v]
			}
			if m.feeds[v.Name] == nil {
				t.Fatalf("%s\nthe kernel touches %s, which is not stored", m.g, v.Name)
			}
			return m.feeds[v.Name].Data
		}, eval.Uniform)
	}
	for v, got := range stored {
		for i, w := range want[v.Name].Data {
			if !near(got[i], w, 1e-9) {
				t.Fatalf("%s\n%s[%d]: the kernel gives %v, the reference %v", m.g, v.Name, i, got[i], w)
			}
		}
	}
}

// TestGroupsAgree composes random groups around every operator. Those that
// compose compute what their nodes compute one by one; some of each do.
func TestGroupsAgree(t *testing.T) {
	for _, mnemonic := range anchors() {
		t.Run(mnemonic, func(t *testing.T) {
			composed, fused := 0, 0
			for seed := range uint64(60) {
				m := newGroupMaker(seed)
				m.around(mnemonic)
				group := m.group()
				nests, err := op.Nests(group)
				if err != nil {
					continue
				}
				composed++
				if len(group.Body) > 1 {
					fused++
				}
				m.compare(t, group, nests)
			}
			if fused == 0 {
				t.Errorf("%d groups compose, none with several nodes", composed)
			}
		})
	}
}

// TestSumsShareAKernel: sums over the same axes of tensors of one shape are one
// nest, with what they read and what follows from each.
func TestSumsShareAKernel(t *testing.T) {
	for seed := range uint64(60) {
		m := newGroupMaker(seed)
		s := shape(m.Rand, 1+m.IntN(4))
		axes := []int{m.IntN(len(s))}
		x := m.float(s)
		for range 2 + m.IntN(2) {
			read := m.g.Must(op.Point("mul"), m.name(), nil, x, m.float(s))
			sum := m.g.Must(&op.Sum{Axes: axes}, m.name(), nil, read)
			if m.IntN(2) == 0 {
				m.g.Must(op.Point("square"), m.name(), nil, sum)
			}
		}
		group := m.group()
		nests, err := op.Nests(group)
		if err != nil {
			continue // it stores what it adds up
		}
		if len(nests) != 1 {
			t.Fatalf("%d kernels\n%s", len(nests), m.g)
		}
		m.compare(t, group, nests)
	}
}

// TestPointwiseGroupsAgree composes groups without an anchor.
func TestPointwiseGroupsAgree(t *testing.T) {
	composed := 0
	for seed := range uint64(300) {
		m := newGroupMaker(seed)
		m.chain([]*ir.Value{m.float(shape(m.Rand, m.IntN(5)))}, 1+m.IntN(8))
		group := m.group()
		nests, err := op.Nests(group)
		if err != nil {
			t.Fatalf("%v\n%s", err, m.g)
		}
		if len(nests) != 1 {
			t.Fatalf("%d kernels\n%s", len(nests), m.g)
		}
		composed++
		m.compare(t, group, nests)
	}
	if composed == 0 {
		t.Error("nothing was compared")
	}
}

// TestIllegalGroups: what one kernel cannot compute is refused, with a reason.
func TestIllegalGroups(t *testing.T) {
	for _, c := range []struct{ name, text, reason string }{
		{"two anchors", `y = matmul x, w : f32[4,4]
z = matmul y, w : f32[4,4]
output z`, "matmul and matmul cannot share a kernel"},
		{"two anchors side by side", `y = sum x {axes: [0]} : f32[4]
z = sum w {axes: [1]} : f32[4]
output y, z`, "sum and sum cannot share a kernel"},
		{"a sum read across its own kernel", `s = sum x {axes: [1]} : f32[4]
b = broadcast s {shape: [4, 4], axes: [0]} : f32[4,4]
y = sub x, b : f32[4,4]
output y`, "y is not computed by the kernel"},
		{"a result read at another place", `y = matmul x, w : f32[4,4]
u = transpose y {perm: [1, 0]} : f32[4,4]
z = add y, u : f32[4,4]
output z`, "y is read across the elements of its own kernel"},
		{"a stored result in another shape", `y = matmul x, w : f32[4,4]
z = reshape y {shape: [16]} : f32[16]
output y, z`, "z is not computed by the kernel"},
		{"a stored prologue", `p = tanh x : f32[4,4]
y = matmul p, w : f32[4,4]
output p, y`, "p is not computed by the kernel"},
		{"results of two shapes", `p = tanh x : f32[4,4]
v = broadcast k {shape: [2]} : f32[2]
q = exp v : f32[2]
output p, q`, "q is not computed by the kernel"},
		{"two results of one anchor in one formula", `p, p.argmax = maxpool i {kernel: [2, 2], stride: [2, 2], plane: true} : f32[1,1,2,2], i32[1,1,2,2]
f = to_float p.argmax : f32[1,1,2,2]
y = add p, f : f32[1,1,2,2]
output y`, "is read across the elements of its own kernel"},
		{"a kernel reads what the one before it does not store", `l, l.prob = softmax_loss x, labels : f32[], f32[4,4]
output l`, "l.prob is read across the elements of its own kernel"},
		{"an element that takes too long", doubling(30), "more than 1000 elements"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := ir.Parse("graph g test\ninput x : f32[4,4]\ninput w : f32[4,4]\ninput k : f32[]\ninput labels : i32[4]\ninput i : f32[1,1,4,4]\n" + c.text + "\n")
			if err != nil {
				t.Fatal(err)
			}
			group := g.Group(slices.Clone(g.Nodes))
			if nests, err := op.Nests(group); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%d kernels, error %v, want %s", len(nests), err, c.reason)
			}
		})
	}
	if _, err := op.Nests(&ir.Node{Op: &ir.Fuse{}}); err == nil {
		t.Error("a group without a body has kernels")
	}
}

// TestUnreadPieces: a piece of a split that the group does not store has no
// kernel, since one would write nothing.
func TestUnreadPieces(t *testing.T) {
	g, err := ir.Parse("graph g test\ninput x : f32[4,6]\na, b, c = split x {axis: 1, sizes: [1, 2, 3]} : f32[4,1], f32[4,2], f32[4,3]\ny = tanh b : f32[4,2]\noutput a, y\n")
	if err != nil {
		t.Fatal(err)
	}
	nests, err := op.Nests(g.Group(slices.Clone(g.Nodes)))
	if err != nil {
		t.Fatal(err)
	}
	if len(nests) != 2 {
		t.Errorf("%d kernels, want 2", len(nests))
	}
	for _, nest := range nests {
		if len(nest.Stores()) == 0 {
			t.Errorf("a kernel stores nothing:\n%v", nest)
		}
	}
}

// doubling is a chain of products of a value with itself, read at the places of
// a matrix product's padded windows, where it cannot be kept in a scalar.
func doubling(length int) string {
	var b strings.Builder
	previous := "i"
	for n := range length {
		fmt.Fprintf(&b, "v%d = mul %[2]s, %[2]s : f32[1,1,4,4]\n", n, previous)
		previous = fmt.Sprintf("v%d", n)
	}
	fmt.Fprintf(&b, "p, p.argmax = maxpool %s {kernel: [3, 3], pad: [1, 1]} : f32[1,1,4,4], u8[1,1,4,4]\noutput p, p.argmax", previous)
	return b.String()
}

// TestPrologueIsComputedOnce: a value that a formula uses twice is a scalar of
// the reduction, and one that is used once is part of the term.
func TestPrologueIsComputedOnce(t *testing.T) {
	g, err := ir.Parse(`graph g test
input x : f32[8]
input y : f32[8]
s = fuse {
    a = mul x, y : f32[8]
    b = exp a : f32[8]
    c = mul b, b : f32[8]
    s = sum c {axes: [0]} : f32[]
}
output s
`)
	if err != nil {
		t.Fatal(err)
	}
	nests, err := op.Nests(g.Nodes[0])
	if err != nil {
		t.Fatal(err)
	}
	r := nests[0].Body[0].(*loop.Reduce)
	if len(r.Body) != 1 || loop.Format(r.Body[0].(*loop.Let).Of) != "exp(x[i]*y[i])" || loop.Format(r.Of) != "b*b" {
		t.Errorf("%d scalars, term %s", len(r.Body), loop.Format(r.Of))
	}
	m := &groupMaker{g: g, feeds: map[string]*eval.Tensor{}}
	for _, v := range g.Inputs {
		m.feeds[v.Name] = eval.Floats(v.Type.Shape, 0.5, -1, 0.25, 2, -0.5, 1, -2, math.Pi)
	}
	m.compare(t, g.Nodes[0], nests)
}

// TestLongPrologue: a long chain under a sum takes no longer to compose than to
// write down.
func TestLongPrologue(t *testing.T) {
	m := newGroupMaker(1)
	v := m.float(ir.Shape{3})
	for range 100 {
		v = m.g.Must(op.Point("relu"), m.name(), nil, v)
	}
	m.g.Outputs = []*ir.Value{m.g.Must(&op.Sum{Axes: []int{0}}, "sum", nil, v)}
	nests, err := op.Nests(m.g.Group(slices.Clone(m.g.Nodes)))
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, nest := range nests {
		loop.WalkExprs(nest.Body, func(*loop.Expr) { size++ })
	}
	if size > 2000 {
		t.Errorf("the kernel has %d parts", size)
	}
}
