package example

import (
	"maps"
	"math/rand/v2"
	"slices"

	"netc/ir"
	"netc/ir/op"
)

// Trial is a random application of an operator.
type Trial struct {
	Op   op.Operator
	In   []ir.Type
	Fill map[int]func(r *rand.Rand, t ir.Type) []float64 // by operand; nil: Ordinary
	// Prepare sets operands that depend on others, once all are filled.
	Prepare func(in [][]float64)
	// Through lists the results that the loss of a gradient test is made of;
	// nil for an operator without a gradient.
	Through []int
}

// Operands fills the operands.
func (x Trial) Operands(r *rand.Rand) [][]float64 {
	data := make([][]float64, len(x.In))
	for i, t := range x.In {
		if fill := x.Fill[i]; fill != nil {
			data[i] = fill(r, t)
		} else {
			data[i] = Ordinary(r, t, i)
		}
	}
	if x.Prepare != nil {
		x.Prepare(data)
	}
	return data
}

// sizes draws extents: small ones, or wide ones, which fill vectors and blocks
// of the batch and end inside them.
type sizes struct {
	*rand.Rand
	wide bool
}

// batch is a number of images of at most two, or a wide one.
func (r sizes) batch() int {
	if r.wide {
		return wideBatches[r.IntN(len(wideBatches))]
	}
	return between(r, 1, 2)
}

var wideBatches = []int{1, 2, 3, 7, 8, 9, 16, 17, 20, 33}

// extent is one of at most most, or a wide one.
func (r sizes) extent(most int) int {
	if r.wide && r.IntN(2) == 0 {
		return between(r, 1, 40)
	}
	return between(r, 1, most)
}

func one(t ...ir.Type) []ir.Type { return t }

func between(r interface{ IntN(int) int }, low, high int) int { return low + r.IntN(high-low+1) }

// shape is a random shape of that rank: small, or wide along the first axis and
// sometimes one more.
func shape(r sizes, rank int) ir.Shape {
	s := make(ir.Shape, rank)
	for i := range s {
		s[i] = between(r, 1, 4)
	}
	if r.wide && rank > 0 {
		s[0] = r.batch()
		i := r.IntN(rank)
		s[i] = max(s[i], r.extent(4))
	}
	return s
}

// subset is a random increasing choice of 0 … n-1.
func subset(r sizes, n int) []int {
	var list []int
	for i := range n {
		if r.IntN(2) == 0 {
			list = append(list, i)
		}
	}
	return list
}

func pair(r sizes, low, high int) []int {
	return []int{between(r, low, high), between(r, low, high)}
}

// window is a random pooling window over an image that fits it.
func window(r sizes) (w op.MaxPool, image ir.Type) {
	for {
		w = op.MaxPool{Kernel: pair(r, 1, 4), Stride: pair(r, 1, 4), Pad: pair(r, 0, 2), Floor: r.IntN(3) == 0, Plane: r.IntN(4) == 0}
		image = ir.Float(r.batch(), between(r, 1, 3), between(r, 1, 9), between(r, 1, 9))
		if _, err := w.Infer(one(image)); err == nil {
			return w, image
		}
	}
}

// filter is a random convolution with its images and weights.
func filter(r sizes) (c op.Conv, image, weight, out ir.Type) {
	for {
		c = op.Conv{Stride: pair(r, 1, 3), Pad: pair(r, 0, 2), Dilation: pair(r, 1, 2), Group: between(r, 1, 3)}
		if r.IntN(4) == 0 {
			c.Stride = pair(r, 3, 5) // more phases than a nest for each
		}
		weight = ir.Float(c.Group*between(r, 1, 2), between(r, 1, 2), between(r, 1, 3), between(r, 1, 3))
		image = ir.Float(r.batch(), weight.Shape[1]*c.Group, between(r, 1, 7), between(r, 1, 7))
		if outs, err := c.Infer(one(image, weight)); err == nil {
			return c, image, weight, outs[0]
		}
	}
}

