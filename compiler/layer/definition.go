// Package layer holds Caffe's layers, one file each. A layer says what fields
// it has and how it is built from operators; shapes and gradients are the
// operators'. From a layer's fields struct come the parsing of its fields,
// their defaults, the errors that point at them and the help text.
//
// Lower turns the expanded network of one phase into a graph.
package layer

import (
	"reflect"
	"slices"
	"strings"

	"netc/spec/diag"
)

// Definition is one layer type.
type Definition struct {
	Name   string
	about  about
	wiring wiring
	fields []*field
	create func() any // a new fields struct, as a pointer
	lower  func(c *Context, fields any)
}

// about is what the help text says of a layer.
type about struct {
	summary string // what it does, in one line
	formula string // y is the result, x the input
	shape   string // of the results, from the inputs'
	example string // a net without its first line, which compiles
	loss    bool   // the first result counts in the total with weight 1 unless loss_weight says otherwise
}

// many is the most inputs or results of a layer that takes any number.
const many = -1

// wiring is how many inputs and results a layer takes.
type wiring struct {
	minInputs, maxInputs   int
	minResults, maxResults int
}

// arity is the wiring of a layer with fixed numbers of inputs and results.
func arity(inputs, results int) wiring { return wiring{inputs, inputs, results, results} }

var definitions = map[string]*Definition{}

// define makes a layer type known. The fields struct F is described by its
// tags; see fieldsOf.
func define[F any](name string, a about, w wiring, lower func(*Context, *F)) *Definition {
	d := &Definition{
		Name: name, about: a, wiring: w,
		fields: fieldsOf(reflect.TypeFor[F]()),
		create: func() any { return new(F) },
		lower:  func(c *Context, fields any) { lower(c, fields.(*F)) },
	}
	definitions[name] = d
	return d
}

// Types lists the layer types, sorted.
func Types() []string {
	var names []string
	for name := range definitions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Judges reports whether layers of a type measure how good a result is, as
// losses and Accuracy do, instead of computing one.
func Judges(name string) bool {
	d := definitions[name]
	return d != nil && (d.about.loss || d == Accuracy)
}

// NearestType gives the type that name was probably meant to be, whatever its
// case, or "".
func NearestType(name string) string {
	for _, known := range Types() {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return diag.Nearest(name, Types())
}
