package ir

import (
	"fmt"
	"strings"
)

// DType is the type of a tensor's elements.
type DType uint8

const (
	F32 DType = iota
	I32
	U8 // whole numbers from 0 to 255, which only kernels exchange
)

// String gives the name used in IR text: "f32", "i32" or "u8".
func (d DType) String() string {
	switch d {
	case F32:
		return "f32"
	case I32:
		return "i32"
	case U8:
		return "u8"
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Size is the number of bytes of one element.
func (d DType) Size() int {
	if d == U8 {
		return 1
	}
	return 4
}

// IsInt reports whether elements are whole numbers.
func (d DType) IsInt() bool { return d != F32 }

// Shape lists a tensor's extents, outermost first. The empty shape is a scalar.
type Shape []int

// Count is the number of elements.
func (s Shape) Count() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports whether s and t have the same extents.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// String gives the extents in brackets, as in "[64,20,24,24]".
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = fmt.Sprint(d)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// LaneBlock is how many indices of an axis in lanes lie side by side: one
// AVX-512 register, or two of AVX2.
const LaneBlock = 16

// Type is an element type and a shape, and how the elements lie in memory:
// row-major, or with the first two axes exchanged, with one axis in lanes, or
// both. An axis in lanes is cut into blocks of LaneBlock indices, which are
// innermost: [N, C, H, W] with N in lanes is stored as [N/16, C, H, W, 16], with
// C in lanes as [N, C/16, H, W, 16], and exchanged as [C/16, N, H, W, 16]. A
// last block is padded.
type Type struct {
	DType DType
	Shape Shape
	Lanes int  // 1 + the axis in lanes, or 0
	Swap  bool // the first two axes are exchanged in memory
}

// InLanes is the type with an axis in lanes.
func (t Type) InLanes(axis int) Type {
	t.Lanes = axis + 1
	return t
}

// Swapped is the type with the first two axes exchanged in memory.
func (t Type) Swapped() Type {
	t.Swap = true
	return t
}

// Order lists the axes as they lie in memory, the outermost first.
func (t Type) Order() []int {
	order := make([]int, len(t.Shape))
	for i := range order {
		order[i] = i
	}
	if t.Swap {
		order[0], order[1] = 1, 0
	}
	return order
}

// Blocks is the extent of an axis in memory: the number of its blocks where it
// is in lanes.
func (t Type) Blocks(axis int) int {
	if axis == t.Lanes-1 {
		return (t.Shape[axis] + LaneBlock - 1) / LaneBlock
	}
	return t.Shape[axis]
}

// RowMajor is the type in the order of its axes.
func (t Type) RowMajor() Type {
	t.Lanes, t.Swap = 0, false
	return t
}

// IsRowMajor reports whether elements lie in the order of the axes.
func (t Type) IsRowMajor() bool { return t.Lanes == 0 && !t.Swap }

// SameLayout reports whether equal types lie in the same way.
func (t Type) SameLayout(u Type) bool { return t.Lanes == u.Lanes && t.Swap == u.Swap }

// Float is the f32 type of the given shape.
func Float(shape ...int) Type { return Type{DType: F32, Shape: shape} }

// Int is the i32 type of the given shape.
func Int(shape ...int) Type { return Type{DType: I32, Shape: shape} }

// Byte is the u8 type of the given shape.
func Byte(shape ...int) Type { return Type{DType: U8, Shape: shape} }

// String gives the IR text, as in "f32[64,20,24,24]", or "f32[64/16,20,24,24]"
// with the first axis in lanes, or "f32[20,5,5,5]^" with the first two exchanged.
func (t Type) String() string {
	parts := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		parts[i] = fmt.Sprint(d)
		if i == t.Lanes-1 {
			parts[i] += fmt.Sprint("/", LaneBlock)
		}
	}
	text := t.DType.String() + "[" + strings.Join(parts, ",") + "]"
	if t.Swap {
		text += "^"
	}
	return text
}

// Equal reports whether t and u have the same elements, however they lie.
func (t Type) Equal(u Type) bool { return t.DType == u.DType && t.Shape.Equal(u.Shape) }

// LiesAs reports whether the same elements in row-major order, shaped as t and
// as u, have the same bytes: both row-major, or the same first axis in lanes.
func (t Type) LiesAs(u Type) bool {
	return !t.Swap && !u.Swap && t.Lanes == u.Lanes && (t.Lanes == 0 || t.Lanes == 1 && t.Shape[0] == u.Shape[0])
}

// Stored is the number of elements in memory, the padding of a last block
// included.
func (t Type) Stored() int {
	n := 1
	if t.Lanes != 0 {
		n = LaneBlock
	}
	for i := range t.Shape {
		n *= t.Blocks(i)
	}
	return n
}

// Bytes is the storage of a tensor of this type.
func (t Type) Bytes() int { return t.Stored() * t.DType.Size() }
