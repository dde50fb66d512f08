package main

import (
	"fmt"
	"reflect"
	"strings"

	"netc/runtime"
)

// settingsOf gives the settings that a run was started with as --set flags, so
// that resuming compiles the same program, whatever has become of the run file
// and without repeating the flags. The keys are those of the run file.
func settingsOf(config runtime.Config) []string {
	// What is not set cannot be said: only one of the lengths may be given, and
	// no step has size 0.
	skipped := map[string]bool{
		"train.iterations": config.Train.Iterations == 0,
		"train.epochs":     config.Train.Epochs == 0,
		"solver.stepsize":  config.Solver.StepSize == 0,
	}
	var settings []string
	tables := reflect.ValueOf(config)
	for i := range tables.NumField() {
		table := tables.Field(i)
		if table.Kind() != reflect.Struct {
			continue // the expectations, which training does not need
		}
		for j := range table.NumField() {
			key := keyOf(tables.Type().Field(i)) + "." + keyOf(table.Type().Field(j))
			value := settingText(table.Field(j))
			if !skipped[key] && value != "" && value != "[]" {
				settings = append(settings, key+"="+value)
			}
		}
	}
	return settings
}

// keyOf is the name of a field in the run's JSON description.
func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// settingText writes a value as TOML; text stands as it is.
func settingText(v reflect.Value) string {
	if v.Kind() != reflect.Slice {
		return fmt.Sprint(v.Interface())
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = settingText(v.Index(i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}
