package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"netc/spec/diag"
)

// explainCommand is "netc explain [CODE]".
type explainCommand struct {
	Output outputFlags `embed:""`
	Code   string      `arg:"" optional:"" help:"Code of an error, such as N101; without it the codes are listed."`
}

// explanation is what "netc explain --json" prints.
type explanation struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Run prints the explanation of one code, or the first lines of all.
func (e *explainCommand) Run(c *console) error {
	codes := slices.Sorted(maps.Keys(diag.Explanations))
	if e.Code == "" {
		return e.list(c, codes)
	}
	code := strings.ToUpper(e.Code)
	text, known := diag.Explanations[code]
	if !known {
		return &usageError{fmt.Sprintf("there is no code %q", e.Code), fmt.Sprintf(`the codes are %s to %s; "netc explain" lists them`, codes[0], codes[len(codes)-1])}
	}
	if e.Output.JSON {
		return c.printJSON(explanation{code, text})
	}
	fmt.Fprintf(c.out, "%s\n\n%s\n", code, strings.TrimRight(text, "\n"))
	return nil
}

func (e *explainCommand) list(c *console, codes []string) error {
	if e.Output.JSON {
		var all []explanation
		for _, code := range codes {
			all = append(all, explanation{code, diag.Explanations[code]})
		}
		return c.printJSON(all)
	}
	var t table
	for _, code := range codes {
		first, _, _ := strings.Cut(diag.Explanations[code], "\n")
		t.row(code, first)
	}
	t.print(c.out, "ll")
	return nil
}
