package eval

import "netc/ir/op"

func init() {
	define("sum", func(o *op.Sum, in, out []*Tensor) {
		summed := map[int]bool{}
		for _, axis := range o.Axes {
			summed[axis] = true
		}
		var to []int
		eachIndex(in[0].Type.Shape, func(flat int, index []int) {
			to = to[:0]
			for axis, i := range index {
				if !summed[axis] {
					to = append(to, i)
				}
			}
			out[0].Data[position(out[0].Type.Shape, to)] += in[0].Data[flat]
		})
	})
}
