package main

import (
	"fmt"
	"strings"

	"netc/compiler/layer"
	"netc/spec/diag"
)

// docCommand is "netc doc [LAYER]".
type docCommand struct {
	Output outputFlags `embed:""`
	Layer  string      `arg:"" optional:"" help:"Layer type, or fields, or fillers; without it the layers are listed."`
}

// docEntry is one layer as "netc doc --json" prints it; the text is there when
// the layer is named.
type docEntry struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	Text    string `json:"text,omitempty"`
}

// otherPages are the pages that describe no layer.
var otherPages = []docEntry{
	{Name: "fields", Summary: "the fields that every layer has"},
	{Name: "fillers", Summary: "how parameters start"},
}

// Run prints a page, or the list of them.
func (d *docCommand) Run(c *console) error {
	if d.Layer == "" {
		return d.list(c)
	}
	text := layer.Doc(d.Layer)
	if text == "" {
		return d.unknown()
	}
	if d.Output.JSON {
		return c.printJSON(docEntry{d.Layer, layer.Summary(d.Layer), text})
	}
	fmt.Fprint(c.out, text)
	return nil
}

func (d *docCommand) list(c *console) error {
	var entries []docEntry
	for _, name := range layer.Types() {
		entries = append(entries, docEntry{Name: name, Summary: layer.Summary(name)})
	}
	entries = append(entries, otherPages...)
	if d.Output.JSON {
		return c.printJSON(entries)
	}
	var t table
	for _, e := range entries {
		t.row(e.Name, e.Summary)
	}
	t.print(c.out, "ll")
	return nil
}

// unknown suggests a page; case does not count.
func (d *docCommand) unknown() error {
	names := layer.Types()
	for _, page := range otherPages {
		names = append(names, page.Name)
	}
	near := diag.Nearest(d.Layer, names)
	for _, name := range names {
		if strings.EqualFold(name, d.Layer) {
			near = name
		}
	}
	help := `"netc doc" lists the layers`
	if near != "" {
		help = fmt.Sprintf("did you mean %s? %s", near, help)
	}
	return &usageError{fmt.Sprintf("there is no layer type %q", d.Layer), help}
}
