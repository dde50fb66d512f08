package gopkg

import (
	"fmt"
	"slices"
	"strings"

	"netc/codegen/asm"
	"netc/codegen/cpu"
	"netc/codegen/vector"
	"netc/compiler"
	"netc/ir"
	"netc/ir/loop"
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

// join prints what says how a launch of an assembly kernel follows the one
// before it.
func (ph *phase) join(k *compiler.Kernel, assembled *vector.Kernel) string {
	if assembled.Groups == 0 {
		ph.runs.end()
		return ""
	}
	text := fmt.Sprintf(", Groups: %d", assembled.Groups)
	if ph.runs.joins(ph, k.Nest, assembled) {
		text += ", Joins: true"
	}
	return text
}

// address gives the variable that holds the address of a value.
func (ph *phase) address(v *ir.Value) string {
	if ph.addresses[v] == "" {
		ph.addresses[v] = ph.scope.Take(cpu.Identifier(v.Name + ".at"))
	}
	return ph.addresses[v]
}

// joining follows the launches that run one after the other without waiting,
// each thread keeping to its own blocks of the batch.
type joining struct {
	groups int
	reads  []*ir.Value
	writes []*ir.Value
}

// end says that the next launch waits for those before it.
func (j *joining) end() { *j = joining{} }

// joins reports whether a launch may follow the run, and otherwise starts a new
// run with it: it reads only what the run does not write or writes in the same
// blocks, and writes only where the run neither reads nor writes, but for the
// same blocks.
func (j *joining) joins(ph *phase, nest *loop.Nest, k *vector.Kernel) bool {
	reads, writes := nest.Loads(), nest.Stores()
	ok := j.groups == k.Groups
	for _, v := range reads {
		for _, w := range j.writes {
			ok = ok && (!ph.overlap(v, w) || ph.sameBlocks(v, w))
		}
	}
	for _, v := range writes {
		ok = ok && v.Type.Lanes == 1
		for _, w := range append(slices.Clone(j.reads), j.writes...) {
			ok = ok && (!ph.overlap(v, w) || ph.sameBlocks(v, w))
		}
	}
	if !ok {
		*j = joining{groups: k.Groups}
		if !slices.ContainsFunc(writes, func(v *ir.Value) bool { return v.Type.Lanes != 1 }) {
			j.reads, j.writes = reads, writes
		} else {
			j.groups = -1 // what follows waits
		}
		return false
	}
	j.reads, j.writes = append(j.reads, reads...), append(j.writes, writes...)
	return true
}

// overlap reports whether two tensors share memory.
func (ph *phase) overlap(v, w *ir.Value) bool {
	a, b := ph.Plan.Offsets[v], ph.Plan.Offsets[w]
	return a < b+w.Type.Bytes() && b < a+v.Type.Bytes()
}

// sameBlocks reports whether the blocks of the batch of two tensors that share
// memory are the same bytes.
func (ph *phase) sameBlocks(v, w *ir.Value) bool {
	return v.Type.Lanes == 1 && w.Type.Lanes == 1 && ph.Plan.Offsets[v] == ph.Plan.Offsets[w] &&
		v.Type.Shape[0] == w.Type.Shape[0] && v.Type.Bytes() == w.Type.Bytes()
}
