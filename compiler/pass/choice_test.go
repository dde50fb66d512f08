package pass

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// randomImages is a graph of convolutions of few or of whole blocks of channels,
// of which some share weights, with branches that join and operators that can
// have no channels in lanes.
func randomImages(r *rand.Rand, batch int) *ir.Graph {
	phase := []string{"train", "test"}[r.Intn(2)]
	g := ir.New("random", phase)
	images := []*ir.Value{g.AddInput("x", ir.Float(batch, []int{3, 16}[r.Intn(2)], 4, 4))}
	weights := map[string]*ir.Value{}
	for i := range 3 + r.Intn(9) {
		name := fmt.Sprintf("v%d", i)
		x := images[len(images)-1-r.Intn(min(3, len(images)))]
		channels := x.Type.Shape[1]
		weight := func(out int) *ir.Value {
			key := fmt.Sprintf("w%d.%d.%d", out, channels, r.Intn(2))
			if weights[key] == nil {
				weights[key] = g.AddParam(key, ir.Float(out, channels, 1, 1), ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}, LrMult: 1})
			}
			return weights[key]
		}
		window := []int{1, 1}
		switch r.Intn(8) {
		case 0:
			images = append(images, g.Must(&op.LRN{Size: 3}, name, nil, x))
		case 1:
			images = append(images, g.Must(op.Point("relu"), name, nil, x))
		case 2:
			if i := slices.IndexFunc(images, func(y *ir.Value) bool { return y != x && y.Type.Equal(x.Type) }); i >= 0 {
				images = append(images, g.Must(op.Point("add"), name, nil, x, images[i]))
			}
		case 3:
			if w := weight(16); r.Intn(2) == 0 && phase == "train" {
				d := g.Must(&op.ConvGradWeight{Stride: window, Pad: []int{0, 0}, Dilation: window, Group: 1, Kernel: window}, name, nil, x, images[len(images)-1])
				if d.Type.Equal(w.Type) && !slices.ContainsFunc(g.Writes, func(u ir.Write) bool { return u.Target == w }) {
					g.Writes = append(g.Writes, ir.Write{Target: w, Value: d})
				}
			}
		case 4:
			g.Outputs = append(g.Outputs, g.Must(&op.Sum{Axes: []int{2, 3}}, name, nil, x))
		default:
			images = append(images, g.Must(&op.Conv{Stride: window, Pad: []int{0, 0}, Dilation: window, Group: 1}, name, nil, x, weight([]int{8, 16, 32}[r.Intn(3)])))
		}
	}
	if last := images[len(images)-1]; last.Kind != ir.Input {
		g.Outputs = append(g.Outputs, last)
	}
	return g
}

// TestChoiceIsTheCheapest compares what is chosen for random graphs and random
// times with every other choice: none takes less time.
func TestChoiceIsTheCheapest(t *testing.T) {
	mixed := 0
	for seed := range int64(2000) {
		r := rand.New(rand.NewSource(seed))
		batch := []int{2, 16}[r.Intn(2)]
		g := randomImages(r, batch)
		l := newLayouts(g, batch)
		nodes := l.canBeWide()
		times := map[*ir.Node][2]float64{}
		for _, n := range nodes {
			times[n] = [2]float64{float64(r.Intn(40)), float64(r.Intn(40))}
		}
		nodeTime := func(n *ir.Node, wide bool) float64 {
			if wide {
				return times[n][1]
			}
			return times[n][0]
		}
		scale := 1 + r.Intn(5)
		relayoutTime := func(from, to ir.Type) float64 {
			return float64((1 + from.Lanes + 2*to.Lanes) * scale)
		}
		least := math.Inf(1)
		for bits := range 1 << len(nodes) {
			wide := map[*ir.Node]bool{}
			for i, n := range nodes {
				wide[n] = bits>>i&1 == 1
			}
			if sum := l.time(nodes, wide, nodeTime, relayoutTime); sum < least {
				least = sum
			}
		}
		l.choose(nodeTime, relayoutTime)
		if got := l.time(nodes, l.wide, nodeTime, relayoutTime); got != least {
			t.Fatalf("seed %d: a choice of %g, not of %g\n%s", seed, got, least, g)
		}
		if len(l.wide) > 0 && len(l.wide) < len(nodes) {
			mixed++
		}
	}
	if mixed < 300 {
		t.Errorf("only %d graphs have nodes of both kinds", mixed)
	}
}

// time adds up nodes with a choice and conversions, as the pass would make them.
func (l *layouts) time(choices []*ir.Node, wide map[*ir.Node]bool, nodeTime func(*ir.Node, bool) float64, relayoutTime func(from, to ir.Type) float64) float64 {
	sum := 0.0
	invariant := l.g.Invariant()
	makers := map[*ir.Value]*ir.Node{}
	converted := map[conversion]bool{}
	convert := func(v *ir.Value, to ir.Type) {
		maker := makers[v]
		from := l.stored(maker, v, wide[maker])
		key := conversion{v, to.Lanes, to.Swap}
		isSetup := len(l.g.Writes) == 0 && v.Kind == ir.Param || maker != nil && invariant[maker]
		if !from.SameLayout(to) && !converted[key] && !isSetup {
			sum += relayoutTime(from, to)
			converted[key] = true
		}
	}
	for _, n := range l.g.Nodes {
		if slices.Contains(choices, n) && !invariant[n] {
			sum += nodeTime(n, wide[n])
		}
		for _, v := range n.In {
			convert(v, l.wanted(n, v, wide[n]))
		}
		for _, v := range n.Out {
			makers[v] = n
		}
	}
	for _, v := range l.g.Outputs {
		convert(v, v.Type.RowMajor())
	}
	return sum
}
