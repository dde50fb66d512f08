package layer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"netc/ir"
	"netc/ir/op"
	"netc/spec"
	"netc/spec/diag"
)

// Options say for what use a net is lowered.
type Options struct {
	Phase string   // "train" or "test"
	Batch int      // samples in a mini-batch, at least 1
	Keep  []string // tensors to be outputs too, by their names in the source

	// Incomplete says that the net lost parts to mistakes already reported: it
	// is lowered to find the mistakes in the rest, and a tensor that nothing
	// defines is none.
	Incomplete bool
}

// Lowered is a network as a graph, and what the source's names mean in it.
type Lowered struct {
	Graph  *ir.Graph
	Layers []Info

	// Tensors holds every tensor that the source names. Several names may
	// stand for one value: a Split, or a Dropout in the test phase, computes
	// nothing.
	Tensors map[string]*ir.Value
}

// Info is what became of one layer.
type Info struct {
	Name    string
	Type    string
	Pos     diag.Pos
	Outputs []*ir.Value // one for each result
	Params  []*ir.Value // in the order of the layer's param blocks; a shared one is its first owner's
	States  []*ir.Value // statistics that the layer keeps, as BatchNorm does
}

// Lower builds the graph of one phase. The list holds every mistake in the
// net; with errors among them the result is nil.
//
// The graph's outputs are the tensors that no layer reads, in source order,
// then those of Keep. Its loss is the sum of all results of layers with a
// loss_weight, each times its weight.
func Lower(net *spec.Net, options Options) (*Lowered, diag.List) {
	l := &lowering{
		net:     net,
		options: options,
		graph:   ir.New(net.Name, options.Phase),
		tensors: map[string]*ir.Value{},
		makers:  map[string]maker{},
		names:   map[string]bool{},
		shared:  map[string]*sharedParam{},
		read:    map[string]bool{},
	}
	if options.Batch < 1 {
		l.messages.Errorf(codeValue, net.Span, "the batch must be at least 1, not %d", options.Batch)
		return nil, l.messages
	}
	l.nameTensors()
	for _, in := range net.Inputs {
		l.input(in)
	}
	for _, layer := range net.Layers {
		l.layer(layer)
	}
	l.outputs()
	l.messages.Sort()
	if l.messages.Errors() > 0 {
		return nil, l.messages
	}
	l.graph.Loss = l.total()
	return &Lowered{Graph: l.graph, Layers: l.infos, Tensors: l.tensors}, l.messages
}

// lowering is the state of one Lower.
type lowering struct {
	net      *spec.Net
	options  Options
	graph    *ir.Graph
	messages diag.List
	infos    []Info

	tensors map[string]*ir.Value // a missing entry of a defined name: an error left it unknown
	makers  map[string]maker     // where a tensor comes from, for notes
	names   map[string]bool      // of the source's tensors, which no other value may take
	shared  map[string]*sharedParam
	read    map[string]bool // tensors that some layer reads
	losses  []weightedLoss
}

// maker is where a tensor comes from.
type maker struct {
	place diag.Pos
	from  []string // the tensors that its layer reads; none for an input
}

func (l *lowering) nameTensors() {
	for _, in := range l.net.Inputs {
		l.nameTensor(in.Name, in.Span)
	}
	for _, layer := range l.net.Layers {
		for _, top := range layer.Tops {
			l.nameTensor(top.Name, top.Span)
		}
	}
}

func (l *lowering) nameTensor(name string, at diag.Span) {
	l.names[name] = true
	if strings.HasPrefix(name, "solver.") {
		l.messages.Errorf(codeReserved, at, "the name %q is the solver's", name).
			Helpf(`choose one that does not begin with "solver."`)
	}
}

// free gives the name, or one made from it that no tensor of the source has.
// The graph itself keeps apart what is already there.
func (l *lowering) free(name string) string {
	full := name
	for i := 2; l.names[full]; i++ {
		full = fmt.Sprintf("%s_%d", name, i)
	}
	return full
}

func (l *lowering) input(in *spec.Input) {
	t := ir.Float(append([]int{l.options.Batch}, in.Shape...)...)
	if in.DType == ir.I32.String() {
		t.DType = ir.I32
	}
	l.makers[in.Name] = maker{place: in.Span.Pos}
	if !fits(t.Shape) {
		l.messages.Errorf(codeTooLarge, in.Span, "the input %s would have more than %d elements", t, math.MaxInt32)
		return
	}
	l.tensors[in.Name] = l.graph.AddInput(in.Name, t, ir.Origin{Layer: in.Name, File: in.Span.File, Line: in.Span.Line})
}

// fits reports whether a shape's element count stays within Caffe's limit.
func fits(shape ir.Shape) bool {
	count := 1
	for _, d := range shape {
		if d < 0 || d > math.MaxInt32 {
			return false
		}
		if count *= d; count > math.MaxInt32 {
			return false
		}
	}
	return true
}

