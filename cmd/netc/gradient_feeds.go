package main

import (
	"math"
	"math/rand/v2"

	"netc/ir"
	"netc/ir/eval"
	"netc/ir/op"
)

// inputRanges are where f32 inputs are drawn from: around zero, and above it for
// networks that take logarithms or roots of their inputs.
var inputRanges = [][2]float64{{-1, 1}, {0.1, 1}}

// gradientFeeds draws inputs, parameters and states, the inputs from the first
// range with which the loss is a finite number; nil if there is none.
func gradientFeeds(g *ir.Graph, random *rand.Rand, ranges [][2]float64) (map[string]*eval.Tensor, error) {
	feeds := map[string]*eval.Tensor{}
	draw := func(v *ir.Value, from, to float64) {
		feeds[v.Name] = eval.Zeros(v.Type)
		for i := range feeds[v.Name].Data {
			feeds[v.Name].Data[i] = from + (to-from)*random.Float64()
		}
	}
	for _, v := range g.Params {
		// As Caffe's xavier filler, whatever the net asks for: parameters that
		// start at zero would hide errors behind zero gradients.
		bound := math.Sqrt(3 / float64(max(fanIn(v.Type.Shape), 1)))
		draw(v, -bound, bound)
	}
	for _, v := range g.States {
		draw(v, 0.5, 1.5) // running means, variances and counts
	}
	for _, v := range g.Inputs {
		switch {
		case isSolverInput(v):
			feeds[v.Name] = eval.Zeros(v.Type)
		case v.Type.DType == ir.I32:
			feeds[v.Name] = eval.Zeros(v.Type)
			classes := op.Classes(g, v)
			if classes == 0 {
				classes = 2 // numbers such as the similarities of pairs
			}
			for i := range feeds[v.Name].Data {
				feeds[v.Name].Data[i] = float64(random.IntN(classes))
			}
		}
	}
	for _, bounds := range ranges {
		for _, v := range g.Inputs {
			if v.Type.DType == ir.F32 && !isSolverInput(v) {
				draw(v, bounds[0], bounds[1])
			}
		}
		values, err := eval.Run(g, feeds)
		if err != nil {
			return nil, err
		}
		if loss := values[g.Loss.Name].Data[0]; !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			return feeds, nil
		}
	}
	return nil, nil
}

// fanIn is the number of inputs of each of a parameter's outputs.
func fanIn(shape ir.Shape) int {
	if len(shape) < 2 {
		return 1
	}
	return shape[1:].Count()
}
