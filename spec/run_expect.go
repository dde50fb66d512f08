package spec

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"netc/spec/diag"
)

// operators are tried in this order: the longer ones first.
var operators = []string{">=", "<=", "==", ">", "<"}

// expect reads one line of [expect], from the file or a flag. A later line for
// the same result replaces the earlier one.
func (l *runLoader) expect(key string, value any, at diag.Span, flag string) {
	text, isText := value.(string)
	e := Expectation{Key: key, Want: text, Span: at}
	number := ""
	for _, operator := range operators {
		if rest, ok := strings.CutPrefix(text, operator); ok {
			e.Operator, number = operator, strings.TrimSpace(rest)
			break
		}
	}
	bound, err := strconv.ParseFloat(number, 64)
	if !isText || e.Operator == "" || err != nil || math.IsNaN(bound) {
		if flag != "" {
			l.found.Errorf(CodeSet, diag.Span{}, "--set %s: expected a comparison with a number", flag).
				Helpf(`--set 'expect.test.accuracy=>= 0.99'`)
			return
		}
		l.found.Errorf(codeRunExpect, l.valueSpan("expect."+key), "expected a comparison with a number in quotes").
			Helpf(`the comparisons are >= <= > < ==, as in test.accuracy = ">= 0.99"`)
		return
	}
	e.Bound = bound
	if i := slices.IndexFunc(l.run.Expect, func(old Expectation) bool { return old.Key == key }); i >= 0 {
		l.run.Expect[i] = e
		return
	}
	l.run.Expect = append(l.run.Expect, e)
}
