package op

import (
	"math"
	"slices"

	"netc/ir"
)

// binary is the number of classes of labels that no operator bounds: those
// that become numbers, as the similarities of pairs, are 0 and 1.
const binary = 2

// Classes is how many classes the readers of an i32 value tell apart, the
// fewest where they differ: its elements are meant to be 0 to Classes-1.
func Classes(g *ir.Graph, labels *ir.Value) int {
	classes := math.MaxInt
	bound := func(n int) { classes = min(classes, n) }
	for _, n := range Unfused(g) {
		if !slices.Contains(n.In, labels) {
			continue
		}
		switch o := n.Op.(type) {
		case *SoftmaxLoss:
			bound(n.In[0].Type.Shape[o.Axis])
		case *SoftmaxLossGrad:
			bound(n.In[0].Type.Shape[o.Axis])
		case *Accuracy:
			bound(n.In[0].Type.Shape[o.Axis])
		case *AccuracyPerClass:
			bound(n.In[0].Type.Shape[o.Axis])
		case *OneHot:
			bound(o.Classes)
		default:
			for _, out := range n.Out {
				if out.Type.DType == ir.I32 { // the labels in another shape
					bound(Classes(g, out))
				}
			}
		}
	}
	if classes == math.MaxInt {
		return binary
	}
	return classes
}

// Unfused lists the nodes of a graph with those of a fused group in its place.
func Unfused(g *ir.Graph) []*ir.Node {
	var list []*ir.Node
	for _, n := range g.Nodes {
		if n.Body == nil {
			list = append(list, n)
		} else {
			list = append(list, n.Body...)
		}
	}
	return list
}
