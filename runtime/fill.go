package runtime

import (
	"fmt"
	"math"
)

// FillerKinds are the values of Filler.Kind.
var FillerKinds = []string{"constant", "uniform", "gaussian", "xavier", "msra", "orthogonal", "bilinear", "positive_unitball"}

// Fill gives every parameter its start. A value depends on the seed, the
// parameter's name and its index only: neither the other parameters nor the
// pool's threads change it.
func Fill(parameters []Parameter, seed int32, pool *Pool) error {
	for i := range parameters {
		p := &parameters[i]
		if p.F32 == nil {
			return fmt.Errorf("parameter %s: only float32 parameters can be filled", p.Name)
		}
		value, err := filling(p, seed)
		if err != nil {
			return fmt.Errorf("parameter %s %v: %w", p.Name, p.Shape, err)
		}
		pool.Run(len(p.F32), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				p.F32[i] = float32(value(i))
			}
		})
		if p.Fill.Kind == "positive_unitball" {
			scaleRowsToSumOne(p.F32, p.Shape)
		}
	}
	return nil
}

// filling gives a filler's value at each index, with Caffe's formulas.
func filling(p *Parameter, seed int32) (func(i int) float64, error) {
	key := randomKey(seed, p.Name, 0)
	f := p.Fill
	switch f.Kind {
	case "", "constant":
		return func(int) float64 { return f.Value }, nil
	case "uniform":
		if f.Max < f.Min {
			return nil, fmt.Errorf("uniform filler from %g to %g: min is above max", f.Min, f.Max)
		}
		return uniform(key, f.Min, f.Max), nil
	case "positive_unitball":
		return uniform(key, 0, 1), nil
	case "gaussian":
		if f.Std < 0 {
			return nil, fmt.Errorf("gaussian filler with negative std %g", f.Std)
		}
		return sparse(gaussian(key, f.Mean, f.Std), f.Sparse, p.Shape, randomKey(seed, p.Name, 1)), nil
	case "xavier":
		n, err := fan(f.Variance, p.Shape)
		if err != nil {
			return nil, err
		}
		bound := math.Sqrt(3 / n)
		return uniform(key, -bound, bound), nil
	case "msra":
		n, err := fan(f.Variance, p.Shape)
		if err != nil {
			return nil, err
		}
		return gaussian(key, 0, math.Sqrt(2/n)), nil
	case "orthogonal":
		return orthogonal(key, f.Gain, p.Shape)
	case "bilinear":
		return bilinear(p.Shape)
	}
	return nil, fmt.Errorf("unknown filler %q%s", f.Kind, didYouMean(f.Kind, FillerKinds))
}

func uniform(key uint64, min, max float64) func(int) float64 {
	return func(i int) float64 { return min + (max-min)*unit(random64(key, uint64(i))) }
}

// gaussian draws by the Box-Muller transform; 1-unit is in (0, 1], so its
// logarithm is finite.
func gaussian(key uint64, mean, std float64) func(int) float64 {
	return func(i int) float64 {
		radius := math.Sqrt(-2 * math.Log(1-unit(random64(key, 2*uint64(i)))))
		angle := 2 * math.Pi * unit(random64(key, 2*uint64(i)+1))
		return mean + std*radius*math.Cos(angle)
	}
}

// sparse keeps each value with the chance keep/outputs, as Caffe's gaussian
// filler does, outputs being the first axis.
func sparse(value func(int) float64, keep int, shape []int, key uint64) func(int) float64 {
	if keep <= 0 || len(shape) == 0 || keep >= shape[0] {
		return value
	}
	chance := float64(keep) / float64(shape[0])
	return func(i int) float64 {
		if unit(random64(key, uint64(i))) >= chance {
			return 0
		}
		return value(i)
	}
}

// fan is the n of Caffe's xavier and msra fillers: how many inputs feed an
// output (count / axis 0), how many outputs an input feeds (count / axis 1), or
// the mean of both.
func fan(variance string, shape []int) (float64, error) {
	count := float64(elements(shape))
	if len(shape) == 0 || count == 0 {
		return 0, fmt.Errorf("a filler scaled by its fan needs at least one axis")
	}
	in, out := count/float64(shape[0]), count
	if len(shape) > 1 {
		out = count / float64(shape[1])
	}
	switch variance {
	case "", "fan_in":
		return in, nil
	case "fan_out":
		return out, nil
	case "average":
		return (in + out) / 2, nil
	}
	return 0, fmt.Errorf("unknown variance %q%s", variance, didYouMean(variance, []string{"fan_in", "fan_out", "average"}))
}

// bilinear is the kernel that upsamples by interpolation in a deconvolution:
// (1-|x/f-c|)(1-|y/f-c|) with f = ceil(width/2) and c = (width-1)/(2f).
func bilinear(shape []int) (func(int) float64, error) {
	if len(shape) != 4 || shape[2] != shape[3] {
		return nil, fmt.Errorf("a bilinear filler needs four axes and a square kernel")
	}
	width := shape[3]
	f := math.Ceil(float64(width) / 2)
	c := float64(width-1) / (2 * f)
	return func(i int) float64 {
		x, y := i%width, i/width%width
		return (1 - math.Abs(float64(x)/f-c)) * (1 - math.Abs(float64(y)/f-c))
	}, nil
}

// orthogonal makes the matrix [axis 0, rest] have orthonormal rows, or columns
// where there are fewer of them, times the gain: the Q of a gaussian matrix's
// QR decomposition (Saxe, McClelland and Ganguli, 2014). Gram-Schmidt leaves
// R's diagonal positive, which makes Q uniformly distributed.
func orthogonal(key uint64, gain float64, shape []int) (func(int) float64, error) {
	if len(shape) < 2 {
		return nil, fmt.Errorf("an orthogonal filler needs at least two axes")
	}
	if gain == 0 {
		gain = 1
	}
	rows := shape[0]
	columns := elements(shape) / max(rows, 1)
	vectors, length := min(rows, columns), max(rows, columns)
	draw := gaussian(key, 0, 1)
	q := make([][]float64, vectors)
	for v := range q {
		q[v] = make([]float64, length)
		for i := range q[v] {
			q[v][i] = draw(v*length + i)
		}
		for range 2 { // a second round removes what rounding left of the first
			for _, earlier := range q[:v] {
				subtractProjection(q[v], earlier)
			}
		}
		normalize(q[v])
	}
	return func(i int) float64 {
		row, column := i/columns, i%columns
		if rows <= columns {
			return gain * q[row][column]
		}
		return gain * q[column][row]
	}, nil
}

// subtractProjection takes from v its part along the unit vector u.
func subtractProjection(v, u []float64) {
	dot := 0.0
	for i := range v {
		dot += v[i] * u[i]
	}
	for i := range v {
		v[i] -= dot * u[i]
	}
}

func normalize(v []float64) {
	squares := 0.0
	for _, x := range v {
		squares += x * x
	}
	scale := 1 / math.Sqrt(squares)
	for i := range v {
		v[i] *= scale
	}
}

// scaleRowsToSumOne divides each row (axis 0) by its sum.
func scaleRowsToSumOne(values []float32, shape []int) {
	if len(shape) == 0 || shape[0] == 0 {
		return
	}
	width := len(values) / shape[0]
	for row := range shape[0] {
		values := values[row*width : (row+1)*width]
		sum := 0.0
		for _, v := range values {
			sum += float64(v)
		}
		for i := range values {
			values[i] = float32(float64(values[i]) / sum)
		}
	}
}
