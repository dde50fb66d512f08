package pass

import (
	"slices"

	"netc/ir"
	"netc/ir/op"
)

// leastLanes is the smallest batch that is put in lanes: fewer samples would
// leave most of a vector empty.
const leastLanes = 8

// Layouts chooses how the tensors between kernels lie in memory (see ir.Type),
// so that one vector instruction serves 8 or 16 neighbours and no operator has
// to shuffle, and converts where a kernel wants another layout than it is given.
//
//	conv1 = conv data, w   : f32[64,20,24,24]
//	=>
//	data.lanes = relayout data     : f32[64/16,1,28,28]
//	conv1 = conv data.lanes, w     : f32[64/16,20,24,24]
//
// Every kernel works in one of two ways, or row-major. With the batch in lanes,
// a vector holds the same element of neighbouring samples: that suits every
// operator, and any number of channels. With the channels in lanes, it holds
// neighbouring channels, which must be whole blocks: operands of convolutions
// then lie in the order in which they are read, and single samples fill vectors
// as well. Which node works how is decided for all of them at once, by the time
// that nodes and conversions are estimated to take (nodeTime, relayoutTime).
//
// Inputs, outputs, parameters and states stay row-major, because the outside
// reads and writes them. The operand of a product that sums over the batch
// stays or becomes row-major where its columns are the product's: the lanes
// are then those columns, and no sum runs across lanes. The result maps each
// value that was an output to the row-major value that takes its place. Runs
// after the fusions, because only what kernels store has a layout, and before
// order, which orders the conversions too.
func Layouts(g *ir.Graph, batch int) (map[*ir.Value]*ir.Value, error) {
	l := newLayouts(g, batch)
	return l.run(l.nodeTime, relayoutTime)
}

// LayoutsBy is Layouts with other times of nodes, in picoseconds, with and
// without the channels in lanes, and conversions for free: whatever is chosen,
// the result computes the same.
func LayoutsBy(g *ir.Graph, batch int, nodeTime func(n *ir.Node, wide bool) float64) (map[*ir.Value]*ir.Value, error) {
	return newLayouts(g, batch).run(nodeTime, func(from, to ir.Type) float64 { return 0 })
}

func (l *layouts) run(nodeTime func(n *ir.Node, wide bool) float64, relayoutTime func(from, to ir.Type) float64) (map[*ir.Value]*ir.Value, error) {
	g, batch := l.g, l.batch
	if slices.ContainsFunc(g.Nodes, isRelayout) { // of an earlier run
		return nil, nil
	}
	l.choose(nodeTime, relayoutTime)
	l.subsample()
	if batch < leastLanes && len(l.wide) == 0 {
		return nil, nil
	}
	l.takeGradientsApart()
	for _, n := range g.Nodes {
		for _, v := range n.Out {
			v.Type = l.stored(n, v, l.wide[n])
		}
	}
	for _, n := range g.Nodes {
		for _, v := range slices.Clone(n.In) {
			if to := l.wanted(n, v, l.wide[n]); !to.SameLayout(v.Type) {
				replaceOperand(n, v, l.convert(v, to))
			}
		}
		l.nodes = append(l.nodes, n)
	}
	outputs := map[*ir.Value]*ir.Value{}
	for i, v := range g.Outputs {
		if v.Type.IsRowMajor() {
			continue
		}
		if outputs[v] == nil {
			name := v.Name
			g.Rename(v, name+".lanes")
			outputs[v] = l.convert(v, v.Type.RowMajor())
			g.Rename(outputs[v], name)
		}
		g.Outputs[i] = outputs[v]
	}
	g.Nodes = l.nodes
	return outputs, nil
}

type layouts struct {
	g         *ir.Graph
	batch     int
	wide      map[*ir.Node]bool  // nodes that work with the channels in lanes
	apart     map[*ir.Node]bool  // those that leave a weight's gradient in lanes
	ofWeights map[*ir.Value]bool // what is no activation
	written   map[*ir.Value]bool
	converted map[conversion]*ir.Value
	nodes     []*ir.Node
}

func newLayouts(g *ir.Graph, batch int) *layouts {
	l := &layouts{g: g, batch: batch, wide: map[*ir.Node]bool{}, apart: map[*ir.Node]bool{}, ofWeights: weights(g), written: map[*ir.Value]bool{}, converted: map[conversion]*ir.Value{}}
	for _, w := range g.Writes {
		l.written[w.Value] = true
	}
	return l
}

// conversion is a value and the layout that it is wanted in.
type conversion struct {
	value *ir.Value
	lanes int
	swap  bool
}

func isRelayout(n *ir.Node) bool {
	_, ok := n.Op.(*op.Relayout)
	return ok
}

// isBatch reports whether a value's first axis is the batch and it has others.
func (l *layouts) isBatch(v *ir.Value) bool {
	return !l.ofWeights[v] && len(v.Type.Shape) >= 2 && v.Type.Shape[0] == l.batch && v.Type.Shape.Count() > l.batch
}

