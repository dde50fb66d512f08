package eval

import (
	"math"
	"slices"

	"netc/ir/op"
)

// smallestProbability is C's FLT_MIN, below which Caffe's softmax loss takes no
// logarithm: the worst loss of a sample is 87.3365.
const smallestProbability = 0x1p-126

func init() {
	define("softmax_loss", func(o *op.SoftmaxLoss, in, out []*Tensor) {
		scores, labels, loss, prob := in[0], in[1], out[0], out[1]
		softmax(scores, o.Axis, prob)
		eachLine(prob, o.Axis, func(line int, at []int) {
			label := int(labels.Data[line])
			switch {
			case o.HasIgnore && label == o.Ignore:
			case label < 0 || label >= len(at): // no such class: as improbable as can be
				loss.Data[0] -= math.Log(smallestProbability)
			default:
				loss.Data[0] -= math.Log(math.Max(prob.Data[at[label]], smallestProbability))
			}
		})
		loss.Data[0] /= lossNormalizer(prob, labels, o.Axis, o.HasIgnore, o.Ignore, o.Normalization)
	})
	define("softmax_loss_grad", func(o *op.SoftmaxLossGrad, in, out []*Tensor) {
		prob, labels, factor, dscores := in[0], in[1], in[2].Data[0], out[0]
		eachLine(prob, o.Axis, func(line int, at []int) {
			label := int(labels.Data[line])
			if o.HasIgnore && label == o.Ignore {
				return
			}
			for class, i := range at {
				dscores.Data[i] = prob.Data[i]
				if class == label {
					dscores.Data[i]--
				}
				dscores.Data[i] *= factor
			}
		})
	})
	define("count_labels", func(o *op.CountLabels, in, out []*Tensor) {
		others := slices.DeleteFunc(slices.Clone(in[0].Data), func(label float64) bool { return int(label) == o.Ignore })
		out[0].Data[0] = math.Max(1, float64(len(others)))
	})
}

// lossNormalizer is what a loss is divided by (loss_layer.cpp, softmax_loss_layer.cpp),
// at least 1.
func lossNormalizer(scores, labels *Tensor, axis int, hasIgnore bool, ignore int, normalization string) float64 {
	before, _, after := lines(scores.Type.Shape, axis)
	count := 1
	switch normalization {
	case "full":
		count = before * after
	case "batch_size":
		count = before
	case "valid":
		count = 0
		for _, label := range labels.Data {
			if !hasIgnore || int(label) != ignore {
				count++
			}
		}
	}
	return math.Max(1, float64(count))
}
