package gopkg

import (
	"bytes"
	"fmt"
	"strings"

	"netc/codegen/cpu"
	"netc/ir"
)

// api prints the typed interface of an emitted package: the network, and for
// each pass a struct of its named tensors.
type api struct {
	pkg    string
	passes []pass
}

// pass is a phase that users run themselves.
type pass struct {
	*phase
	field  string // of Net: Train or Test
	fields []string
	values []*ir.Value // in the order of the phase's Tensors
}

func newAPI(pkg string, phases []*phase) *api {
	a := &api{pkg: pkg}
	for _, ph := range phases {
		p := pass{phase: ph, field: exported(ph.Name), values: ph.kept()}
		if ph.Name == "update" {
			continue
		}
		scope := cpu.NewScope()
		for _, v := range p.values {
			p.fields = append(p.fields, scope.Take(exported(v.Name)))
		}
		a.passes = append(a.passes, p)
	}
	return a
}

// exported is the exported identifier for a name.
func exported(name string) string {
	id := strings.TrimSuffix(cpu.Identifier(name), "_")
	return strings.ToUpper(id[:1]) + id[1:]
}

func (a *api) pass(name string) *pass {
	for i := range a.passes {
		if a.passes[i].Name == name {
			return &a.passes[i]
		}
	}
	return nil
}

// doc prints the package comment, with an example of the network's own names.
func (a *api) doc(b *bytes.Buffer, network string, parameters, arena int) {
	fmt.Fprintf(b, "// Package %s is the network %s, compiled: every shape is a constant, every\n", a.pkg, network)
	fmt.Fprintf(b, "// tensor has its place in one arena, and a pass is a fixed list of kernels.\n//\n")
	fmt.Fprintf(b, "//\tnet, err := %s.New(0) // all cores\n//\terr = net.Load(\"weights.safetensors\")\n", a.pkg)
	if p := a.pass("test"); p != nil {
		a.example(b, p, "net.Forward()")
	}
	if p := a.pass("train"); p != nil {
		fmt.Fprintf(b, "//\n// One step of training, at a learning rate of 0.01:\n//\n")
		a.example(b, p, "loss := net.Step(0.01)")
	}
	fmt.Fprintf(b, "//\n// The command cmd/%s trains, tests and runs the network on data sets.\n//\n", a.pkg)
	fmt.Fprintf(b, "// It has %d learnable parameters; its arena takes %d bytes.\n", parameters, arena)
}

func (a *api) example(b *bytes.Buffer, p *pass, call string) {
	for i, v := range p.values {
		if v.Kind == ir.Input {
			fmt.Fprintf(b, "//\tcopy(net.%s.%s, %s)\n", p.field, p.fields[i], strings.ToLower(p.fields[i][:1])+p.fields[i][1:])
		}
	}
	fmt.Fprintf(b, "//\t%s\n", call)
	for i := len(p.values) - 1; i >= 0 && p.Name == "test"; i-- {
		if v := p.values[i]; v.Kind != ir.Input {
			fmt.Fprintf(b, "//\tfmt.Println(net.%s.%s)\n", p.field, p.fields[i])
			return
		}
	}
}

// declarations prints Net, its methods and the structs of tensors.
func (a *api) declarations(b *bytes.Buffer) {
	b.WriteString(`// Net is the network with its arena and its workers. It is not safe for
// concurrent use; make one for each goroutine. The passes share the arena: what
// one has computed lasts until another runs.
type Net struct {
Program *runtime.Program // schedules, parameters and run file
`)
	for _, p := range a.passes {
		fmt.Fprintf(b, "%s %sTensors // inputs and results of %s\n", p.field, p.field, map[string]string{"train": "Step", "test": "Forward"}[p.Name])
	}
	b.WriteString("pool *runtime.Pool\n}\n\n")
	for _, p := range a.passes {
		fmt.Fprintf(b, "// %sTensors are the inputs and results of the %s pass, row-major.\ntype %sTensors struct {\n", p.field, p.Name, p.field)
		for i, v := range p.values {
			role := "result"
			if v.Kind == ir.Input {
				role = "input"
			}
			fmt.Fprintf(b, "%s []%s // %s %s\n", p.fields[i], elementType(v), role, v.Type.Shape)
		}
		b.WriteString("}\n\n")
	}
	b.WriteString(`// New builds the network with the fastest kernels that run here and starts its
// workers; 0 threads means one for each core. Parameters start from their fillers
// with seed 1.
func New(threads int) (*Net, error) {
p, err := Choice.Program("")
if err != nil {
return nil, err
}
p.Seed[0] = 1
n := &Net{Program: p, pool: runtime.NewPool(threads)}
`)
	for _, p := range a.passes {
		fmt.Fprintf(b, "n.%s = %sTensors{\n", p.field, p.field)
		for i, v := range p.values {
			fmt.Fprintf(b, "%s: p.%s.Tensors[%d].%s,\n", p.fields[i], p.field, i, storage(v))
		}
		b.WriteString("}\n")
	}
	b.WriteString(`return n, runtime.Fill(p.Parameters, 1, n.pool)
}

// Close ends the workers.
func (n *Net) Close() { n.pool.Close() }

// Load reads the parameters from a weights file.
func (n *Net) Load(path string) error {
file, err := runtime.ReadTensorFile(path)
if err != nil {
return err
}
_, err = runtime.LoadWeights(n.Program.Parameters, file)
n.Changed()
return err
}

`)
	if a.pass("test") != nil {
		b.WriteString(`// Forward computes the test pass on the inputs in n.Test, with the parameters as
// Load, Step or Changed last left them.
func (n *Net) Forward() { n.Program.Test.Run(n.pool) }

`)
	}
	if a.pass("train") != nil {
		b.WriteString(`// Step computes one training step on the inputs in n.Train, with a learning
// rate, and returns the loss.
func (n *Net) Step(rate float32) float32 {
p := n.Program
p.Rate[0] = rate
p.Train.Run(n.pool)
p.Iteration[0]++
if every := int32(p.Config.Solver.Accumulate); every > 1 && p.Iteration[0]%every == 0 {
p.Update.Run(n.pool)
}
return p.Train.Loss[0]
}

`)
	}
	b.WriteString(`// Changed is to be called by whoever writes to parameters or states, so that
// what was computed from them is computed again.
func (n *Net) Changed() { n.Program.Arena.Changed() }

// Parameter finds a parameter by name. Call Changed after writing to it.
func (n *Net) Parameter(name string) (runtime.Tensor, bool) {
for _, p := range n.Program.Parameters {
if p.Name == name {
return p.Tensor, true
}
}
return runtime.Tensor{}, false
}

`)
}

func elementType(v *ir.Value) string {
	if v.Type.DType == ir.I32 {
		return "int32"
	}
	return "float32"
}

// storage is the method of runtime.Arena that cuts a value's elements out, and
// the field of runtime.Tensor that holds them; u8 values have no such field,
// because only kernels see them.
func storage(v *ir.Value) string {
	return strings.ToUpper(v.Type.DType.String())
}
