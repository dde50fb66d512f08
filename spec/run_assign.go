package spec

import (
	"fmt"
	"math"
	"reflect"
)

// assign stores a decoded value in a field, or says what the field takes.
func assign(field reflect.Value, value any) (mustBe string) {
	switch field.Kind() {
	case reflect.String:
		if text, ok := value.(string); ok {
			field.SetString(text)
			return ""
		}
		return "text in quotes, not " + kindOf(value)
	case reflect.Bool:
		if b, ok := value.(bool); ok {
			field.SetBool(b)
			return ""
		}
		return "true or false, not " + kindOf(value)
	case reflect.Int:
		if n, ok := value.(int64); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
			field.SetInt(n)
			return ""
		} else if ok {
			return fmt.Sprintf("at most %d", math.MaxInt32)
		}
		return "an integer, not " + kindOf(value)
	case reflect.Float64:
		switch n := value.(type) {
		case int64:
			field.SetFloat(float64(n))
			return ""
		case float64:
			if math.IsInf(n, 0) || math.IsNaN(n) {
				return "a finite number"
			}
			field.SetFloat(n)
			return ""
		}
		return "a number, not " + kindOf(value)
	}
	return assignList(field, value)
}

// assignList stores a list; one value alone is a list of one.
func assignList(field reflect.Value, value any) (mustBe string) {
	items, ok := value.([]any)
	if !ok {
		items = []any{value}
	}
	list := reflect.MakeSlice(field.Type(), len(items), len(items))
	for i, item := range items {
		if problem := assign(list.Index(i), item); problem != "" {
			if ok {
				return "a list, each item " + problem
			}
			return problem + ", or a list"
		}
	}
	field.Set(list)
	return ""
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case int64:
		return "an integer"
	case float64:
		return "a number with a point"
	case []any:
		return "a list"
	case map[string]any, []map[string]any, nil:
		return "a table"
	}
	return "a date"
}