func (l *lowering) layer(s *spec.Layer) {
	known := true
	for _, b := range s.Bottoms {
		l.read[b.Name] = true
		if l.tensors[b.Name] == nil {
			known = false
			l.reportUndefined(b)
		}
	}
	for _, top := range s.Tops {
		if top.Name == "" { // the name is taken, which was reported
			known = false
			continue
		}
		m := maker{place: top.Span.Pos}
		for _, b := range s.Bottoms {
			m.from = append(m.from, b.Name)
		}
		l.makers[top.Name] = m
	}
	before := len(l.messages)
	defer func() { l.noteCalls(s, before) }()

	d := definitions[s.Type]
	if d == nil {
		message := l.messages.Errorf(codeUnknownType, s.TypeSpan, "there is no layer type %q", s.Type)
		if near := NearestType(s.Type); near != "" {
			message.Helpf(`did you mean %s? "netc doc" lists the types`, near)
		} else {
			message.Helpf(`"netc doc" lists the types`)
		}
		return
	}
	c := &Context{low: l, layer: s, definition: d, firstNode: len(l.graph.Nodes)}
	c.reader = reader{messages: &l.messages, owner: d.Name, page: d.Name, place: s.TypeSpan}
	fields := d.create()
	good := c.reader.read(s.Fields, fields, &c.every)
	if !c.checkWiring() || !good || !known {
		return
	}
	for _, b := range s.Bottoms {
		c.bottoms = append(c.bottoms, l.tensors[b.Name])
	}
	if !c.run(fields) {
		return
	}
	l.finish(c)
}

// reportUndefined reports a bottom that no input or layer defines. The
// language's own check comes earlier, so this serves nets from elsewhere.
func (l *lowering) reportUndefined(b spec.Ref) {
	if _, defined := l.makers[b.Name]; defined || l.options.Incomplete {
		return // an error at its layer is already reported
	}
	d := l.messages.Errorf(codeUnknownName, b.Span, "there is no tensor %q here", b.Name)
	if near := diag.Nearest(b.Name, sortedKeys(l.makers)); near != "" {
		d.Helpf("did you mean %q?", near)
	}
}

// noteCalls adds to a layer's messages the places where its block is used.
func (l *lowering) noteCalls(s *spec.Layer, before int) {
	for i := before; i < len(l.messages); i++ {
		for _, call := range slices.Backward(s.Calls) {
			l.messages[i].Note(call, "%s belongs to the block used here", s.Name)
		}
	}
}

// finish records a layer that was built without errors.
func (l *lowering) finish(c *Context) {
	for i, top := range c.layer.Tops {
		l.tensors[top.Name] = c.outs[i]
	}
	l.infos = append(l.infos, Info{
		Name: c.layer.Name, Type: c.layer.Type, Pos: c.layer.Span.Pos,
		Outputs: c.outs, Params: c.params, States: c.states,
	})
	l.addLosses(c)
}

// outputs makes the unread tensors and those of Keep the graph's outputs.
func (l *lowering) outputs() {
	for _, layer := range l.net.Layers {
		for _, top := range layer.Tops {
			if !l.read[top.Name] {
				l.output(top.Name)
			}
		}
	}
	for _, name := range l.options.Keep {
		if full, ok := l.net.Aliases[name]; ok {
			name = full
		}
		_, defined := l.makers[name]
		switch {
		case defined:
			l.output(name)
		case l.graph.Lookup(name) != nil:
			l.addOutput(l.graph.Lookup(name))
		case l.options.Incomplete:
		default:
			d := l.messages.Errorf(codeUnknownName, diag.Span{}, "there is no tensor %q", name)
			known := append(sortedKeys(l.makers), sortedKeys(l.net.Aliases)...)
			if near := diag.Nearest(name, known); near != "" {
				d.Helpf("did you mean %q?", near)
			}
		}
	}
}

// output makes a tensor of the source an output. A name that stands for
// another tensor's value gets a value of its own, so that the output can be
// found under its name; an input or parameter needs none.
func (l *lowering) output(name string) {
	v := l.tensors[name]
	if v == nil {
		return // unknown after an error
	}
	if v.Name != name {
		m := l.makers[name]
		from := ir.Origin{Layer: name, File: m.place.File, Line: m.place.Line}
		v = l.graph.Must(&op.Reshape{Shape: v.Type.Shape}, name, []ir.Origin{from}, v)
		l.tensors[name] = v
	}
	l.addOutput(v)
}

func (l *lowering) addOutput(v *ir.Value) {
	if v.Kind == ir.Result && !slices.Contains(l.graph.Outputs, v) {
		l.graph.Outputs = append(l.graph.Outputs, v)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
