package vector

import (
	"math"
	"slices"
	"testing"
)

// fitted is a polynomial of the math files and what it approximates: the sum of
// c_k x^(first+k) is to be rest(x), and the error counts relative to whole(x).
type fitted struct {
	name         string
	highestFirst []float32
	first        int
	least, most  float64
	rest, whole  func(x float64) float64
	bound        float64
}

// The intervals of exp and exp2 are a little wider than the exact remainders
// are, because the multiple of ln 2 is chosen from a rounded quotient.
var fittedPolynomials = []fitted{
	{"exp", expPolynomial, 2, -6e-6, math.Ln2 + 6e-6, func(x float64) float64 { return math.Expm1(x) - x }, math.Exp, 3e-9},
	{"exp2", exp2Polynomial, 1, -1e-6, 1 + 1e-6, func(x float64) float64 { return math.Expm1(x * math.Ln2) }, math.Exp2, 2.2e-9},
	{"tanh", tanhPolynomial, 1, -math.Ln2/4 - 1e-6, math.Ln2/4 + 1e-6, minusOne(expm1Quotient), expm1Quotient, 1.5e-8},
	{"log", logPolynomial, 2, math.Sqrt2/2 - 1, math.Sqrt2 - 1, func(x float64) float64 { return logQuotient(x) - 1 + x/2 }, logQuotient, 6e-9},
	{"log2", log2Polynomial, 1, 0, 0.0295, func(x float64) float64 { return log2Quotient(x) - 2/math.Ln2 }, log2Quotient, 1.2e-11},
}

// expm1Quotient is (exp(2x) - 1)/2x.
func expm1Quotient(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Expm1(2*x) / (2 * x)
}

// logQuotient is log(1+x)/x.
func logQuotient(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Log1p(x) / x
}

// log2Quotient is log2((1+s)/(1-s))/s for s*s = x.
func log2Quotient(x float64) float64 {
	if x == 0 {
		return 2 / math.Ln2
	}
	return 2 / math.Ln2 * math.Atanh(math.Sqrt(x)) / math.Sqrt(x)
}

func minusOne(f func(float64) float64) func(float64) float64 {
	return func(x float64) float64 { return f(x) - 1 }
}

// The polynomials keep the errors their comments state, and a new fit is hardly
// better. The log has its coefficients, for whoever changes an interval.
func TestPolynomials(t *testing.T) {
	for _, p := range fittedPolynomials {
		have := slices.Clone(p.highestFirst)
		slices.Reverse(have)
		refit := p.fit(len(have))
		haveError, refitError := p.error(have), p.error(refit)
		slices.Reverse(refit)
		t.Logf("%s: error %.3g; fitted again %.3g by %v", p.name, haveError, refitError, refit)
		if haveError > p.bound {
			t.Errorf("%s: error %.3g, want at most %.3g", p.name, haveError, p.bound)
		}
		if haveError > 1.1*refitError {
			t.Errorf("%s: error %.3g, but %.3g is possible", p.name, haveError, refitError)
		}
	}
}

// error is the greatest relative error with these coefficients, the lowest power
// first.
func (p fitted) error(lowestFirst []float32) float64 {
	worst := 0.0
	for _, x := range chebyshevPoints(p.least, p.most, 20000) {
		worst = max(worst, math.Abs(p.sum(lowestFirst, x)-p.rest(x))/p.whole(x))
	}
	return worst
}

func (p fitted) sum(lowestFirst []float32, x float64) float64 {
	sum := 0.0
	for k, c := range lowestFirst {
		sum += float64(c) * math.Pow(x, float64(p.first+k))
	}
	return sum
}

// fit gives n coefficients, the lowest power first. The lowest has the most
// weight, so it is rounded to float32 first and the others are fitted again to
// what is left, and so on.
func (p fitted) fit(n int) []float32 {
	xs := chebyshevPoints(p.least, p.most, 2000)
	var done []float32
	for len(done) < n {
		rows := make([][]float64, len(xs))
		for i, x := range xs {
			weight := 1 / p.whole(x)
			if x < 0 && p.first%2 != 0 {
				weight = -weight // or every power would change its sign at 0
			}
			for k := len(done); k < n; k++ {
				rows[i] = append(rows[i], weight*math.Pow(x, float64(p.first+k)))
			}
			rows[i] = append(rows[i], weight*(p.rest(x)-p.sum(done, x)))
		}
		done = append(done, float32(remez(rows)[0]))
	}
	return done
}

// chebyshevPoints are n+1 points from least to most, denser at the ends.
func chebyshevPoints(least, most float64, n int) []float64 {
	xs := make([]float64, n+1)
	for i := range xs {
		xs[i] = (least+most)/2 - (most-least)/2*math.Cos(math.Pi*float64(i)/float64(n))
	}
	return xs
}

// remez gives the c with the smallest greatest |error| over all rows, where a
// row's error is the sum of c[k]*row[k] less the row's last element (Remez's
// exchange algorithm): the best c has errors of one size and alternating signs
// in one row more than there are coefficients. It solves for such errors in
// chosen rows, moves to the rows where the errors of that solution are extreme,
// and repeats until they are the same.
func remez(rows [][]float64) []float64 {
	n := len(rows[0]) - 1
	chosen := make([]int, n+1)
	for i := range chosen {
		chosen[i] = (2*i + 1) * len(rows) / (2 * (n + 1))
	}
	var best []float64
	least := math.Inf(1)
	for range 50 {
		var system [][]float64
		sign := 1.0
		for _, i := range chosen {
			row := append(slices.Clone(rows[i][:n]), sign, rows[i][n])
			system = append(system, row)
			sign = -sign
		}
		c := solve(system)[:n]
		errors := make([]float64, len(rows))
		worst := 0.0
		for i, row := range rows {
			errors[i] = -row[n]
			for k := range c {
				errors[i] += c[k] * row[k]
			}
			worst = max(worst, math.Abs(errors[i]))
		}
		if worst < least {
			best, least = c, worst
		}
		extreme := alternating(errors, n+1)
		if len(extreme) < n+1 || slices.Equal(extreme, chosen) {
			break
		}
		chosen = extreme
	}
	return best
}

// alternating gives the positions of n extreme values with alternating signs,
// or fewer if the signs change less often.
func alternating(values []float64, n int) []int {
	var at []int // the extreme of every run of one sign
	for i, v := range values {
		if len(at) == 0 || (v > 0) != (values[at[len(at)-1]] > 0) {
			at = append(at, i)
		} else if math.Abs(v) > math.Abs(values[at[len(at)-1]]) {
			at[len(at)-1] = i
		}
	}
	for len(at) > n { // more than one run too many is rare: from the ends only
		if math.Abs(values[at[0]]) < math.Abs(values[at[len(at)-1]]) {
			at = at[1:]
		} else {
			at = at[:len(at)-1]
		}
	}
	return at
}

// solve gives the x with the sum of row[k]*x[k] equal to the last element of
// each row, by elimination. It changes the rows.
func solve(rows [][]float64) []float64 {
	n := len(rows)
	for i := range rows {
		pivot := i
		for r := i; r < n; r++ {
			if math.Abs(rows[r][i]) > math.Abs(rows[pivot][i]) {
				pivot = r
			}
		}
		rows[i], rows[pivot] = rows[pivot], rows[i]
		for r := range rows {
			if factor := rows[r][i] / rows[i][i]; r != i {
				for k := i; k <= n; k++ {
					rows[r][k] -= factor * rows[i][k]
				}
			}
		}
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = rows[i][n] / rows[i][i]
	}
	return x
}
