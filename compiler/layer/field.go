package layer

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"netc/ir"
)

// field describes one field of a layer, as its struct tag gives it.
type field struct {
	name     string
	doc      string
	initial  string    // the default as text; empty where there is none
	byAxis   [2]string // a pair's other spelling, such as kernel_h and kernel_w
	items    string    // what an entry is called when the list is written as a block
	words    []string  // the words that are allowed, in lower case
	required bool
	bounds   []bound
	index    []int // for reflect.Value.FieldByIndex
	goType   reflect.Type
}

// bound is one limit of a number.
type bound struct {
	text  string // "at least 1"
	holds func(float64) bool
}

// pair is a field of two numbers, for the vertical and the horizontal axis of
// an image. One number in the source stands for both.
type pair struct{ H, W int }

// list gives the pair as operators' attributes have it.
func (p pair) list() []int { return []int{p.H, p.W} }

var (
	pairType   = reflect.TypeFor[pair]()
	fillerType = reflect.TypeFor[ir.Filler]()
	paramsType = reflect.TypeFor[[]paramFields]()
)

// fieldsOf reads the tags of a fields struct; embedded structs count as if
// their fields stood there. The tags are:
//
//	net       the field's name
//	doc       help text
//	default   the value where the field is absent
//	required  "true" where it must be present
//	words     the words that are allowed, separated by blanks
//	atLeast, above, below   limits of a number
//	byAxis    a pair's other spelling: the names for the two axes
//	items     the name of an entry where the list is written as a block
//
// The field types are int, float64, bool, string, pointers to numbers (nil
// where absent), lists of numbers and of bools, pair and ir.Filler.
func fieldsOf(t reflect.Type) []*field {
	var list []*field
	for i := range t.NumField() {
		member := t.Field(i)
		if !member.IsExported() && !member.Anonymous {
			continue
		}
		if member.Anonymous {
			for _, inner := range fieldsOf(member.Type) {
				inner.index = append([]int{i}, inner.index...)
				list = append(list, inner)
			}
			continue
		}
		f := &field{
			name:     member.Tag.Get("net"),
			doc:      member.Tag.Get("doc"),
			initial:  member.Tag.Get("default"),
			items:    member.Tag.Get("items"),
			words:    strings.Fields(member.Tag.Get("words")),
			required: member.Tag.Get("required") == "true",
			bounds:   boundsOf(member.Tag),
			index:    []int{i},
			goType:   member.Type,
		}
		if axes := strings.Fields(member.Tag.Get("byAxis")); len(axes) == 2 {
			f.byAxis = [2]string{axes[0], axes[1]}
		}
		list = append(list, f)
	}
	return list
}

func boundsOf(tag reflect.StructTag) []bound {
	var list []bound
	add := func(key, words string, holds func(x, limit float64) bool) {
		text, ok := tag.Lookup(key)
		if !ok {
			return
		}
		limit, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(fmt.Sprintf("layer: limit %q of a field: %v", text, err))
		}
		list = append(list, bound{words + " " + text, func(x float64) bool { return holds(x, limit) }})
	}
	add("atLeast", "at least", func(x, limit float64) bool { return x >= limit })
	add("above", "above", func(x, limit float64) bool { return x > limit })
	add("below", "below", func(x, limit float64) bool { return x < limit })
	return list
}

// spellings lists the names under which the field may be written.
func (f *field) spellings() []string {
	if f.byAxis[0] != "" {
		return []string{f.name, f.byAxis[0], f.byAxis[1]}
	}
	return []string{f.name}
}

// repeats reports whether the field may be written several times.
func (f *field) repeats() bool { return f.goType.Kind() == reflect.Slice || f.goType == pairType }

// setDefault puts the field's default into v; a default that does not parse is
// a mistake in the struct's tags.
func (f *field) setDefault(v reflect.Value) {
	if f.initial == "" {
		return
	}
	number := func(text string) float64 {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(fmt.Sprintf("layer: default %q of %s: %v", text, f.name, err))
		}
		return x
	}
	switch {
	case f.goType == pairType:
		n := int(number(f.initial))
		v.Set(reflect.ValueOf(pair{n, n}))
	case f.goType == fillerType:
		kind, value, _ := strings.Cut(f.initial, " ")
		filler := ir.Filler{Kind: kind}
		if value != "" {
			filler.Value = number(value)
		}
		v.Set(reflect.ValueOf(filler))
	case v.Kind() == reflect.Int:
		v.SetInt(int64(number(f.initial)))
	case v.Kind() == reflect.Float64:
		v.SetFloat(number(f.initial))
	case v.Kind() == reflect.Bool:
		v.SetBool(f.initial == "true")
	case v.Kind() == reflect.String:
		v.SetString(f.initial)
	default:
		panic(fmt.Sprintf("layer: %s of type %s cannot have a default", f.name, f.goType))
	}
}

// kind says in words what the field's value is.
func (f *field) kind() string {
	if len(f.words) > 0 {
		return strings.Join(f.words, " | ")
	}
	limits := ""
	for _, b := range f.bounds {
		limits += ", " + b.text
	}
	switch f.goType {
	case pairType:
		return "one or two integers" + limits
	case fillerType:
		return "filler"
	case paramsType:
		return "block, repeated"
	}
	switch f.goType.Kind() {
	case reflect.Pointer:
		return scalarKind(f.goType.Elem().Kind()) + limits
	case reflect.Slice:
		return "list of " + pluralKind(f.goType.Elem().Kind()) + limits
	}
	return scalarKind(f.goType.Kind()) + limits
}

func scalarKind(k reflect.Kind) string {
	switch k {
	case reflect.Int:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "name"
	}
	return k.String()
}

func pluralKind(k reflect.Kind) string {
	switch k {
	case reflect.Int:
		return "integers"
	case reflect.Float64:
		return "numbers"
	case reflect.Bool:
		return "true or false"
	}
	return k.String()
}

// largestInteger bounds integers in fields, so that sums and products of a few
// of them cannot overflow.
const largestInteger = math.MaxInt32
