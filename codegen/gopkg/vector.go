package gopkg

import (
	"fmt"
	"strings"

	"netc/codegen/asm"
	"netc/codegen/cpu"
	"netc/compiler"
	"netc/ir"
)

// vectorISA is an instruction set of assembly kernels.
type vectorISA struct {
	name   string // for --isa and file names
	suffix string // of functions
	isa    asm.ISA
}

var vectorISAs = []*vectorISA{{"avx2", "AVX2", asm.AVX2}, {"avx512", "AVX512", asm.AVX512}}

const variantType = `// variant is the network for one instruction set.
type variant struct {
	arenaBytes          int
	train, test, update func(*runtime.Arena) runtime.Phase
}

`

// variants prints the phases for vector instruction sets, and the tables of
// what each processor family can choose from.
func (m *Module) variants(u *compiler.Unit, header string, functions *cpu.Scope) error {
	plain := variantEntry(u, portable, "")
	if u.Vector == nil {
		m.goFile("variants.go", variantsText(header, m.Name, "", []string{portable}, []string{plain}))
		return nil
	}
	if err := samePlaces(u, u.Vector); err != nil {
		return err
	}
	isas, entries := []string{portable}, []string{plain}
	for _, isa := range vectorISAs {
		isas, entries = append(isas, isa.name), append(entries, variantEntry(u.Vector, isa.name, isa.suffix))
		for _, p := range u.Vector.Phases {
			ph := newPhaseFor(p, functions, isa)
			base := p.Name + "_" + isa.name + "_amd64"
			m.goFile(base+".go", ph.text(header, m.Name, m.Name))
			m.pending = append(m.pending, pendingFile{name: base + ".s", write: func() ([]byte, error) { return []byte(ph.asm.Text(header)), nil }})
		}
	}
	m.goFile("variants_amd64.go", variantsText(header, m.Name, "", isas, entries))
	m.goFile("variants_other.go", variantsText(header, m.Name, "//go:build !amd64\n\n", isas[:1], entries[:1]))
	return nil
}

func variantsText(header, pkg, constraint string, isas, entries []string) string {
	return fmt.Sprintf("%s\n\n%spackage %s\n\n// isas are the instruction sets that the network has kernels for here.\nvar isas = []string{%s}\n\nvar variants = map[string]variant{\n%s}\n",
		header, constraint, pkg, `"`+strings.Join(isas, `", "`)+`"`, strings.Join(entries, ""))
}

func variantEntry(u *compiler.Unit, isa, suffix string) string {
	text := fmt.Sprintf("%q: {arenaBytes: %d", isa, u.Arena.Size)
	for _, p := range u.Phases {
		text += fmt.Sprintf(", %s: %sPhase%s", p.Name, p.Name, suffix)
	}
	return text + "},\n"
}

// samePlaces returns an error unless parameters, states and scalar inputs have
// the same places in both units: one list of them serves all variants.
func samePlaces(u, v *compiler.Unit) error {
	for i, p := range u.Phases {
		q := v.Phases[i]
		for _, list := range [][]*ir.Value{p.Graph.Params, p.Graph.States, p.Graph.Inputs} {
			for _, x := range list {
				if x.Kind == ir.Input && len(x.Type.Shape) > 0 {
					continue
				}
				y := q.Graph.Lookup(x.Name)
				if y == nil || p.Plan.Offsets[x] != q.Plan.Offsets[y] || !y.Type.IsRowMajor() {
					return fmt.Errorf("%s lies elsewhere for vector kernels", x.Name)
				}
			}
		}
	}
	return nil
}

func (ph *phase) suffix() string {
	if ph.vector == nil {
		return ""
	}
	return ph.vector.suffix
}

// address gives the variable that holds the address of a value.
func (ph *phase) address(v *ir.Value) string {
	if ph.addresses[v] == "" {
		ph.addresses[v] = ph.scope.Take(cpu.Identifier(v.Name + ".at"))
	}
	return ph.addresses[v]
}
