package layer

import (
	"netc/ir"
	"netc/spec/diag"
)

// sharedParam is a parameter that has a name of its own, so that other layers
// can use it too.
type sharedParam struct {
	value         *ir.Value
	place         diag.Pos // of the first param block with the name
	lrPlace       diag.Pos // where lr_mult was first written; invalid where it was not
	decayPlace    diag.Pos
	firstUseLayer string
}

// Param gives the layer's next parameter, named after the layer and its role,
// or the one that it shares by name with an earlier layer. field is the filler's
// field, for messages.
func (c *Context) Param(role, field string, filler ir.Filler, shape ...int) *ir.Value {
	index := len(c.params)
	settings := paramFields{}
	if index < len(c.every.Params) {
		settings = c.every.Params[index]
	}
	t := ir.Float(shape...)
	c.checkSize(t)
	if shared := c.low.shared[settings.Name]; settings.Name != "" && shared != nil {
		v := c.share(shared, settings, role, t)
		c.params = append(c.params, v)
		if !v.Type.Equal(t) {
			return c.Reshape(v, shape...)
		}
		return v
	}
	if kind := fillerKindNamed(filler.Kind); kind.fits != nil {
		if reason := kind.fits(shape); reason != "" {
			c.low.messages.Errorf(codeFiller, c.fieldSpan(field), "%s %s, not %s", filler.Kind, reason, t)
			panic(stop{})
		}
	}
	info := ir.ParamInfo{Filler: filler, LrMult: 1, DecayMult: 1}
	if settings.LrMult != nil {
		info.LrMult = *settings.LrMult
	}
	if settings.DecayMult != nil {
		info.DecayMult = *settings.DecayMult
	}
	if c.every.Freeze {
		info.LrMult = 0
	}
	v := c.low.graph.AddParam(c.low.free(c.layer.Name+"."+role), t, info, c.origin()...)
	c.params = append(c.params, v)
	if settings.Name != "" {
		shared := &sharedParam{value: v, place: settings.span.Pos, firstUseLayer: c.layer.Name}
		c.noteMultipliers(shared, settings)
		c.low.shared[settings.Name] = shared
	}
	return v
}

// noteMultipliers remembers where the multipliers of a shared parameter were
// first written.
func (c *Context) noteMultipliers(shared *sharedParam, settings paramFields) {
	if settings.LrMult != nil || c.every.Freeze {
		shared.lrPlace = settings.span.Pos
	}
	if settings.DecayMult != nil {
		shared.decayPlace = settings.span.Pos
	}
}

// share checks a further use of a shared parameter. As in Caffe, a multiplier
// that is written here counts unless another was written before.
func (c *Context) share(shared *sharedParam, settings paramFields, role string, t ir.Type) *ir.Value {
	v := shared.value
	fits := v.Type.Equal(t)
	if settings.ShareMode == "permissive" {
		fits = v.Type.Shape.Count() == t.Shape.Count()
	}
	if !fits {
		c.low.messages.Errorf(codeShared, settings.span, "the shared parameter %q is %s, but the %s of %s is %s",
			settings.Name, v.Type, role, c.layer.Name, t).
			Note(shared.place, "%s uses it first", shared.firstUseLayer)
		panic(stop{})
	}
	lr, decay := settings.LrMult, settings.DecayMult
	if c.every.Freeze {
		lr = new(float64)
	}
	c.agree(shared, settings, "lr_mult", lr, &v.Param.LrMult, shared.lrPlace)
	c.agree(shared, settings, "decay_mult", decay, &v.Param.DecayMult, shared.decayPlace)
	c.noteMultipliers(shared, settings)
	return v
}

func (c *Context) agree(shared *sharedParam, settings paramFields, name string, written, current *float64, first diag.Pos) {
	switch {
	case written == nil:
	case !first.IsValid():
		*current = *written
	case *written != *current:
		c.low.messages.Errorf(codeShared, settings.span, "the shared parameter %q has %s %g here, but %g in %s",
			settings.Name, name, *written, *current, shared.firstUseLayer).
			Note(first, "%s %g is set here", name, *current)
		panic(stop{})
	}
}

// checkParamsUsed reports param blocks beyond the layer's parameters.
func (c *Context) checkParamsUsed() {
	extra := c.every.Params
	if len(extra) <= len(c.params)+len(c.states) {
		return
	}
	at := extra[len(c.params)+len(c.states)].span
	c.low.messages.Errorf(codeParam, at, "%s has %s, but this is param block %d",
		c.layer.Name, span(len(c.params), len(c.params), "parameter"), len(c.params)+len(c.states)+1).
		Helpf("the i-th param block is for the i-th parameter")
	panic(stop{})
}
