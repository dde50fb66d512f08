package gopkg

import (
	"fmt"
	"reflect"
	"strings"

	"netc/codegen/asm"
	"netc/codegen/cpu"
	"netc/codegen/describe"
	"netc/compiler"
	"netc/ir"
	"netc/ir/loop"
	"netc/runtime"
)

// phase prints one phase: a function that binds its tensors and its static
// schedule to an arena, and the kernels.
type phase struct {
	*compiler.Phase
	names   map[*ir.Value]string // the tensors' variables in the function
	passes  map[*ir.Node]string  // the part of the step that each operator belongs to
	scope   *cpu.Scope
	kernels []*cpu.Kernel
	copies  []ir.Write
	calls   []string // one entry of the setup or the schedule each

	addresses map[*ir.Value]string // variables of addresses, which assembly kernels take
	vector    *vectorISA           // of assembly kernels, or nil
	asm       asm.File             // those kernels
	stubs     []string
	scratch   int
}

// newPhase prints the kernels of p; package takes the functions' names.
func newPhase(p *compiler.Phase, functions *cpu.Scope) *phase { return newPhaseFor(p, functions, nil) }

// newPhaseFor prints them in the assembly of an instruction set, where one is
// given and has them.
func newPhaseFor(p *compiler.Phase, functions *cpu.Scope, isa *vectorISA) *phase {
	ph := &phase{Phase: p, vector: isa, addresses: map[*ir.Value]string{}, names: map[*ir.Value]string{}, passes: describe.Passes(p), copies: p.Plan.Copies}
	ph.scope = cpu.NewScope("a", "lo", "hi", "runtime", "int", "nil", "copy")
	kernels := make([]string, len(p.Kernels))
	for i, k := range p.Kernels { // before the tensors, which must not hide them
		kernels[i] = functions.Take(describe.Name(ph.Name, k) + ph.suffix())
		ph.scope.Take(kernels[i])
	}
	list, of := share(p.Kernels, kernels)
	write(list, isa)
	for _, s := range list {
		if s.assembled != nil {
			ph.stubs = append(ph.stubs, s.assembly(&ph.asm))
			ph.scratch = max(ph.scratch, s.assembled.Scratch)
		} else {
			ph.kernels = append(ph.kernels, s.printed)
		}
	}
	for _, steps := range [][]*compiler.Kernel{p.Kernels[:p.Setup], p.Kernels[p.Setup:]} {
		for _, s := range ph.arrange(steps, of) {
			ph.launch(s)
		}
	}
	for _, w := range ph.copies {
		ph.calls = append(ph.calls, fmt.Sprintf("{Kernel: %q, Layers: %q, %s,\nTasks: %d, Run: func(lo, hi int) { copy(%s[lo:hi], %s[lo:hi]) }},",
			"copy", w.Target.Name, workFields(describe.CopyWork(w)), w.Target.Type.Shape.Count(), ph.tensor(w.Target), ph.tensor(w.Value)))
	}
	return ph
}

// launch adds a kernel to the schedule, as a call of its function.
func (ph *phase) launch(st *step) {
	k, s := st.Kernel, st.shared
	layers, _ := describe.Origins(k.Node.From)
	call := fmt.Sprintf("{Kernel: %q, Layers: %q, %s,\nTasks: %d, ", s.name, layers,
		workFields(describe.WorkOf(ph.Phase, k, s.operations, ph.passes)), s.tasks)
	var args []string
	if s.assembled == nil {
		for _, v := range s.argumentsOf(k) {
			args = append(args, ph.tensor(v))
		}
		ph.calls = append(ph.calls, fmt.Sprintf("%sRun: func(lo, hi int) { %s(%s, lo, hi) }},", call, s.name, strings.Join(args, ", ")))
		return
	}
	for _, v := range s.argumentsOf(k) {
		args = append(args, ph.address(v))
	}
	groups := ""
	if n := st.groups(); n > 0 {
		groups = fmt.Sprintf(", Groups: %d", n)
	}
	if st.joins {
		groups += ", Joins: true"
	}
	ph.calls = append(ph.calls, fmt.Sprintf("%sCode: %s, Args: []unsafe.Pointer{%s}%s},", call, s.name, strings.Join(args, ", "), groups))
}

// taskText says how the work is cut.
func taskText(code *loop.Code) string {
	switch {
	case code.Elementwise:
		return fmt.Sprintf("one task per element: %d", code.Tasks)
	case code.Tasks == 1:
		return "one task"
	}
	return fmt.Sprintf("%d tasks", code.Tasks)
}

// tensor gives the variable that holds a value's place in the arena.
func (ph *phase) tensor(v *ir.Value) string {
	if ph.names[v] == "" {
		ph.names[v] = ph.scope.Take(cpu.Identifier(v.Name))
	}
	return ph.names[v]
}

// view is the expression that cuts a tensor out of the arena.
func (ph *phase) view(v *ir.Value) string {
	return fmt.Sprintf("a.%s(%d, %d)", storage(v), ph.Plan.Offsets[v], v.Type.Stored())
}

