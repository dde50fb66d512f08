package eval

import (
	"math"

	"netc/ir/op"
)

func init() {
	define("lrn", func(o *op.LRN, in, out []*Tensor) {
		images, result := imageOf(in[0]), imageOf(out[0])
		eachWindow(images, func(n, c, y, x int) {
			scale := lrnScale(images, o.Size, o.Alpha, o.K, n, c, y, x)
			*result.at(n, c, y, x) = *images.at(n, c, y, x) * math.Pow(scale, -o.Beta)
		})
	})
	// Each result is x[c] * scale[c]^-beta, and scale[c] depends on the channels
	// around c: its gradient is handed to each of them.
	define("lrn_grad", func(o *op.LRNGrad, in, out []*Tensor) {
		images, gradient, result := imageOf(in[0]), imageOf(in[1]), imageOf(out[0])
		eachWindow(images, func(n, c, y, x int) {
			scale := lrnScale(images, o.Size, o.Alpha, o.K, n, c, y, x)
			dy, value := *gradient.at(n, c, y, x), *images.at(n, c, y, x)
			*result.at(n, c, y, x) += dy * math.Pow(scale, -o.Beta)
			dscale := dy * value * -o.Beta * math.Pow(scale, -o.Beta-1)
			for j := max(c-o.Size/2, 0); j <= min(c+o.Size/2, images.c-1); j++ {
				*result.at(n, j, y, x) += dscale * o.Alpha / float64(o.Size) * 2 * *images.at(n, j, y, x)
			}
		})
	})
}

// lrnScale is k + alpha/size times the sum of squares over the size channels
// around c.
func lrnScale(images image, size int, alpha, k float64, n, c, y, x int) float64 {
	sum := 0.0
	for j := max(c-size/2, 0); j <= min(c+size/2, images.c-1); j++ {
		sum += *images.at(n, j, y, x) * *images.at(n, j, y, x)
	}
	return k + alpha/float64(size)*sum
}
