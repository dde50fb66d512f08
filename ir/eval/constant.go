package eval

import "netc/ir/op"

func init() {
	define("constant", func(o *op.Constant, in, out []*Tensor) {
		for i := range out[0].Data {
			out[0].Data[i] = o.Value
		}
	})
	define("to_float", func(o *op.ToFloat, in, out []*Tensor) {
		copy(out[0].Data, in[0].Data)
	})
	// A class outside [0, Classes) gives a row of zeros.
	define("one_hot", func(o *op.OneHot, in, out []*Tensor) {
		for i, class := range in[0].Data {
			if class >= 0 && int(class) < o.Classes {
				out[0].Data[i*o.Classes+int(class)] = 1
			}
		}
	})
}
