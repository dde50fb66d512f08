package pass

import (
	"fmt"
	"slices"
	"strings"

	"netc/ir"
	"netc/ir/loop"
	"netc/ir/op"
)

// Solver says how gradients change parameters, with Caffe's names, meanings and
// formulas (caffe/src/caffe/solvers/*.cpp).
type Solver struct {
	Type           string  // one of SolverTypes
	Momentum       float64 // SGD, Nesterov; the averages of AdaDelta and Adam
	Momentum2      float64 // Adam, AdamW
	RMSDecay       float64 // RMSProp
	Delta          float64 // keeps divisors from 0
	WeightDecay    float64
	Regularization string  // "L2" (default) or "L1"
	ClipGradients  float64 // greatest global L2 norm of the gradients; 0 or less does not clip
	Accumulate     int     // training batches an update; 1 or less updates after each
}

// RateInput is the scalar input from which an update reads the learning rate.
const RateInput = "solver.rate"

// rule is one solver type. Its formulas read w, the parameter; g, its gradient
// after clipping, averaging and decay; rate, the learning rate times lr_mult;
// step, the same with Adam's correction; decay, the decay's part of a gradient;
// the solver's constants; and values, each under its name and, after its
// update, with ".next".
//
// No formula reads a state after the state's own formula: so each next value can
// be stored over the old one.
type rule struct {
	values []ruleValue
	next   string // the parameter's next value
	// corrected says that step replaces rate, as in Adam.
	corrected bool
	// decoupled says that g has no decay, because next applies it itself.
	decoupled bool
}

// ruleValue is a value kept beside a parameter or computed on the way.
type ruleValue struct {
	name    string
	formula string
	isState bool
}

var rules = map[string]rule{
	"SGD": {
		values: []ruleValue{{"momentum", "m*momentum + rate*g", true}},
		next:   "w - momentum.next",
	},
	// Caffe's (1+m)*h' - m*h with m*h = h' - rate*g, which spares the old h.
	"Nesterov": {
		values: []ruleValue{{"momentum", "m*momentum + rate*g", true}},
		next:   "w - (m*momentum.next + rate*g)",
	},
	"AdaGrad": {
		values: []ruleValue{{"square_sum", "square_sum + g*g", true}},
		next:   "w - rate*g/(sqrt(square_sum.next) + delta)",
	},
	"RMSProp": {
		values: []ruleValue{{"square_mean", "r*square_mean + (1 - r)*(g*g)", true}},
		next:   "w - rate*g/(sqrt(square_mean.next) + delta)",
	},
	"AdaDelta": {
		values: []ruleValue{
			{"square_mean", "m*square_mean + (1 - m)*(g*g)", true},
			{"update", "g*sqrt((update_square_mean + delta)/(square_mean.next + delta))", false},
			{"update_square_mean", "m*update_square_mean + (1 - m)*(update*update)", true},
		},
		next: "w - rate*update",
	},
	"Adam": {
		values: []ruleValue{
			{"moment1", "m*moment1 + (1 - m)*g", true},
			{"moment2", "m2*moment2 + (1 - m2)*(g*g)", true},
		},
		next:      "w - step*moment1.next/(sqrt(moment2.next) + delta)",
		corrected: true,
	},
	// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
	"AdamW": {
		values: []ruleValue{
			{"moment1", "m*moment1 + (1 - m)*g", true},
			{"moment2", "m2*moment2 + (1 - m2)*(g*g)", true},
		},
		next:      "w - step*moment1.next/(sqrt(moment2.next) + delta) - rate*decay",
		corrected: true,
		decoupled: true,
	},
}

