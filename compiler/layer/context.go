package layer

import (
	"fmt"
	"math"
	"slices"

	"netc/ir"
	"netc/ir/op"
	"netc/spec"
)

// Context is what a layer's lowering function works with: the layer's inputs,
// and means to add operators and parameters to the graph. A method that finds
// a mistake of the user's reports it and ends the lowering of this layer.
type Context struct {
	low        *lowering
	layer      *spec.Layer
	definition *Definition
	reader     reader
	every      everyLayer
	bottoms    []*ir.Value
	outs       []*ir.Value
	params     []*ir.Value
	states     []*ir.Value
	firstNode  int // of the graph's nodes, the first that this layer added
}

// stop ends the lowering of a layer after its mistake has been reported.
type stop struct{}

// run lowers the layer and reports whether that went well.
func (c *Context) run(fields any) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, reported := r.(stop); !reported {
				panic(r)
			}
			ok = false
		}
	}()
	c.checkFieldsOfEveryLayer()
	c.definition.lower(c, fields)
	c.checkParamsUsed()
	return true
}

// Inputs is the number of inputs.
func (c *Context) Inputs() int { return len(c.layer.Bottoms) }

// Results is the number of results.
func (c *Context) Results() int { return len(c.layer.Tops) }

// Training reports whether this is the training phase.
func (c *Context) Training() bool { return c.low.options.Phase == "train" }

// Given reports whether the source writes the field.
func (c *Context) Given(field string) bool { return len(c.reader.occurrences[field]) > 0 }

// Any gives input i, whatever its element type.
func (c *Context) Any(i int) *ir.Value { return c.bottoms[i] }

// In gives input i, which must be f32.
func (c *Context) In(i int) *ir.Value {
	v := c.bottoms[i]
	if v.Type.DType != ir.F32 {
		b := c.layer.Bottoms[i]
		d := c.low.messages.Errorf(codeDType, b.Span, "%s computes with f32, but %s is %s", c.layer.Type, b.Name, v.Type)
		c.low.noteMaker(d, b.Name)
		if v.Kind == ir.Input {
			d.Helpf("write `%s = input %s`", b.Name, sampleShape(v.Type.Shape))
		}
		panic(stop{})
	}
	return v
}

// All gives all inputs, which must be f32.
func (c *Context) All() []*ir.Value {
	all := make([]*ir.Value, c.Inputs())
	for i := range all {
		all[i] = c.In(i)
	}
	return all
}

// Labels gives input i, which must be i32.
func (c *Context) Labels(i int) *ir.Value {
	v := c.bottoms[i]
	if v.Type.DType != ir.I32 {
		b := c.layer.Bottoms[i]
		d := c.low.messages.Errorf(codeDType, b.Span, "labels must be i32, but %s is %s", b.Name, v.Type)
		c.low.noteMaker(d, b.Name)
		if v.Kind == ir.Input {
			d.Helpf("write `%s = input %s i32`", b.Name, sampleShape(v.Type.Shape))
		}
		panic(stop{})
	}
	return v
}

// Numbers gives input i as f32, converting an i32 input.
func (c *Context) Numbers(i int) *ir.Value {
	v := c.bottoms[i]
	if v.Type.DType == ir.I32 {
		return c.Build(&op.ToFloat{}, v)
	}
	return v
}

// sampleShape is a shape as an input statement has it, without the batch axis.
func sampleShape(s ir.Shape) string {
	text := "["
	for i, d := range s[min(1, len(s)):] {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(d)
	}
	return text + "]"
}

// Build applies an operator and gives its first result, named after the layer
// and the operator until Out names it after the layer's result.
func (c *Context) Build(o ir.Op, in ...*ir.Value) *ir.Value { return c.BuildAll(o, in...)[0] }

// BuildAll is Build for an operator with several results.
func (c *Context) BuildAll(o ir.Op, in ...*ir.Value) []*ir.Value {
	types := make([]ir.Type, len(in))
	for i, v := range in {
		types[i] = v.Type
	}
	outs, err := o.Infer(types)
	if err != nil {
		c.refuse(err, in)
	}
	for _, t := range outs {
		c.checkSize(t)
	}
	l := c.low
	results := l.graph.MustAll(o, l.free(c.layer.Name+"."+o.Mnemonic()), c.origin(), in...)
	if names, ok := o.(ir.ResultNamer); ok {
		for i, v := range results[1:] {
			l.graph.Rename(v, l.free(c.layer.Name+"."+names.ResultNames()[i+1]))
		}
	}
	return results
}

