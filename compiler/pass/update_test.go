package pass

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// trainingGraph is a graph with two parameters whose gradients are fed, the
// second with multipliers of its own, and a frozen third.
func trainingGraph(t *testing.T, s Solver) *ir.Graph {
	t.Helper()
	g := ir.New("net", "train")
	info := ir.ParamInfo{LrMult: 1, DecayMult: 1}
	w := g.AddParam("w", ir.Float(2, 3), info)
	b := g.AddParam("b", ir.Float(), ir.ParamInfo{LrMult: 2, DecayMult: 0.5})
	frozen := g.AddParam("frozen", ir.Float(3), ir.ParamInfo{DecayMult: 1})
	gradients := map[*ir.Value]*ir.Value{}
	for _, p := range []*ir.Value{w, b, frozen} {
		gradients[p] = g.AddInput(p.Name+".d", p.Type)
	}
	if err := Update(s)(g, gradients); err != nil {
		t.Fatal(err)
	}
	return g
}

// reference is the update of one element, as Caffe's solvers write it.
type reference struct{ w, h, h2 float64 }

func (r *reference) update(s Solver, gradient, rate, decay float64, t int) {
	regular := r.w
	if s.Regularization == "L1" {
		regular = math.Copysign(1, r.w)
		if r.w == 0 {
			regular = 0
		}
	}
	g := gradient + decay*regular
	m := s.Momentum
	switch s.Type {
	case "SGD":
		r.h = m*r.h + rate*g
		r.w -= r.h
	case "Nesterov":
		old := r.h
		r.h = m*r.h + rate*g
		r.w -= (1+m)*r.h - m*old
	case "AdaGrad":
		r.h += g * g
		r.w -= rate * g / (math.Sqrt(r.h) + s.Delta)
	case "RMSProp":
		r.h = s.RMSDecay*r.h + (1-s.RMSDecay)*g*g
		r.w -= rate * g / (math.Sqrt(r.h) + s.Delta)
	case "AdaDelta":
		r.h = m*r.h + (1-m)*g*g
		u := g * math.Sqrt((r.h2+s.Delta)/(r.h+s.Delta))
		r.h2 = m*r.h2 + (1-m)*u*u
		r.w -= rate * u
	case "Adam", "AdamW":
		w := r.w
		if s.Type == "AdamW" {
			g = gradient
			w -= rate * decay * regular
		}
		r.h = m*r.h + (1-m)*g
		r.h2 = s.Momentum2*r.h2 + (1-s.Momentum2)*g*g
		correction := math.Sqrt(1-math.Pow(s.Momentum2, float64(t))) / (1 - math.Pow(m, float64(t)))
		r.w = w - rate*correction*r.h/(math.Sqrt(r.h2)+s.Delta)
	}
}

// TestUpdateFollowsCaffe runs several updates of each solver type, with and
// without each setting, beside the formulas.
func TestUpdateFollowsCaffe(t *testing.T) {
	base := []Solver{
		{Type: "SGD", Momentum: 0.9},
		{Type: "SGD"},
		{Type: "Nesterov", Momentum: 0.9},
		{Type: "Nesterov"},
		{Type: "AdaGrad", Delta: 1e-8},
		{Type: "RMSProp", Delta: 1e-8, RMSDecay: 0.98},
		{Type: "AdaDelta", Delta: 1e-6, Momentum: 0.95},
		{Type: "Adam", Delta: 1e-8, Momentum: 0.9, Momentum2: 0.999},
		{Type: "AdamW", Delta: 1e-8, Momentum: 0.9, Momentum2: 0.999},
	}
	for _, s := range base {
		for _, setting := range []func(*Solver){
			func(*Solver) {},
			func(s *Solver) { s.WeightDecay = 0.3 },
			func(s *Solver) { s.WeightDecay, s.Regularization = 0.3, "L1" },
			func(s *Solver) { s.ClipGradients = 0.7 },
			func(s *Solver) { s.ClipGradients, s.WeightDecay = 100, 0.3 },
			func(s *Solver) { s.Accumulate = 3 },
			func(s *Solver) { s.Accumulate, s.ClipGradients, s.WeightDecay = 2, 0.7, 0.3 },
		} {
			s := s
			setting(&s)
			t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) { compareUpdates(t, s) })
		}
	}
}