// SolverTypes lists the solver types, sorted.
func SolverTypes() []string {
	var list []string
	for name := range rules {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Update appends the solver's update to a training graph, given the gradient of
// the loss with respect to each parameter. Parameters without a gradient or
// with lr_mult 0 stay as they are.
//
//	conv1.weight.momentum.next = map conv1.weight.momentum, …   {formula: "0.9*a + b*(c + 0.0005*d)"}
//	conv1.weight.next = map conv1.weight, conv1.weight.momentum.next {formula: "a - b"}
//	write conv1.weight.momentum = conv1.weight.momentum.next
//	write conv1.weight = conv1.weight.next
//
// In Caffe's order, gradients are first clipped to the global norm, then
// divided by Accumulate, then decayed. With Accumulate above 1 the graph only
// adds the gradients up, in states; UpdateGraph does the rest.
//
// An error says which setting of the solver is wrong. Runs right after
// differentiation, so that all later passes see the updates too.
func Update(s Solver) func(g *ir.Graph, gradients map[*ir.Value]*ir.Value) error {
	return func(g *ir.Graph, gradients map[*ir.Value]*ir.Value) error {
		if err := s.check(); err != nil {
			return err
		}
		var params []*ir.Value
		for _, p := range g.Params {
			if gradients[p] != nil && p.Param.LrMult != 0 {
				params = append(params, p)
			}
		}
		if s.Accumulate > 1 {
			accumulate(g, params, gradients)
			return nil
		}
		u := updater{Solver: s, rule: rules[s.Type], graph: g}
		u.update(params, gradients)
		return nil
	}
}

// UpdateGraph builds the phase "update" of a network whose training graph, made
// by Update with the same solver, accumulates gradients over several batches.
// It applies the update and clears the accumulators. It is nil when the
// training graph updates by itself.
func UpdateGraph(train *ir.Graph, s Solver) (*ir.Graph, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Accumulate <= 1 {
		return nil, nil
	}
	g := ir.New(train.Name, "update")
	var params []*ir.Value
	gradients := map[*ir.Value]*ir.Value{}
	for _, p := range train.Params {
		sum := train.Lookup(accumulatorName(p))
		if sum == nil || sum.Kind != ir.State {
			continue
		}
		own := g.AddParam(p.Name, p.Type, *p.Param, p.From...)
		gradients[own] = g.AddState(sum.Name, sum.Type, *sum.Param, sum.From...)
		params = append(params, own)
	}
	u := updater{Solver: s, rule: rules[s.Type], graph: g}
	u.update(params, gradients)
	for _, p := range params {
		sum := gradients[p]
		zero := g.Must(&op.Constant{Shape: slices.Clone(sum.Type.Shape)}, sum.Name+".next", p.From)
		g.Writes = append(g.Writes, ir.Write{Target: sum, Value: zero})
	}
	return g, nil
}

func accumulatorName(p *ir.Value) string { return p.Name + ".gradient" }

// accumulate adds the gradients of a batch to those of the batches before.
func accumulate(g *ir.Graph, params []*ir.Value, gradients map[*ir.Value]*ir.Value) {
	for _, p := range params {
		sum := g.AddState(accumulatorName(p), p.Type, startsAtZero, p.From...)
		next := g.Must(&op.Map{Formula: "a + b"}, sum.Name+".next", p.From, sum, gradients[p])
		g.Writes = append(g.Writes, ir.Write{Target: sum, Value: next})
	}
}

var startsAtZero = ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}}

// check returns an error unless the settings fit the solver's type.
func (s Solver) check() error {
	r, ok := rules[s.Type]
	if !ok {
		return fmt.Errorf("solver type %q is not one of %s", s.Type, strings.Join(SolverTypes(), ", "))
	}
	usesMomentum, usesMomentum2, usesRMSDecay := false, false, false
	for _, v := range r.values {
		usesMomentum = usesMomentum || strings.HasPrefix(v.formula, "m*")
		usesMomentum2 = usesMomentum2 || strings.HasPrefix(v.formula, "m2*")
		usesRMSDecay = usesRMSDecay || strings.HasPrefix(v.formula, "r*")
	}
	switch {
	case s.Regularization != "" && s.Regularization != "L2" && s.Regularization != "L1":
		return fmt.Errorf("regularization %q is not L2 or L1", s.Regularization)
	case s.Momentum != 0 && !usesMomentum:
		return fmt.Errorf("momentum cannot be used with %s", s.Type)
	case !(0 <= s.Momentum && s.Momentum < 1):
		return fmt.Errorf("momentum %v is not at least 0 and below 1", s.Momentum)
	case usesMomentum2 && !(0 <= s.Momentum2 && s.Momentum2 < 1):
		return fmt.Errorf("momentum2 %v is not at least 0 and below 1", s.Momentum2)
	case usesRMSDecay && !(0 <= s.RMSDecay && s.RMSDecay < 1):
		return fmt.Errorf("rms_decay %v is not at least 0 and below 1", s.RMSDecay)
	}
	return nil
}

// updater adds the update of one graph.
type updater struct {
	Solver
	rule  rule
	graph *ir.Graph
	rate  *ir.Value // the learning rate, a scalar
	step  *ir.Value // the rate with Adam's correction, or nil
	clip  *ir.Value // the factor on all gradients, a scalar, or nil
}

func (u *updater) update(params []*ir.Value, gradients map[*ir.Value]*ir.Value) {
	if len(params) == 0 {
		return
	}
	u.rate = u.graph.AddInput(RateInput, ir.Float())
	if u.rule.corrected {
		u.step = u.correctedRate()
	}
	if u.ClipGradients > 0 {
		u.clip = u.clipFactor(params, gradients)
	}
	for _, p := range params {
		u.parameter(p, gradients[p])
	}
}

// correctedRate is rate * sqrt(1-m2^t) / (1-m^t) in the t-th update. The two
// differences are states, kept by c' = m*c + (1-m) from 0: so they are exact
// where they are small, and need no count of updates, which a run resumed with
// another Accumulate would get wrong.
func (u *updater) correctedRate() *ir.Value {
	correction := func(name string, m float64) *ir.Value {
		if m == 0 { // 1 - 0^t is 1 from the first step on
			return u.graph.Must(&op.Constant{Value: 1}, "solver."+name, nil)
		}
		c := u.graph.AddState("solver."+name, ir.Float(), startsAtZero)
		f := formula{names: map[string]*loop.Expr{"m": loop.N(m)}}
		f.bind("c", c)
		next := f.add(u.graph, "m*c + (1 - m)", c.Name+".next", nil)
		u.graph.Writes = append(u.graph.Writes, ir.Write{Target: c, Value: next})
		return next
	}
	first := correction("correction1", u.Momentum)
	second := correction("correction2", u.Momentum2)
	return u.graph.Must(&op.Map{Formula: "a * sqrt(b) / c"}, "solver.step", nil, u.rate, second, first)
}

