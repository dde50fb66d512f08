package op

import (
	"math"
	"slices"

	"netc/ir"
)

// Classes is how many classes the readers of an i32 value tell apart, the
// fewest where they differ: its elements are to be 0 to Classes-1, or Ignored.
// It is 0 where nothing bounds them, as where labels only become numbers.
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
					if n := Classes(g, out); n > 0 {
						bound(n)
					}
				}
			}
		}
	}
	if classes == math.MaxInt {
		return 0
	}
	return classes
}

// Ignored lists the labels that a reader of an i32 value leaves out, sorted;
// they may lie outside of its Classes.
func Ignored(g *ir.Graph, labels *ir.Value) []int {
	var list []int
	for _, n := range Unfused(g) {
		if !slices.Contains(n.In, labels) {
			continue
		}
		switch o := n.Op.(type) {
		case *SoftmaxLoss:
			if o.HasIgnore {
				list = append(list, o.Ignore)
			}
		case *Accuracy:
			if o.HasIgnore {
				list = append(list, o.Ignore)
			}
		case *AccuracyPerClass:
			if o.HasIgnore {
				list = append(list, o.Ignore)
			}
		default:
			for _, out := range n.Out {
				if out.Type.DType == ir.I32 { // the labels in another shape
					list = append(list, Ignored(g, out)...)
				}
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Unfused lists the nodes of a graph with those of a fused group in its place.
func Unfused(g *ir.Graph) []*ir.Node {
	var list []*ir.Node
	for _, n := range g.Nodes {
		list = append(list, n.Operators()...)
	}
	return list
}
