package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"netc/compiler"
	"netc/compiler/pass"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/op"
)

const (
	// gradientTolerance is the relative error that a gradient may have. Rounding
	// in float64 and the step's curvature leave far less.
	gradientTolerance = 1e-5
	// differenceStep is near the cube root of float64's precision, where the
	// truncation and the rounding of a central difference are about equal.
	differenceStep = 0x1p-16
	// Errors are relative to the gradient, but at least to these parts of the
	// largest one of the tensor and of the network, and to what makes the loss's
	// rounding tolerable: a gradient that is nothing beside the others carries
	// their rounding.
	tensorFloor  = 1e-2
	networkFloor = 1e-6
	// roundingUnits bounds the rounding of the loss, in units of its last place.
	roundingUnits = 64
)

// gradientCheck compares the gradients that netc compiles with differences of
// the loss, both in the float64 evaluator. It prints as "netc gradcheck --json".
type gradientCheck struct {
	Name      string        `json:"name"`
	Batch     int           `json:"batch"`
	Seed      int32         `json:"seed"`
	Tolerance float64       `json:"tolerance"`
	OK        bool          `json:"ok"`
	Ranges    int           `json:"input_ranges"` // how many ranges of inputs were checked
	Tensors   []tensorCheck `json:"tensors"`
}

// tensorCheck is the check of one parameter or input.
type tensorCheck struct {
	Name           string   `json:"name"`
	Kind           string   `json:"kind"`
	Shape          ir.Shape `json:"shape"`
	Differentiable bool     `json:"differentiable"` // the loss's gradient flows to it
	Checked        int      `json:"checked"`
	Kinks          int      `json:"kinks"` // elements left out, because the loss has no derivative there
	Largest        float64  `json:"largest_gradient"`
	WorstError     float64  `json:"worst_error"`
	OK             bool     `json:"ok"`

	value    *ir.Value
	slopes   []eval.Slope
	gradient []float64 // at the elements of slopes
}

// run checks samples elements (0: all) of every parameter and f32 input, with
// inputs from the first of the ranges that gives a finite loss; without one, or
// without anything to differentiate, it checks nothing. It changes the graph.
func (k *gradientCheck) run(ctx context.Context, g *ir.Graph, ranges [][2]float64, samples, threads int) error {
	random := rand.New(rand.NewPCG(uint64(uint32(k.Seed)), 0))
	if g.Loss == nil {
		projectOutputs(g)
	}
	if g.Loss == nil {
		return nil
	}
	feeds, err := gradientFeeds(g, random, ranges)
	if err != nil || feeds == nil {
		return err
	}
	k.Ranges = 1
	for _, v := range slices.Concat(g.Params, g.Inputs) {
		if v.Type.DType == ir.F32 && !isSolverInput(v) && !strings.HasPrefix(v.Name, projectionName) {
			k.Tensors = append(k.Tensors, tensorCheck{Name: v.Name, Kind: kindWord(v), Shape: v.Type.Shape, value: v})
		}
	}
	gradients, err := compiledGradients(g, k.Tensors, feeds)
	if err != nil {
		return err
	}
	plain, err := withoutDetached(g, feeds)
	if err != nil {
		return err
	}
	for i := range k.Tensors {
		t := &k.Tensors[i]
		gradient := gradients[i]
		t.Differentiable = gradient != nil || t.value.Kind == ir.Param
		if gradient == nil {
			gradient = make([]float64, t.Shape.Count())
		}
		for _, element := range sample(random, t.Shape.Count(), samples) {
			t.slopes = append(t.slopes, eval.Slope{Element: element})
			t.gradient = append(t.gradient, gradient[element])
		}
	}
	if err := k.slopes(ctx, plain, feeds, threads); err != nil {
		return err
	}
	values, err := eval.Run(plain, feeds)
	if err != nil {
		return err
	}
	k.judge(values[plain.Loss.Name].Data[0])
	return nil
}

func kindWord(v *ir.Value) string {
	if v.Kind == ir.Param {
		return "parameter"
	}
	return "input"
}

// compiledGradients differentiates the graph as the compiler does and
// evaluates it; an entry is nil where no gradient flows.
func compiledGradients(g *ir.Graph, tensors []tensorCheck, feeds map[string]*eval.Tensor) ([][]float64, error) {
	twin, err := copied(g)
	if err != nil {
		return nil, err
	}
	wanted := make([]*ir.Value, len(tensors))
	for i, t := range tensors {
		wanted[i] = twin.Lookup(t.Name)
	}
	found, err := pass.Differentiate(twin, wanted)
	if err != nil {
		return nil, &compiler.BugError{Pass: "differentiate", Phase: g.Phase, Cause: err.Error(), Reproducer: g.String()}
	}
	values, err := eval.Run(twin, feeds)
	if err != nil {
		return nil, err
	}
	list := make([][]float64, len(tensors))
	for i, v := range wanted {
		if d := found[v]; d != nil {
			list[i] = values[d.Name].Data
		}
	}
	return list, nil
}

