package asm

// Sums across lanes add in one fixed order, whether one vector is summed or
// many: first lanes that are half a vector apart, then a quarter, and so on.

// Sum is the sum of all lanes of v, in every lane of a new register.
func (f *Func) Sum(v Reg) Reg { return f.across(Add, v) }

// MaxLanes is the largest of all lanes of v, in every lane of a new register.
func (f *Func) MaxLanes(v Reg) Reg { return f.across(Max, v) }

func (f *Func) across(op VecOp, v Reg) Reg {
	f.want(Vec, "a sum across lanes", v)
	if f.isa == AVX512 {
		v = f.Op(op, v, f.shuffle("VSHUFF64X2", 0x4e, v, v)) // halves swapped
		v = f.Op(op, v, f.shuffle("VSHUFF64X2", 0xb1, v, v)) // quarters swapped in each half
	} else {
		v = f.Op(op, v, f.shuffle("VPERM2F128", 0x01, v, v)) // halves swapped
	}
	for _, pattern := range []int{0x4e, 0xb1} { // pairs swapped, neighbours swapped
		r := f.NewVec()
		f.emit("VPERMILPS", imm(pattern), fold(v), def(r))
		v = f.Op(op, v, r)
	}
	return v
}

// shuffle is a two-operand shuffle; its low selections take from a.
func (f *Func) shuffle(op string, pattern int, a, b Reg) Reg {
	r := f.NewVec()
	f.emit(op, imm(pattern), use(b), use(a), def(r))
	return r
}

// Sums sums the lanes of up to Lanes vectors: lane i of the new register is
// the sum of all lanes of vs[i], lanes without a vector are 0. The vectors are
// added in pairs, each time two vectors of partial sums becoming one, which
// takes about one shuffle for each vector.
func (f *Func) Sums(vs []Reg) Reg {
	lanes := f.isa.Lanes()
	if len(vs) < 1 || len(vs) > lanes {
		f.fail("Sums of %d vectors", len(vs))
		return f.Zero()
	}
	f.want(Vec, "Sums", vs...)
	t := summer{f: f, vs: vs}
	var parts [4]Reg // of vs[j], vs[j+4], …: four partial sums each, in 128 bits each
	for j := range parts {
		if f.isa == AVX512 {
			a, b := t.halves(j, j+4), t.halves(j+8, j+12)
			if b == 0 && a == 0 {
				continue
			}
			parts[j] = f.Op(Add, t.pick("VSHUFF32X4", 0x88, a, b), t.pick("VSHUFF32X4", 0xdd, a, b))
		} else {
			parts[j] = t.halves(j, j+4)
		}
	}
	q, r := t.pairs(parts[0], parts[1]), t.pairs(parts[2], parts[3])
	return f.Op(Add, t.pick("VSHUFPS", 0x88, q, r), t.pick("VSHUFPS", 0xdd, q, r))
}

// summer holds what the steps of Sums share.
type summer struct {
	f           *Func
	vs          []Reg
	zero        Reg // 0 in all lanes, once needed
	upper, high Reg // AVX-512 masks: the upper half; the upper two of each four lanes
}

func (t *summer) orZero(v Reg) Reg {
	if v != 0 {
		return v
	}
	if t.zero == 0 {
		t.zero = t.f.Zero()
	}
	return t.zero
}

func (t *summer) pick(op string, pattern int, a, b Reg) Reg {
	return t.f.shuffle(op, pattern, t.orZero(a), t.orZero(b))
}

