package vector

import (
	"fmt"
	"netc/codegen/asm"
	"netc/compiler"
	"netc/ir/loop"
	"netc/spec"
	"os"
	"strings"
	"testing"
)

func TestDbgTwo(t *testing.T) {
	model := os.Getenv("M")
	want := os.Getenv("K")
	if model == "" {
		t.Skip()
	}
	file, _ := spec.Load("../../models/" + model + ".net")
	run, _ := spec.LoadRun("../../models/"+model+".toml", nil)
	u, _, _ := compiler.Compile(file, run, compiler.Options{Lanes: true, Phases: []string{"train"}})
	for _, k := range u.Phases[0].Kernels {
		name := k.Node.Out[len(k.Node.Out)-1].Name
		if !strings.Contains(name, want) {
			continue
		}
		p, _ := prepare(k.Nest, 8)
		r := p.contraction()
		p.tapsLast(r)
		r = p.body[0].(*loop.Reduce)
		for _, w := range r.Within {
			fmt.Println(loop.Format(w.Index), w.Extent)
		}
		for _, v := range p.axes {
			lo, hi := loop.Interior(v, []loop.Stmt{r})
			fmt.Println(v.Name, v.Extent, lo, hi, p.hasKnownEdges(r, v), p.unrolled[v], p.isLimit(v))
			fmt.Println(p.tiled(r, v, 3))
		}
		inner := r.Axes[len(r.Axes)-1]
		for _, c := range p.axes {
			if c.Name == "cr" {
				for _, b := range p.axes {
					if b.Name == "x" {
						for sa := 1; sa < 7; sa++ {
							for sb := 1; sb < 7; sb++ {
								cy, ok := machineOf(asm.AVX2).cycles(gets(r.Of), p.vectorLoad, inner, c, b, sa, sb)
								fmt.Println(sa, sb, cy, ok)
							}
						}
					}
				}
			}
		}
		m := machineOf(asm.AVX2)
		_ = m
		return
	}
}
