package main

import (
	"fmt"
	"strings"

	"netc/compiler/layer"
	"netc/ir"
	"netc/spec"
)

// graphCommand is "netc graph FILE".
type graphCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Only    phaseFlag    `embed:""`
}

// graphResult is what "netc graph --json" prints.
type graphResult struct {
	Name  string      `json:"name"`
	Phase string      `json:"phase"`
	Nodes []graphNode `json:"nodes"`
	Edges []graphEdge `json:"edges"`
}

type graphNode struct {
	Name string `json:"name"`
	Type string `json:"type"` // of the layer; "input" for what a data set feeds
}

// graphEdge is a tensor on its way from the node that makes it to one that
// reads it.
type graphEdge struct {
	From   string   `json:"from"`
	To     string   `json:"to"`
	Tensor string   `json:"tensor"`
	Shape  ir.Shape `json:"shape"`
}

// Run prints the graph of one phase, train unless --phase says otherwise.
func (g *graphCommand) Run(c *console) error {
	phase := g.Only.Phase
	if phase == "" {
		phase = "train"
	}
	s := g.Network.load(phase)
	batch := s.run.Train.Batch
	if phase == "test" {
		batch = s.run.Test.Batch
	}
	lowered, err := lower(s, phase, batch)
	if err != nil {
		return err
	}
	net, _ := spec.Expand(s.file, s.run.Selection(phase))
	result := graphOf(net, lowered)
	if g.Output.JSON {
		return c.printJSON(result)
	}
	fmt.Fprint(c.out, result.dot())
	return nil
}

func graphOf(net *spec.Net, l *layer.Lowered) *graphResult {
	r := &graphResult{Name: net.Name, Phase: net.Phase, Edges: []graphEdge{}}
	makers := map[string]string{} // the node of each tensor
	shapes := map[string]ir.Shape{}
	for _, in := range net.Inputs {
		r.Nodes = append(r.Nodes, graphNode{in.Name, "input"})
		makers[in.Name] = in.Name
		shapes[in.Name] = l.Graph.Lookup(in.Name).Type.Shape
	}
	for i, one := range net.Layers {
		r.Nodes = append(r.Nodes, graphNode{one.Name, one.Type})
		for _, bottom := range one.Bottoms {
			r.Edges = append(r.Edges, graphEdge{makers[bottom.Name], one.Name, bottom.Name, shapes[bottom.Name]})
		}
		for j, top := range one.Tops {
			makers[top.Name] = one.Name
			shapes[top.Name] = l.Layers[i].Outputs[j].Type.Shape
		}
	}
	return r
}

// dot writes the graph for Graphviz; see https://graphviz.org/doc/info/lang.html.
func (r *graphResult) dot() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=TB;\n  node [shape=box, style=rounded];\n", quoteDOT(r.Name+" "+r.Phase))
	for _, n := range r.Nodes {
		if n.Type == "input" {
			fmt.Fprintf(&b, "  %s [shape=ellipse, style=\"\"];\n", quoteDOT(n.Name))
			continue
		}
		fmt.Fprintf(&b, "  %s [label=%s];\n", quoteDOT(n.Name), quoteDOT(n.Name+"\n"+n.Type))
	}
	for _, e := range r.Edges {
		fmt.Fprintf(&b, "  %s -> %s [label=%s];\n", quoteDOT(e.From), quoteDOT(e.To), quoteDOT(e.Shape.String()))
	}
	b.WriteString("}\n")
	return b.String()
}

// quoteDOT makes any text a quoted DOT identifier. Inside quotes only the quote
// itself is escaped for the language; a backslash is doubled because labels
// read escapes of their own, and a line end becomes such an escape.
func quoteDOT(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}
