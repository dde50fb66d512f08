package layer

import (
	"errors"
	"slices"

	"netc/ir"
	"netc/spec/diag"
)

// longestChain bounds the notes that tell how a shape came about.
const longestChain = 4

// fieldHelp is the usual way out where a field does not fit, for misfits that
// bring no help of their own.
var fieldHelp = map[string]string{
	"kernel_size": "use a smaller kernel_size, or add pad",
	"group":       "group must divide the input channels and num_output",
	"pad":         "use a pad smaller than kernel_size",
	"axis":        "axis 0 is the batch; negative axes count from the end",
}

// Misfit reports that a field does not fit the inputs' shapes, with the layers
// that led to them, and ends the lowering of this layer.
func (c *Context) Misfit(field, format string, args ...any) {
	c.refuse(ir.Misfit(field, format, args...), nil)
}

// MisfitInput is Misfit for one input.
func (c *Context) MisfitInput(i int, format string, args ...any) {
	c.refuse(ir.MisfitOperand(0, format, args...), []*ir.Value{c.bottoms[i]})
}

// Conflict reports a field that contradicts another, whatever the shapes.
func (c *Context) Conflict(field, format string, args ...any) {
	c.low.messages.Errorf(codeConflict, c.fieldSpan(field), format, args...)
	panic(stop{})
}

// fieldSpan is the place of a field's value, or of the layer's type where the
// field is not written.
func (c *Context) fieldSpan(name string) diag.Span {
	for _, f := range c.definition.fields {
		if f.name == name {
			for _, spelling := range f.spellings() {
				if c.Given(spelling) {
					return c.reader.occurrences[spelling][0].Value.Span
				}
			}
		}
	}
	if c.Given(name) {
		return c.reader.occurrences[name][0].Value.Span
	}
	return c.layer.TypeSpan
}

// refuse reports why an operator does not accept its operands: under the field
// or the input at fault, or else under the layer's type.
func (c *Context) refuse(err error, in []*ir.Value) {
	var misfit *ir.FitError
	if !errors.As(err, &misfit) {
		misfit = &ir.FitError{Operand: -1, Message: err.Error()}
	}
	at, input := c.layer.TypeSpan, -1
	if misfit.Field != "" {
		at = c.fieldSpan(misfit.Field)
	} else if misfit.Operand >= 0 && misfit.Operand < len(in) {
		if input = slices.Index(c.bottoms, in[misfit.Operand]); input >= 0 {
			at = c.layer.Bottoms[input].Span
		}
	}
	d := c.low.messages.Errorf(codeMisfit, at, "%s", misfit.Message)
	d.Help = misfit.Help
	if d.Help == "" {
		d.Help = fieldHelp[misfit.Field]
	}
	c.noteShapes(d, max(input, 0))
	panic(stop{})
}

// noteShapes tells where the inputs' shapes come from: each input once, or for
// a layer with one input the chain of layers that led there.
func (c *Context) noteShapes(d *diag.Diagnostic, input int) {
	l := c.low
	if c.Inputs() > 1 {
		for i, b := range c.layer.Bottoms[:min(c.Inputs(), longestChain)] {
			if from := l.makers[b.Name].from; len(from) == 0 {
				d.Note(l.makers[b.Name].place, "%s is input %d: %s", b.Name, i+1, c.bottoms[i].Type)
			} else {
				d.Note(l.makers[b.Name].place, "%s makes input %d: %s", b.Name, i+1, c.bottoms[i].Type)
			}
		}
		return
	}
	name, what := c.layer.Bottoms[input].Name, " this input"
	for range longestChain {
		m, v := l.makers[name], l.tensors[name]
		if v == nil {
			return
		}
		if len(m.from) == 0 {
			if what != "" {
				what = ", the input,"
			}
			d.Note(m.place, "%s%s is %s", name, what, v.Type)
			return
		}
		d.Note(m.place, "%s makes%s %s", name, what, v.Type)
		name, what = m.from[0], ""
	}
}

// noteMaker tells where a tensor is defined.
func (l *lowering) noteMaker(d *diag.Diagnostic, name string) {
	d.Note(l.makers[name].place, "%s is defined here", name)
}
