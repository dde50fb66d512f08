package op_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// trial is one application of an operator.
type trial struct {
	op   op.Operator
	in   []ir.Type
	fill map[int]func(r *rand.Rand, t ir.Type) []float64 // by operand; nil: ordinary
	// prepare sets operands that depend on others, once all are filled.
	prepare func(in [][]float64)
	// through lists the results that the loss of the gradient test is made of;
	// nil for an operator without a gradient.
	through []int
}

func one(t ...ir.Type) []ir.Type { return t }

func between(r *rand.Rand, low, high int) int { return low + r.IntN(high-low+1) }

// shape is a random small shape of that rank.
func shape(r *rand.Rand, rank int) ir.Shape {
	s := make(ir.Shape, rank)
	for i := range s {
		s[i] = between(r, 1, 4)
	}
	return s
}

// subset is a random increasing choice of 0 … n-1.
func subset(r *rand.Rand, n int) []int {
	var list []int
	for i := range n {
		if r.IntN(2) == 0 {
			list = append(list, i)
		}
	}
	return list
}

func pair(r *rand.Rand, low, high int) []int {
	return []int{between(r, low, high), between(r, low, high)}
}

// window is a random pooling window over an image that fits it.
func window(r *rand.Rand) (w op.MaxPool, image ir.Type) {
	for {
		w = op.MaxPool{Kernel: pair(r, 1, 4), Stride: pair(r, 1, 4), Pad: pair(r, 0, 2), Floor: r.IntN(3) == 0}
		image = ir.Float(between(r, 1, 2), between(r, 1, 3), between(r, 1, 9), between(r, 1, 9))
		if _, err := w.Infer(one(image)); err == nil {
			return w, image
		}
	}
}

// filter is a random convolution with its images and weights.
func filter(r *rand.Rand) (c op.Conv, image, weight, out ir.Type) {
	for {
		c = op.Conv{Stride: pair(r, 1, 3), Pad: pair(r, 0, 2), Dilation: pair(r, 1, 2), Group: between(r, 1, 3)}
		if r.IntN(4) == 0 {
			c.Stride = pair(r, 3, 5) // more phases than a nest for each
		}
		weight = ir.Float(c.Group*between(r, 1, 2), between(r, 1, 2), between(r, 1, 3), between(r, 1, 3))
		image = ir.Float(between(r, 1, 2), weight.Shape[1]*c.Group, between(r, 1, 7), between(r, 1, 7))
		if outs, err := c.Infer(one(image, weight)); err == nil {
			return c, image, weight, outs[0]
		}
	}
}

// scored is a random score tensor, a class axis and labels for it.
func scored(r *rand.Rand) (scores, labels ir.Type, axis int) {
	s := shape(r, between(r, 1, 4))
	axis = r.IntN(len(s))
	l := slices.Delete(slices.Clone(s), axis, axis+1)
	if r.IntN(2) == 0 {
		l = slices.Insert(l, axis, 1)
	}
	return ir.Float(s...), ir.Int(l...), axis
}

func channels(t ir.Type) ir.Type { return ir.Float(t.Shape[1]) }

var normalizations = []string{"valid", "full", "batch_size", "none"}

