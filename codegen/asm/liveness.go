package asm

import "math/bits"

// bitset holds register numbers.
type bitset []uint64

func (s bitset) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }
func (s bitset) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s bitset) remove(i int)   { s[i/64] &^= 1 << (i % 64) }

func (s bitset) each(visit func(i int)) {
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			visit(w*64 + bits.TrailingZeros64(word))
		}
	}
}

// A block is a stretch of code entered at its start and left at its end.
type block struct {
	start, end  int // instructions
	next        []int
	in, out     bitset // registers live at its start and end
	used, setUp bitset // read before set; set before read
}

// blocks cuts the code into blocks and finds what is live at their borders.
func (f *Func) blocks() []block {
	var list []block
	at := make(map[int]int) // label -> block
	begin := func(i int) {
		if n := len(list); n > 0 {
			if list[n-1].start == i {
				return
			}
			list[n-1].end = i
		}
		list = append(list, block{start: i})
	}
	begin(0)
	for i := range f.code {
		switch in := &f.code[i]; {
		case in.isLabel():
			begin(i)
			at[int(in.args[0].n)] = len(list) - 1
		case in.jumpTarget() != 0:
			begin(i + 1)
		}
	}
	list[len(list)-1].end = len(f.code)
	words := f.regs/64 + 1
	backing := make(bitset, 4*words*len(list))
	carve := func() bitset {
		s := backing[:words:words]
		backing = backing[words:]
		return s
	}
	for i := range list {
		b := &list[i]
		if i+1 < len(list) {
			b.next = append(b.next, i+1) // every jump here is conditional
		}
		if b.end > b.start {
			if l := f.code[b.end-1].jumpTarget(); l != 0 {
				b.next = append(b.next, at[l])
			}
		}
		b.in, b.out, b.used, b.setUp = carve(), carve(), carve(), carve()
		for k := b.start; k < b.end; k++ {
			in := &f.code[k]
			in.registers(func(r Reg, a access) {
				if n := r.number(); a&reads != 0 && !b.setUp.has(n) {
					b.used.add(n)
				}
			})
			in.registers(func(r Reg, a access) {
				if n := r.number(); a&writes != 0 && !b.used.has(n) {
					b.setUp.add(n)
				}
			})
		}
	}
	for changed := true; changed; {
		changed = false
		for i := len(list) - 1; i >= 0; i-- {
			b := &list[i]
			for w := range b.out {
				out := uint64(0)
				for _, n := range b.next {
					out |= list[n].in[w]
				}
				b.out[w] = out
				if in := b.used[w] | out&^b.setUp[w]; in != b.in[w] {
					b.in[w] = in
					changed = true
				}
			}
		}
	}
	return list
}

// dropDead removes instructions whose results nothing reads.
func (f *Func) dropDead() {
	for again := true; again; {
		again = false
		dead := make([]bool, len(f.code))
		for _, b := range f.blocks() {
			live := b.out
			for k := b.end - 1; k >= b.start; k-- {
				in := &f.code[k]
				if in.isPure() {
					needed := false
					in.registers(func(r Reg, a access) {
						needed = needed || a&writes != 0 && live.has(r.number())
					})
					if !needed {
						dead[k], again = true, true
						continue
					}
				}
				in.registers(func(r Reg, a access) {
					if a&writes != 0 {
						live.remove(r.number())
					}
				})
				in.registers(func(r Reg, a access) {
					if a&reads != 0 {
						live.add(r.number())
					}
				})
			}
		}
		if again {
			kept := f.code[:0]
			var comment []string // of a dropped instruction, for the next
			for k, in := range f.code {
				if dead[k] {
					comment = append(comment, in.comment...)
					continue
				}
				if comment != nil {
					in.comment, comment = append(comment, in.comment...), nil
				}
				kept = append(kept, in)
			}
			f.code = kept
		}
	}
}
