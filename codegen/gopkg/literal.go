package gopkg

import (
	"fmt"
	"reflect"
	"strings"
)

// literal writes a value as a Go composite literal, leaving out zero fields.
// Types of package runtime are qualified; strings are quoted.
func literal(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				parts = append(parts, v.Type().Field(i).Name+": "+literal(f))
			}
		}
		return v.Type().String() + "{" + strings.Join(parts, ", ") + "}"
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			item := literal(v.Index(i))
			if v.Index(i).Kind() == reflect.Struct { // the slice's type says it
				item = item[strings.IndexByte(item, '{'):]
			}
			parts = append(parts, item)
		}
		return v.Type().String() + "{" + strings.Join(parts, ", ") + "}"
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}

// literalLines is literal for a struct, one field a line.
func literalLines(value any) string {
	v := reflect.ValueOf(value)
	var b strings.Builder
	b.WriteString(v.Type().String() + "{\n")
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			fmt.Fprintf(&b, "%s: %s,\n", v.Type().Field(i).Name, literal(f))
		}
	}
	return b.String() + "}"
}