// trials makes random applications of each operator that is not in the
// pointwise table. An operator without an entry fails TestEveryOperator.
var trials = map[string]func(r *rand.Rand) trial{
	"accuracy": func(r *rand.Rand) trial {
		scores, labels, axis := scored(r)
		return trial{op: &op.Accuracy{TopK: between(r, 1, 3), Axis: axis, Ignore: between(r, -1, 3), HasIgnore: r.IntN(2) == 0}, in: one(scores, labels)}
	},
	"accuracy_per_class": func(r *rand.Rand) trial {
		scores, labels, axis := scored(r)
		return trial{op: &op.AccuracyPerClass{TopK: between(r, 1, 3), Axis: axis, Ignore: between(r, -1, 3), HasIgnore: r.IntN(2) == 0}, in: one(scores, labels)}
	},
	"avgpool": func(r *rand.Rand) trial {
		w, image := window(r)
		return trial{op: (*op.AvgPool)(&w), in: one(image), through: []int{0}}
	},
	"avgpool_grad": func(r *rand.Rand) trial {
		w, image := window(r)
		out, _ := w.Infer(one(image))
		return trial{op: &op.AvgPoolGrad{Kernel: w.Kernel, Stride: w.Stride, Pad: w.Pad, Floor: w.Floor, Size: image.Shape[2:]}, in: one(out[0])}
	},
	"batchnorm": func(r *rand.Rand) trial {
		s := shape(r, between(r, 2, 5))
		s[0] += 2 // a variance over few elements is a kink of its own
		x := trial{op: &op.BatchNorm{Eps: 1e-3}, in: one(ir.Float(s...))}
		for len(x.through) == 0 {
			x.through = subset(r, 3)
		}
		return x
	},
	"batchnorm_grad": func(r *rand.Rand) trial {
		x := ir.Float(shape(r, between(r, 2, 5))...)
		return trial{op: &op.BatchNormGrad{Eps: 1e-3}, in: one(x, channels(x), channels(x), x),
			prepare: func(in [][]float64) { statistics(x.Shape, in[0], in[1], in[2]) }}
	},
	"broadcast": func(r *rand.Rand) trial {
		s := shape(r, between(r, 0, 5))
		o := &op.Broadcast{Shape: s, Axes: subset(r, len(s))}
		var from ir.Shape
		for _, a := range o.Axes {
			from = append(from, s[a])
		}
		return trial{op: o, in: one(ir.Float(from...)), through: []int{0}}
	},
	"concat": func(r *rand.Rand) trial {
		s := shape(r, between(r, 1, 4))
		axis := r.IntN(len(s))
		var in []ir.Type
		for range between(r, 1, 4) {
			piece := slices.Clone(s)
			piece[axis] = between(r, 1, 4)
			in = append(in, ir.Float(piece...))
		}
		return trial{op: &op.Concat{Axis: axis}, in: in, through: []int{0}}
	},
	"constant": func(r *rand.Rand) trial {
		return trial{op: &op.Constant{Value: r.NormFloat64(), Shape: shape(r, between(r, 0, 4))}}
	},
	"conv": func(r *rand.Rand) trial {
		c, image, weight, _ := filter(r)
		return trial{op: &c, in: one(image, weight), through: []int{0}}
	},
	"conv_grad_data": func(r *rand.Rand) trial {
		c, image, weight, out := filter(r)
		return trial{op: &op.ConvGradData{Stride: c.Stride, Pad: c.Pad, Dilation: c.Dilation, Group: c.Group, Size: image.Shape[2:]},
			in: one(out, weight), through: []int{0}}
	},
	"conv_grad_weight": func(r *rand.Rand) trial {
		c, image, weight, out := filter(r)
		return trial{op: &op.ConvGradWeight{Stride: c.Stride, Pad: c.Pad, Dilation: c.Dilation, Group: c.Group, Kernel: weight.Shape[2:]},
			in: one(image, out), through: []int{0}}
	},
	"dropout": func(r *rand.Rand) trial {
		return trial{op: &op.Dropout{Ratio: 0.9 * r.Float64(), Stream: r.IntN(1 << 20)},
			in: one(ir.Float(shape(r, between(r, 0, 4))...), ir.Int(), ir.Int()), through: []int{0}}
	},
	"lrn": func(r *rand.Rand) trial {
		return trial{op: randomLRN(r), in: one(lrnImage(r)), through: []int{0}}
	},
	"lrn_grad": func(r *rand.Rand) trial {
		f, image := randomLRN(r), lrnImage(r)
		return trial{op: &op.LRNGrad{Size: f.Size, Alpha: f.Alpha, Beta: f.Beta, K: f.K}, in: one(image, image)}
	},
	"map": func(r *rand.Rand) trial {
		x := ir.Float(shape(r, between(r, 0, 4))...)
		return trial{op: &op.Map{Formula: "a < 0.1 ? exp(a) * b : max(a, b) - c / 3"}, in: one(x, x, x)}
	},
	"matmul": func(r *rand.Rand) trial {
		m, n, k := between(r, 1, 5), between(r, 1, 5), between(r, 1, 5)
		o := &op.MatMul{TransA: r.IntN(2) == 0, TransB: r.IntN(2) == 0}
		a, b := []int{m, k}, []int{k, n}
		if o.TransA {
			slices.Reverse(a)
		}
		if o.TransB {
			slices.Reverse(b)
		}
		return trial{op: o, in: one(ir.Float(a...), ir.Float(b...)), through: []int{0}}
	},
	"maxpool": func(r *rand.Rand) trial {
		w, image := window(r)
		return trial{op: &w, in: one(image), through: []int{0}}
	},
	"maxpool_grad": func(r *rand.Rand) trial {
		w, image := window(r)
		out, _ := w.Infer(one(image))
		return trial{op: &op.MaxPoolGrad{Kernel: w.Kernel, Stride: w.Stride, Pad: w.Pad, Floor: w.Floor, Size: image.Shape[2:]}, in: out,
			fill: map[int]func(*rand.Rand, ir.Type) []float64{1: func(r *rand.Rand, t ir.Type) []float64 {
				return winners(r, w, image.Shape, t.Shape)
			}}}
	},
	"normalize": func(r *rand.Rand) trial {
		x := ir.Float(shape(r, between(r, 2, 5))...)
		return trial{op: &op.Normalize{Eps: 1e-3}, in: one(x, channels(x), channels(x)),
			fill: map[int]func(*rand.Rand, ir.Type) []float64{2: positive}, through: []int{0}}
	},
	"one_hot": func(r *rand.Rand) trial {
		return trial{op: &op.OneHot{Classes: between(r, 1, 4)}, in: one(ir.Int(shape(r, between(r, 0, 3))...))}
	},
	"subsample": func(r *rand.Rand) trial {
		return trial{op: &op.Subsample{Stride: pair(r, 1, 3)}, in: one(ir.Float(shape(r, 4)...))}
	},
	"relayout": func(r *rand.Rand) trial {
		s := shape(r, between(r, 1, 4))
		return trial{op: &op.Relayout{Lanes: between(r, 0, len(s))}, in: one(ir.Float(s...))}
	},
	"reshape": func(r *rand.Rand) trial {
		// Factors grouped in two ways give two shapes of one size.
		factors := shape(r, between(r, 0, 5))
		group := func() []int {
			s := []int{}
			for i, f := range factors {
				if i > 0 && r.IntN(2) == 0 {
					s[len(s)-1] *= f
				} else {
					s = append(s, f)
				}
			}
			return s
		}
		return trial{op: &op.Reshape{Shape: group()}, in: one(ir.Float(group()...)), through: []int{0}}
	},
	"softmax": func(r *rand.Rand) trial {
		scores, _, axis := scored(r)
		return trial{op: &op.Softmax{Axis: axis}, in: one(scores), through: []int{0}}
	},
	"softmax_grad": func(r *rand.Rand) trial {
		scores, _, axis := scored(r)
		return trial{op: &op.SoftmaxGrad{Axis: axis}, in: one(scores, scores)}
	},
	"softmax_loss": func(r *rand.Rand) trial {
		scores, labels, axis := scored(r)
		x := trial{in: one(scores, labels), through: []int{0},
			op: &op.SoftmaxLoss{Axis: axis, Ignore: between(r, -1, 3), HasIgnore: r.IntN(2) == 0, Normalization: normalizations[r.IntN(4)]},
			fill: map[int]func(*rand.Rand, ir.Type) []float64{1: func(r *rand.Rand, t ir.Type) []float64 {
				return classNumbers(r, t, scores.Shape[axis])
			}}}
		if r.IntN(2) == 0 {
			x.through = []int{0, 1}
		}
		return x
	},
	"softmax_loss_grad": func(r *rand.Rand) trial {
		scores, labels, axis := scored(r)
		return trial{op: &op.SoftmaxLossGrad{Axis: axis, Ignore: between(r, -1, 3), HasIgnore: r.IntN(2) == 0, Normalization: normalizations[r.IntN(4)]},
			in: one(scores, labels, ir.Float())}
	},
	"split": func(r *rand.Rand) trial {
		s := shape(r, between(r, 1, 4))
		o := &op.Split{Axis: r.IntN(len(s))}
		s[o.Axis] = 0
		for range between(r, 1, 4) {
			o.Sizes = append(o.Sizes, between(r, 1, 3))
			s[o.Axis] += o.Sizes[len(o.Sizes)-1]
		}
		x := trial{op: o, in: one(ir.Float(s...))}
		for len(x.through) == 0 { // the loss need not depend on every piece
			x.through = subset(r, len(o.Sizes))
		}
		return x
	},
	"sum": func(r *rand.Rand) trial {
		s := shape(r, between(r, 0, 5))
		return trial{op: &op.Sum{Axes: subset(r, len(s))}, in: one(ir.Float(s...)), through: []int{0}}
	},
	"to_float": func(r *rand.Rand) trial {
		return trial{op: &op.ToFloat{}, in: one(ir.Int(shape(r, between(r, 0, 4))...))}
	},
	"transpose": func(r *rand.Rand) trial {
		s := shape(r, between(r, 0, 5))
		return trial{op: &op.Transpose{Perm: r.Perm(len(s))}, in: one(ir.Float(s...)), through: []int{0}}
	},
}

