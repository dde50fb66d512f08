//go:build linux

package vectortest

import (
	"math"
	"slices"
	"strings"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/op"
)

// ulp is the distance of float32 numbers near 1 to the next: rounding moves a
// result by half of it at most.
const ulp = 1.0 / (1 << 23)

// A bound says how far a result of an operator may be from the reference,
// relative to the largest element it could be made of: rounding errors of sums
// are relative to the sum of the terms' magnitudes.
type errorBound struct {
	operators string
	ulps      float64 // for each result
	root      float64 // and for sums: times the root of the number of terms, as roundings are independent
	because   string
}

var errorBounds = []errorBound{
	{"relayout reshape transpose concat split broadcast to_float one_hot maxpool count_labels detach max neg abs", 0, 0, "elements move or are chosen"},
	{"conv conv_grad_data matmul sum", 1, 1, "one rounding a term, the sum in several parts"},
	{"conv_grad_weight", 1, 2, "as those, and the batch is summed in lanes, then across them"},
	{"avgpool avgpool_grad maxpool_grad", 1, 1, "a sum of a window, times a constant"},
	{"batchnorm moments merge_moments", 4, 2, "sums of squares and their root"},
	{"softmax softmax_grad softmax_loss softmax_loss_grad accuracy accuracy_per_class", 8, 1, "exp and log to 2 ULP, and a sum"},
	{"lrn lrn_grad normalize", 16, 1, "a power to a few ULP of its exponent's size"},
	{"constant clip_below relu dropout", 1, 0, "an attribute is rounded, one product"},
	{"*", 8, 0, "pointwise: exp, log, tanh and pow to 2 ULP, some roundings around them"},
}

func errorBoundOf(mnemonic string) errorBound {
	for _, b := range errorBounds {
		for name := range strings.FieldsSeq(b.operators) {
			if name == mnemonic {
				return b
			}
		}
	}
	return errorBounds[len(errorBounds)-1]
}

// BoundOf gives the bound of each result of one kernel's nodes: the sum of what
// they allow. Each is relative to the largest result, or the largest sum of
// magnitudes, of any node. want has all that the nodes read and compute.
func BoundOf(nodes []*ir.Node, want map[string]*eval.Tensor) func(*ir.Value) float64 {
	scale, ulps := 1.0, 0.0
	for _, n := range nodes {
		for _, v := range slices.Concat(n.In, n.Out) {
			for _, x := range want[v.Name].Data {
				if !math.IsInf(x, 0) && v.Type.DType == ir.F32 {
					scale = max(scale, math.Abs(x))
				}
			}
		}
		b := errorBoundOf(n.Op.Mnemonic())
		ulps += b.ulps + b.root*math.Sqrt(float64(terms(n)))
		if b.root > 0 {
			scale = max(scale, largestSum(n, want))
		}
	}
	return func(v *ir.Value) float64 {
		if v.Type.DType.IsInt() {
			return 0
		}
		return ulps * ulp * scale
	}
}

// terms is how many terms an element of a node's first result sums, at most.
func terms(n *ir.Node) int {
	if len(n.In) == 0 {
		return 1
	}
	a := n.In[0].Type.Shape
	switch o := n.Op.(type) {
	case *op.Conv:
		return n.In[1].Type.Shape[1:].Count()
	case *op.ConvGradData:
		w := n.In[1].Type.Shape
		return w[0] / o.Group * w[2:].Count()
	case *op.ConvGradWeight:
		return a[0] * n.In[1].Type.Shape[2:].Count()
	case *op.MatMul:
		if o.TransA {
			return a[0]
		}
		return a[1]
	case *op.AvgPool:
		return o.Kernel[0] * o.Kernel[1]
	case *op.AvgPoolGrad:
		return o.Kernel[0] * o.Kernel[1]
	case *op.MaxPoolGrad:
		return o.Kernel[0] * o.Kernel[1]
	case *op.LRN:
		return o.Size
	case *op.LRNGrad:
		return o.Size
	}
	return a.Count()
}

// largestSum is the largest sum of the magnitudes of the terms of a contraction
// or sum.
func largestSum(n *ir.Node, want map[string]*eval.Tensor) float64 {
	switch n.Op.(type) {
	case *op.Conv, *op.ConvGradData, *op.ConvGradWeight, *op.MatMul, *op.Sum:
	default:
		return 1
	}
	g := ir.New("magnitude", "test")
	feeds := map[string]*eval.Tensor{}
	var in []*ir.Value
	for i, v := range n.In {
		name := string(rune('a' + i))
		in = append(in, g.AddInput(name, ir.Type{DType: v.Type.DType, Shape: v.Type.Shape}))
		x := want[v.Name].Clone()
		x.Type = in[i].Type
		for j := range x.Data {
			x.Data[j] = math.Abs(x.Data[j])
		}
		feeds[name] = x
	}
	out := g.Must(n.Op, "out", nil, in...)
	all, err := eval.Run(g, feeds)
	if err != nil {
		panic(err)
	}
	largest := 0.0
	for _, x := range all[out.Name].Data {
		largest = max(largest, x)
	}
	return largest
}
