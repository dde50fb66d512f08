// Package oracle judges the compiler's float64 reference, netc/ir/eval, by
// tensors that others wrote: gorgonia.org/tensor. What goes in are the
// reference's tensors; products, convolutions, windows, reductions and softmax
// come back computed a second, independent way, and arrays are exchanged as
// .npy files.
//
// It is a module of its own because gorgonia.org/tensor brings dozens of
// modules that netc itself must not depend on.
package oracle

import (
	"fmt"

	"gorgonia.org/tensor"

	"netc/ir/eval"
)

// Dense copies a reference tensor of at least one axis. Integers become floats.
func Dense(t *eval.Tensor) *tensor.Dense {
	return tensor.New(tensor.WithShape(t.Type.Shape...), tensor.WithBacking(append([]float64(nil), t.Data...)))
}

// Floats copies the elements of a tensor or of a view, row-major.
func Floats(t tensor.Tensor) ([]float64, error) {
	switch data := t.Data().(type) {
	case float64: // a view of one element
		return []float64{data}, nil
	case []float64:
		var list []float64
		it := t.Iterator()
		for i, err := it.Start(); err == nil; i, err = it.Next() {
			list = append(list, data[i])
		}
		return list, nil
	}
	return nil, fmt.Errorf("elements of type %s, not float64", t.Dtype())
}
