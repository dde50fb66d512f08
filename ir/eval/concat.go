package eval

import "netc/ir/op"

func init() {
	define("concat", func(o *op.Concat, in, out []*Tensor) { copyPieces(o.Axis, out[0], in, false) })
	define("split", func(o *op.Split, in, out []*Tensor) { copyPieces(o.Axis, in[0], out, true) })
}

// copyPieces copies between a whole and the pieces that lie along one axis of
// it, end to end: out of the whole, or into it.
func copyPieces(axis int, whole *Tensor, pieces []*Tensor, outOfWhole bool) {
	start := 0
	for _, piece := range pieces {
		eachIndex(piece.Type.Shape, func(flat int, index []int) {
			index[axis] += start
			at := position(whole.Type.Shape, index)
			if outOfWhole {
				piece.Data[flat] = whole.Data[at]
			} else {
				whole.Data[at] = piece.Data[flat]
			}
		})
		start += piece.Type.Shape[axis]
	}
}
