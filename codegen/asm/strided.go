package asm

// LoadEvens loads every second float: lane i is the float at m + 8*i bytes. It
// reads the memory from the first to one float after the last of them, or with
// exact set not that one, which takes a few shuffles more.
func (f *Func) LoadEvens(m Mem, exact bool) Reg {
	low, next := f.Load(m), m
	next.Disp += 4 * f.isa.Lanes()
	if !exact {
		return f.alternate(0x88, low, f.Load(next))
	}
	next.Disp -= 4 // then the wanted floats are the odd ones, and the last is one of them
	high := f.Load(next)
	return f.Select(f.FirstLanes(f.isa.Lanes()/2), f.alternate(0x88, low, low), f.alternate(0xdd, high, high))
}

// alternate takes the even (pattern 0x88) or odd (0xdd) lanes of a, then of b.
func (f *Func) alternate(pattern int, a, b Reg) Reg {
	if f.isa == AVX512 {
		return f.shuffle("VSHUFPS", pattern, f.shuffle("VSHUFF32X4", 0x88, a, b), f.shuffle("VSHUFF32X4", 0xdd, a, b))
	}
	return f.shuffle("VSHUFPS", pattern, f.shuffle("VPERM2F128", 0x20, a, b), f.shuffle("VPERM2F128", 0x31, a, b))
}
