package eval

import "netc/ir/op"

func init() {
	define("transpose", func(o *op.Transpose, in, out []*Tensor) {
		from := make([]int, len(o.Perm))
		eachIndex(out[0].Type.Shape, func(flat int, index []int) {
			for axis, i := range index {
				from[o.Perm[axis]] = i
			}
			out[0].Data[flat] = in[0].Data[position(in[0].Type.Shape, from)]
		})
	})
}
