package eval

import (
	"math"

	"netc/ir/op"
)

func init() {
	define("batchnorm", func(o *op.BatchNorm, in, out []*Tensor) {
		x, y, mean, variance := in[0], out[0], out[1], out[2]
		for c := range mean.Data {
			count := 0.0
			eachOfChannel(x, c, func(i int) {
				mean.Data[c] += x.Data[i]
				count++
			})
			mean.Data[c] /= count
			eachOfChannel(x, c, func(i int) {
				variance.Data[c] += (x.Data[i] - mean.Data[c]) * (x.Data[i] - mean.Data[c])
			})
			variance.Data[c] /= count
		}
		normalize(x, mean, variance, o.Eps, y)
	})
	define("normalize", func(o *op.Normalize, in, out []*Tensor) {
		normalize(in[0], in[1], in[2], o.Eps, out[0])
	})
}

func normalize(x, mean, variance *Tensor, eps float64, y *Tensor) {
	for c := range mean.Data {
		eachOfChannel(x, c, func(i int) {
			y.Data[i] = (x.Data[i] - mean.Data[c]) / math.Sqrt(variance.Data[c]+eps)
		})
	}
}

// eachOfChannel visits the positions of one channel of [N, C, …].
func eachOfChannel(t *Tensor, channel int, visit func(i int)) {
	samples, channels, pixels := lines(t.Type.Shape, 1)
	for n := range samples {
		for p := range pixels {
			visit((n*channels+channel)*pixels + p)
		}
	}
}
