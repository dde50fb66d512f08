package asm

import (
	"math"
	"slices"
)

// Physical registers are numbered as the processor does.
const (
	numSP = 4
	numBP = 5
)

// bank is a set of physical registers that share work: on AVX2 masks live in
// vector registers.
type bank uint8

const (
	bankGP bank = iota
	bankVec
	bankMask
)

func (f *Func) bank(r Reg) bank {
	switch {
	case r.Class() == GP:
		return bankGP
	case r.Class() == Mask && f.isa == AVX512:
		return bankMask
	}
	return bankVec
}

// registers is a bank's registers in the order of preference. The stack
// pointer is not among them, nor R15, which the linker takes where it builds
// plugins. BP comes last: it costs a frame.
func (f *Func) registers(b bank) []uint8 {
	switch {
	case b == bankGP:
		return []uint8{0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, numBP}
	case b == bankMask:
		return []uint8{1, 2, 3, 4, 5, 6, 7}
	}
	list := make([]uint8, 16, 32)
	if f.isa == AVX512 {
		list = list[:32]
	}
	for i := range list {
		list[i] = uint8(i)
	}
	return list
}

// Finish allocates registers. An error is a fault of the caller or of this
// package, never of a user.
func (f *Func) Finish() error {
	if f.finished {
		f.fail("Finish twice")
	}
	if f.loops != 0 || f.ifs != 0 {
		f.fail("Finish inside a loop or condition")
	}
	if f.fault != nil {
		return f.fault
	}
	f.findUnset()
	f.dropDead()
	f.joinMoves()
	s := spiller{f: f, fixed: map[Reg]bool{}}
	for f.fault == nil && !s.scan() {
		s.rewrite()
	}
	f.dropMoves()
	f.finished = true
	return f.fault
}

// findUnset reports registers that are read and set nowhere before.
func (f *Func) findUnset() {
	set := make(bitset, f.regs/64+1)
	for i := range f.code {
		in := &f.code[i]
		in.registers(func(r Reg, a access) {
			if a&reads != 0 && !set.has(r.number()) {
				f.fail("instruction %d, %s, reads %v, which is not set before", i, in.op, r)
			}
		})
		in.registers(func(r Reg, a access) {
			if a&writes != 0 {
				set.add(r.number())
			}
		})
	}
}

// spiller allocates by linear scan: intervals take registers in the order of
// their starts. Where there are too few, the one that costs least to keep in
// memory is rewritten to be loaded and stored around each use, and the scan
// starts again.
type spiller struct {
	f       *Func
	fixed   map[Reg]bool // made for a spilled register; spilling them gains nothing
	spilled []interval
	homes   map[Reg]*home // of the spilled registers, while the code is rewritten
	rounds  int
	comment []string // of an instruction that went, for the next
}

// scan tries to give each register a physical one and reports whether it did.
func (s *spiller) scan() bool {
	f := s.f
	s.rounds++
	list := f.intervals(s.fixed)
	slices.SortStableFunc(list, func(a, b interval) int { return a.start - b.start })
	f.phys = make([]uint8, f.regs+1)
	f.saved = false
	s.spilled = nil
	var order [3][]uint8
	for b := range order {
		order[b] = f.registers(bank(b))
	}
	type holder struct {
		interval
		phys uint8
	}
	var active [3][]holder
	const none = math.MaxUint8
	for _, cur := range list {
		b := f.bank(cur.reg)
		taken := [32]bool{}
		kept := active[b][:0]
		for _, h := range active[b] {
			if h.end >= cur.start {
				kept = append(kept, h)
				taken[h.phys] = true
			}
		}
		active[b] = kept
		choice := uint8(none)
		if h := cur.hint; h != 0 && f.bank(h) == b && !s.isSpilled(h) && !taken[f.phys[h.number()]] && slices.Contains(order[b], f.phys[h.number()]) {
			choice = f.phys[h.number()]
		}
		for _, p := range order[b] {
			if choice != none {
				break
			}
			if !taken[p] {
				choice = p
			}
		}
		if choice == none {
			victim := -1 // the newcomer itself
			least := s.cost(cur)
			end := cur.end
			for i, h := range active[b] {
				if c := s.cost(h.interval); c < least || c == least && h.end > end {
					victim, least, end = i, c, h.end
				}
			}
			if math.IsInf(least, 1) {
				in := &f.code[cur.start/2]
				f.fail("instruction %d, %s, needs more %v registers than there are", cur.start/2, in.op, cur.reg.Class())
				return false
			}
			if victim < 0 {
				s.spilled = append(s.spilled, cur)
				continue
			}
			choice = active[b][victim].phys
			s.spilled = append(s.spilled, active[b][victim].interval)
			active[b] = slices.Delete(active[b], victim, victim+1)
		}
		f.phys[cur.reg.number()] = choice
		if b == bankGP && choice == numBP {
			f.saved = true
		}
		active[b] = append(active[b], holder{cur, choice})
	}
	return len(s.spilled) == 0
}

func (s *spiller) isSpilled(r Reg) bool {
	return slices.ContainsFunc(s.spilled, func(v interval) bool { return v.reg == r })
}

// cost is what keeping an interval in memory costs, infinite where it frees no
// register: it is set by one instruction and read by the next.
func (s *spiller) cost(v interval) float64 {
	if s.fixed[v.reg] || v.end-v.start <= 2 {
		return math.Inf(1)
	}
	return v.cost()
}