func randomLRN(r *rand.Rand) *op.LRN {
	return &op.LRN{Size: 1 + 2*r.IntN(3), Alpha: 2 * r.Float64(), K: 0.5 + r.Float64(),
		Beta: []float64{0, 0.25, 0.5, 0.75, 1, 1.3}[r.IntN(6)]}
}

func lrnImage(r *rand.Rand) ir.Type {
	return ir.Float(between(r, 1, 2), between(r, 1, 7), between(r, 1, 2), between(r, 1, 3))
}

// classNumbers fills labels with classes: a label that is none has a gradient
// that is no derivative.
func classNumbers(r *rand.Rand, t ir.Type, classes int) []float64 {
	list := make([]float64, t.Shape.Count())
	for i := range list {
		list[i] = float64(r.IntN(classes))
	}
	return list
}

// statistics sets mean and variance of each channel of x.
func statistics(shape ir.Shape, x, mean, variance []float64) {
	inner := shape[2:].Count()
	count := float64(len(x) / shape[1])
	for c := range mean {
		mean[c], variance[c] = 0, 0
		for i, v := range x {
			if i/inner%shape[1] == c {
				mean[c] += v / count
			}
		}
		for i, v := range x {
			if i/inner%shape[1] == c {
				variance[c] += (v - mean[c]) * (v - mean[c]) / count
			}
		}
	}
}

