package op

import "netc/ir"

// Contraction is an operator whose cost is its multiply-adds.
type Contraction interface {
	Operator
	// MultiplyAdds counts one multiplication with its addition as one, and
	// the padding around an image like the image.
	MultiplyAdds(n *ir.Node) int
}

// MultiplyAdds is M N K.
func (o *MatMul) MultiplyAdds(n *ir.Node) int {
	_, inner := oriented(n.In[0].Type.Shape, o.TransA)
	return n.Out[0].Type.Shape.Count() * inner
}

// MultiplyAdds is one filter for each element of the result.
func (*Conv) MultiplyAdds(n *ir.Node) int {
	return filterMultiplyAdds(n.Out[0], n.In[1])
}

// MultiplyAdds is one filter for each element of the gradient that flows in.
func (*ConvGradData) MultiplyAdds(n *ir.Node) int {
	return filterMultiplyAdds(n.In[0], n.In[1])
}

// MultiplyAdds is one filter for each element of the gradient that flows in.
func (c *ConvGradWeight) MultiplyAdds(n *ir.Node) int {
	return filterMultiplyAdds(n.In[1], n.Out[0]) / max(c.Parts, 1)
}

// filterMultiplyAdds is the elements of the small side of a convolution times
// the taps of one filter [O, C/group, KH, KW].
func filterMultiplyAdds(small, weight *ir.Value) int {
	return small.Type.Shape.Count() * weight.Type.Shape[1:].Count()
}
