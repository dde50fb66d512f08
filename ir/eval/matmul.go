package eval

import "netc/ir/op"

func init() {
	define("matmul", func(o *op.MatMul, in, out []*Tensor) {
		a, b := matrixOf(in[0], o.TransA), matrixOf(in[1], o.TransB)
		for i := range a.rows {
			for j := range b.columns {
				sum := 0.0
				for k := range a.columns {
					sum += a.at(i, k) * b.at(k, j)
				}
				out[0].Data[i*b.columns+j] = sum
			}
		}
	})
}

// matrix views a tensor of two axes, possibly transposed.
type matrix struct {
	rows, columns int
	transposed    bool
	data          []float64
}

func matrixOf(t *Tensor, transposed bool) matrix {
	m := matrix{t.Type.Shape[0], t.Type.Shape[1], transposed, t.Data}
	if transposed {
		m.rows, m.columns = m.columns, m.rows
	}
	return m
}

func (m matrix) at(i, j int) float64 {
	if m.transposed {
		return m.data[j*m.rows+i]
	}
	return m.data[i*m.columns+j]
}
