package pass

import (
	"slices"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// canBeWide lists the nodes that can work with the channels in lanes, producers
// first: convolutions of whole blocks of channels, and around them what reads
// images, or numbers of each of their channels, that another one makes.
func (l *layouts) canBeWide() []*ir.Node {
	var found []*ir.Node
	made := map[*ir.Value]bool{}
	for _, n := range l.g.Nodes {
		if convolution(n) != nil {
			if !isWideConvolution(n) {
				continue
			}
		} else if !slices.ContainsFunc(n.In, func(v *ir.Value) bool { return made[v] }) || !l.hasChannels(n, made) {
			continue
		}
		found = append(found, n)
		for _, v := range n.Out {
			made[v] = l.isBatch(v)
		}
	}
	return found
}

// convolution finds the convolution of a node, or one of its gradients.
func convolution(n *ir.Node) *ir.Node {
	for _, inner := range n.Operators() {
		switch inner.Op.(type) {
		case *op.Conv, *op.ConvGradData, *op.ConvGradWeight:
			return inner
		}
	}
	return nil
}

func isWeightGradient(n *ir.Node) bool {
	inner := convolution(n)
	if inner == nil {
		return false
	}
	_, ok := inner.Op.(*op.ConvGradWeight)
	return ok
}

// isWideConvolution reports whether a convolution can work with its channels in
// lanes: each group has whole blocks of them, or reads the network's input.
func isWideConvolution(n *ir.Node) bool {
	w := windowsOf(convolution(n))
	return w.results%ir.LaneBlock == 0 && (w.channels%ir.LaneBlock == 0 || w.images.Kind == ir.Input)
}

// windows are what a convolution, or the one that it is a gradient of, works on.
type windows struct {
	images            *ir.Value
	channels, results int     // of a group, in and out
	rows, taps        int     // of a window
	row               int     // pixels side by side of what is computed, or summed over: all of them where a window is one pixel
	inside            float64 // the part of all taps that lie on an image and not on its padding
}

func windowsOf(n *ir.Node) windows {
	var window op.Window
	var images, places, weights *ir.Value
	switch o := n.Op.(type) {
	case *op.Conv:
		window, images, places, weights = op.Window(*o), n.In[0], n.Out[0], n.In[1]
	case *op.ConvGradData:
		window, images, places, weights = op.Window{Stride: o.Stride, Pad: o.Pad, Dilation: o.Dilation, Group: o.Group}, n.Out[0], n.In[0], n.In[1]
	case *op.ConvGradWeight:
		window, images, places, weights = op.Window{Stride: o.Stride, Pad: o.Pad, Dilation: o.Dilation, Group: o.Group}, n.In[0], n.In[1], n.Out[0]
	}
	computed := places
	if _, ok := n.Op.(*op.ConvGradData); ok {
		computed = images
	}
	kernel := weights.Type.Shape[len(weights.Type.Shape)-2:] // a gradient in parts has one more axis
	w := windows{images, images.Type.Shape[1] / window.Group, places.Type.Shape[1] / window.Group, kernel[0], kernel.Count(), computed.Type.Shape[3], 1}
	if w.taps == 1 {
		w.row *= computed.Type.Shape[2]
	}
	for axis, taps := range kernel {
		w.inside *= window.PartInside(axis, images.Type.Shape[2+axis], places.Type.Shape[2+axis], taps)
	}
	return w
}

// wantedWide is the layout in which a node with its channels in lanes reads an
// operand: images in channels, but for the network's inputs, of which a
// convolution reads one element at a time; weights with the axis in lanes that
// the result has in lanes.
func (l *layouts) wantedWide(n *ir.Node, v *ir.Value) ir.Type {
	inner := convolution(n)
	if inner != nil && slices.Contains(inner.In, v) {
		if v.Kind == ir.Input {
			return v.Type.RowMajor()
		}
		if v == inner.In[1] && !isWeightGradient(n) {
			if _, forward := inner.Op.(*op.Conv); forward {
				return v.Type.RowMajor().InLanes(0)
			}
			return v.Type.RowMajor().Swapped().InLanes(1)
		}
	}
	return l.usual(v, true)
}

// hasChannels reports whether a node other than a convolution can have channels
// in lanes: each of its nests has an axis that runs through the channels of
// all images that it reads and writes, in whole blocks.
func (l *layouts) hasChannels(n *ir.Node, made map[*ir.Value]bool) bool {
	nests, err := op.Nests(n)
	if err != nil {
		return false
	}
	for _, nest := range nests {
		var channel *loop.Var
		for _, a := range loop.Accesses(nest.Body) {
			if !l.isBatch(a.Value) || len(a.Value.Type.Shape) != 4 && !made[a.Value] && !a.IsStore {
				continue
			}
			at, ok := a.Index[1].ToAffine()
			if !ok || a.Value.Type.Shape[1]%ir.LaneBlock != 0 || at.Const%ir.LaneBlock != 0 {
				return false
			}
			own := 0
			for u, step := range at.Coef {
				switch {
				case step%ir.LaneBlock == 0:
				case step == 1 && slices.Contains(nest.Axes, u) && u.Extent%ir.LaneBlock == 0 && (channel == nil || channel == u):
					channel = u
					own++
				default:
					return false
				}
			}
			if own != 1 {
				return false
			}
		}
		if channel == nil {
			return false
		}
	}
	return true
}

// takeGradientsApart takes apart the kernels that compute a weight's gradient in
// lanes and update the weight, which is row-major: the gradient is converted
// between the two. Where the weights are not many, the gradient is computed in
// parts of the batch, which are added up with the update:
//
//	w.next = fuse {
//	  w.d = conv_grad_weight x, d      =>   w.d.parts = conv_grad_weight x, d {parts: 16}
//	  w.next = sub w, w.d                   w.next = fuse {
//	}                                         w.d = sum w.d.parts {axes: [1]}
//	                                          w.next = sub w, w.d
//	                                        }
//
// There are then tasks enough, and images are read once, not once for each row
// of taps.
func (l *layouts) takeGradientsApart() {
	var nodes []*ir.Node
	for _, n := range l.g.Nodes {
		if !l.wide[n] || !isWeightGradient(n) {
			nodes = append(nodes, n)
			continue
		}
		kernels := l.takenApart(n)
		delete(l.wide, n)
		l.wide[kernels[0]], l.apart[kernels[0]] = true, true
		nodes = append(nodes, kernels...)
	}
	l.g.Nodes = nodes
}

// takenApart gives the kernel of a weight's gradient, with what it reads that the
// node computes, and where there is more, one of the rest.
func (l *layouts) takenApart(n *ir.Node) []*ir.Node {
	inner := convolution(n)
	if parts := partsOf(inner); parts > 1 {
		return inParts(l.g, n, inner, parts)
	}
	before, update := ir.Needed(inner.In, slices.DeleteFunc(slices.Clone(n.Operators()), func(b *ir.Node) bool { return b == inner }))
	if len(update) == 0 {
		return []*ir.Node{n}
	}
	return []*ir.Node{partOf(n, append(before, inner), update), partOf(n, update, nil)}
}

// A gradient of weights is computed in up to mostParts parts, of which all take
// at most mostPartBytes: they are read again once to be added up.
const (
	mostParts     = 16
	mostPartBytes = 1 << 20
)

// partsOf is the number of parts of the batch in which a weight's gradient is
// computed, or 0.
func partsOf(n *ir.Node) int {
	samples := n.In[0].Type.Shape[0]
	parts := min(mostParts, samples, mostPartBytes/n.Out[0].Type.Bytes())
	if n.Op.(*op.ConvGradWeight).Parts > 0 || parts < 2 {
		return 0
	}
	for samples%parts != 0 {
		parts--
	}
	return parts
}

// inParts gives the kernels of a weight's gradient in parts of the batch.
func inParts(g *ir.Graph, n, gradient *ir.Node, parts int) []*ir.Node {
	o := *gradient.Op.(*op.ConvGradWeight)
	o.Parts = parts
	made := detached(g, &o, gradient.Out[0].Name+".parts", gradient, gradient.In...)
	return added(n, slices.Index(n.Operators(), gradient), made, 1)
}

// partOf is a kernel of some of a group's nodes, whose results the rest may read.
func partOf(group *ir.Node, part, rest []*ir.Node) *ir.Node {
	if len(part) == 1 {
		for _, v := range part[0].Out {
			v.Def = part[0]
		}
		return part[0]
	}
	return ir.NewGroup(part, func(v *ir.Value) bool {
		return slices.Contains(group.Out, v) || slices.ContainsFunc(rest, func(b *ir.Node) bool { return slices.Contains(b.In, v) })
	})
}
