package spec

import "netc/spec/diag"

// Net is a network after expansion: blocks, repeats, constants and imports are
// gone, guards have chosen the layers of one phase, and every name is unique.
// The compiler lowers it layer by layer, in order.
type Net struct {
	Name   string
	Phase  string // "train" or "test", as selected
	Span   diag.Span
	Inputs []*Input
	Layers []*Layer
	// Aliases gives the full name of the tensor that a name of the source
	// stands for, where no tensor has that name itself: a block's result u for
	// u.relu, or x after a repeat for x.3.
	Aliases map[string]string
}

// Input is a tensor that the data source feeds. Shape has no batch axis.
type Input struct {
	Name  string
	Span  diag.Span
	Shape []int
	DType string // "f32" or "i32"
}

// Layer is one layer call with its fields evaluated.
type Layer struct {
	Name     string // the first result's full name, such as "a.conv"
	Type     string // as written: "Convolution"
	TypeSpan diag.Span
	Bottoms  []Ref
	Tops     []Ref
	Fields   []*Field // in source order; a repeated field appears repeatedly
	Span     diag.Span
	Calls    []diag.Pos // block calls that led here, outermost first
}

// Ref is a use or definition of a tensor by its full name.
type Ref struct {
	Name string
	Span diag.Span
}

// Field is "name: value" or "name { … }" inside a layer's braces.
type Field struct {
	Name  string
	Span  diag.Span // of the name
	Value Value
}

// ValueKind tells which member of Value holds the value.
type ValueKind int

const (
	Number ValueKind = iota // Num; IsInt tells whether it was written or computed as an integer
	Bool                    // Bool
	Word                    // Text: an identifier such as max or xavier; Fields may follow: gaussian { std: 0.01 }
	String                  // Text: a quoted string
	List                    // Items
	Block                   // Fields: name { … }
)

// Value is a field's value.
type Value struct {
	Kind   ValueKind
	Span   diag.Span
	Num    float64
	IsInt  bool
	Bool   bool
	Text   string
	Items  []Value
	Fields []*Field
}
