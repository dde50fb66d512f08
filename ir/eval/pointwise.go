package eval

import (
	"math"

	"netc/ir"
	"netc/ir/op"
)

// pointwise gives each pointwise operator as a function of its operands'
// elements x.
var pointwise = map[string]func(p *op.Pointwise, x []float64) float64{
	"add":    func(p *op.Pointwise, x []float64) float64 { return x[0] + x[1] },
	"sub":    func(p *op.Pointwise, x []float64) float64 { return x[0] - x[1] },
	"mul":    func(p *op.Pointwise, x []float64) float64 { return x[0] * x[1] },
	"div":    func(p *op.Pointwise, x []float64) float64 { return x[0] / x[1] },
	"max":    func(p *op.Pointwise, x []float64) float64 { return math.Max(x[0], x[1]) },
	"neg":    func(p *op.Pointwise, x []float64) float64 { return -x[0] },
	"scale":  func(p *op.Pointwise, x []float64) float64 { return p.By * x[0] },
	"offset": func(p *op.Pointwise, x []float64) float64 { return x[0] + p.By },
	"square": func(p *op.Pointwise, x []float64) float64 { return x[0] * x[0] },
	"sqrt":   func(p *op.Pointwise, x []float64) float64 { return math.Sqrt(x[0]) },
	"abs":    func(p *op.Pointwise, x []float64) float64 { return math.Abs(x[0]) },
	"exp":    func(p *op.Pointwise, x []float64) float64 { return math.Exp(x[0]) },
	"log":    func(p *op.Pointwise, x []float64) float64 { return math.Log(x[0]) },
	"relu": func(p *op.Pointwise, x []float64) float64 {
		return math.Max(x[0], 0) + p.Slope*math.Min(x[0], 0)
	},
	"prelu": func(p *op.Pointwise, x []float64) float64 {
		return math.Max(x[0], 0) + x[1]*math.Min(x[0], 0)
	},
	"elu": func(p *op.Pointwise, x []float64) float64 {
		if x[0] > 0 {
			return x[0]
		}
		return p.Alpha * math.Expm1(x[0])
	},
	"sigmoid":  func(p *op.Pointwise, x []float64) float64 { return 1 / (1 + math.Exp(-x[0])) },
	"tanh":     func(p *op.Pointwise, x []float64) float64 { return math.Tanh(x[0]) },
	"softplus": func(p *op.Pointwise, x []float64) float64 { return logOnePlusExp(x[0]) },
	"power":    func(p *op.Pointwise, x []float64) float64 { return math.Pow(x[0], p.Power) },
	// -b log sigmoid(a) - (1-b) log(1 - sigmoid(a)), with log sigmoid(a) written
	// as -log(1+e^-a).
	"logistic_loss": func(p *op.Pointwise, x []float64) float64 {
		return x[1]*logOnePlusExp(-x[0]) + (1-x[1])*logOnePlusExp(x[0])
	},
	"detach":     func(_ *op.Pointwise, x []float64) float64 { return x[0] },
	"clip_below": func(p *op.Pointwise, x []float64) float64 { return math.Max(x[0], p.By) },
}

// logOnePlusExp is log(1 + e^x) without overflow.
func logOnePlusExp(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}

func init() {
	for name, f := range pointwise {
		define(name, func(p *op.Pointwise, in, out []*Tensor) {
			eachElement(in, out[0], func(x []float64) float64 { return f(p, x) })
		})
	}
	evaluators["map"] = func(m *machine, o ir.Op, in, out []*Tensor) {
		eachElement(in, out[0], compileFormula(o.(*op.Map).Formula, len(in), m.uniform))
	}
}

// eachElement computes a result from the operands' elements at the same place.
func eachElement(in []*Tensor, out *Tensor, f func(x []float64) float64) {
	x := make([]float64, len(in))
	for i := range out.Data {
		for j, t := range in {
			x[j] = t.Data[i]
		}
		out.Data[i] = f(x)
	}
}
