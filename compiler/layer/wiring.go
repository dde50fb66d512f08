package layer

import (
	"fmt"
	"strings"

	"netc/ir"
)

// checkWiring reports a wrong number of inputs or results.
func (c *Context) checkWiring() bool {
	w, s := c.definition.wiring, c.layer
	good := true
	if n := len(s.Bottoms); n < w.minInputs || w.maxInputs != many && n > w.maxInputs {
		c.low.messages.Errorf(codeArity, s.TypeSpan, "%s takes %s, not %d", s.Type, span(w.minInputs, w.maxInputs, "input"), n).
			Helpf("%q explains them", "netc doc "+s.Type)
		good = false
	}
	if n := len(s.Tops); n < w.minResults || w.maxResults != many && n > w.maxResults {
		c.low.messages.Errorf(codeArity, s.TypeSpan, "%s gives %s, not %d", s.Type, span(w.minResults, w.maxResults, "result"), n).
			Helpf("%q explains them", "netc doc "+s.Type)
		good = false
	}
	return good
}

// span words a range of counts, as in "1 or 2 results".
func span(least, most int, noun string) string {
	text := fmt.Sprint(least)
	switch {
	case most == many:
		text += " or more"
	case most == least+1:
		text += fmt.Sprintf(" or %d", most)
	case most > least:
		text += fmt.Sprintf(" to %d", most)
	}
	switch stem, endsInY := strings.CutSuffix(noun, "y"); {
	case text == "1":
		return text + " " + noun
	case endsInY:
		return text + " " + stem + "ies"
	}
	return text + " " + noun + "s"
}

// checkFieldsOfEveryLayer checks loss_weight and propagate_down against the
// layer's results and inputs, and cuts gradients.
func (c *Context) checkFieldsOfEveryLayer() {
	if n := len(c.every.LossWeight); n > 0 && n != c.Results() {
		c.low.messages.Errorf(codeCount, c.fieldSpan("loss_weight"), "loss_weight has %s, but %s has %s",
			span(n, n, "entry"), c.layer.Name, span(c.Results(), c.Results(), "result")).
			Helpf("write one weight for each result; 0 leaves a result out of the loss")
		panic(stop{})
	}
	flow := c.every.PropagateDown
	if n := len(flow); n > 0 && n != c.Inputs() {
		c.low.messages.Errorf(codeCount, c.fieldSpan("propagate_down"), "propagate_down has %s, but %s has %s",
			span(n, n, "entry"), c.layer.Name, span(c.Inputs(), c.Inputs(), "input"))
		panic(stop{})
	}
	for i, allowed := range flow {
		switch v := c.bottoms[i]; {
		case v.Type.DType == ir.I32 && allowed:
			c.Conflict("propagate_down", "no gradient can flow to %s, which is %s", c.layer.Bottoms[i].Name, v.Type)
		case v.Type.DType == ir.F32 && !allowed:
			c.bottoms[i] = c.Detach(v)
		}
	}
}