// winners is an argmax that names some pixel of each window.
func winners(r *rand.Rand, w op.MaxPool, image, output ir.Shape) []float64 {
	inside := func(axis, position int) int {
		start := position*w.Stride[axis] - w.Pad[axis]
		return between(r, max(start, 0), min(start+w.Kernel[axis], image[2+axis])-1)
	}
	list := make([]float64, output.Count())
	for i := range list {
		y, x := inside(0, i/output[3]%output[2]), inside(1, i%output[3])
		list[i] = float64(y*image[3] + x)
	}
	return list
}

// trialOf makes a random application of any operator.
func trialOf(mnemonic string, r *rand.Rand) trial {
	if make := trials[mnemonic]; make != nil {
		return make(r)
	}
	o := op.Point(mnemonic)
	o.By, o.Slope, o.Alpha, o.Power = r.NormFloat64(), r.Float64(), 0.5+r.Float64(), 3*r.Float64()
	t := ir.Float(shape(r, between(r, 0, 4))...)
	x := trial{op: o, through: []int{0}, fill: map[int]func(*rand.Rand, ir.Type) []float64{}}
	if mnemonic == "detach" {
		x.through = nil
	}
	for i := range o.Operands() {
		x.in = append(x.in, t)
		switch mnemonic {
		case "sqrt", "log", "power", "div":
			x.fill[i] = positive
		}
	}
	return x
}

// TestEveryOperator fails for an operator that no trial covers and for a trial
// of none.
func TestEveryOperator(t *testing.T) {
	known := ir.Mnemonics()
	for _, name := range known {
		if trials[name] == nil && !slices.Contains(op.PointwiseNames(), name) {
			t.Errorf("%s has no trial", name)
		}
	}
	for name := range trials {
		if !slices.Contains(known, name) {
			t.Errorf("the trial %s is of no operator", name)
		}
	}
}

// each runs a check on some random applications of every operator.
func each(t *testing.T, count int, check func(t *testing.T, x trial, r *rand.Rand)) {
	names := ir.Mnemonics()
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for i := range count {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				check(t, trialOf(name, r), r)
			}
		})
	}
}
