package compiler

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"netc/compiler/pass"
	"netc/ir"
	"netc/ir/op"
)

// netMaker builds a random graph of a phase: layers over images and rows, with
// branches that join again, and one or several losses.
type netMaker struct {
	*rand.Rand
	g      *ir.Graph
	images []*ir.Value // [N, C, H, W]
	rows   []*ir.Value // [N, F]
	losses []*ir.Value
	layer  string
	count  int
	// block is what the numbers of channels that convolutions give are multiples of.
	block int
}

// randomBatch is the batch of a seed's network: mostly small, for speed; of each
// fourth enough for layouts, with and without a last block that is padded.
func randomBatch(seed uint64) int {
	if seed%4 == 0 {
		return 8 + int(seed/4)%11
	}
	return 1 + int(seed)%3
}

// randomNet is the network of a seed in a phase, "train" or "test". Its outputs
// are what no node reads.
func randomNet(seed uint64, phase string) *ir.Graph {
	m := &netMaker{Rand: rand.New(rand.NewPCG(seed, 3)), g: ir.New("random", phase), block: 1}
	batch := randomBatch(seed)
	m.images = []*ir.Value{m.g.AddInput("data", ir.Float(batch, 1+m.IntN(3), 4+m.IntN(3), 4+m.IntN(3)))}
	return m.net([]func(){
		m.convolution, m.convolution, m.pooling, m.normalization, m.lrn, m.activation, m.activation, m.join, m.join, m.concat, m.split,
		m.flatten, m.flatten, m.product, m.product, m.softmax, m.dropout, m.scale, m.transpose,
	})
}

// wideNet is one of convolutions whose channels are whole blocks of lanes, and
// of what is found between those.
func wideNet(seed uint64, phase string) *ir.Graph {
	m := &netMaker{Rand: rand.New(rand.NewPCG(seed, 6)), g: ir.New("wide", phase), block: ir.LaneBlock}
	batch := []int{1, 1, 2, 3, 8, 17}[seed%6]
	channels := []int{1, 3, ir.LaneBlock}[m.IntN(3)]
	m.images = []*ir.Value{m.g.AddInput("data", ir.Float(batch, channels, 3+m.IntN(4), 3+m.IntN(4)))}
	m.layer = "layer0"
	m.convolution()
	m.images = m.images[1:]
	return m.net([]func(){
		m.convolution, m.convolution, m.convolution, m.pooling, m.pooling, m.normalization, m.normalization, m.lrn, m.activation, m.activation,
		m.join, m.join, m.concat, m.split, m.flatten, m.product, m.dropout, m.scale,
	})
}

// net is a network of some of the layers, with losses.
func (m *netMaker) net(layers []func()) *ir.Graph {
	for range 4 + m.IntN(8) {
		m.count++
		m.layer = fmt.Sprintf("layer%d", m.count)
		layers[m.IntN(len(layers))]()
	}
	for len(m.losses) == 0 || m.IntN(3) == 0 {
		m.count++
		m.layer = fmt.Sprintf("loss%d", m.count)
		m.loss()
	}
	total := m.losses[0]
	for _, l := range m.losses[1:] {
		total = m.add(op.Point("add"), total, l)
	}
	m.g.Loss = total
	readers := m.g.Readers()
	for _, n := range slices.Clone(m.g.Nodes) {
		for i, v := range n.Out {
			if len(readers[v]) == 0 && (i == 0 || m.IntN(2) == 0) {
				m.g.Outputs = append(m.g.Outputs, v)
			}
		}
	}
	return m.g
}

// randomSolver is a solver with settings that do not blow up the rounding of a
// gradient near zero.
func randomSolver(r *rand.Rand) pass.Solver {
	types := pass.SolverTypes()
	s := pass.Solver{Type: types[r.IntN(len(types))], Momentum: 0.9, Momentum2: 0.99, RMSDecay: 0.9, Delta: 0.01}
	if s.Type == "AdaGrad" || s.Type == "RMSProp" {
		s.Momentum = 0
	}
	if r.IntN(2) == 0 {
		s.WeightDecay = 0.1
		s.Regularization = []string{"L1", "L2"}[r.IntN(2)]
	}
	if r.IntN(3) == 0 {
		s.ClipGradients = 0.5
	}
	if r.IntN(4) == 0 {
		s.Accumulate = 2
	}
	return s
}

func (m *netMaker) add(o ir.Op, in ...*ir.Value) *ir.Value {
	return m.g.Must(o, m.layer, []ir.Origin{{Layer: m.layer, File: "random.net", Line: m.count}}, in...)
}

func (m *netMaker) param(name string, shape ...int) *ir.Value {
	info := ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}, LrMult: []float64{1, 1, 1, 2, 0}[m.IntN(5)], DecayMult: []float64{1, 0}[m.IntN(2)]}
	return m.g.AddParam(m.layer+"."+name, ir.Float(shape...), info)
}

// pick prefers recent values, so that nets are deep rather than wide.
func (m *netMaker) pick(values []*ir.Value) *ir.Value {
	return values[len(values)-1-min(m.IntN(len(values)), m.IntN(len(values)))]
}

