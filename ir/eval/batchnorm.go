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
	define("moments", func(o *op.Moments, in, out []*Tensor) {
		x, mean, squares := in[0], out[0], out[1]
		size := len(x.Data) / len(mean.Data)
		for i := range mean.Data {
			elements := x.Data[i*size : (i+1)*size]
			for _, e := range elements {
				mean.Data[i] += e / float64(size)
			}
			for _, e := range elements {
				squares.Data[i] += math.Pow(e-mean.Data[i], 2)
			}
		}
	})
	// By second moments: those of all elements are the mean of the samples'.
	define("merge_moments", func(o *op.MergeMoments, in, out []*Tensor) {
		means, squares, mean, variance := in[0], in[1], out[0], out[1]
		channels, samples := len(mean.Data), float64(means.Type.Shape[0])
		for i, m := range means.Data {
			mean.Data[i%channels] += m / samples
			variance.Data[i%channels] += (squares.Data[i]/float64(o.Of) + m*m) / samples
		}
		for c, m := range mean.Data {
			variance.Data[c] -= m * m
		}
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