// clipFactor is ClipGradients / norm where the L2 norm of all gradients
// together is above ClipGradients, and 1 elsewhere.
func (u *updater) clipFactor(params []*ir.Value, gradients map[*ir.Value]*ir.Value) *ir.Value {
	var total *ir.Value
	for _, p := range params {
		sum := u.sumOfSquares(p, gradients[p])
		if total == nil {
			total = sum
			continue
		}
		total = u.graph.Must(op.Point("add"), "solver.square_norm", nil, total, sum)
	}
	f := formula{names: map[string]*loop.Expr{"most": loop.N(u.ClipGradients)}}
	f.bind("squares", total)
	return f.add(u.graph, "sqrt(squares) > most ? most/sqrt(squares) : 1", "solver.clip", nil)
}

// sumOfSquares adds up the axes after the first, then the first, so that the
// bulk of the sum is as many independent sums as the first axis has elements.
func (u *updater) sumOfSquares(p, gradient *ir.Value) *ir.Value {
	name := p.Name + ".square_norm"
	sum := u.graph.Must(op.Point("square"), name, p.From, gradient)
	if rank := len(gradient.Type.Shape); rank > 1 {
		sum = u.graph.Must(&op.Sum{Axes: axesFrom(1, rank)}, name, p.From, sum)
	}
	if len(sum.Type.Shape) > 0 {
		sum = u.graph.Must(&op.Sum{Axes: []int{0}}, name, p.From, sum)
	}
	return sum
}

func axesFrom(first, rank int) []int {
	var axes []int
	for a := first; a < rank; a++ {
		axes = append(axes, a)
	}
	return axes
}

// parameter adds one parameter's update and the writes of it and its states.
func (u *updater) parameter(p, gradient *ir.Value) {
	f := formula{names: map[string]*loop.Expr{
		"m": loop.N(u.Momentum), "m2": loop.N(u.Momentum2), "r": loop.N(u.RMSDecay), "delta": loop.N(u.Delta),
	}}
	f.bind("w", p)
	f.bind("gradient", gradient)
	u.bindScalar(&f, "clip", u.clip, p, 1)
	u.bindScalar(&f, "rate", u.rate, p, p.Param.LrMult)
	u.bindScalar(&f, "step", u.step, p, p.Param.LrMult)
	f.define("decay", u.decay(p))
	f.define("g", u.gradient())
	if u.Momentum == 0 && u.rule.values[0].name == "momentum" {
		// Without momentum, the state would be written and never matter.
		f.define("momentum.next", "rate*g")
	} else {
		u.values(&f, p)
	}
	next := f.add(u.graph, u.rule.next, p.Name+".next", p.From)
	u.graph.Writes = append(u.graph.Writes, ir.Write{Target: p, Value: next})
}

// values adds the next values of a parameter's states.
func (u *updater) values(f *formula, p *ir.Value) {
	for _, v := range u.rule.values {
		if v.isState {
			f.bind(v.name, u.graph.AddState(p.Name+"."+v.name, p.Type, startsAtZero, p.From...))
		}
	}
	for _, v := range u.rule.values {
		name := p.Name + "." + v.name
		if !v.isState {
			f.bind(v.name, f.add(u.graph, v.formula, name, p.From))
			continue
		}
		next := f.add(u.graph, v.formula, name+".next", p.From)
		f.bind(v.name+".next", next)
		u.graph.Writes = append(u.graph.Writes, ir.Write{Target: f.values[v.name], Value: next})
	}
}

// decay is the derivative of the regularisation term.
func (u *updater) decay(p *ir.Value) string {
	factor := loop.Format(loop.N(u.WeightDecay * p.Param.DecayMult))
	if u.Regularization == "L1" {
		return factor + "*(w > 0 ? 1 : (w < 0 ? -1 : 0))"
	}
	return factor + "*w"
}

// gradient is g in terms of the loss's gradient, over the batches accumulated.
func (u *updater) gradient() string {
	g := "gradient"
	if u.clip != nil {
		g = "clip*" + g
	}
	if u.Accumulate > 1 {
		g += fmt.Sprintf("/%d", u.Accumulate)
	}
	if !u.rule.decoupled {
		g += " + decay"
	}
	return g
}

// bindScalar names a scalar, times a factor, repeated to the parameter's shape;
// nil is not bound. The broadcast is made when a formula first uses the name.
func (u *updater) bindScalar(f *formula, name string, scalar, p *ir.Value, factor float64) {
	if scalar == nil {
		return
	}
	f.bindLater(name, factor, func() *ir.Value {
		if len(p.Type.Shape) == 0 {
			return scalar
		}
		return u.graph.Must(&op.Broadcast{Shape: slices.Clone(p.Type.Shape)}, p.Name+"."+name, p.From, scalar)
	})
}