func (m *netMaker) any() *ir.Value {
	if len(m.rows) > 0 && m.IntN(2) == 0 {
		return m.pick(m.rows)
	}
	return m.pick(m.images)
}

// keep makes a value available to the next layers.
func (m *netMaker) keep(v *ir.Value) {
	if len(v.Type.Shape) == 4 {
		m.images = append(m.images, v)
	} else {
		m.rows = append(m.rows, v)
	}
}

// alongChannels repeats a parameter of one element a channel.
func (m *netMaker) alongChannels(name string, like *ir.Value) *ir.Value {
	shape := like.Type.Shape
	return m.add(&op.Broadcast{Shape: slices.Clone(shape), Axes: []int{1}}, m.param(name, shape[1]))
}

func (m *netMaker) convolution() {
	x := m.pick(m.images)
	shape := x.Type.Shape
	group := 1
	if shape[1]%(2*m.block) == 0 && m.IntN(3) == 0 {
		group = 2
	}
	pair := func(low, span int) []int { return []int{low + m.IntN(span), low + m.IntN(span)} }
	kernel := []int{1 + m.IntN(min(3, shape[2])), 1 + m.IntN(min(3, shape[3]))}
	w := m.param("weight", group*m.block*(1+m.IntN(3)), shape[1]/group, kernel[0], kernel[1])
	v := m.add(&op.Conv{Stride: pair(1, 2), Pad: pair(0, 2), Dilation: []int{1, 1}, Group: group}, x, w)
	if m.IntN(3) > 0 {
		v = m.add(op.Point("add"), v, m.alongChannels("bias", v))
	}
	if m.IntN(2) == 0 {
		v = m.add(op.Point("relu"), v)
	}
	m.keep(v)
}

func (m *netMaker) pooling() {
	x := m.pick(m.images)
	shape := x.Type.Shape
	window := op.MaxPool{
		Kernel: []int{1 + m.IntN(min(3, shape[2])), 1 + m.IntN(min(3, shape[3]))},
		Stride: []int{1 + m.IntN(2), 1 + m.IntN(2)}, Pad: []int{0, 0}, Floor: m.IntN(2) == 0,
	}
	if _, err := window.Infer([]ir.Type{x.Type}); err != nil {
		window.Stride = []int{1, 1} // no window can then begin behind the image
	}
	if m.IntN(2) == 0 {
		m.keep(m.add(&op.AvgPool{Kernel: window.Kernel, Stride: window.Stride, Pad: window.Pad, Floor: window.Floor}, x))
	} else {
		m.keep(m.add(&window, x))
	}
}

// normalization keeps a running mean, as BatchNorm does; learned factors often
// follow it, as Scale does.
func (m *netMaker) normalization() {
	x := m.any()
	if m.g.Phase == "test" {
		m.normalizationOfTest(x)
		return
	}
	outs := m.g.MustAll(&op.BatchNorm{Eps: 0.01}, m.layer, nil, x)
	running := m.g.AddState(m.layer+".running", outs[1].Type, ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}, Saved: true})
	next := m.add(&op.Map{Formula: "0.9*a + 0.1*b"}, running, outs[1])
	m.g.Writes = append(m.g.Writes, ir.Write{Target: running, Value: next})
	if m.IntN(2) == 0 {
		m.keep(m.add(op.Point("mul"), outs[0], m.alongChannels("scale", outs[0])))
		return
	}
	m.keep(outs[0])
}

// normalizationOfTest normalises by running statistics, scales and shifts.
func (m *netMaker) normalizationOfTest(x *ir.Value) {
	running := func(role string) *ir.Value {
		return m.g.AddState(m.layer+"."+role, ir.Float(x.Type.Shape[1]), ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}, Saved: true})
	}
	half := op.Point("scale")
	half.By = 0.5
	y := m.add(&op.Normalize{Eps: 0.01}, x, m.add(half, running("mean")), running("variance"))
	if m.IntN(2) == 0 {
		y = m.add(op.Point("mul"), y, m.alongChannels("scale", y))
	}
	if m.IntN(2) == 0 {
		y = m.add(op.Point("add"), y, m.alongChannels("shift", y))
	}
	m.keep(y)
}

func (m *netMaker) lrn() {
	m.keep(m.add(&op.LRN{Size: 3, Alpha: 0.5, Beta: 0.75, K: 1}, m.pick(m.images)))
}

func (m *netMaker) activation() {
	names := []string{"relu", "tanh", "sigmoid", "abs", "square", "softplus", "elu", "neg", "offset", "scale", "clip_below"}
	o := op.Point(names[m.IntN(len(names))])
	o.By, o.Slope, o.Alpha = []float64{0, 1, 0.5}[m.IntN(3)], []float64{0, 0.1}[m.IntN(2)], 0.5
	m.keep(m.add(o, m.any()))
}

