package cuda

import (
	"fmt"
	"strings"

	"netc/ir"
	"netc/ir/loop"
)

// fewPoints is the number of threads below which blocks are small, so that
// more multiprocessors take part.
const fewPoints = 1 << 15

// threads prints a nest with one thread for each of its points, or for four
// neighbouring elements where it is a plain pass over elements.
func (p *printer) threads() printed {
	nest := p.kernel.Nest
	code := loop.Lower(nest, loop.Schedule{Parallel: len(nest.Axes)})
	if quads := p.quadTensors(code); quads != nil {
		return p.quadThreads(code, quads)
	}
	size := 256
	if code.Tasks < fewPoints {
		size = 64
	}
	grid, block := [3]int{ceil(code.Tasks, size), 1, 1}, [3]int{size, 1, 1}
	p.open(fmt.Sprintf("one thread for each of %d points: %d blocks of %d", code.Tasks, grid[0], size), grid, block)
	if code.Tasks == 1 {
		p.printf("if (blockIdx.x*%d + threadIdx.x > 0) return;", size)
	} else {
		p.vars[code.Task] = p.scope.Take("i")
		p.printf("const int %[1]s = blockIdx.x*%[2]d + threadIdx.x;", p.vars[code.Task], size)
		p.printf("if (%s >= %d) return;", p.vars[code.Task], code.Tasks)
	}
	p.statements(code.Body)
	return p.done(grid, block)
}

// quadTensors lists the tensors that an elementwise pass reads or writes at its
// own place, which four elements at once can serve; nil where the pass is not
// of that kind, or too short to gain by it.
func (p *printer) quadTensors(code *loop.Code) []*ir.Value {
	if !code.Elementwise || code.Tasks%4 != 0 || code.Tasks < 4*fewPoints {
		return nil
	}
	own, other := map[*ir.Value]bool{}, map[*ir.Value]bool{}
	note := func(v *ir.Value, at *loop.Expr) {
		if at.Op == loop.Ref && at.Var == code.Task {
			own[v] = true
		} else {
			other[v] = true
		}
	}
	conditional := false
	loop.WalkExprs(code.Body, func(e *loop.Expr) {
		conditional = conditional || e.Op == loop.Select || e.Op == loop.And || e.Op == loop.Or
		if e.Op == loop.Get {
			note(e.Value, e.Args[0])
		}
	})
	for _, s := range code.Body {
		switch s := s.(type) {
		case *loop.Put:
			note(s.Value, s.At)
		case *loop.Let:
		default:
			return nil
		}
	}
	var list []*ir.Value
	for _, a := range p.args {
		if own[a.value] && other[a.value] {
			return nil
		}
		// An element of a tensor that is shorter than the pass exists only where
		// a condition holds.
		if own[a.value] && a.value.Type.Shape.Count() < code.Tasks {
			if conditional {
				return nil
			}
			continue
		}
		if own[a.value] {
			list = append(list, a.value)
		}
	}
	return list
}

// quadThreads prints an elementwise pass, four elements a thread, loaded and
// stored as one.
func (p *printer) quadThreads(code *loop.Code, tensors []*ir.Value) printed {
	const size = 256
	grid, block := [3]int{ceil(code.Tasks/4, size), 1, 1}, [3]int{size, 1, 1}
	p.open(fmt.Sprintf("one thread for every four of %d elements: %d blocks of %d", code.Tasks, grid[0], size), grid, block)
	first := p.scope.Take("first")
	p.printf("const int %s = (blockIdx.x*%d + threadIdx.x)*4;", first, size)
	p.printf("if (%s >= %d) return;", first, code.Tasks)
	loaded, stored := map[*ir.Value]bool{}, map[*ir.Value]bool{}
	loop.WalkExprs(code.Body, func(e *loop.Expr) {
		if e.Op == loop.Get {
			loaded[e.Value] = true
		}
	})
	for _, v := range code.Writes {
		stored[v] = true
	}
	places := map[*ir.Value]*loop.Expr{}
	for _, v := range tensors {
		places[v] = loop.R(code.Task)
	}
	lane := p.scope.Take("j")
	p.vars[code.Task] = first
	p.inFours(tensors, places, loaded, stored, lane, func() {
		if usesBeside(code.Body, code.Task, places) {
			p.vars[code.Task] = p.scope.Take("i")
			p.printf("const int %s = %s + %s;", p.vars[code.Task], first, lane)
		}
		p.statements(code.Body)
		p.vars[code.Task] = first
	})
	return p.done(grid, block)
}

// printCopy prints the copy of a value into a parameter or state at the end of
// a step.
func printCopy(name string, plain bool, w ir.Write) printed {
	count := w.Target.Type.Shape.Count()
	const size = 256
	grid, block := [3]int{ceil(count, size), 1, 1}, [3]int{size, 1, 1}
	var b strings.Builder
	if !plain {
		fmt.Fprintf(&b, "// %s stores %s into %s %s at the end of the step.\n", name, comment(w.Value.Name), comment(w.Target.Name), w.Target.Type)
		fmt.Fprintf(&b, "//   one thread for each element: %d blocks of %d\n", grid[0], size)
	}
	fmt.Fprintf(&b, "extern \"C\" __global__ void __launch_bounds__(%d)\n%s(%s* __restrict__ to, const %[3]s* __restrict__ from)\n{\n", size, name, cType(w.Target))
	fmt.Fprintf(&b, "    const int i = blockIdx.x*%d + threadIdx.x;\n    if (i < %d) to[i] = from[i];\n}\n", size, count)
	return printed{name: name, text: b.String(), grid: grid, block: block}
}