// halves adds the halves of two vectors: the sums of the first are in the
// lower half, those of the second in the upper. Without any it is none.
func (t *summer) halves(i, j int) Reg {
	f := t.f
	if i >= len(t.vs) {
		return 0
	}
	a := t.vs[i]
	if j >= len(t.vs) {
		// The upper half of what a 128- or 256-bit operation writes is 0.
		r, high := f.NewVec(), f.NewVec()
		if f.isa == AVX512 {
			f.emit("VEXTRACTF64X4", imm(1), use(a), def(high).half())
			f.emit("VADDPS", use(high).half(), use(a).half(), def(r).half())
		} else {
			f.emit("VEXTRACTF128", imm(1), use(a), def(high).low())
			f.emit("VADDPS", use(high).low(), use(a).low(), def(r).low())
		}
		return r
	}
	b := t.vs[j]
	if f.isa == AVX512 {
		if t.upper == 0 {
			t.upper = f.newMask()
			f.laneBits(t.upper, 0xff00)
		}
		return f.Op(Add, f.Select(t.upper, b, a), f.shuffle("VSHUFF64X2", 0x4e, a, b))
	}
	return f.Op(Add, f.shuffle("VBLENDPS", 0xf0, a, b), f.shuffle("VPERM2F128", 0x21, a, b))
}

// pairs adds, in each four lanes, the lower two to the upper two: the sums of
// p are in the lower two, those of q in the upper.
func (t *summer) pairs(p, q Reg) Reg {
	f := t.f
	if p == 0 && q == 0 {
		return 0
	}
	p, q = t.orZero(p), t.orZero(q)
	swapped := f.shuffle("VSHUFPS", 0x4e, p, q)
	if f.isa == AVX512 {
		if t.high == 0 {
			t.high = f.newMask()
			f.laneBits(t.high, 0xcccc)
		}
		return f.Op(Add, f.Select(t.high, q, p), swapped)
	}
	return f.Op(Add, f.shuffle("VBLENDPS", 0xcc, p, q), swapped)
}

// Transpose turns Lanes vectors into Lanes new ones: lane j of the i-th is
// lane i of vs[j].
func (f *Func) Transpose(vs []Reg) []Reg {
	lanes := f.isa.Lanes()
	if len(vs) != lanes {
		f.fail("Transpose of %d vectors", len(vs))
		return vs
	}
	f.want(Vec, "Transpose", vs...)
	// In each four lanes: blocks of four vectors, transposed.
	rows := make([]Reg, lanes)
	for i := 0; i < lanes; i += 4 {
		low01, high01 := f.unpack("VUNPCKLPS", vs[i], vs[i+1]), f.unpack("VUNPCKHPS", vs[i], vs[i+1])
		low23, high23 := f.unpack("VUNPCKLPS", vs[i+2], vs[i+3]), f.unpack("VUNPCKHPS", vs[i+2], vs[i+3])
		rows[i] = f.unpack("VUNPCKLPD", low01, low23)
		rows[i+1] = f.unpack("VUNPCKHPD", low01, low23)
		rows[i+2] = f.unpack("VUNPCKLPD", high01, high23)
		rows[i+3] = f.unpack("VUNPCKHPD", high01, high23)
	}
	// Then the four lanes, as units, between the blocks: unit k of block b
	// goes to unit b of block k.
	out := make([]Reg, lanes)
	for j := range 4 {
		if f.isa == AVX512 {
			a, b, c, d := rows[j], rows[4+j], rows[8+j], rows[12+j]
			ab, cd := f.shuffle("VSHUFF32X4", 0x88, a, b), f.shuffle("VSHUFF32X4", 0x88, c, d) // a0 a2 b0 b2
			out[j], out[8+j] = f.shuffle("VSHUFF32X4", 0x88, ab, cd), f.shuffle("VSHUFF32X4", 0xdd, ab, cd)
			ab, cd = f.shuffle("VSHUFF32X4", 0xdd, a, b), f.shuffle("VSHUFF32X4", 0xdd, c, d) // a1 a3 b1 b3
			out[4+j], out[12+j] = f.shuffle("VSHUFF32X4", 0x88, ab, cd), f.shuffle("VSHUFF32X4", 0xdd, ab, cd)
			continue
		}
		a, b := rows[j], rows[4+j]
		out[j], out[4+j] = f.shuffle("VPERM2F128", 0x20, a, b), f.shuffle("VPERM2F128", 0x31, a, b)
	}
	return out
}

// unpack interleaves lanes of a and b, a's first.
func (f *Func) unpack(op string, a, b Reg) Reg {
	r := f.NewVec()
	f.emit(op, fold(b), use(a), def(r))
	return r
}
