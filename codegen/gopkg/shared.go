package gopkg

import (
	"fmt"
	"slices"

	"netc/codegen/asm"
	"netc/codegen/cpu"
	"netc/codegen/describe"
	"netc/codegen/vector"
	"netc/compiler"
	"netc/ir"
	"netc/ir/loop"
)

// sharedKernel is one function and the kernels that call it, because they
// compute the same, each on its own tensors. Networks repeat their blocks: two
// thirds of ResNet-50's kernels are another one again.
type sharedKernel struct {
	name    string // the first kernel's
	users   []*compiler.Kernel
	tensors map[*compiler.Kernel][]*ir.Value // by the numbers of the fingerprint

	// One of the two is set, and args are its tensors of the first kernel.
	printed    *cpu.Kernel
	assembled  *vector.Kernel
	args       []*ir.Value
	tasks      int
	operations int
}

// share groups the kernels of a phase by what they compute, in the order of
// their first users; names are the kernels' own.
func share(kernels []*compiler.Kernel, names []string) (list []*sharedKernel, of map[*compiler.Kernel]*sharedKernel) {
	known := map[string]*sharedKernel{}
	of = map[*compiler.Kernel]*sharedKernel{}
	for i, k := range kernels {
		text, tensors := k.Nest.Fingerprint()
		s := known[text]
		if s == nil {
			s = &sharedKernel{name: names[i], tensors: map[*compiler.Kernel][]*ir.Value{}}
			known[text] = s
			list = append(list, s)
		}
		s.users = append(s.users, k)
		s.tensors[k] = tensors
		of[k] = s
	}
	return list, of
}

// write makes the functions, on all cores: in assembly where an instruction set
// is given and has a form for the nest, else in Go.
func write(list []*sharedKernel, isa *vectorISA) {
	onAllCores(len(list), func(i int) { list[i].write(isa) })
}

func (s *sharedKernel) write(isa *vectorISA) {
	k := s.users[0]
	if isa != nil {
		if assembled, err := vector.Compile(s.name, k.Nest, isa.isa); err == nil {
			s.assembled, s.args, s.tasks = assembled, assembled.Args, assembled.Tasks
			s.operations = loop.Lower(k.Nest, loop.Schedule{}).Operations()
			assembled.Func.SetDoc(s.doc(s.args, fmt.Sprintf("%d tasks", s.tasks)))
			return
		}
	}
	code := loop.Lower(k.Nest, k.Schedule)
	s.printed = cpu.Print(s.name, code, func(args []*ir.Value) []string { return s.doc(args, taskText(code)) })
	s.args, s.tasks, s.operations = s.printed.Args, code.Tasks, code.Operations()
}

// doc is the comment above the function.
func (s *sharedKernel) doc(args []*ir.Value, launch string) []string {
	doc := describe.Doc(s.name, s.users[0], args, launch)
	if also := describe.Also(s.users[1:]); also != "" {
		doc = slices.Insert(doc, 1, also)
	}
	return doc
}

// argumentsOf gives the tensors of a kernel in the order of the arguments.
func (s *sharedKernel) argumentsOf(k *compiler.Kernel) []*ir.Value {
	list := make([]*ir.Value, len(s.args))
	for i, v := range s.args {
		list[i] = s.tensors[k][slices.Index(s.tensors[s.users[0]], v)]
	}
	return list
}

// assembly adds the function to a file, with its declaration for Go.
func (s *sharedKernel) assembly(file *asm.File) (declaration string) {
	file.Add(s.assembled.Func)
	return s.assembled.Func.Declaration() + "\n"
}
