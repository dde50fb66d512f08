package layer

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"netc/spec"
	"netc/spec/diag"
)

// reader fills structs from the fields of one layer, block or filler, and
// reports every mistake it finds there.
type reader struct {
	messages  *diag.List
	owner     string    // whose fields they are, as messages name it
	page      string    // the "netc doc" page that lists them
	place     diag.Span // where a missing field is reported
	tolerated []string  // other names that are passed over with a warning

	occurrences map[string][]*spec.Field // by the name as written
	meant       map[string]bool          // fields that a misspelt name probably stands for
}

// read sets defaults, then the given fields, in the structs that the pointers
// point to. It reports whether all was well.
func (r *reader) read(given []*spec.Field, structs ...any) bool {
	before := r.messages.Errors()
	r.occurrences = map[string][]*spec.Field{}
	for _, f := range given {
		r.occurrences[f.Name] = append(r.occurrences[f.Name], f)
	}
	r.reportUnknown(given, structs)
	for _, pointer := range structs {
		target := reflect.ValueOf(pointer).Elem()
		for _, f := range fieldsOf(target.Type()) {
			member := target.FieldByIndex(f.index)
			f.setDefault(member)
			r.field(f, member)
		}
	}
	return r.messages.Errors() == before
}

// reportUnknown reports the fields that no struct has.
func (r *reader) reportUnknown(given []*spec.Field, structs []any) {
	var known []string
	for _, pointer := range structs {
		for _, f := range fieldsOf(reflect.TypeOf(pointer).Elem()) {
			known = append(known, f.spellings()...)
		}
	}
	r.meant = map[string]bool{}
	for _, f := range given {
		switch {
		case slices.Contains(known, f.Name):
		case slices.Contains(r.tolerated, f.Name):
			r.messages.Warnf(codeIgnored, f.Span, "%s does not use %s", r.owner, f.Name)
		default:
			d := r.messages.Errorf(codeUnknownField, f.Span, "%s has no field %q", r.owner, f.Name)
			lists := strconv.Quote("netc doc "+r.page) + " lists the fields"
			if near := diag.Nearest(f.Name, known); near != "" {
				r.meant[near] = true
				d.Helpf("did you mean %q? %s", near, lists)
			} else {
				d.Helpf("%s", lists)
			}
		}
	}
}

// field reads all occurrences of one field into its member.
func (r *reader) field(f *field, member reflect.Value) {
	written := r.occurrences[f.name]
	if f.byAxis[0] != "" && r.byAxis(f, member) {
		return
	}
	switch {
	case len(written) == 0 && r.meant[f.name]:
		return // reported as misspelt, so not as missing too
	case len(written) == 0 && f.required:
		d := r.messages.Errorf(codeMissing, r.place, "%s needs %s", r.owner, f.name)
		d.Helpf("add %s: %s", f.name, f.doc)
		return
	case len(written) == 0:
		return
	case len(written) > 1 && !f.repeats():
		r.messages.Errorf(codeTwice, written[1].Span, "%s is given twice", f.name).
			Note(written[0].Span.Pos, "it is given here first")
		return
	}
	switch f.goType {
	case paramsType:
		r.params(written, member)
		return
	case fillerType:
		if filler, ok := r.filler(f.name, written[0].Value); ok {
			member.Set(reflect.ValueOf(filler))
		}
		return
	case pairType:
		r.pair(f, entries(f, written), member)
		return
	}
	switch member.Kind() {
	case reflect.Slice:
		r.list(f, entries(f, written), member)
	case reflect.Pointer:
		target := reflect.New(f.goType.Elem())
		if r.scalar(f, written[0].Value, target.Elem()) {
			member.Set(target)
		}
	default:
		r.scalar(f, written[0].Value, member)
	}
}

// byAxis reads a pair from its two other names and reports whether any of them
// is written.
func (r *reader) byAxis(f *field, member reflect.Value) bool {
	var numbers [2]*spec.Field
	for i, name := range f.byAxis {
		written := r.occurrences[name]
		if len(written) == 0 {
			continue
		}
		if len(written) > 1 {
			r.messages.Errorf(codeTwice, written[1].Span, "%s is given twice", name).
				Note(written[0].Span.Pos, "it is given here first")
		}
		numbers[i] = written[0]
	}
	if numbers[0] == nil && numbers[1] == nil {
		return false
	}
	if both := r.occurrences[f.name]; len(both) > 0 {
		first := numbers[0]
		if first == nil {
			first = numbers[1]
		}
		r.messages.Errorf(codeTwice, first.Span, "%s and %s exclude each other", first.Name, f.name).
			Note(both[0].Span.Pos, "%s is given here", f.name).
			Helpf("write %s: [vertical, horizontal], or %s and %s", f.name, f.byAxis[0], f.byAxis[1])
		return true
	}
	p := member.Interface().(pair)
	for i, extent := range []*int{&p.H, &p.W} {
		switch {
		case numbers[i] != nil:
			if n, ok := r.integer(f, numbers[i].Name, numbers[i].Value); ok {
				*extent = n
			}
		case f.required && !r.meant[f.byAxis[i]]:
			other := numbers[1-i]
			r.messages.Errorf(codeMissing, other.Span, "%s needs %s beside it", other.Name, f.byAxis[i]).
				Helpf("for a square write %s", f.name)
		}
	}
	member.Set(reflect.ValueOf(p))
	return true
}

