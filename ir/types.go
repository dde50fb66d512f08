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
)

// String gives the name used in IR text: "f32" or "i32".
func (d DType) String() string {
	switch d {
	case F32:
		return "f32"
	case I32:
		return "i32"
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Size is the number of bytes of one element.
func (d DType) Size() int { return 4 }

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

// Type is an element type and a shape.
type Type struct {
	DType DType
	Shape Shape
}

// Float is the f32 type of the given shape.
func Float(shape ...int) Type { return Type{F32, shape} }

// Int is the i32 type of the given shape.
func Int(shape ...int) Type { return Type{I32, shape} }

// String gives the IR text, as in "f32[64,20,24,24]".
func (t Type) String() string { return t.DType.String() + t.Shape.String() }

// Equal reports whether t and u are the same type.
func (t Type) Equal(u Type) bool { return t.DType == u.DType && t.Shape.Equal(u.Shape) }

// Bytes is the storage of a tensor of this type.
func (t Type) Bytes() int { return t.Shape.Count() * t.DType.Size() }
