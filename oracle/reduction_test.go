package oracle

import (
	"fmt"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"netc/ir/eval"
	"netc/ir/op"
)

func TestSum(t *testing.T) {
	for _, axes := range [][]int{{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}} {
		t.Run(fmt.Sprint(axes), func(t *testing.T) {
			x := random(1, 3, 4, 5)
			agree(t, reference(t, &op.Sum{Axes: axes}, x)[0], must(Dense(x).Sum(slices.Clone(axes)...)))
		})
	}
}

func TestTranspose(t *testing.T) {
	for _, perm := range [][]int{{1, 0, 2}, {2, 0, 1}, {1, 2, 0}, {2, 1, 0}} {
		x := random(1, 3, 4, 5)
		want := must(tensor.Transpose(Dense(x), perm...))
		agree(t, reference(t, &op.Transpose{Perm: perm}, x)[0], want)
	}
}

func TestBroadcast(t *testing.T) {
	x := random(1, 4)
	row := tensor.New(tensor.WithShape(1, 4), tensor.WithBacking(slices.Clone(x.Data)))
	agree(t, reference(t, &op.Broadcast{Shape: []int{3, 4}, Axes: []int{1}}, x)[0], must(tensor.Repeat(row, 0, 3)))
	column := tensor.New(tensor.WithShape(4, 1), tensor.WithBacking(slices.Clone(x.Data)))
	agree(t, reference(t, &op.Broadcast{Shape: []int{4, 3}, Axes: []int{0}}, x)[0], must(tensor.Repeat(column, 1, 3)))
}

func TestConcat(t *testing.T) {
	a, b := random(1, 2, 3, 4), random(2, 2, 1, 4)
	agree(t, reference(t, &op.Concat{Axis: 1}, a, b)[0], must(tensor.Concat(1, Dense(a), Dense(b))))
}

// TestSoftmax has two judges: the library's own softmax, and its exp and sum.
func TestSoftmax(t *testing.T) {
	x := random(1, 4, 6)
	y := reference(t, &op.Softmax{Axis: 1}, x)[0]
	agree(t, y, must(tensor.SoftMax(Dense(x), 1)))

	powers := must(tensor.Exp(Dense(x)))
	sums := must(tensor.Sum(powers, 1))
	must(0, sums.Reshape(4, 1))
	agree(t, y, must(tensor.Div(powers, must(tensor.Repeat(sums, 1, 6)))))
}

// TestBatchNorm takes mean and variance from sums along the batch.
func TestBatchNorm(t *testing.T) {
	const samples, channels, eps = 6, 3, 1e-3
	x := random(1, samples, channels)
	out := reference(t, &op.BatchNorm{Eps: eps}, x)
	over := func(x tensor.Tensor) tensor.Tensor {
		mean := must(tensor.Div(must(tensor.Sum(x, 0)), float64(samples)))
		must(0, mean.Reshape(1, channels))
		return must(tensor.Repeat(mean, 0, samples))
	}
	centred := must(tensor.Sub(Dense(x), over(Dense(x))))
	variance := over(must(tensor.Square(centred)))
	agree(t, out[0], must(tensor.Div(centred, must(tensor.Sqrt(must(tensor.Add(variance, eps)))))))
	agreeElements(t, out[1], must(Floats(over(Dense(x))))[:channels])
	agreeElements(t, out[2], must(Floats(variance))[:channels])
}

// TestPointwise compares the functions that both worlds have.
func TestPointwise(t *testing.T) {
	x, y := random(1, 5, 7), random(2, 5, 7)
	for name, judge := range map[string]func(a, b *tensor.Dense) (tensor.Tensor, error){
		"add":    func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Add(a, b) },
		"sub":    func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Sub(a, b) },
		"mul":    func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Mul(a, b) },
		"div":    func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Div(a, b) },
		"max":    func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.MaxBetween(a, b) },
		"neg":    func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Neg(a) },
		"square": func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Square(a) },
		"abs":    func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Abs(a) },
		"exp":    func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Exp(a) },
		"tanh":   func(a, b *tensor.Dense) (tensor.Tensor, error) { return tensor.Tanh(a) },
	} {
		t.Run(name, func(t *testing.T) {
			o := op.Point(name)
			agree(t, reference(t, o, []*eval.Tensor{x, y}[:o.Operands()]...)[0], must(judge(Dense(x), Dense(y))))
		})
	}
}
