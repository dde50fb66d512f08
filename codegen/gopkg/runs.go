package gopkg

import (
	"slices"

	"netc/compiler"
	"netc/ir"
)

// step is a kernel in its place in the schedule.
type step struct {
	*compiler.Kernel
	shared  *sharedKernel
	touches []touched
	joins   bool // the run of the step before it
}

// touched is a tensor that a kernel reads or writes.
type touched struct {
	*ir.Value
	written bool
	own     bool // each group of the tasks keeps to its own piece of it: its samples, or its block of them in lanes
}

func newStep(k *compiler.Kernel, s *sharedKernel) *step {
	st := &step{Kernel: k, shared: s}
	stores, rows, groups := k.Nest.Stores(), k.Nest.Rows(), st.groups()
	add := func(v *ir.Value, written bool) {
		own := groups > 0 && rows[v] && !v.Type.Swap && v.Type.Blocks(0) == groups
		st.touches = append(st.touches, touched{v, written, own})
	}
	for _, v := range k.Nest.Loads() {
		if !slices.Contains(stores, v) {
			add(v, false)
		}
	}
	for _, v := range stores {
		add(v, true)
	}
	return st
}

// groups is the number of groups of the kernel's tasks, or 0.
func (s *step) groups() int {
	if s.shared.assembled == nil {
		return 0
	}
	return s.shared.assembled.Groups
}

// arrange makes runs of kernels that a thread computes one after the other for
// its own part of the batch, without waiting: in each, what a kernel shares with
// another are the pieces of their groups. A kernel that stands between them and
// shares nothing with the run, such as the conversion of weights that the next
// one reads, is put before it.
func (ph *phase) arrange(kernels []*compiler.Kernel, of map[*compiler.Kernel]*sharedKernel) []*step {
	var list []*step
	first := 0 // of the last run
	for _, k := range kernels {
		s := newStep(k, of[k])
		run := list[first:]
		switch {
		case len(run) == 0 || run[0].groups() == 0:
			first = len(list)
		case s.groups() == run[0].groups() && ph.independent(run, s, true):
			s.joins = true
		case ph.independent(run, s, false):
			list = slices.Insert(list, first, s)
			first++
			continue
		default:
			first = len(list)
		}
		list = append(list, s)
	}
	return list
}

// independent reports whether the steps of a run and another write nothing that
// the other side touches; but for pieces of the same groups, where such count
// as apart.
func (ph *phase) independent(run []*step, s *step, byGroups bool) bool {
	for _, r := range run {
		for _, a := range r.touches {
			for _, b := range s.touches {
				if (a.written || b.written) && ph.overlap(a.Value, b.Value) && !(byGroups && ph.samePieces(a, b)) {
					return false
				}
			}
		}
	}
	return true
}

// overlap reports whether two tensors share memory.
func (ph *phase) overlap(v, w *ir.Value) bool {
	a, b := ph.Plan.Offsets[v], ph.Plan.Offsets[w]
	return a < b+w.Type.Bytes() && b < a+v.Type.Bytes()
}

// samePieces reports whether the groups' pieces of two tensors that share memory
// are the same bytes.
func (ph *phase) samePieces(a, b touched) bool {
	return a.own && b.own && ph.Plan.Offsets[a.Value] == ph.Plan.Offsets[b.Value] && a.Type.Bytes() == b.Type.Bytes()
}
