package plan

import (
	"fmt"
	"math/rand"
	"slices"

	"netc/ir"
	"netc/ir/op"
)

// randomGraph makes a graph of pointwise operators, reshapes, sums, broadcasts,
// transposes and fused groups over small tensors, with parameters and states
// that the step writes.
func randomGraph(r *rand.Rand, size int) *ir.Graph {
	g := ir.New("random", "train")
	shapes := [][]int{{2, 3}, {6}, {3, 2}, {17}, {}}
	info := ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}, LrMult: 1}
	var values []*ir.Value
	for i := range 2 {
		values = append(values, g.AddInput(fmt.Sprintf("x%d", i), ir.Float(shapes[i*3]...)))
	}
	values = append(values, g.AddInput("rate", ir.Float()))
	var targets []*ir.Value
	for i, shape := range shapes {
		targets = append(targets, g.AddParam(fmt.Sprintf("w%d", i), ir.Float(shape...), info))
		targets = append(targets, g.AddState(fmt.Sprintf("s%d", i), ir.Float(shape...), info))
	}
	values = append(values, targets...)
	for i := range size {
		// Mostly recent values, so that lifetimes are as short as in a network.
		pick := func() *ir.Value {
			if r.Intn(3) > 0 {
				return values[len(values)-1-r.Intn(min(6, len(values)))]
			}
			return values[r.Intn(len(values))]
		}
		x, name := pick(), fmt.Sprintf("v%d", i)
		var v *ir.Value
		switch r.Intn(8) {
		case 0:
			v = g.Must(&op.Reshape{Shape: otherShape(r, x)}, name, nil, x)
		case 1:
			if len(x.Type.Shape) > 0 {
				v = g.Must(&op.Sum{Axes: []int{0}}, name, nil, x)
			}
		case 2:
			if len(x.Type.Shape) == 0 {
				v = g.Must(&op.Broadcast{Shape: shapes[r.Intn(len(shapes))]}, name, nil, x)
			}
		case 3:
			if len(x.Type.Shape) == 2 {
				v = g.Must(&op.Transpose{Perm: []int{1, 0}}, name, nil, x)
			}
		}
		if v == nil {
			y := x
			for range 5 {
				if c := pick(); c.Type.Equal(x.Type) {
					y = c
				}
			}
			v = g.Must(&op.Map{Formula: "0.5*a + max(b, 0) - 0.25"}, name, nil, x, y)
		}
		values = append(values, v)
	}
	for _, target := range targets {
		for range 20 {
			v := values[r.Intn(len(values))]
			if v.Kind == ir.Result && v.Type.Equal(target.Type) && r.Intn(2) == 0 {
				g.Writes = append(g.Writes, ir.Write{Target: target, Value: v})
				break
			}
		}
	}
	for range 3 {
		if v := values[r.Intn(len(values))]; !slices.Contains(g.Outputs, v) {
			g.Outputs = append(g.Outputs, v)
		}
	}
	groupSome(r, g)
	return g
}

func otherShape(r *rand.Rand, x *ir.Value) []int {
	switch x.Type.Shape.Count() {
	case 6:
		return [][]int{{2, 3}, {6}, {3, 2}}[r.Intn(3)]
	case 1:
		return nil
	}
	return slices.Clone(x.Type.Shape)
}

// groupSome fuses neighbouring nodes where they can share a kernel.
func groupSome(r *rand.Rand, g *ir.Graph) {
	for range len(g.Nodes) / 4 {
		i := r.Intn(len(g.Nodes))
		nodes := slices.Clone(g.Nodes[i:min(i+2+r.Intn(3), len(g.Nodes))])
		if len(nodes) < 2 || slices.ContainsFunc(nodes, func(n *ir.Node) bool { return n.Body != nil }) {
			continue
		}
		trial, err := ir.Parse(g.String())
		if err != nil {
			panic(err)
		}
		at := slices.Index(g.Nodes, nodes[0])
		group := trial.Group(slices.Clone(trial.Nodes[at : at+len(nodes)]))
		if len(group.Out) == 0 {
			continue // nothing reads what the group computes
		}
		if _, err := op.Nests(group); err == nil {
			g.Group(nodes)
		}
	}
}