// scored is a random score tensor, a class axis and labels for it.
func scored(r sizes) (scores, labels ir.Type, axis int) {
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
var trials = map[string]func(r sizes) Trial{
	"accuracy": func(r sizes) Trial {
		scores, labels, axis := scored(r)
		return Trial{Op: &op.Accuracy{TopK: between(r, 1, 3), Axis: axis, Ignore: between(r, -1, 3), HasIgnore: r.IntN(2) == 0}, In: one(scores, labels)}
	},
	"accuracy_per_class": func(r sizes) Trial {
		scores, labels, axis := scored(r)
		return Trial{Op: &op.AccuracyPerClass{TopK: between(r, 1, 3), Axis: axis, Ignore: between(r, -1, 3), HasIgnore: r.IntN(2) == 0}, In: one(scores, labels)}
	},
	"avgpool": func(r sizes) Trial {
		w, image := window(r)
		return Trial{Op: &op.AvgPool{Kernel: w.Kernel, Stride: w.Stride, Pad: w.Pad, Floor: w.Floor}, In: one(image), Through: []int{0}}
	},
	"avgpool_grad": func(r sizes) Trial {
		w, image := window(r)
		out, _ := w.Infer(one(image))
		return Trial{Op: &op.AvgPoolGrad{Kernel: w.Kernel, Stride: w.Stride, Pad: w.Pad, Floor: w.Floor, Size: image.Shape[2:]}, In: one(out[0])}
	},
	"batchnorm": func(r sizes) Trial {
		s := shape(r, between(r, 2, 5))
		s[0] += 2 // a variance over few elements is a kink of its own
		x := Trial{Op: &op.BatchNorm{Eps: 1e-3}, In: one(ir.Float(s...))}
		for len(x.Through) == 0 {
			x.Through = subset(r, 3)
		}
		return x
	},
	"broadcast": func(r sizes) Trial {
		s := shape(r, between(r, 0, 5))
		o := &op.Broadcast{Shape: s, Axes: subset(r, len(s))}
		var from ir.Shape
		for _, a := range o.Axes {
			from = append(from, s[a])
		}
		return Trial{Op: o, In: one(ir.Float(from...)), Through: []int{0}}
	},
	"concat": func(r sizes) Trial {
		s := shape(r, between(r, 1, 4))
		axis := r.IntN(len(s))
		var in []ir.Type
		for range between(r, 1, 4) {
			piece := slices.Clone(s)
			piece[axis] = between(r, 1, 4)
			in = append(in, ir.Float(piece...))
		}
		return Trial{Op: &op.Concat{Axis: axis}, In: in, Through: []int{0}}
	},
	"constant": func(r sizes) Trial {
		return Trial{Op: &op.Constant{Value: r.NormFloat64(), Shape: shape(r, between(r, 0, 4))}}
	},
	"conv": func(r sizes) Trial {
		c, image, weight, _ := filter(r)
		return Trial{Op: &c, In: one(image, weight), Through: []int{0}}
	},
	"conv_grad_data": func(r sizes) Trial {
		c, image, weight, out := filter(r)
		return Trial{Op: &op.ConvGradData{Stride: c.Stride, Pad: c.Pad, Dilation: c.Dilation, Group: c.Group, Size: image.Shape[2:]},
			In: one(out, weight), Through: []int{0}}
	},
	"conv_grad_weight": func(r sizes) Trial {
		c, image, weight, out := filter(r)
		return Trial{Op: &op.ConvGradWeight{Stride: c.Stride, Pad: c.Pad, Dilation: c.Dilation, Group: c.Group, Kernel: weight.Shape[2:]},
			In: one(image, out), Through: []int{0}}
	},
	"count_labels": func(r sizes) Trial {
		_, labels, _ := scored(r)
		return Trial{Op: &op.CountLabels{Ignore: between(r, -1, 3)}, In: one(labels)}
	},
	"dropout": func(r sizes) Trial {
		return Trial{Op: &op.Dropout{Ratio: 0.9 * r.Float64(), Stream: r.IntN(1 << 20)},
			In: one(ir.Float(shape(r, between(r, 0, 4))...), ir.Int(), ir.Int()), Through: []int{0}}
	},
	"lrn": func(r sizes) Trial {
		return Trial{Op: randomLRN(r), In: one(lrnImage(r)), Through: []int{0}}
	},
	"lrn_grad": func(r sizes) Trial {
		f, image := randomLRN(r), lrnImage(r)
		return Trial{Op: &op.LRNGrad{Size: f.Size, Alpha: f.Alpha, Beta: f.Beta, K: f.K}, In: one(image, image)}
	},
	"map": func(r sizes) Trial {
		x := ir.Float(shape(r, between(r, 0, 4))...)
		return Trial{Op: &op.Map{Formula: "a < 0.1 ? exp(a) * b : max(a, b) - c / 3"}, In: one(x, x, x)}
	},
	"matmul": func(r sizes) Trial {
		m, n, k := r.extent(5), r.extent(5), r.extent(5)
		o := &op.MatMul{TransA: r.IntN(2) == 0, TransB: r.IntN(2) == 0}
		a, b := []int{m, k}, []int{k, n}
		if o.TransA {
			slices.Reverse(a)
		}
		if o.TransB {
			slices.Reverse(b)
		}
		return Trial{Op: o, In: one(ir.Float(a...), ir.Float(b...)), Through: []int{0}}
	},
	"maxpool": func(r sizes) Trial {
		w, image := window(r)
		return Trial{Op: &w, In: one(image), Through: []int{0}}
	},
	"maxpool_grad": func(r sizes) Trial {
		w, image := window(r)
		out, _ := w.Infer(one(image))
		return Trial{Op: &op.MaxPoolGrad{Kernel: w.Kernel, Stride: w.Stride, Pad: w.Pad, Floor: w.Floor, Plane: w.Plane, Size: image.Shape[2:]}, In: out,
			Fill: map[int]func(*rand.Rand, ir.Type) []float64{1: func(r *rand.Rand, t ir.Type) []float64 {
				return winners(r, w, image.Shape, t.Shape)
			}}}
	},
	"merge_moments": func(r sizes) Trial {
		part := ir.Float(shape(r, 2)...)
		return Trial{Op: &op.MergeMoments{Of: between(r, 1, 9)}, In: one(part, part),
			Fill: map[int]func(*rand.Rand, ir.Type) []float64{1: Positive}}
	},
	"moments": func(r sizes) Trial {
		return Trial{Op: &op.Moments{}, In: one(ir.Float(shape(r, between(r, 3, 5))...))}
	},
	"normalize": func(r sizes) Trial {
		x := ir.Float(shape(r, between(r, 2, 5))...)
		return Trial{Op: &op.Normalize{Eps: 1e-3}, In: one(x, channels(x), channels(x)),
			Fill: map[int]func(*rand.Rand, ir.Type) []float64{2: Positive}, Through: []int{0}}
	},
	"one_hot": func(r sizes) Trial {
		return Trial{Op: &op.OneHot{Classes: between(r, 1, 4)}, In: one(ir.Int(shape(r, between(r, 0, 3))...))}
	},
	"subsample": func(r sizes) Trial {
		return Trial{Op: &op.Subsample{Stride: pair(r, 1, 3)}, In: one(ir.Float(shape(r, 4)...))}
	},
	"relayout": func(r sizes) Trial {
		s := shape(r, between(r, 1, 4))
		return Trial{Op: &op.Relayout{Lanes: between(r, 0, len(s))}, In: one(ir.Float(s...))}
	},
	"reshape": func(r sizes) Trial {
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
		return Trial{Op: &op.Reshape{Shape: group()}, In: one(ir.Float(group()...)), Through: []int{0}}
	},
	"softmax": func(r sizes) Trial {
		scores, _, axis := scored(r)
		return Trial{Op: &op.Softmax{Axis: axis}, In: one(scores), Through: []int{0}}
	},
	"softmax_grad": func(r sizes) Trial {
		scores, _, axis := scored(r)
		return Trial{Op: &op.SoftmaxGrad{Axis: axis}, In: one(scores, scores)}
	},
	"softmax_loss": func(r sizes) Trial {
		scores, labels, axis := scored(r)
		x := Trial{In: one(scores, labels), Through: []int{0},
			Op: &op.SoftmaxLoss{Axis: axis, Ignore: between(r, -1, 3), HasIgnore: r.IntN(2) == 0, Normalization: normalizations[r.IntN(4)]},
			Fill: map[int]func(*rand.Rand, ir.Type) []float64{1: func(r *rand.Rand, t ir.Type) []float64 {
				return classNumbers(r, t, scores.Shape[axis])
			}}}
		if r.IntN(2) == 0 {
			x.Through = []int{0, 1}
		}
		return x
	},
	"softmax_loss_grad": func(r sizes) Trial {
		scores, labels, axis := scored(r)
		return Trial{Op: &op.SoftmaxLossGrad{Axis: axis, Ignore: between(r, -1, 3), HasIgnore: r.IntN(2) == 0},
			In: one(scores, labels, ir.Float())}
	},
	"split": func(r sizes) Trial {
		s := shape(r, between(r, 1, 4))
		o := &op.Split{Axis: r.IntN(len(s))}
		s[o.Axis] = 0
		for range between(r, 1, 4) {
			o.Sizes = append(o.Sizes, between(r, 1, 3))
			s[o.Axis] += o.Sizes[len(o.Sizes)-1]
		}
		x := Trial{Op: o, In: one(ir.Float(s...))}
		for len(x.Through) == 0 { // the loss need not depend on every piece
			x.Through = subset(r, len(o.Sizes))
		}
		return x
	},
	"sum": func(r sizes) Trial {
		s := shape(r, between(r, 0, 5))
		return Trial{Op: &op.Sum{Axes: subset(r, len(s))}, In: one(ir.Float(s...)), Through: []int{0}}
	},
	"to_float": func(r sizes) Trial {
		return Trial{Op: &op.ToFloat{}, In: one(ir.Int(shape(r, between(r, 0, 4))...))}
	},
	"transpose": func(r sizes) Trial {
		s := shape(r, between(r, 0, 5))
		return Trial{Op: &op.Transpose{Perm: r.Perm(len(s))}, In: one(ir.Float(s...)), Through: []int{0}}
	},
}

func randomLRN(r sizes) *op.LRN {
	return &op.LRN{Size: 1 + 2*r.IntN(3), Alpha: 2 * r.Float64(), K: 0.5 + r.Float64(),
		Beta: []float64{0, 0.25, 0.5, 0.75, 1, 1.3}[r.IntN(6)]}
}

func lrnImage(r sizes) ir.Type {
	return ir.Float(r.batch(), between(r, 1, 7), between(r, 1, 2), between(r, 1, 3))
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

// winners is an argmax that names some pixel of each window, of no more than
// 256 taps.
func winners(r *rand.Rand, w op.MaxPool, image, output ir.Shape) []float64 {
	inside := func(axis, position int) (start, pixel int) {
		start = position*w.Stride[axis] - w.Pad[axis]
		return start, between(r, max(start, 0), min(start+w.Kernel[axis], image[2+axis])-1)
	}
	list := make([]float64, output.Count())
	for i := range list {
		top, y := inside(0, i/output[3]%output[2])
		left, x := inside(1, i%output[3])
		list[i] = float64((y-top)*w.Kernel[1] + x - left)
		if w.Plane {
			list[i] = float64(y*image[3] + x)
		}
	}
	return list
}

// Trials lists the operators outside the pointwise table that have trials.
func Trials() []string { return slices.Sorted(maps.Keys(trials)) }

// TrialOf makes a random small application of any operator.
func TrialOf(mnemonic string, r *rand.Rand) Trial { return trialOf(mnemonic, sizes{r, false}) }

// WideTrialOf makes one with extents around the sizes of vectors and blocks.
func WideTrialOf(mnemonic string, r *rand.Rand) Trial { return trialOf(mnemonic, sizes{r, true}) }

func trialOf(mnemonic string, r sizes) Trial {
	if make := trials[mnemonic]; make != nil {
		return make(r)
	}
	o := op.Point(mnemonic)
	o.By, o.Slope, o.Alpha, o.Power = r.NormFloat64(), r.Float64(), 0.5+r.Float64(), 3*r.Float64()
	t := ir.Float(shape(r, between(r, 0, 4))...)
	x := Trial{Op: o, Through: []int{0}, Fill: map[int]func(*rand.Rand, ir.Type) []float64{}}
	if mnemonic == "detach" {
		x.Through = nil
	}
	for i := range o.Operands() {
		x.In = append(x.In, t)
		switch mnemonic {
		case "sqrt", "log", "power", "div":
			x.Fill[i] = Positive
		}
	}
	return x
}

// Ordinary fills operand i: numbers between -2 and 2 that keep a distance from
// each other, from zero and from those of other operands, in random order; for
// i32, small class numbers, of which some are no class.
func Ordinary(r *rand.Rand, t ir.Type, i int) []float64 {
	list := make([]float64, t.Shape.Count())
	if t.DType.IsInt() {
		for j := range list {
			list[j] = float64(r.IntN(5) - 1)
		}
		return list
	}
	gap := 4 / float64(len(list))
	for j, k := range r.Perm(len(list)) {
		list[j] = -2 + gap*(float64(k)+0.3+0.1*float64(i))
	}
	return list
}

// Positive fills with numbers between 0.5 and 2.5.
func Positive(r *rand.Rand, t ir.Type) []float64 {
	list := make([]float64, t.Shape.Count())
	for j := range list {
		list[j] = 0.5 + 2*r.Float64()
	}
	return list
}