// text prints the phase's file.
func (ph *phase) text(header, pkg, module string) string {
	var b strings.Builder
	body := ph.body()
	imports := []string{}
	for _, k := range ph.kernels {
		if k.Math {
			imports = []string{`"math"`, ""}
		}
	}
	if len(ph.stubs) > 0 {
		imports = append([]string{`"unsafe"`}, imports...)
		if len(imports) == 1 {
			imports = append(imports, "")
		}
	}
	fmt.Fprintf(&b, "%s\n\npackage %s\n\nimport (\n%s\n%q\n)\n\n", header, pkg, strings.Join(imports, "\n"), module+"/runtime")
	b.WriteString(body)
	for _, k := range ph.kernels {
		b.WriteString("\n" + k.Text)
	}
	for _, s := range ph.stubs {
		b.WriteString("\n" + s)
	}
	return b.String()
}

func (ph *phase) body() string {
	var b strings.Builder
	tensorList := func(values []*ir.Value) string {
		var parts []string
		for _, v := range values {
			parts = append(parts, "\n"+ph.tensorLiteral(v)+",")
		}
		if len(parts) == 0 {
			return "nil"
		}
		return "[]runtime.Tensor{" + strings.Join(parts, "") + "\n}"
	}
	var inputs, scalars []*ir.Value
	kept := ph.kept()
	for _, v := range kept {
		switch {
		case v.Kind == ir.Input:
			inputs = append(inputs, v)
		case len(v.Type.Shape) == 0 && v.Type.DType == ir.F32:
			scalars = append(scalars, v)
		}
	}
	fields := fmt.Sprintf("Arena: a,\nBatch: %d,\nInputs: %s,\nClasses: %s,\n%sOutputs: %s,\nTensors: %s,\n", ph.Batch, tensorList(inputs), ph.classes(inputs), ph.ignored(inputs), tensorList(scalars), tensorList(kept))
	if ph.Graph.Loss != nil {
		fields += fmt.Sprintf("Loss: %s,\n", ph.tensor(ph.Graph.Loss))
	}
	if ph.scratch > 0 {
		fields += fmt.Sprintf("Scratch: %d,\n", ph.scratch)
	}
	if ph.Setup > 0 {
		fields += launches("Setup", ph.calls[:ph.Setup])
	}
	fields += launches("Schedule", ph.calls[ph.Setup:])

	fmt.Fprintf(&b, "// %sPhase%s binds the tensors and kernels of the %s pass to an arena, in the\n// order in which they run.\n", ph.Name, ph.suffix(), ph.Name)
	fmt.Fprintf(&b, "func %sPhase%s(a *runtime.Arena) runtime.Phase {\n", ph.Name, ph.suffix())
	for _, v := range ph.inArenaOrder() {
		if ph.names[v] != "" {
			fmt.Fprintf(&b, "%s := %s // %s\n", ph.names[v], ph.view(v), v.Type)
		}
		if ph.addresses[v] != "" {
			fmt.Fprintf(&b, "%s := a.Pointer(%d) // %s\n", ph.addresses[v], ph.Plan.Offsets[v], v.Type)
		}
	}
	fmt.Fprintf(&b, "\nreturn runtime.Phase{\n%s}\n}\n", fields)
	return b.String()
}

// launches prints a field of the phase that lists calls.
func launches(field string, calls []string) string {
	return field + ": []runtime.Launch{\n" + strings.Join(calls, "\n") + "\n},\n"
}

// kept lists the tensors that may be read after the pass: the inputs that are
// fed (not the solver's scalars), then the outputs.
func (ph *phase) kept() []*ir.Value {
	var list []*ir.Value
	for _, v := range ph.Graph.Inputs {
		if !strings.HasPrefix(v.Name, "solver.") {
			list = append(list, v)
		}
	}
	for _, v := range ph.Graph.Outputs {
		if v.Kind != ir.Input {
			list = append(list, v)
		}
	}
	return list
}

func (ph *phase) tensorLiteral(v *ir.Value) string {
	return fmt.Sprintf("{Name: %q, Shape: %s, %s: %s}", v.Name, shapeLiteral(v.Type.Shape), storage(v), ph.tensor(v))
}

func shapeLiteral(s ir.Shape) string {
	if len(s) == 0 {
		return "nil"
	}
	return "[]int{" + strings.Trim(s.String(), "[]") + "}"
}

// inArenaOrder lists the tensors in use: the persistent ones, the inputs, then
// the nodes' results in the order in which they are computed.
func (ph *phase) inArenaOrder() []*ir.Value {
	var list []*ir.Value
	add := func(values []*ir.Value) {
		for _, v := range values {
			if ph.names[v] != "" || ph.addresses[v] != "" {
				list = append(list, v)
			}
		}
	}
	add(ph.Graph.Params)
	add(ph.Graph.States)
	add(ph.Graph.Inputs)
	for _, n := range ph.Graph.Nodes {
		add(n.Out)
	}
	return list
}

func fillerLiteral(f ir.Filler) string {
	return strings.TrimPrefix(literal(reflect.ValueOf(runtime.Filler(f))), "runtime.Filler")
}