func compareUpdates(t *testing.T, s Solver) {
	g := trainingGraph(t, s)
	apply, err := UpdateGraph(g, s)
	if err != nil {
		t.Fatal(err)
	}
	batches := max(s.Accumulate, 1)
	if (apply == nil) != (batches == 1) {
		t.Fatalf("UpdateGraph gives %v for %d batches", apply, batches)
	}
	m := memory{}
	want := make([]reference, 7)
	multiplier := []float64{1, 1, 1, 1, 1, 1, 2}
	decayMultiplier := []float64{1, 1, 1, 1, 1, 1, 0.5}
	start := []float64{0.5, -0.25, 0, 1, -2, 0.125, 0.75}
	for i := range want {
		want[i].w = start[i]
	}
	copy(m.of(g.Lookup("w")), start[:6])
	copy(m.of(g.Lookup("b")), start[6:])
	copy(m.of(g.Lookup("frozen")), start)
	for update := 1; update <= 4; update++ {
		rate := 0.1 / float64(update)
		m[RateInput] = []float64{rate}
		sum := make([]float64, 7)
		for batch := range batches {
			d := make([]float64, 7)
			for i := range d {
				d[i] = math.Sin(float64(7*update + 3*batch + 5*i))
				sum[i] += d[i]
			}
			m["w.d"], m["b.d"], m["frozen.d"] = d[:6], d[6:], []float64{9, 9, 9}
			m.step(t, g)
		}
		if apply != nil {
			m.step(t, apply)
		}
		norm := 0.0
		for _, x := range sum {
			norm += x * x
		}
		norm = math.Sqrt(norm)
		for i := range want {
			d := sum[i]
			if s.ClipGradients > 0 && norm > s.ClipGradients {
				d *= s.ClipGradients / norm
			}
			want[i].update(s, d/float64(batches), rate*multiplier[i], s.WeightDecay*decayMultiplier[i], update)
		}
		got := append(append([]float64{}, m["w"]...), m["b"]...)
		for i := range want {
			if math.Abs(got[i]-want[i].w) > 1e-9 {
				t.Fatalf("update %d, element %d: %v, not %v", update, i, got[i], want[i].w)
			}
		}
	}
	if m["frozen"][1] != start[1] {
		t.Errorf("a parameter with lr_mult 0 changed")
	}
}

// TestAccumulatedBatchesAreOneBatch: with decay and without clipping, k batches
// with gradients d1…dk update as one batch with their mean does.
func TestAccumulatedBatchesAreOneBatch(t *testing.T) {
	one := Solver{Type: "Adam", Momentum: 0.9, Momentum2: 0.999, Delta: 1e-8, WeightDecay: 0.1}
	many := one
	many.Accumulate = 4
	whole, parts := trainingGraph(t, one), trainingGraph(t, many)
	apply, err := UpdateGraph(parts, many)
	if err != nil {
		t.Fatal(err)
	}
	a, b := memory{RateInput: {0.1}}, memory{RateInput: {0.1}}
	for range 3 {
		mean := make([]float64, 6)
		for batch := range 4 {
			d := make([]float64, 6)
			for i := range d {
				d[i] = float64(i*batch) - 3
				mean[i] += d[i] / 4
			}
			b["w.d"] = d
			b.step(t, parts)
		}
		b.step(t, apply)
		a["w.d"] = mean
		a.step(t, whole)
	}
	for i := range a["w"] {
		if math.Abs(a["w"][i]-b["w"][i]) > 1e-12 {
			t.Errorf("element %d: %v in one batch, %v in four", i, a["w"][i], b["w"][i])
		}
	}
	for i, x := range b["w.gradient"] {
		if x != 0 {
			t.Errorf("the accumulated gradient %d is %v after the update, not 0", i, x)
		}
	}
}

func TestUpdateNamesAndStates(t *testing.T) {
	g := trainingGraph(t, Solver{Type: "Nesterov", Momentum: 0.9, WeightDecay: 0.5})
	text := g.String()
	for _, line := range []string{
		"state w.momentum : f32[2,3]",
		"state b.momentum : f32[]",
		"write w = w.next",
		"write w.momentum = w.momentum.next",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	if g.Lookup("frozen.momentum") != nil || g.Lookup("frozen.next") != nil {
		t.Errorf("a frozen parameter has an update:\n%s", text)
	}
	if v := g.Lookup("w.momentum"); v.Param.Saved {
		t.Errorf("the momentum is part of the weights file")
	}
	if n := g.Lookup("w.momentum.next").Def; n.Op.(*op.Map).Formula != "0.9*a + b*(c + 0.5*d)" {
		t.Errorf("formula %q", n.Op.(*op.Map).Formula)
	}
	// The old momentum is read by its own formula only, so that the new one can
	// be stored over it.
	if readers := g.Readers()[g.Lookup("w.momentum")]; len(readers) != 1 {
		t.Errorf("%d readers of the old momentum", len(readers))
	}
}

func TestUpdateRefusesSettings(t *testing.T) {
	for _, c := range []struct {
		solver Solver
		want   string
	}{
		{Solver{Type: "SDG"}, `"SDG" is not one of AdaDelta, AdaGrad, Adam`},
		{Solver{Type: "AdaGrad", Momentum: 0.9}, "momentum cannot be used with AdaGrad"},
		{Solver{Type: "RMSProp", Momentum: 0.9}, "momentum cannot be used with RMSProp"},
		{Solver{Type: "SGD", Momentum: 1}, "below 1"},
		{Solver{Type: "Adam", Momentum: 0.9, Momentum2: math.NaN()}, "momentum2"},
		{Solver{Type: "RMSProp", RMSDecay: -1}, "rms_decay"},
		{Solver{Type: "SGD", Regularization: "L3"}, `"L3" is not L2 or L1`},
	} {
		g := ir.New("net", "train")
		err := Update(c.solver)(g, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.solver, err, c.want)
		}
		if _, err := UpdateGraph(g, c.solver); err == nil {
			t.Errorf("%+v: UpdateGraph accepts it", c.solver)
		}
	}
}
