package eval

import "netc/ir/op"

func init() {
	define("broadcast", func(o *op.Broadcast, in, out []*Tensor) {
		from := make([]int, len(o.Axes))
		eachIndex(out[0].Type.Shape, func(flat int, index []int) {
			for i, axis := range o.Axes {
				from[i] = index[axis]
			}
			out[0].Data[flat] = in[0].Data[position(in[0].Type.Shape, from)]
		})
	})
}
