// Package vector turns loop nests into amd64 vector code.
//
// A nest comes in with its tensors' storage (ir.Type.Lanes) decided. Prepare
// makes positions flat, chooses the axis whose neighbours share a vector (the
// lanes), and merges axes that run through memory as one. A schedule gives
// contractions a register tile, orders the axes and makes the outer ones tasks.
// The emitter then walks the nest and prints instructions through codegen/asm.
// Every shape is a constant: edges are cut into parts of their own, and there
// is no general tail.
package vector

import (
	"fmt"

	"netc/codegen/asm"
	"netc/ir"
	"netc/ir/loop"
)

// Kernel is a compiled nest.
type Kernel struct {
	Func    *asm.Func
	Args    []*ir.Value // the tensors, in the order of the kernel's arguments
	Tasks   int
	Groups  int // blocks of the nest's first axis, or its points, that the tasks are grouped by; or 0
	Scratch int // bytes of scratch memory
}

// Compile emits a nest. An error says what has no vector form; such a nest is
// left to plain Go.
func Compile(name string, nest *loop.Nest, isa asm.ISA) (*Kernel, error) {
	k, err := compile(name, nest, isa, true)
	if err != nil {
		// Which lanes are inside of a range is not known everywhere, such as for
		// the taps of a weight's gradient: then every lane is inside of all.
		if whole, again := compile(name, nest, isa, false); again == nil {
			return whole, nil
		}
	}
	return k, err
}

// compile is Compile with or without lanes that a range tells apart.
func compile(name string, nest *loop.Nest, isa asm.ISA, ragged bool) (k *Kernel, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case fault:
			k, err = nil, fmt.Errorf("%s: %w", name, r.error)
		default:
			panic(r)
		}
	}()
	if from, to, r := relayoutOf(nest); r != nil {
		return compileRelayout(name, from, to, r, isa)
	}
	p, err := prepare(nest, isa.Lanes(), ragged)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s := p.plan(isa)
	k = &Kernel{Tasks: s.tasks(p)}
	for _, v := range append(nest.Loads(), nest.Stores()...) {
		k.add(v)
	}
	k.Groups = p.groups(nest, s)
	needs := map[int]map[string]pointer{}
	for _, learning := range []bool{true, false} {
		e := &emitter{prepared: p, f: asm.New(name, isa), s: s, args: k.Args, learning: learning, needs: needs,
			written: map[*ir.Value]bool{}, at: map[*loop.Var]affine{}, size: map[*loop.Var]int{},
			over: map[*loop.Var][]part{}, vals: map[*loop.Var]value{}, task: map[*loop.Var]asm.Reg{}}
		for _, v := range nest.Stores() {
			e.written[v] = true
		}
		e.run()
		k.Func, k.Scratch = e.f, e.scratch
	}
	return k, k.Func.Finish()
}

// groups gives the number of equal groups of neighbouring tasks of which each
// stores into its own piece of every tensor: a block of the nest's first axis,
// where that axis is in lanes, or else a point of it. It is 0 where there are
// fewer than two.
func (p *prepared) groups(nest *loop.Nest, s schedule) int {
	if s.parallel == 0 || len(nest.Axes) == 0 {
		return 0
	}
	outer := p.axes[0]
	tasks, groups := tilesIn(p.cutOf(outer)), 0
	ok := tasks == outer.Extent && nest.StoresRows()
	loop.WalkStmts(p.body, func(stmt loop.Stmt) {
		put, isPut := stmt.(*loop.Put)
		if !isPut || !ok {
			return
		}
		t := put.Value.Type
		pieces := t.Blocks(0)
		at, affine := put.At.ToAffine()
		if ok = affine && !t.Swap && (groups == 0 || pieces == groups) && tasks%pieces == 0; !ok {
			return
		}
		groups = pieces
		// Of the outer axis, the steps inside of a group count as the rest does.
		each, size := tasks/pieces, t.Stored()/pieces
		inside := (each - 1) * at.Coef[outer]
		ok = each*at.Coef[outer] == size
		delete(at.Coef, outer)
		least, most := at.Bounds()
		ok = ok && least >= 0 && most+inside < size
	})
	if !ok || groups < 2 {
		return 0
	}
	return groups
}

func (k *Kernel) add(v *ir.Value) {
	for _, u := range k.Args {
		if u == v {
			return
		}
	}
	k.Args = append(k.Args, v)
}

// run emits the whole function.
func (e *emitter) run() {
	e.push(nil, -1)
	for i := range e.args {
		e.f.Comment("%s", e.args[i].Name)
		e.top().pointers[pointer{i, nil}.key()] = e.f.Arg(i)
	}
	if e.s.blocking != nil {
		e.top().pointers[pointer{len(e.args), nil}.key()] = e.f.Scratch()
	}
	e.decode()
	e.openStreams()
	e.nest(0)
	e.pop()
}