// entries flattens repeated fields, lists and item blocks into single values.
func entries(f *field, written []*spec.Field) []spec.Value {
	var all []spec.Value
	for _, w := range written {
		switch {
		case w.Value.Kind == spec.List:
			all = append(all, w.Value.Items...)
		case w.Value.Kind == spec.Block && f.items != "" && onlyNamed(w.Value.Fields, f.items):
			all = append(all, entries(f, w.Value.Fields)...)
		default:
			all = append(all, w.Value)
		}
	}
	return all
}

func onlyNamed(fields []*spec.Field, name string) bool {
	for _, f := range fields {
		if f.Name != name {
			return false
		}
	}
	return true
}

func (r *reader) pair(f *field, values []spec.Value, member reflect.Value) {
	var numbers []int
	for _, v := range values {
		n, ok := r.integer(f, f.name, v)
		if !ok {
			return
		}
		numbers = append(numbers, n)
	}
	switch len(numbers) {
	case 1:
		member.Set(reflect.ValueOf(pair{numbers[0], numbers[0]}))
	case 2:
		member.Set(reflect.ValueOf(pair{numbers[0], numbers[1]}))
	default:
		r.messages.Errorf(codeKind, r.occurrences[f.name][0].Value.Span, "%s takes one or two integers, not %d", f.name, len(numbers)).
			Helpf("an image has two axes: %s: [vertical, horizontal]", f.name)
	}
}

func (r *reader) list(f *field, values []spec.Value, member reflect.Value) {
	list := reflect.MakeSlice(f.goType, 0, len(values))
	for _, v := range values {
		element := reflect.New(f.goType.Elem()).Elem()
		if !r.scalar(f, v, element) {
			return
		}
		list = reflect.Append(list, element)
	}
	member.Set(list)
}

// scalar reads one value into a number, bool or string.
func (r *reader) scalar(f *field, v spec.Value, into reflect.Value) bool {
	switch into.Kind() {
	case reflect.Int:
		n, ok := r.integer(f, f.name, v)
		into.SetInt(int64(n))
		return ok
	case reflect.Float64:
		if v.Kind != spec.Number || math.IsNaN(v.Num) || math.IsInf(v.Num, 0) {
			return r.wrongKind(f.name, "a number", v)
		}
		into.SetFloat(v.Num)
		return r.inBounds(f, f.name, v)
	case reflect.Bool:
		if v.Kind != spec.Bool {
			return r.wrongKind(f.name, "true or false", v)
		}
		into.SetBool(v.Bool)
		return true
	}
	if v.Kind != spec.Word && v.Kind != spec.String || len(v.Fields) > 0 {
		want := "a name"
		if len(f.words) > 0 {
			want = alternatives(f.words)
		}
		return r.wrongKind(f.name, want, v)
	}
	if len(f.words) == 0 {
		into.SetString(v.Text)
		return true
	}
	for _, word := range f.words {
		if strings.EqualFold(word, v.Text) {
			into.SetString(word)
			return true
		}
	}
	d := r.messages.Errorf(codeValue, v.Span, "%s must be %s, not %q", f.name, alternatives(f.words), v.Text)
	if near := diag.Nearest(v.Text, f.words); near != "" {
		d.Helpf("did you mean %s?", near)
	}
	return false
}

func (r *reader) integer(f *field, name string, v spec.Value) (int, bool) {
	switch {
	case v.Kind != spec.Number || !v.IsInt && v.Num != math.Trunc(v.Num):
		return 0, r.wrongKind(name, "an integer", v)
	case !(math.Abs(v.Num) <= largestInteger):
		r.messages.Errorf(codeValue, v.Span, "%s is out of range: at most %d", name, largestInteger)
		return 0, false
	}
	return int(v.Num), r.inBounds(f, name, v)
}

func (r *reader) inBounds(f *field, name string, v spec.Value) bool {
	for _, b := range f.bounds {
		if !b.holds(v.Num) {
			r.messages.Errorf(codeValue, v.Span, "%s must be %s, not %s", name, b.text, describe(v))
			return false
		}
	}
	return true
}

func (r *reader) wrongKind(name, want string, v spec.Value) bool {
	r.messages.Errorf(codeKind, v.Span, "%s must be %s, not %s", name, want, describe(v))
	return false
}

// params reads the repeated blocks of the param field.
func (r *reader) params(written []*spec.Field, member reflect.Value) {
	var list []paramFields
	for _, w := range written {
		p := paramFields{span: w.Span}
		if w.Value.Kind != spec.Block {
			r.wrongKind("param", "a block { … }", w.Value)
			continue
		}
		inner := reader{messages: r.messages, owner: "param", page: r.page, place: w.Span}
		if inner.read(w.Value.Fields, &p) {
			list = append(list, p)
		}
	}
	member.Set(reflect.ValueOf(list))
}

// describe says in words what value was found.
func describe(v spec.Value) string {
	switch v.Kind {
	case spec.Number:
		return strconv.FormatFloat(v.Num, 'g', -1, 64)
	case spec.Bool:
		return strconv.FormatBool(v.Bool)
	case spec.Word:
		return strconv.Quote(v.Text)
	case spec.String:
		return "the text " + strconv.Quote(v.Text)
	case spec.List:
		return "a list"
	}
	return "a block"
}

// alternatives joins words as "max or ave".
func alternatives(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
