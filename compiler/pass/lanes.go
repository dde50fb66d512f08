package pass

import (
	"slices"

	"netc/ir"
	"netc/ir/op"
)

// leastLanes is the smallest batch that is put in lanes: fewer samples would
// leave most of a vector empty.
const leastLanes = 8

// BatchInLanes puts the batch of activations and their gradients in lanes, so
// that one vector instruction serves neighbouring samples and no operator has
// to shuffle; see ir.Type.
//
//	conv1 = conv data, w   : f32[64,20,24,24]
//	=>
//	data.lanes = relayout data     : f32[64/16,1,28,28]
//	conv1 = conv data.lanes, w     : f32[64/16,20,24,24]
//
// Inputs, outputs, parameters and states stay row-major, because the outside
// reads and writes them. The operand of a product that sums over the batch
// stays or becomes row-major where its columns are the product's: the lanes
// are then those columns, and no sum runs across lanes. The result maps each
// value that was an output to the row-major value that takes its place. Runs
// after the fusions, because only what kernels store has a layout, and before
// order, which orders the conversions too.
func BatchInLanes(g *ir.Graph, batch int) (map[*ir.Value]*ir.Value, error) {
	if batch < leastLanes {
		subsample(g)
		return nil, nil
	}
	l := &lanes{g: g, batch: batch, converted: map[*ir.Value]*ir.Value{}}
	written := map[*ir.Value]bool{}
	for _, w := range g.Writes {
		written[w.Value] = true
	}
	for _, n := range g.Nodes {
		for _, v := range n.Out {
			if l.isBatch(v) && !written[v] && !isRelayout(n) {
				v.Type = v.Type.InLanes(0)
			}
		}
	}
	for _, n := range g.Nodes {
		if isRelayout(n) { // of an earlier run
			l.nodes = append(l.nodes, n)
			continue
		}
		for _, v := range slices.Clone(n.In) {
			if l.isSwapped(n, v) {
				replaceOperand(n, v, l.convertTo(v, ".swapped", &op.Relayout{Swap: true}))
				continue
			}
			want := v.Type.Lanes
			switch {
			case !l.isBatch(v) || written[v]:
			case l.staysRowMajor(n, v):
				want = 0
			default:
				want = 1
			}
			if want != v.Type.Lanes {
				replaceOperand(n, v, l.convert(v, want))
			}
		}
		l.nodes = append(l.nodes, n)
	}
	outputs := map[*ir.Value]*ir.Value{}
	for i, v := range g.Outputs {
		if v.Type.Lanes == 0 {
			continue
		}
		if outputs[v] == nil {
			name := v.Name
			g.Rename(v, name+".lanes")
			outputs[v] = l.convert(v, 0)
			g.Rename(outputs[v], name)
		}
		g.Outputs[i] = outputs[v]
	}
	g.Nodes = l.nodes
	return outputs, nil
}

type lanes struct {
	g         *ir.Graph
	batch     int
	converted map[*ir.Value]*ir.Value // the other layout of a value
	nodes     []*ir.Node
}

func isRelayout(n *ir.Node) bool {
	_, ok := n.Op.(*op.Relayout)
	return ok
}

// isBatch reports whether a value's first axis is the batch and it has others.
func (l *lanes) isBatch(v *ir.Value) bool {
	return v.Kind != ir.Param && v.Kind != ir.State && !v.Type.Swap && len(v.Type.Shape) >= 2 && v.Type.Shape[0] == l.batch &&
		v.Type.Shape.Count() > l.batch
}

// staysRowMajor reports whether a node reads an operand row-major: a reshape
// that takes the batch apart, and the right operand of a product that sums
// over the batch.
func (l *lanes) staysRowMajor(n *ir.Node, v *ir.Value) bool {
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
func (l *lanes) isSwapped(n *ir.Node, v *ir.Value) bool {
	return slices.ContainsFunc(n.Operators(), func(inner *ir.Node) bool {
		o, ok := inner.Op.(*op.ConvGradData)
		return ok && inner.In[1] == v && l.isBatch(inner.In[0]) && v.Type.IsRowMajor() && v.Type.Shape[0]/o.Group >= leastSwapped
	})
}

// convert gives a value in another layout, computed once.
func (l *lanes) convert(v *ir.Value, want int) *ir.Value {
	suffix := ".lanes"
	if want == 0 {
		suffix = ".rows"
	}
	return l.convertTo(v, suffix, &op.Relayout{Lanes: want})
}

// convertTo gives a value in the layout of a relayout, computed once.
func (l *lanes) convertTo(v *ir.Value, suffix string, to *op.Relayout) *ir.Value {
	if c := l.converted[v]; c != nil {
		return c
	}
	from := v.From
	if v.Def != nil {
		from = v.Def.From
	}
	c := l.g.Must(to, v.Name+suffix, from, v)
	l.nodes = append(l.nodes, c.Def)
	l.g.Nodes = l.g.Nodes[:len(l.g.Nodes)-1]
	l.converted[v] = c
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
