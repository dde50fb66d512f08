package op_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// FuzzParse: no text makes the parser panic; a refusal names a line of the
// text; what is accepted prints, parses and prints the same, verifies, and has
// loop nests or a reason why not.
func FuzzParse(f *testing.F) {
	models, err := filepath.Glob("../../golden/*/*.ir")
	if err != nil || len(models) == 0 {
		f.Fatalf("no graphs of the models: %v", err)
	}
	for _, file := range models {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 20000 { // longer ones only slow the search
			f.Add(string(text))
		}
	}
	names := ir.Mnemonics()
	slices.Sort(names)
	for i, name := range names {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		x := trialOf(name, r)
		g := ir.New("trial", "train")
		var in []*ir.Value
		for _, t := range x.in {
			in = append(in, g.AddInput("in", t))
		}
		g.Outputs = g.MustAll(x.op, "out", []ir.Origin{{Layer: "layer", File: "a.net", Line: 3}}, in...)
		f.Add(g.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ir.Parse(text)
		if err != nil {
			var mistake *ir.ParseError
			if !errors.As(err, &mistake) || mistake.Line < 1 || mistake.Message == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if err := g.Verify(); err != nil {
			t.Fatalf("%v\n%s", err, g)
		}
		first := g.String()
		again, err := ir.Parse(first)
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if second := again.String(); second != first {
			t.Fatalf("printed again\n%s\nprinted first\n%s", second, first)
		}
		for _, n := range g.Nodes {
			if nests, err := op.Nests(n); err == nil && len(nests) == 0 {
				t.Fatalf("%s has neither kernels nor an error\n%s", n.Op.Mnemonic(), first)
			}
		}
	})
}
