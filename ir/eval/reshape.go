package eval

import "netc/ir/op"

func init() {
	define("reshape", func(o *op.Reshape, in, out []*Tensor) {
		copy(out[0].Data, in[0].Data)
	})
}
