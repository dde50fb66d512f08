package pass

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"netc/ir"
)

var update = flag.Bool("update", false, "write the passes' results into testdata")

// archivePasses are the passes that testdata/NAME-*.txt test.
var archivePasses = map[string]func(*ir.Graph) error{
	"affine":    FoldAffine,
	"common":    CommonSubexpressions,
	"dropdead":  DropDead,
	"epilogues": FuseEpilogues,
	"fold":      FoldConstants,
	"lanes":     laneBatch,
	"order":     Order,
	"pointwise": FusePointwise,
	"prologues": FusePrologues,
	"recompute": Recompute,
	"samples":   SumBySample,
	"spread":    SpreadViews,
}

// laneBatch puts the batch in lanes, which is the first input's first axis.
func laneBatch(g *ir.Graph) error {
	_, err := Layouts(g, g.Inputs[0].Type.Shape[0])
	return err
}

// archive is one test case: why it exists, the graph before the pass and after.
type archive struct{ why, in, out string }

const (
	inMarker  = "-- in.ir --\n"
	outMarker = "-- out.ir --\n"
)

func readArchive(t *testing.T, file string) archive {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	why, rest, ok := strings.Cut(string(data), inMarker)
	in, out, ok2 := strings.Cut(rest, outMarker)
	if !ok || !ok2 || strings.TrimSpace(why) == "" {
		t.Fatalf("%s does not say why it exists, %qand %q", file, inMarker, outMarker)
	}
	return archive{why, in, out}
}

// TestArchives runs each pass on the graphs in testdata: the result is the one
// written there, running the pass again changes nothing, and the graph stays
// valid.
func TestArchives(t *testing.T) {
	tested := map[string]bool{}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		prefix, _, _ := strings.Cut(name, "-")
		pass := archivePasses[prefix]
		if pass == nil {
			continue
		}
		tested[prefix] = true
		t.Run(name, func(t *testing.T) {
			a := readArchive(t, file)
			g, err := ir.Parse(a.in)
			if err != nil {
				t.Fatalf("in.ir: %v", err)
			}
			if err := pass(g); err != nil {
				t.Fatal(err)
			}
			if err := g.Verify(); err != nil {
				t.Fatalf("the pass breaks the graph: %v\n%s", err, g)
			}
			got := g.String()
			a.compare(t, file, got)
			if err := pass(g); err != nil {
				t.Fatal(err)
			}
			if again := g.String(); again != got {
				t.Errorf("a second run changes the graph to\n%s\nfrom\n%s", again, got)
			}
		})
	}
	for prefix := range archivePasses {
		if !tested[prefix] {
			t.Errorf("no archive tests the pass %s", prefix)
		}
	}
}

// compare holds what a pass made of the archive's graph against its output, or
// with -update makes it the output.
func (a archive) compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(a.why+inMarker+a.in+outMarker+got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != a.out {
		t.Errorf("%s\ngot\n%s\nwant\n%s", a.why, got, a.out)
	}
}