// join combines two values of one shape, as a residual connection does.
func (m *netMaker) join() {
	a := m.any()
	values := slices.Concat(m.images, m.rows)
	m.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	b := a
	for _, v := range values {
		if v != a && v.Type.Equal(a.Type) {
			b = v
		}
	}
	m.keep(m.add(op.Point([]string{"add", "add", "sub", "mul", "max"}[m.IntN(5)]), a, b))
}

func (m *netMaker) concat() {
	a := m.any()
	in := []*ir.Value{a}
	for _, v := range slices.Concat(m.images, m.rows) {
		s, t := v.Type.Shape, a.Type.Shape
		if len(s) == len(t) && s[2:].Equal(t[2:]) && len(in) < 4 && m.IntN(2) == 0 {
			in = append(in, v)
		}
	}
	m.keep(m.add(&op.Concat{Axis: 1}, in...))
}

func (m *netMaker) split() {
	x := m.any()
	channels := x.Type.Shape[1]
	unit := 1
	if m.block > 1 && channels%m.block == 0 && m.IntN(4) > 0 {
		unit = m.block
	}
	if channels < 2*unit {
		return
	}
	first := unit * (1 + m.IntN(channels/unit-1))
	for _, v := range m.g.MustAll(&op.Split{Axis: 1, Sizes: []int{first, channels - first}}, m.layer, nil, x) {
		m.keep(v)
	}
}

func (m *netMaker) flatten() {
	x := m.pick(m.images)
	s := x.Type.Shape
	m.keep(m.add(&op.Reshape{Shape: []int{s[0], s[1:].Count()}}, x))
}

func (m *netMaker) product() {
	if len(m.rows) == 0 {
		m.flatten()
	}
	x := m.pick(m.rows)
	outputs, inputs := 1+m.IntN(5), x.Type.Shape[1]
	var v *ir.Value
	if m.IntN(2) == 0 {
		v = m.add(&op.MatMul{TransB: true}, x, m.param("weight", outputs, inputs))
	} else {
		v = m.add(&op.MatMul{}, x, m.param("weight", inputs, outputs))
	}
	if m.IntN(3) > 0 {
		v = m.add(op.Point("add"), v, m.alongChannels("bias", v))
	}
	m.keep(v)
}

func (m *netMaker) softmax() { m.keep(m.add(&op.Softmax{Axis: 1}, m.any())) }

func (m *netMaker) dropout() {
	seed, iteration := m.g.Lookup("solver.seed"), m.g.Lookup("solver.iteration")
	if seed == nil {
		seed, iteration = m.g.AddInput("solver.seed", ir.Int()), m.g.AddInput("solver.iteration", ir.Int())
	}
	m.keep(m.add(&op.Dropout{Ratio: 0.3, Stream: m.count}, m.any(), seed, iteration))
}

// scale multiplies channels, and sometimes adds the same parameter again.
func (m *netMaker) scale() {
	x := m.any()
	factor := m.alongChannels("factor", x)
	v := m.add(op.Point("mul"), x, factor)
	if m.IntN(2) == 0 {
		v = m.add(op.Point("sub"), v, factor)
	}
	m.keep(v)
}

// transpose turns rows into columns and back by a product with themselves,
// bounded because a softmax of large scores has no slope that differences find.
func (m *netMaker) transpose() {
	if len(m.rows) == 0 {
		m.flatten()
	}
	x := m.pick(m.rows)
	columns := m.add(&op.Transpose{Perm: []int{1, 0}}, x)
	m.keep(m.add(op.Point("tanh"), m.add(&op.MatMul{}, x, m.add(&op.MatMul{}, columns, x))))
}

// labelClasses is how many classes labels have: a label that is no class has a
// gradient that is no derivative.
const labelClasses = 2

func (m *netMaker) loss() {
	x := m.any()
	n := x.Type.Shape[0]
	var v *ir.Value
	kind := m.IntN(4)
	if kind == 0 && x.Type.Shape[1] < labelClasses {
		kind = 1
	}
	switch kind {
	case 0:
		label := append(slices.Clone(x.Type.Shape[:1]), x.Type.Shape[2:]...)
		v = m.add(&op.SoftmaxLoss{Axis: 1, Normalization: "valid", HasIgnore: m.IntN(2) == 0, Ignore: 1}, x, m.g.AddInput(m.layer+".label", ir.Int(label...)))
	case 1:
		target := m.g.AddInput(m.layer+".target", x.Type)
		v = m.total(m.add(op.Point("square"), m.add(op.Point("sub"), x, target)))
	case 2:
		target := m.g.AddInput(m.layer+".target", x.Type)
		v = m.total(m.add(op.Point("logistic_loss"), x, target))
	default:
		v = m.total(x)
	}
	weight := op.Point("scale")
	weight.By = 0.5 / float64(n)
	m.losses = append(m.losses, m.add(weight, v))
}

func (m *netMaker) total(x *ir.Value) *ir.Value {
	axes := make([]int, len(x.Type.Shape))
	for i := range axes {
		axes[i] = i
	}
	return m.add(&op.Sum{Axes: axes}, x)
}
