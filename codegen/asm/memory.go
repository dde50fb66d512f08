package asm

// Load loads a vector into a new register.
func (f *Func) Load(m Mem) Reg {
	r := f.NewVec()
	f.LoadTo(r, m)
	return r
}

// LoadTo loads a vector into dst.
func (f *Func) LoadTo(dst Reg, m Mem) {
	f.want(Vec, "LoadTo", dst)
	f.emit("VMOVUPS", from(m), def(dst))
}

// Broadcast loads one float into all lanes of a new register.
func (f *Func) Broadcast(m Mem) Reg {
	r := f.NewVec()
	f.emit("VBROADCASTSS", from(m), def(r))
	return r
}

// Store stores a vector.
func (f *Func) Store(m Mem, v Reg) {
	f.want(Vec, "Store", v)
	f.emit("VMOVUPS", use(v), into(m))
}

// LoadBytes loads Lanes bytes into a new register, one lane each: integers from
// 0 to 255.
func (f *Func) LoadBytes(m Mem) Reg {
	r := f.NewVec()
	f.emit("VPMOVZXBD", from(m), def(r))
	return r
}

// StoreBytes stores the integers of all lanes, which are from 0 to 255, as bytes.
func (f *Func) StoreBytes(m Mem, v Reg) {
	f.want(Vec, "StoreBytes", v)
	if f.isa == AVX512 {
		f.emit("VPMOVDB", use(v), into(m))
		return
	}
	high, words, bytes := f.NewVec(), f.NewVec(), f.NewVec()
	f.emit("VEXTRACTF128", imm(1), use(v), def(high).low())
	f.emit("VPACKUSDW", use(high).low(), use(v).low(), def(words).low())
	f.emit("VPACKUSWB", use(words).low(), use(words).low(), def(bytes).low())
	f.emit("VMOVSD", use(bytes).low(), into(m))
}

// LoadFirst loads the first n lanes into a new register whose other lanes are
// 0, and touches no other memory. 1 <= n <= Lanes.
func (f *Func) LoadFirst(m Mem, n int) Reg {
	r := f.NewVec()
	switch {
	case n < 1 || n > f.isa.Lanes():
		f.fail("LoadFirst of %d lanes", n)
	case n == f.isa.Lanes():
		f.LoadTo(r, m)
	case n == 1:
		f.emit("VMOVSS", from(m), def(r).low())
	case n == 2:
		f.emit("VMOVSD", from(m), def(r).low())
	case n == 4:
		f.emit("VMOVUPS", from(m), def(r).low())
	case n == 8:
		f.emit("VMOVUPS", from(m), def(r).half())
	default:
		return f.LoadWhere(m, f.FirstLanes(n))
	}
	return r
}

// StoreFirst stores the first n lanes of v and touches no other memory.
// 1 <= n <= Lanes. AVX2 stores them in pieces of 4, 2 and 1 lanes: a masked
// store is slow on some of its processors.
func (f *Func) StoreFirst(m Mem, v Reg, n int) {
	f.want(Vec, "StoreFirst", v)
	switch {
	case n < 1 || n > f.isa.Lanes():
		f.fail("StoreFirst of %d lanes", n)
	case n == f.isa.Lanes():
		f.Store(m, v)
	case n == 1:
		f.StoreLane(m, v)
	case n == 8:
		f.emit("VMOVUPS", use(v).half(), into(m))
	case f.isa == AVX512 && n != 2 && n != 4:
		f.StoreWhere(m, v, f.FirstLanes(n))
	default:
		if n >= 4 {
			f.emit("VMOVUPS", use(v).low(), into(m))
			if n == 4 {
				return
			}
			high := f.NewVec()
			f.emit("VEXTRACTF128", imm(1), use(v), def(high).low())
			v, n, m.Disp = high, n-4, m.Disp+16
		}
		if n >= 2 {
			f.emit("VMOVSD", use(v).low(), into(m))
			if n == 3 {
				m.Disp += 8
				f.emit("VEXTRACTPS", imm(2), use(v).low(), into(m))
			}
			return
		}
		f.StoreLane(m, v)
	}
}

// LoadWhere loads the lanes that mask has set into a new register whose other
// lanes are 0, and touches no other memory.
func (f *Func) LoadWhere(m Mem, mask Reg) Reg {
	f.want(Mask, "LoadWhere", mask)
	r := f.NewVec()
	if f.isa == AVX512 {
		f.emit("VMOVUPS.Z", from(m), use(mask), def(r))
	} else {
		f.emit("VMASKMOVPS", from(m), use(mask), def(r))
	}
	return r
}

// StoreWhere stores the lanes of v that mask has set, and touches no other
// memory.
func (f *Func) StoreWhere(m Mem, v, mask Reg) {
	f.want(Mask, "StoreWhere", mask)
	f.want(Vec, "StoreWhere", v)
	if f.isa == AVX512 {
		f.emit("VMOVUPS", use(v), use(mask), into(m))
	} else {
		f.emit("VMASKMOVPS", use(v), use(mask), into(m))
	}
}

// StoreLane stores lane 0, 4 bytes.
func (f *Func) StoreLane(m Mem, v Reg) {
	f.want(Vec, "StoreLane", v)
	f.emit("VMOVSS", use(v).low(), into(m))
}

// Gather loads the float at m + 4*index[lane] into each lane that mask has
// set, 0 into the others, and touches no other memory.
func (f *Func) Gather(m Mem, index, mask Reg) Reg {
	f.want(Vec, "Gather", index)
	f.want(Mask, "Gather", mask)
	if m.Index != 0 {
		m = Mem{Base: f.Lea(m)}
	}
	m.Index, m.Scale = index, 4
	left := f.newReg(Mask) // the instruction clears it lane by lane
	f.Move(left, mask)
	r := f.Zero()
	if f.isa == AVX512 {
		f.emit("VGATHERDPS", from(m), mod(left), mod(r))
	} else {
		f.emit("VGATHERDPS", mod(left), from(m), mod(r))
	}
	return r
}

// StoreStream stores a vector past the caches. The address is a multiple of
// the vector's size.
func (f *Func) StoreStream(m Mem, v Reg) {
	f.want(Vec, "StoreStream", v)
	f.streams = true
	f.emit("VMOVNTPS", use(v), into(m))
}

// Prefetch asks for the cache line at m, which need not be in a buffer.
func (f *Func) Prefetch(m Mem) {
	f.emit("PREFETCHT0", from(m))
}