func (c *Context) checkSize(t ir.Type) {
	if !fits(t.Shape) {
		c.low.messages.Errorf(codeTooLarge, c.layer.TypeSpan, "a tensor %s of %s would have more than %d elements", t, c.layer.Name, math.MaxInt32)
		panic(stop{})
	}
}

func (c *Context) origin() []ir.Origin {
	return []ir.Origin{{Layer: c.layer.Name, File: c.layer.Span.File, Line: c.layer.Span.Line}}
}

// Named gives a value of this layer a name after the layer and a role.
func (c *Context) Named(role string, v *ir.Value) *ir.Value {
	if c.isOwn(v) {
		c.low.graph.Rename(v, c.low.free(c.layer.Name+"."+role))
	}
	return v
}

// Out makes the values the layer's results, in order. Values of this layer get
// the results' names; others, as of a layer that changes nothing, keep theirs.
// Values beyond the number of results are dropped.
func (c *Context) Out(values ...*ir.Value) {
	for _, v := range values {
		if len(c.outs) == c.Results() {
			return
		}
		if c.isOwn(v) && !slices.Contains(c.outs, v) {
			c.low.graph.Rename(v, c.layer.Tops[len(c.outs)].Name)
		}
		c.outs = append(c.outs, v)
	}
}

// isOwn reports whether this layer computes v.
func (c *Context) isOwn(v *ir.Value) bool {
	return v.Def != nil && slices.Contains(c.low.graph.Nodes[c.firstNode:], v.Def)
}

// Reshape gives v the shape, if it has another.
func (c *Context) Reshape(v *ir.Value, shape ...int) *ir.Value {
	if v.Type.Shape.Equal(shape) {
		return v
	}
	return c.Build(&op.Reshape{Shape: shape}, v)
}

// Broadcast repeats v to the shape; axis i of v is axis first+i of the result.
func (c *Context) Broadcast(v *ir.Value, shape ir.Shape, first int) *ir.Value {
	if v.Type.Shape.Equal(shape) {
		return v
	}
	var axes []int
	for i := range v.Type.Shape {
		axes = append(axes, first+i)
	}
	return c.Build(&op.Broadcast{Shape: shape, Axes: axes}, v)
}

// Affine is scale*v + shift.
func (c *Context) Affine(v *ir.Value, scale, shift float64) *ir.Value {
	if scale != 1 {
		multiply := op.Point("scale")
		multiply.By = scale
		v = c.Build(multiply, v)
	}
	if shift != 0 {
		add := op.Point("offset")
		add.By = shift
		v = c.Build(add, v)
	}
	return v
}

// Detach lets no gradient through to v; while testing there is none to stop.
func (c *Context) Detach(v *ir.Value) *ir.Value {
	if !c.Training() {
		return v
	}
	return c.Build(op.Point("detach"), v)
}

// Sum adds up the axes from first on.
func (c *Context) Sum(v *ir.Value, first int) *ir.Value {
	var axes []int
	for axis := first; axis < len(v.Type.Shape); axis++ {
		axes = append(axes, axis)
	}
	if len(axes) == 0 {
		return v
	}
	return c.Build(&op.Sum{Axes: axes}, v)
}

// Axis resolves an axis of v, negative ones counting from the end.
func (c *Context) Axis(field string, axis int, v *ir.Value) int {
	rank := len(v.Type.Shape)
	if axis < -rank || axis >= rank {
		c.Misfit(field, "axis %d is outside the input, which has %d axes", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis
}

// State declares a tensor that the layer keeps across steps and that belongs in
// the weights file.
func (c *Context) State(role string, shape ...int) *ir.Value {
	l := c.low
	v := l.graph.AddState(l.free(c.layer.Name+"."+role), ir.Float(shape...),
		ir.ParamInfo{Filler: ir.Filler{Kind: "constant"}, Saved: true}, c.origin()...)
	c.states = append(c.states, v)
	return v
}

// Write stores a value into a state at the end of the step.
func (c *Context) Write(state, v *ir.Value) {
	c.low.graph.Writes = append(c.low.graph.Writes, ir.Write{Target: state, Value: v})
}
