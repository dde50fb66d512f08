package eval

import (
	"math"

	"netc/ir/op"
)

func init() {
	define("softmax", func(o *op.Softmax, in, out []*Tensor) { softmax(in[0], o.Axis, out[0]) })
	// dy/dx is the matrix y[i] * (1 if i = j else 0) - y[i] * y[j].
	define("softmax_grad", func(o *op.SoftmaxGrad, in, out []*Tensor) {
		y, dy, dx := in[0], in[1], out[0]
		eachLine(y, o.Axis, func(_ int, at []int) {
			for _, i := range at {
				for _, j := range at {
					dx.Data[j] -= dy.Data[i] * y.Data[i] * y.Data[j]
				}
				dx.Data[i] += dy.Data[i] * y.Data[i]
			}
		})
	})
}

// softmax is exp(x) divided by the sum of exp(x) along the axis; the maximum is
// taken off first, which changes nothing but keeps exp finite.
func softmax(x *Tensor, axis int, y *Tensor) {
	eachLine(x, axis, func(_ int, at []int) {
		largest := math.Inf(-1)
		for _, i := range at {
			largest = math.Max(largest, x.Data[i])
		}
		sum := 0.0
		for _, i := range at {
			sum += math.Exp(x.Data[i] - largest)
		}
		for _, i := range at {
			y.Data[i] = math.Exp(x.Data[i]-largest) / sum
		}
	})
}

// eachLine visits the lines of a tensor along an axis: the line's number and
// the positions of its elements, which are only valid during the visit.
func eachLine(t *Tensor, axis int, visit func(line int, at []int)) {
	before, extent, after := lines(t.Type.Shape, axis)
	at := make([]int, extent)
	for b := range before {
		for a := range after {
			for i := range at {
				at[i] = (b*extent+i)*after + a
			}
			visit(b*after+a, at)
		}
	}
}
