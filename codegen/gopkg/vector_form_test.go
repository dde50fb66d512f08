package gopkg_test

import (
	"testing"

	"netc/codegen/asm"
	"netc/codegen/vector"
	"netc/compiler"
	"netc/models"
)

// TestModelsHaveVectorForms: no kernel of a model is left to plain Go, which is
// many times slower, with the run file's batch and with one sample.
func TestModelsHaveVectorForms(t *testing.T) {
	for _, model := range models.All() {
		for _, batch := range []int{0, 1} {
			u := compileModel(t, "../../models/"+model+".net", compiler.Options{Lanes: true, TrainBatch: batch, TestBatch: batch})
			for _, p := range u.Phases {
				for _, k := range p.Kernels {
					if _, err := vector.Compile("kernel", k.Nest, asm.AVX2); err != nil {
						t.Errorf("%s, %s of %d samples, %s: %v", model, p.Name, p.Batch, k.Node.Out[0].Name, err)
					}
				}
			}
		}
	}
}