// isImage reports whether a value is one of images, [N, C, H, W].
func (l *layouts) isImage(v *ir.Value) bool { return len(v.Type.Shape) == 4 && l.isBatch(v) }

// weights finds the parameters and states, what is computed from such alone,
// and the gradients of parameters: their first axis is never the batch, however
// long it is.
func weights(g *ir.Graph) map[*ir.Value]bool {
	found := map[*ir.Value]bool{}
	for _, v := range slices.Concat(g.Params, g.States) {
		found[v] = true
	}
	for _, group := range g.Nodes {
		for _, n := range group.Operators() {
			operands := slices.DeleteFunc(slices.Clone(n.In), func(v *ir.Value) bool { return len(v.Type.Shape) < 2 })
			of := len(operands) > 0 && !slices.ContainsFunc(operands, func(v *ir.Value) bool { return !found[v] })
			for _, v := range n.Out {
				found[v] = of || sumsOverBatch(n)
			}
		}
	}
	return found
}

// sumsOverBatch reports whether a node is the gradient of the weights of a
// convolution or product.
func sumsOverBatch(n *ir.Node) bool {
	switch o := n.Op.(type) {
	case *op.ConvGradWeight:
		return true
	case *op.MatMul:
		return o.TransA
	}
	return false
}

// staysRowMajor reports whether a node reads an operand row-major: a reshape
// that takes the batch apart, and the right operand of a product that sums
// over the batch.
func (l *layouts) staysRowMajor(n *ir.Node, v *ir.Value) bool {
	for _, inner := range n.Operators() {
		switch o := inner.Op.(type) {
		case *op.Reshape:
			if slices.Contains(inner.In, v) && !l.isBatch(inner.Out[0]) {
				return true
			}
		case *op.MatMul:
			if o.TransA && !o.TransB && inner.In[1] == v && inner.In[0] != v {
				return true
			}
		}
	}
	return false
}

// leastSwapped is the number of output channels of a group from which the
// weights of a data gradient, which sums over them, are exchanged.
const leastSwapped = 16

// isSwapped reports whether a node is the data gradient of a convolution and
// the operand its weights: the gradient sums over the output channels, which
// are then neighbours in memory, as the input channels are for the convolution.
func (l *layouts) isSwapped(n *ir.Node, v *ir.Value) bool {
	return slices.ContainsFunc(n.Operators(), func(inner *ir.Node) bool {
		o, ok := inner.Op.(*op.ConvGradData)
		return ok && inner.In[1] == v && l.isBatch(inner.In[0]) && v.Type.Shape[0]/o.Group >= leastSwapped
	})
}

// stored is the layout in which a node, or none, leaves a value.
func (l *layouts) stored(n *ir.Node, v *ir.Value, wide bool) ir.Type {
	row := v.Type.RowMajor()
	switch {
	case n == nil || l.written[v]:
		return row
	case l.apart[n]:
		return row.InLanes(0)
	}
	return l.usual(v, wide)
}

// usual is the layout of an activation among nodes of a kind.
func (l *layouts) usual(v *ir.Value, wide bool) ir.Type {
	row := v.Type.RowMajor()
	switch {
	case wide && l.isImage(v):
		return row.InLanes(1)
	case !wide && l.batch >= leastLanes && l.isBatch(v):
		return row.InLanes(0)
	}
	return row
}

// wanted is the layout in which a node reads an operand.
func (l *layouts) wanted(n *ir.Node, v *ir.Value, wide bool) ir.Type {
	switch {
	case wide:
		return l.wantedWide(n, v)
	case l.batch >= leastLanes && l.isSwapped(n, v):
		return v.Type.RowMajor().Swapped()
	case l.written[v] || l.staysRowMajor(n, v):
		return v.Type.RowMajor()
	}
	return l.usual(v, false)
}

// convert gives a value in another layout, computed once.
func (l *layouts) convert(v *ir.Value, to ir.Type) *ir.Value {
	key := conversion{v, to.Lanes, to.Swap}
	if c := l.converted[key]; c != nil {
		return c
	}
	suffix := ".rows"
	switch {
	case to.Swap && to.Lanes != 0:
		suffix = ".turned"
	case to.Swap:
		suffix = ".swapped"
	case to.Lanes == 1:
		suffix = ".lanes"
	case to.Lanes > 1:
		suffix = ".channels"
	}
	from := v.From
	if v.Def != nil {
		from = v.Def.From
	}
	c := l.g.Must(&op.Relayout{Lanes: to.Lanes, Swap: to.Swap}, v.Name+suffix, from, v)
	l.nodes = append(l.nodes, c.Def)
	l.g.Nodes = l.g.Nodes[:len(l.g.Nodes)-1]
	l.converted[key] = c
	return c
}

// replaceOperand makes a node read another value.
func replaceOperand(n *ir.Node, old, new *ir.Value) {
	for _, list := range append([]*ir.Node{n}, n.Body...) {
		for i, v := range list.In {
			if v == old {
				list.In[i] = new
			}
		}
	}
}
