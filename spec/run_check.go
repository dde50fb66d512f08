package spec

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"netc/spec/diag"
)

// resolveLength lets a flag replace the file's way to say how long to train.
func (l *runLoader) resolveLength() {
	iterations, epochs := l.origins["train.iterations"], l.origins["train.epochs"]
	if iterations.flag != "" && epochs.flag == "" {
		l.run.Train.Epochs = 0
	}
	if epochs.flag != "" && iterations.flag == "" {
		l.run.Train.Iterations = 0
	}
	if l.run.Train.Iterations > 0 && l.run.Train.Epochs > 0 {
		l.report("train.epochs", codeRunNeeds, "train.iterations and train.epochs both say how long to train").
			Helpf("keep one of them")
	}
}

// report adds an error about a key's value, where the value came from.
func (l *runLoader) report(key, code, format string, args ...any) *diag.Diagnostic {
	from, isSet := l.origins[key]
	if from.flag != "" {
		return l.found.Errorf(CodeSet, diag.Span{}, "--set %s: %s", from.flag, fmt.Sprintf(format, args...))
	}
	if !isSet {
		from.at = diag.Span{Pos: diag.Pos{File: l.run.File}}
	}
	return l.found.Errorf(code, from.at, format, args...)
}

// checkRanges holds every key that is set against its tags.
func (l *runLoader) checkRanges() {
	for _, s := range l.settings {
		if _, isSet := l.origins[s.key]; !isSet {
			continue
		}
		if words := strings.Fields(s.tag.Get("words")); len(words) > 0 && !slices.Contains(words, s.field.String()) {
			d := l.report(s.key, codeRunWord, "%s cannot be %q", s.key, s.field.String())
			if near := diag.Nearest(s.field.String(), words); near != "" {
				d.Helpf("did you mean %q?", near)
			} else {
				d.Helpf("it is one of %s", strings.Join(words, ", "))
			}
		}
		for _, n := range numbersOf(s.field) {
			if text := outside(n, s.tag); text != "" {
				l.report(s.key, codeRunRange, "%s must be %s, not %v", s.key, text, n)
			}
		}
	}
}

// numbersOf gives a field's number, or its numbers; none for text.
func numbersOf(field reflect.Value) []float64 {
	switch field.Kind() {
	case reflect.Int:
		return []float64{float64(field.Int())}
	case reflect.Float64:
		return []float64{field.Float()}
	case reflect.Slice:
		var list []float64
		for i := range field.Len() {
			list = append(list, numbersOf(field.Index(i))...)
		}
		return list
	}
	return nil
}

// outside words the range that a number is not in, "" where it is.
func outside(n float64, tag reflect.StructTag) string {
	bound := func(name string) (float64, bool) {
		text, ok := tag.Lookup(name)
		b, _ := strconv.ParseFloat(text, 64)
		return b, ok
	}
	least, hasLeast := bound("min")
	above, hasAbove := bound("above")
	below, hasBelow := bound("below")
	if (!hasLeast || n >= least) && (!hasAbove || n > above) && (!hasBelow || n < below) {
		return ""
	}
	switch {
	case hasLeast && hasBelow:
		return fmt.Sprintf("at least %v and below %v", least, below)
	case hasLeast:
		return fmt.Sprintf("at least %v", least)
	}
	return fmt.Sprintf("greater than %v", above)
}

// policyNeeds lists the keys that a policy computes with.
var policyNeeds = map[string][]string{
	"step":      {"solver.gamma", "solver.stepsize"},
	"exp":       {"solver.gamma"},
	"inv":       {"solver.gamma", "solver.power"},
	"multistep": {"solver.gamma", "solver.stepvalue"},
	"poly":      {"solver.power"},
	"sigmoid":   {"solver.gamma", "solver.stepsize"},
}

// checkNeeds finds keys that lack another or exclude it.
func (l *runLoader) checkNeeds() {
	s := l.run.Solver
	for _, key := range policyNeeds[s.Policy] {
		if _, isSet := l.origins[key]; !isSet {
			l.report("solver.lr_policy", codeRunNeeds, "the policy %s needs %s", s.Policy, key)
		}
	}
	if s.Policy == "poly" && l.run.Train.Iterations == 0 && l.run.Train.Epochs == 0 {
		l.report("solver.lr_policy", codeRunNeeds, "the policy poly needs train.iterations or train.epochs").
			Helpf("the rate reaches 0 at the end of the training")
	}
	if !slices.IsSortedFunc(s.StepValues, cmp.Compare[int]) || len(slices.Compact(slices.Clone(s.StepValues))) < len(s.StepValues) {
		l.report("solver.stepvalue", codeRunRange, "the items of solver.stepvalue must rise")
	}
	switch s.Type {
	case "AdaGrad", "RMSProp":
		if s.Momentum != 0 {
			l.report("solver.momentum", codeRunNeeds, "%s takes no momentum", s.Type)
		}
	case "Adam", "AdamW", "AdaDelta", "Nesterov":
		if _, isSet := l.origins["solver.momentum"]; !isSet {
			l.report("solver.type", codeRunUnused, "%s without solver.momentum runs with 0", s.Type).
				Helpf("momentum = 0.9 is usual; write momentum = 0 if 0 is meant").Severity = diag.Warning
		}
	}
}
