package eval

import (
	"fmt"
	"math"

	"netc/ir"
)

// Tensor holds the elements of a value, row-major, in float64. The elements of
// an i32 or u8 tensor are whole numbers.
type Tensor struct {
	Type ir.Type
	Data []float64
}

// Zeros returns a tensor of zeros.
func Zeros(t ir.Type) *Tensor {
	return &Tensor{Type: t, Data: make([]float64, t.Shape.Count())}
}

// Floats returns an f32 tensor over the given elements, which are not copied.
// Run reports a count that does not fit the shape.
func Floats(shape ir.Shape, elements ...float64) *Tensor {
	return &Tensor{Type: ir.Type{DType: ir.F32, Shape: shape}, Data: elements}
}

// Ints returns an i32 tensor of the given elements.
func Ints(shape ir.Shape, elements ...int) *Tensor {
	t := &Tensor{Type: ir.Type{DType: ir.I32, Shape: shape}, Data: make([]float64, len(elements))}
	for i, x := range elements {
		t.Data[i] = float64(x)
	}
	return t
}

// FromFloat32 returns an f32 tensor with the elements that a compiled program
// would be given.
func FromFloat32(shape ir.Shape, elements []float32) *Tensor {
	t := &Tensor{Type: ir.Type{DType: ir.F32, Shape: shape}, Data: make([]float64, len(elements))}
	for i, x := range elements {
		t.Data[i] = float64(x)
	}
	return t
}

// FromInt32 is FromFloat32 for an i32 tensor.
func FromInt32(shape ir.Shape, elements []int32) *Tensor {
	t := &Tensor{Type: ir.Type{DType: ir.I32, Shape: shape}, Data: make([]float64, len(elements))}
	for i, x := range elements {
		t.Data[i] = float64(x)
	}
	return t
}

// Float32s rounds the elements to float32.
func (t *Tensor) Float32s() []float32 {
	list := make([]float32, len(t.Data))
	for i, x := range t.Data {
		list[i] = float32(x)
	}
	return list
}

// Clone returns a copy that shares nothing with t but its shape.
func (t *Tensor) Clone() *Tensor {
	return &Tensor{Type: t.Type, Data: append([]float64(nil), t.Data...)}
}

// check returns an error unless t can stand for a value of type want.
func (t *Tensor) check(want ir.Type) error {
	switch {
	case t == nil:
		return fmt.Errorf("no tensor is given; it is %s", want)
	case !t.Type.Equal(want):
		return fmt.Errorf("the tensor given is %s, not %s", t.Type, want)
	case len(t.Data) != want.Shape.Count():
		return fmt.Errorf("%d elements are given, but %s has %d", len(t.Data), want, want.Shape.Count())
	case !want.DType.IsInt():
		return nil
	}
	least, most := float64(math.MinInt32), float64(math.MaxInt32)
	if want.DType == ir.U8 {
		least, most = 0, math.MaxUint8
	}
	for i, x := range t.Data {
		if x != math.Trunc(x) || x < least || x > most {
			return fmt.Errorf("element %d is %g, which is no %s", i, x, want.DType)
		}
	}
	return nil
}
