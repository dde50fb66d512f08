package layer

import (
	"fmt"
	"slices"

	"netc/ir"
	"netc/ir/op"
)

// weightedLoss is a result that counts in the loss.
type weightedLoss struct {
	value  *ir.Value
	weight float64
	origin []ir.Origin
}

// addLosses records the layer's results that count in the loss: those with a
// loss_weight, or the first result of a loss layer.
func (l *lowering) addLosses(c *Context) {
	weights := c.every.LossWeight
	if len(weights) == 0 && c.definition.about.loss {
		weights = []float64{1}
	}
	for i, weight := range weights {
		if weight == 0 || i >= len(c.outs) {
			continue
		}
		v := c.outs[i]
		if v.Type.DType != ir.F32 {
			l.messages.Errorf(codeDType, c.fieldSpan("loss_weight"), "%s is %s and cannot be a loss", c.layer.Tops[i].Name, v.Type)
			continue
		}
		l.losses = append(l.losses, weightedLoss{v, weight, c.origin()})
	}
}

// total builds the sum over all losses of weight times the sum of the tensor's
// elements; nil without losses.
func (l *lowering) total() *ir.Value {
	var total *ir.Value
	var from []ir.Origin
	for i, loss := range l.losses {
		v := loss.value
		if rank := len(v.Type.Shape); rank > 0 {
			axes := make([]int, rank)
			for i := range axes {
				axes[i] = i
			}
			v = l.graph.Must(&op.Sum{Axes: axes}, l.free(loss.value.Name+".sum"), loss.origin, v)
		}
		if loss.weight != 1 {
			multiply := op.Point("scale")
			multiply.By = loss.weight
			v = l.graph.Must(multiply, l.free(loss.value.Name+".weighted"), loss.origin, v)
		}
		from = append(from, loss.origin...)
		if i == 0 {
			total = v
			continue
		}
		name := "total_loss"
		if i < len(l.losses)-1 {
			name = fmt.Sprintf("total_loss.%d", i)
		}
		total = l.graph.Must(op.Point("add"), l.free(name), slices.Clone(from), total, v)
	}
	return total
}
