package gopkg_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"netc/codegen/gopkg"
	"netc/compiler"
)

var runEntry = regexp.MustCompile(`\{Kernel: "(\w+)"[^\n]*\n[^\n]*?(, Joins: true)?\},\n`)

// runsOf emits a model and lists the runs of a phase's AVX2 kernels, each as the
// names of its kernels.
func runsOf(t *testing.T, model, file string, batch int) []string {
	t.Helper()
	m, err := gopkg.Emit(compileModel(t, "../../models/"+model+".net", compiler.Options{Vector: true, TrainBatch: batch, TestBatch: batch}), model+".net")
	if err != nil {
		t.Fatal(err)
	}
	var runs []string
	for _, entry := range runEntry.FindAllStringSubmatch(string(m.Files[file]), -1) {
		name := strings.TrimSuffix(entry[1], "AVX2")
		if entry[2] != "" {
			runs[len(runs)-1] += " " + name
		} else {
			runs = append(runs, name)
		}
	}
	return runs
}

// TestRunsOfModels: a convolution, the pass over elements before it and the
// statistics after it are one run, although its weights are converted between
// them, and so are a convolution and the pooling after it.
func TestRunsOfModels(t *testing.T) {
	for _, c := range []struct {
		model, file string
		batch       int
		want        []string
	}{
		{"resnet20", "train_avx2_amd64.go", 32, []string{
			"trainStemConv trainStemConvMeans",
			"trainStemNormStemScaleX trainX1AConv trainStemConvMeans",
		}},
		{"lenet", "train_avx2_amd64.go", 64, []string{
			"trainDataLanes trainConv1 trainPool1",
			"trainConv2 trainPool2",
		}},
	} {
		runs := runsOf(t, c.model, c.file, c.batch)
		for _, want := range c.want {
			if !slices.Contains(runs, want) {
				t.Errorf("%s: no run is %s, but\n%s", c.model, want, strings.Join(runs, "\n"))
			}
		}
	}
}
