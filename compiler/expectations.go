package compiler

import (
	"fmt"
	"slices"
	"strings"

	"netc/ir"
	"netc/spec/diag"
)

// CheckExpectations reports the lines of the run file's [expect] about results
// that the test phase does not measure: its outputs of one number, and the total
// loss. A unit without a test phase measures nothing, and nothing is reported.
func CheckExpectations(u *Unit) diag.List {
	var messages diag.List
	test := u.Phase("test")
	if test == nil {
		return nil
	}
	var keys []string
	for _, v := range test.Graph.Outputs {
		if v.Type.DType == ir.F32 && v.Type.Shape.Count() == 1 {
			keys = append(keys, "test."+v.Name)
		}
	}
	if test.Graph.Loss != nil && !slices.Contains(keys, "test.loss") {
		keys = append(keys, "test.loss")
	}
	for _, e := range u.Run.Expect {
		if slices.Contains(keys, e.Key) {
			continue
		}
		d := messages.Errorf(CodeExpected, e.Span, "[expect] names %q, which the test does not measure", e.Key)
		if near := diag.Nearest(e.Key, keys); near != "" {
			d.Helpf("did you mean %q?", near)
		} else {
			d.Helpf("%s", measured(keys))
		}
	}
	return messages
}

// measured lists the keys that [expect] may name.
func measured(keys []string) string {
	if len(keys) == 0 {
		return "the test measures nothing: add a loss or an Accuracy layer to the net"
	}
	return fmt.Sprintf("the test measures %s", strings.Join(keys, ", "))
}
