package gopkg_test

import (
	"path/filepath"
	"testing"
	"time"

	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/models"
)

// BenchmarkBuild measures what "netc build" does for each model, from its text
// to the text of its program; of the milliseconds it says how many compile the
// network and how many print it.
func BenchmarkBuild(b *testing.B) {
	for _, name := range models.All() {
		b.Run(name, func(b *testing.B) {
			var compiling, printing time.Duration
			net := filepath.Join("../../models", name+".net")
			for b.Loop() {
				start := time.Now()
				unit := compileModel(b, net, compiler.Options{Vector: true})
				compiled := time.Now()
				if _, err := gopkg.Emit(unit, filepath.Base(net)); err != nil {
					b.Fatal(err)
				}
				compiling += compiled.Sub(start)
				printing += time.Since(compiled)
			}
			b.ReportMetric(compiling.Seconds()*1e3/float64(b.N), "ms-compiling/op")
			b.ReportMetric(printing.Seconds()*1e3/float64(b.N), "ms-printing/op")
		})
	}
}
