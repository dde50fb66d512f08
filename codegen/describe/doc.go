// Package describe says about a compiled kernel what every back end prints with
// it: its name, the layers it comes from, what it computes and what it costs.
package describe

import (
	"fmt"
	"strings"

	"netc/compiler"
	"netc/ir"
	"netc/ir/loop"
)

// Doc is the comment above a kernel: its layers with their lines, what it
// computes, the shapes of its tensors, and last how it is launched.
func Doc(name string, k *compiler.Kernel, args []*ir.Value, launch string) []string {
	doc := []string{fmt.Sprintf("%s computes %s.", name, originText(k))}
	doc = append(doc, "")
	doc = append(doc, formula(k.Nest.Body)...)
	doc = append(doc, "")
	for _, v := range args {
		doc = append(doc, fmt.Sprintf("\t%-24s %s", v.Name, v.Type))
	}
	return append(doc, "\t"+launch)
}

// originText is "conv1 + relu1 (lenet.net:6, lenet.net:7)", and says which
// results of the layers are meant where they are not the layers' own.
func originText(k *compiler.Kernel) string {
	var results []string
	for _, v := range k.Node.Out {
		results = append(results, v.Name)
	}
	text := strings.Join(results, ", ")
	layers, lines := Origins(k.Node.From)
	if layers != "" && layers != text {
		text += " for " + layers
	}
	if lines != "" {
		text += " (" + lines + ")"
	}
	if k.Parts > 1 {
		text += fmt.Sprintf(", part %d of %d", k.Part+1, k.Parts)
	}
	return text
}

// Origins lists the layers and the lines that a node came from, as "conv1 + relu1"
// and "lenet.net:6, lenet.net:7".
func Origins(from []ir.Origin) (layers, lines string) {
	var names, places []string
	for _, o := range from {
		if o.Layer != "" {
			names = append(names, o.Layer)
		}
		if o.File != "" {
			places = append(places, fmt.Sprintf("%s:%d", base(o.File), o.Line))
		}
	}
	return strings.Join(names, " + "), strings.Join(places, ", ")
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// formula writes the nest's statements as mathematics, one a line.
func formula(body []loop.Stmt) []string {
	var lines []string
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			lines = append(lines, fmt.Sprintf("\t%s = %s", s.Var.Name, loop.Format(s.Of)))
		case *loop.Store:
			target := s.Value.Name
			if len(s.Index) > 0 {
				target += "[" + list(s.Index) + "]"
			}
			lines = append(lines, fmt.Sprintf("\t%s = %s", target, loop.Format(s.Of)))
		case *loop.For:
			for _, l := range formula(s.Body) {
				lines = append(lines, fmt.Sprintf("%s for each %s", l, s.Axis.Name))
			}
		case *loop.Reduce:
			lines = append(lines, formula(s.Body)...)
			word := map[loop.Reduction]string{loop.Sum: "sum", loop.Product: "product", loop.Maximum: "maximum"}[s.Kind]
			var axes, conditions []string
			for _, a := range s.Axes {
				axes = append(axes, a.Name)
			}
			for _, w := range s.Within {
				conditions = append(conditions, fmt.Sprintf("0 <= %s < %d", loop.Format(w.Index), w.Extent))
			}
			if s.Where != nil {
				conditions = append(conditions, loop.Format(s.Where))
			}
			text := fmt.Sprintf("\t%s = %s over %s of %s", s.Var.Name, word, strings.Join(axes, ", "), loop.Format(s.Of))
			if len(conditions) > 0 {
				text += " where " + strings.Join(conditions, ", ")
			}
			lines = append(lines, text)
			if s.Arg != nil {
				lines = append(lines, fmt.Sprintf("\t%s = %s of that maximum", s.Arg.Name, loop.Format(s.ArgOf)))
			}
		}
	}
	return lines
}

func list(exprs []*loop.Expr) string {
	parts := make([]string, len(exprs))
	for i, e := range exprs {
		parts[i] = loop.Format(e)
	}
	return strings.Join(parts, ", ")
}

// Also says which other kernels a function serves, or nothing.
func Also(kernels []*compiler.Kernel) string {
	const most = 4
	var names []string
	for _, k := range kernels[:min(len(kernels), most)] {
		name := k.Node.Out[0].Name
		for _, v := range k.Node.Out { // of momentum and parameter, the parameter
			if len(v.Name) < len(name) {
				name = v.Name
			}
		}
		if k.Parts > 1 {
			name += fmt.Sprintf(" (part %d)", k.Part+1)
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if rest := len(kernels) - len(names); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	if text == "" {
		return ""
	}
	return "It also computes " + text + ", from tensors of the same shapes."
}
