package describe

import (
	"fmt"
	"strings"

	"netc/codegen/cpu"
	"netc/compiler"
)

// Name is the phase, then the layers for a forward kernel and the result
// otherwise: trainConv1Relu1, trainConv1WeightNext.
func Name(phase string, k *compiler.Kernel) string {
	what := k.Node.Out[0].Name
	for _, v := range k.Node.Out { // of momentum and parameter, the parameter
		if len(v.Name) < len(what) {
			what = v.Name
		}
	}
	for i, o := range k.Node.From {
		if o.Layer == what || i > 0 && k.Node.Out[len(k.Node.Out)-1].Name == o.Layer {
			var layers []string
			for _, o := range k.Node.From[:min(len(k.Node.From), 4)] {
				layers = append(layers, o.Layer)
			}
			what = strings.Join(layers, ".")
		}
	}
	name := cpu.Identifier(phase + "." + what)
	if k.Parts > 1 {
		name += fmt.Sprintf("Part%d", k.Part+1)
	}
	return name
}
