// Package models lists the networks of this folder, for tests.
package models

import (
	"embed"
	"slices"
	"strings"
)

//go:embed *.net
var nets embed.FS

// large are the models that tests compile, plan, check and emit like the others,
// but neither run nor keep golden files of: one training step of ResNet-50 on
// two images is 50 G operations, for which the float64 reference takes hours and
// plain Go kernels minutes, and its pages of kernels would tell nothing that
// those of the small models do not.
var large = []string{"alexnet", "googlenet", "resnet50"}

// All names the models, in order; NAME.net and NAME.toml are their files.
func All() []string {
	entries, err := nets.ReadDir(".")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".net"))
	}
	return names
}

// Small names the models that are small enough to run in tests.
func Small() []string {
	return slices.DeleteFunc(All(), func(name string) bool { return slices.Contains(large, name) })
}
