package main

import (
	"path/filepath"
	"slices"
	"strings"

	"netc/compiler"
	"netc/spec"
	"netc/spec/diag"
)

// vetCommand is "netc vet FILE…".
type vetCommand struct {
	Output outputFlags `embed:""`
	Files  []string    `arg:"" name:"file" help:"Net files (.net), each with its run file, or run files (.toml)."`
	Config string      `placeholder:"FILE" help:"Run file of all nets (default NAME.toml beside NAME.net)."`
	Set    []string    `placeholder:"KEY=VALUE" sep:"none" help:"Change a key of the run file; repeatable."`
}

// vetResult is what "netc vet --json" prints.
type vetResult struct {
	Files []vettedFile `json:"files"`
}

// vettedFile is one argument. Its errors may lie in the run file or in an
// imported file.
type vettedFile struct {
	File   string        `json:"file"`
	OK     bool          `json:"ok"`
	Errors []diag.Record `json:"errors"`
}

// Run checks the files and reports every mistake.
func (v *vetCommand) Run(c *console) error {
	result := vetResult{Files: []vettedFile{}}
	allGood, said := true, false
	for _, path := range v.Files {
		messages, sources, err := v.vet(path)
		if err != nil {
			return err
		}
		good := messages.Errors() == 0
		allGood = allGood && good
		result.Files = append(result.Files, vettedFile{path, good, messages.Records()})
		if v.Output.JSON || len(messages) == 0 {
			continue
		}
		if said {
			c.separate()
		}
		c.diagnose(messages, sources)
		said = true
	}
	if v.Output.JSON {
		if err := c.printJSON(result); err != nil {
			return err
		}
	}
	if !allGood {
		return ended(exitFailed)
	}
	return nil
}

// vet compiles a net in the cheapest way that finds every mistake. The error is
// a fault of the compiler.
func (v *vetCommand) vet(path string) (diag.List, diag.Sources, error) {
	if strings.EqualFold(filepath.Ext(path), ".toml") {
		run, found := spec.LoadRun(path, v.Set)
		return found, run.Sources(), nil
	}
	network := networkFlags{File: path, Config: v.Config, Set: v.Set}
	s := network.load("train")
	_, messages, err := check(s, compiler.Options{Unoptimized: true})
	if isLibrary(s.file) {
		messages = slices.DeleteFunc(messages, func(d diag.Diagnostic) bool { return d.Code == compiler.CodeNoLayers })
	}
	return messages, s.sources(), err
}

// isLibrary reports whether a net is there to be imported: it defines blocks
// or constants, and neither inputs nor layers.
func isLibrary(file *spec.File) bool {
	defines := false
	for _, s := range file.Items {
		switch s.Node.(type) {
		case *spec.BlockDef, *spec.Const:
			defines = true
		case *spec.Assign, *spec.Repeat, *spec.Broken:
			return false
		}
	}
	return defines
}