// copied gives a graph of its own that computes the same.
func copied(g *ir.Graph) (*ir.Graph, error) {
	twin, err := ir.Parse(g.String())
	if err != nil {
		return nil, &compiler.BugError{Pass: "print", Phase: g.Phase, Cause: err.Error(), Reproducer: g.String()}
	}
	return twin, nil
}

// withoutDetached gives a graph in which every value behind a detach is an
// input, fed with what it is now: differences then see it as the constant that
// the gradient takes it for.
func withoutDetached(g *ir.Graph, feeds map[string]*eval.Tensor) (*ir.Graph, error) {
	values, err := eval.Run(g, feeds)
	if err != nil {
		return nil, err
	}
	detached := op.Point("detach").Mnemonic()
	for _, n := range slices.Clone(g.Nodes) {
		if n.Op.Mnemonic() != detached {
			continue
		}
		out := n.Out[0]
		constant := g.AddInput(g.Fresh(out.Name+".constant"), out.Type)
		g.Replace(out, constant)
		feeds[constant.Name] = values[out.Name]
	}
	return g, nil
}

// sample gives count different indices below size in rising order, or all of
// them when count is 0 or more than there are.
func sample(random *rand.Rand, size, count int) []int {
	if count == 0 || count >= size {
		all := make([]int, size)
		for i := range all {
			all[i] = i
		}
		return all
	}
	chosen := map[int]bool{}
	var list []int
	for len(list) < count {
		if i := random.IntN(size); !chosen[i] {
			chosen[i] = true
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return list
}

// slopes takes the differences of all tensors, some at a time.
func (k *gradientCheck) slopes(ctx context.Context, g *ir.Graph, feeds map[string]*eval.Tensor, threads int) error {
	errs := make([]error, len(k.Tensors))
	slots := make(chan struct{}, threads)
	var running sync.WaitGroup
	for i := range k.Tensors {
		t := &k.Tensors[i]
		if !t.Differentiable || len(t.slopes) == 0 {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			if errs[i] = ctx.Err(); errs[i] != nil {
				return
			}
			elements := make([]int, len(t.slopes))
			for j, s := range t.slopes {
				elements[j] = s.Element
			}
			t.slopes, errs[i] = eval.Slopes(g, feeds, g.Loss.Name, t.Name, elements, differenceStep)
		})
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// judge compares gradients and differences.
func (k *gradientCheck) judge(loss float64) {
	rounding := roundingUnits * math.Abs(loss) * 0x1p-52 / differenceStep
	largest := 0.0
	for i := range k.Tensors {
		t := &k.Tensors[i]
		for j, s := range t.slopes {
			if t.Differentiable && !s.Kink && isFinite(t.size(j)) {
				t.Largest = max(t.Largest, t.size(j))
			}
		}
		largest = max(largest, t.Largest)
	}
	for i := range k.Tensors {
		t := &k.Tensors[i]
		t.OK = true
		if !t.Differentiable {
			continue
		}
		for j, s := range t.slopes {
			if s.Kink {
				t.Kinks++
				continue
			}
			t.Checked++
			wrong := math.Abs(s.Value - t.gradient[j])
			switch scale := max(t.size(j), tensorFloor*t.Largest, networkFloor*largest, rounding/gradientTolerance); {
			case !isFinite(wrong):
				t.WorstError = 1 // as wrong as can be
			case wrong > 0:
				t.WorstError = max(t.WorstError, wrong/scale)
			}
		}
		t.OK = t.WorstError <= gradientTolerance
		k.OK = k.OK && t.OK
	}
}

// size is the larger of the two accounts of one element's gradient.
func (t *tensorCheck) size(j int) float64 {
	return max(math.Abs(t.slopes[j].Value), math.Abs(t.gradient[j]))
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// projectionName opens the names of the inputs that weigh outputs.
const projectionName = "gradcheck.weight"

// projectOutputs gives a graph without a loss one: the sum of all elements of
// its outputs, each with a factor of its own, so that no two errors cancel.
func projectOutputs(g *ir.Graph) {
	var total *ir.Value
	for i, out := range slices.Clone(g.Outputs) {
		if out.Type.DType != ir.F32 {
			continue
		}
		weight := g.AddInput(fmt.Sprintf("%s%d", projectionName, i), out.Type)
		part := g.Must(op.Point("mul"), "gradcheck.part", nil, out, weight)
		if rank := len(out.Type.Shape); rank > 0 {
			axes := make([]int, rank)
			for axis := range axes {
				axes[axis] = axis
			}
			part = g.Must(&op.Sum{Axes: axes}, "gradcheck.sum", nil, part)
		}
		if total == nil {
			total = part
		} else {
			total = g.Must(op.Point("add"), "gradcheck.total", nil, total, part)
		}
	}
	g.Loss = total
}
