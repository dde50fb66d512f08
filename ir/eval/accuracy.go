package eval

import "netc/ir/op"

func init() {
	define("accuracy", func(o *op.Accuracy, in, out []*Tensor) {
		hits, counted := countHits(in[0], in[1], o.Axis, o.TopK, o.HasIgnore, o.Ignore)
		var hit, all float64
		for class := range hits {
			hit += hits[class]
			all += counted[class]
		}
		if all > 0 {
			out[0].Data[0] = hit / all
		}
	})
	define("accuracy_per_class", func(o *op.AccuracyPerClass, in, out []*Tensor) {
		hits, counted := countHits(in[0], in[1], o.Axis, o.TopK, o.HasIgnore, o.Ignore)
		for class := range out[0].Data {
			if counted[class] > 0 {
				out[0].Data[class] = hits[class] / counted[class]
			}
		}
	})
}

// countHits counts, for each class, the samples labelled with it that are not
// ignored, and those of them that are hit: fewer than topK other scores are at
// least the label's, so that ties count against (accuracy_layer.cpp). Labels
// that are no class count, as misses, in the entry after the last class.
func countHits(scores, labels *Tensor, axis, topK int, hasIgnore bool, ignore int) (hits, counted []float64) {
	_, classes, _ := lines(scores.Type.Shape, axis)
	hits, counted = make([]float64, classes+1), make([]float64, classes+1)
	eachLine(scores, axis, func(line int, at []int) {
		label := int(labels.Data[line])
		if hasIgnore && label == ignore {
			return
		}
		if label < 0 || label >= classes {
			counted[classes]++
			return
		}
		counted[label]++
		rivals := 0
		for class, i := range at {
			if class != label && scores.Data[i] >= scores.Data[at[label]] {
				rivals++
			}
		}
		if rivals < topK {
			hits[label]++
		}
	})
	return hits, counted
}
