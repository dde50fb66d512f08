package layer

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// docWidth is the width that help text is wrapped to.
const docWidth = 96

// Doc is the help text of a layer type, of "fillers", or of "fields", those
// that every layer has; "" for an unknown name. It comes from the same tags
// that the fields are read by.
func Doc(name string) string {
	switch name {
	case "fillers":
		return fillersDoc()
	case "fields":
		return everyLayerDoc()
	}
	d := definitions[name]
	if d == nil {
		return ""
	}
	var b strings.Builder
	heading(&b, d.Name, d.about.summary)
	b.WriteString("\n")
	entry(&b, "formula", d.about.formula)
	entry(&b, "shape", d.about.shape)
	entry(&b, "inputs", span(d.wiring.minInputs, d.wiring.maxInputs, "input"))
	entry(&b, "results", span(d.wiring.minResults, d.wiring.maxResults, "result"))
	if len(d.fields) > 0 {
		b.WriteString("\nfields\n")
		fieldTable(&b, d.fields)
	}
	b.WriteString("\nexample\n")
	for line := range strings.Lines(d.about.example) {
		b.WriteString("  " + line)
	}
	b.WriteString("\n")
	if slices.ContainsFunc(d.fields, func(f *field) bool { return f.goType == fillerType }) {
		paragraph(&b, 0, 0, "Fillers are "+strings.Join(fillerNames(), ", ")+`: see "netc doc fillers".`)
	}
	var others []string
	for _, f := range everyLayerFields {
		others = append(others, f.name)
	}
	paragraph(&b, 0, 0, "Every layer also has "+strings.Join(others, ", ")+`: see "netc doc fields".`)
	return b.String()
}

var (
	everyLayerFields = fieldsOf(reflect.TypeFor[everyLayer]())
	paramBlockFields = fieldsOf(reflect.TypeFor[paramFields]())
)

// Summary is the first line of a layer's help text; "" for an unknown type.
func Summary(name string) string {
	if d := definitions[name]; d != nil {
		return d.about.summary
	}
	return ""
}

func fillersDoc() string {
	var b strings.Builder
	heading(&b, "fillers", `how parameters start, as in "weight_filler: gaussian { std: 0.01 }"; n is the number of a parameter's inputs (its elements divided by axis 0), see variance_norm`)
	for _, k := range fillerKinds {
		b.WriteString("\n")
		heading(&b, k.name, k.doc)
		fieldTable(&b, k.fields)
	}
	return b.String()
}

func everyLayerDoc() string {
	var b strings.Builder
	heading(&b, "fields", "those that every layer has")
	b.WriteString("\n")
	fieldTable(&b, everyLayerFields)
	b.WriteString("\nfields of a param block\n")
	fieldTable(&b, paramBlockFields)
	return b.String()
}

func heading(b *strings.Builder, name, text string) {
	b.WriteString(name + ": ")
	paragraph(b, len(name)+2, 0, text)
}

// entry writes one word and its explanation beside it.
func entry(b *strings.Builder, word, text string) {
	const column = 9
	fmt.Fprintf(b, "%-*s", column, word)
	paragraph(b, column, column, text)
}

// fieldTable writes each field's name, kind and default, and below them what
// the field means.
func fieldTable(b *strings.Builder, fields []*field) {
	const docColumn = 6
	names := 0
	for _, f := range fields {
		names = max(names, len(strings.Join(f.spellings(), ", ")))
	}
	for _, f := range fields {
		fmt.Fprintf(b, "  %-*s  %s", names, strings.Join(f.spellings(), ", "), f.kind())
		switch {
		case f.required:
			b.WriteString(", required")
		case f.initial != "":
			b.WriteString(", default " + f.initial)
		}
		b.WriteString("\n" + strings.Repeat(" ", docColumn))
		paragraph(b, docColumn, docColumn, f.doc)
	}
}

// paragraph writes text from the column at on, later lines indented.
func paragraph(b *strings.Builder, at, indent int, text string) {
	for i, word := range strings.Fields(text) {
		if i > 0 && at+1+len(word) > docWidth {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		} else if i > 0 {
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	b.WriteString("\n")
}
