package gopkg

import (
	"fmt"
	"strings"

	"netc/codegen/describe"
	"netc/ir"
	"netc/ir/op"
)

// workFields prints the fields of a Launch that say what its kernel does and
// costs.
func workFields(w describe.Work) string {
	text := fmt.Sprintf("Pass: %q, ", w.Pass)
	if w.MultiplyAdds > 0 {
		text += fmt.Sprintf("MultiplyAdds: %d, ", w.MultiplyAdds)
	} else if w.Operations > 0 {
		text += fmt.Sprintf("Operations: %d, ", w.Operations)
	}
	return text + fmt.Sprintf("Bytes: %d", w.Bytes)
}

// classes prints Phase.Classes.
func (ph *phase) classes(inputs []*ir.Value) string {
	var list []string
	for _, v := range inputs {
		n := 0
		if v.Type.DType == ir.I32 {
			n = op.Classes(ph.Graph, v)
		}
		list = append(list, fmt.Sprint(n))
	}
	if len(list) == 0 {
		return "nil"
	}
	return "[]int{" + strings.Join(list, ", ") + "}"
}

// ignored prints the field Phase.Ignored where there are ignored labels.
func (ph *phase) ignored(inputs []*ir.Value) string {
	var list []string
	for _, v := range inputs {
		if v.Type.DType != ir.I32 {
			continue
		}
		for _, label := range op.Ignored(ph.Graph, v) {
			list = append(list, fmt.Sprint(label))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "Ignored: []int32{" + strings.Join(list, ", ") + "},\n"
}
