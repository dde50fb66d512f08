package runtime

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ExpectResult is one expectation of the run file and what came out.
type ExpectResult struct {
	Key  string `json:"key"`
	Want string `json:"want"`
	Got  Number `json:"got"`
	OK   bool   `json:"ok"`
}

// comparisons are tried in this order, so that ">=" is not read as ">".
var comparisons = []struct {
	sign  string
	holds func(got, want float64) bool
}{
	{">=", func(got, want float64) bool { return got >= want }},
	{"<=", func(got, want float64) bool { return got <= want }},
	{"==", func(got, want float64) bool { return got == want }},
	{">", func(got, want float64) bool { return got > want }},
	{"<", func(got, want float64) bool { return got < want }},
}

// CheckExpectations compares a test's results with the expectations on "test."
// keys. Keys of other measurements are left out. A key that the test does not
// measure, and a comparison that cannot be read, are errors.
func CheckExpectations(expectations []Expect, results map[string]Number) ([]ExpectResult, error) {
	checked := []ExpectResult{}
	for _, e := range expectations {
		name, isTest := strings.CutPrefix(e.Key, "test.")
		if !isTest {
			continue
		}
		got, measured := results[name]
		if !measured {
			var names []string
			for name := range results {
				names = append(names, name)
			}
			slices.Sort(names)
			return nil, fmt.Errorf("expect %q: the test measures no %s, only %s%s", e.Key, name, listed(names), didYouMean(name, names))
		}
		ok, err := compare(float64(got), e.Want)
		if err != nil {
			return nil, fmt.Errorf("expect %q: %w", e.Key, err)
		}
		checked = append(checked, ExpectResult{Key: e.Key, Want: e.Want, Got: got, OK: ok})
	}
	return checked, nil
}

// compare reads a comparison such as ">= 0.99" and applies it. NaN meets none.
func compare(got float64, comparison string) (bool, error) {
	for _, c := range comparisons {
		if number, found := strings.CutPrefix(strings.TrimSpace(comparison), c.sign); found {
			want, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil {
				return false, fmt.Errorf("%q has no number after %s", comparison, c.sign)
			}
			return c.holds(got, want), nil
		}
	}
	return false, fmt.Errorf("%q is no comparison: write one such as \">= 0.99\" with >=, <=, >, < or ==", comparison)
}
