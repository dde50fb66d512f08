package eval

import (
	"fmt"
	"math"
	"slices"

	"netc/ir"
)

// kinkTolerance is how much of a slope two estimates of it may differ by before
// the function is said to have a kink. Where it is smooth they differ by a
// multiple of the step squared.
const kinkTolerance = 1e-4

// flatSlope is the part of the steepest slope asked for below which slopes are
// not told apart: an estimate of a slope near zero carries the rounding of the
// whole loss.
const flatSlope = 1e-2

// Slope is how fast a scalar changes with one element of a value.
type Slope struct {
	Element int
	Value   float64 // central difference
	// Kink says that the function is not smooth within one step of the element,
	// as where a ReLU turns or two elements of a pooling window tie: Value then
	// lies between the one-sided slopes and no gradient need agree with it.
	Kink bool
}

// NumericGradient estimates the gradient of the graph's loss with respect to
// elements of the input, parameter or state wrt (nil: all elements), by central
// differences of the given step. Elements at a kink are not marked; Slopes does
// that.
func NumericGradient(g *ir.Graph, feeds map[string]*Tensor, wrt string, elements []int, step float64) ([]float64, error) {
	if g.Loss == nil {
		return nil, fmt.Errorf("the graph %s has no loss", g.Name)
	}
	slopes, err := Slopes(g, feeds, g.Loss.Name, wrt, elements, step)
	if err != nil {
		return nil, err
	}
	gradient := make([]float64, len(slopes))
	for i, s := range slopes {
		gradient[i] = s.Value
	}
	return gradient, nil
}

// Slopes estimates the gradient of a scalar value, named of, with respect to
// elements of the input, parameter or state wrt (nil: all elements), and finds
// kinks.
//
// With R and L the slopes to the right and to the left over some distance, a
// smooth function has R - L proportional to the distance, and (R + L)/2 the
// same over any; both but for terms in the step squared. A kink of height J at
// the point makes R - L = J over any distance, and one beside the point weighs
// differently over half the distance. So both are compared between step and
// step/2, which no kink within the step escapes.
func Slopes(g *ir.Graph, feeds map[string]*Tensor, of, wrt string, elements []int, step float64, options ...Option) ([]Slope, error) {
	m, err := newMachine(g, feeds, options)
	if err != nil {
		return nil, err
	}
	if err := m.run(g.Nodes); err != nil {
		return nil, err
	}
	scalar, variable := g.Lookup(of), g.Lookup(wrt)
	switch {
	case scalar == nil || !scalar.Type.Equal(ir.Float()):
		return nil, fmt.Errorf("%q is no f32[] of the graph", of)
	case variable == nil || variable.Kind == ir.Result || variable.Type.DType != ir.F32:
		return nil, fmt.Errorf("%q is no f32 input, parameter or state of the graph", wrt)
	case !(step > 0) || math.IsInf(step, 0):
		return nil, fmt.Errorf("the step %g is not a positive number", step)
	}
	x := m.values[variable].Clone()
	m.values[variable] = x
	if elements == nil {
		for i := range x.Data {
			elements = append(elements, i)
		}
	}
	nodes := between(g.Nodes, variable, scalar)
	center := m.values[scalar].Data[0]
	moved := func(element int, by float64) (value float64, err error) {
		here := x.Data[element]
		defer func() { x.Data[element] = here }()
		x.Data[element] = here + by
		err = m.run(nodes)
		return m.values[scalar].Data[0], err
	}

	slopes := make([]Slope, len(elements))
	doubts := make([]float64, len(elements))
	steepest := 0.0
	for i, element := range elements {
		if element < 0 || element >= len(x.Data) {
			return nil, fmt.Errorf("%s %s has no element %d", wrt, variable.Type, element)
		}
		var jump, middle [2]float64 // R - L and (R + L)/2 over step and step/2
		for j, distance := range []float64{step, step / 2} {
			above, err := moved(element, distance)
			if err != nil {
				return nil, err
			}
			below, err := moved(element, -distance)
			if err != nil {
				return nil, err
			}
			jump[j] = (above - 2*center + below) / distance
			middle[j] = (above - below) / (2 * distance)
		}
		slopes[i] = Slope{Element: element, Value: middle[0]}
		doubts[i] = math.Max(math.Abs(jump[0]-2*jump[1]), math.Abs(middle[0]-middle[1]))
		steepest = math.Max(steepest, math.Abs(middle[0]))
	}
	// Below this, a difference is the rounding of the scalar itself.
	rounding := 16 * math.Abs(center) * 0x1p-52 / step
	for i := range slopes {
		scale := math.Max(math.Abs(slopes[i].Value), flatSlope*steepest)
		slopes[i].Kink = doubts[i] > kinkTolerance*scale+rounding
	}
	return slopes, nil
}

// between lists, in order, the nodes through which the value from reaches the
// value to, those of fused groups by themselves.
func between(nodes []*ir.Node, from, to *ir.Value) []*ir.Node {
	var flat []*ir.Node
	var flatten func([]*ir.Node)
	flatten = func(list []*ir.Node) {
		for _, n := range list {
			if n.Body != nil {
				flatten(n.Body)
			} else {
				flat = append(flat, n)
			}
		}
	}
	flatten(nodes)

	reached := map[*ir.Value]bool{from: true}
	for _, n := range flat {
		for _, v := range n.In {
			if reached[v] {
				for _, out := range n.Out {
					reached[out] = true
				}
			}
		}
	}
	var list []*ir.Node
	needed := map[*ir.Value]bool{to: true}
	for i := len(flat) - 1; i >= 0; i-- {
		n := flat[i]
		wanted, moves := false, false
		for _, v := range n.Out {
			wanted = wanted || needed[v]
		}
		for _, v := range n.In {
			moves = moves || reached[v]
		}
		if wanted && moves {
			list = append(list, n)
			for _, v := range n.In {
				needed[v] = true
			}
		}
	}
	slices.Reverse(list)
	return list
}
