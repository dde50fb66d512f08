package ir

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// attribute is one tagged field of an operator, parameter or filler:
//
//	Stride []int `ir:"stride"`
//	Alpha  float64 `ir:"alpha,1"`
//
// The text after the comma is the default, which is not printed; without it
// the default is the zero value. Types: int, float64, bool, string, []int,
// []float64.
type attribute struct {
	name  string
	index int
	def   reflect.Value
}

// knownAttributes has the attributes of each type once they were asked for.
var knownAttributes sync.Map

func attributesOf(t reflect.Type) []attribute {
	if list, ok := knownAttributes.Load(t); ok {
		return list.([]attribute)
	}
	list := readAttributes(t)
	knownAttributes.Store(t, list)
	return list
}

func readAttributes(t reflect.Type) []attribute {
	var list []attribute
	for i := 0; i < t.NumField(); i++ {
		tag, ok := t.Field(i).Tag.Lookup("ir")
		if !ok {
			continue
		}
		name, text, hasDefault := strings.Cut(tag, ",")
		def := reflect.New(t.Field(i).Type).Elem()
		if hasDefault {
			p := &parser{toks: scan(text)}
			p.setAttribute(def)
		}
		list = append(list, attribute{name, i, def})
	}
	return list
}

// operatorOf unpacks the struct behind an operator pointer.
func operatorOf(op Op) reflect.Value { return reflect.ValueOf(op).Elem() }

// formatAttributes prints the attributes that differ from their defaults as
// "{a: 1, b: [2, 3]}", or "" when none does.
func formatAttributes(s reflect.Value) string {
	var parts []string
	for _, a := range attributesOf(s.Type()) {
		f := s.Field(a.index)
		if sameAttribute(f, a.def) {
			continue
		}
		parts = append(parts, a.name+": "+formatAttribute(f))
	}
	if len(parts) == 0 {
		return ""
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func sameAttribute(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func formatAttribute(f reflect.Value) string {
	switch f.Kind() {
	case reflect.Int:
		return strconv.FormatInt(f.Int(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(f.Float(), 'g', -1, 64)
	case reflect.Bool:
		return strconv.FormatBool(f.Bool())
	case reflect.String:
		return quoteName(f.String())
	case reflect.Slice:
		items := make([]string, f.Len())
		for i := range items {
			items[i] = formatAttribute(f.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	panic(fmt.Sprintf("attribute type %s", f.Type()))
}

// EqualOps reports whether two operators are the same with the same attributes.
func EqualOps(a, b Op) bool {
	if a.Mnemonic() != b.Mnemonic() {
		return false
	}
	return formatAttributes(operatorOf(a)) == formatAttributes(operatorOf(b))
}

// Attributes gives the operator's non-default attributes as IR text, or "".
func Attributes(op Op) string { return formatAttributes(operatorOf(op)) }

var registry = map[string]func() Op{}

// Register makes an operator known to Parse under its mnemonic.
func Register(create func() Op) { registry[create().Mnemonic()] = create }

// Mnemonics lists the registered operators, unsorted.
func Mnemonics() []string {
	var list []string
	for name := range registry {
		list = append(list, name)
	}
	return list
}

// paramAttributes is how a ParamInfo prints.
type paramAttributes struct {
	Filler    string  `ir:"filler,constant"`
	Value     float64 `ir:"value"`
	Min       float64 `ir:"min"`
	Max       float64 `ir:"max"`
	Mean      float64 `ir:"mean"`
	Std       float64 `ir:"std"`
	Sparse    int     `ir:"sparse"`
	Gain      float64 `ir:"gain"`
	Variance  string  `ir:"variance"`
	LrMult    float64 `ir:"lr_mult,1"`
	DecayMult float64 `ir:"decay_mult,1"`
	Saved     bool    `ir:"saved"`
}

func (p *ParamInfo) attributes(kind Kind) paramAttributes {
	f := p.Filler
	a := paramAttributes{f.Kind, f.Value, f.Min, f.Max, f.Mean, f.Std, f.Sparse, f.Gain, f.Variance,
		p.LrMult, p.DecayMult, p.Saved && kind == State}
	if kind == State {
		a.LrMult, a.DecayMult = 1, 1 // mean nothing for a state
	}
	return a
}

func (a paramAttributes) info(kind Kind) ParamInfo {
	info := ParamInfo{
		Filler: Filler{a.Filler, a.Value, a.Min, a.Max, a.Mean, a.Std, a.Sparse, a.Gain, a.Variance},
		LrMult: a.LrMult, DecayMult: a.DecayMult, Saved: a.Saved || kind == Param,
	}
	if kind == State {
		info.LrMult, info.DecayMult = 0, 0
	}
	return info
}
