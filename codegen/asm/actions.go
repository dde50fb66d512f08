package asm

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// action is what an instruction does, given its operands.
type action func(m *machine, args []operand)

// jumps holds the conditions of jumps on the flags.
var jumps = map[string]func(m *machine) bool{
	"JLT": func(m *machine) bool { return m.less },
	"JGE": func(m *machine) bool { return !m.less },
	"JEQ": func(m *machine) bool { return m.equals },
	"JNE": func(m *machine) bool { return !m.equals },
	"JLE": func(m *machine) bool { return m.less || m.equals },
	"JGT": func(m *machine) bool { return !m.less && !m.equals },
}

// actionOf gives instructions their meaning. It is filled before main by init,
// because some actions refer to each other's tables.
var actionOf = map[string]action{}

func init() {
	for name, op := range integerActions {
		actionOf[name] = op
	}
	for name, op := range moveActions {
		actionOf[name] = op
	}
	for name, op := range maskActions {
		actionOf[name] = op
	}
	for name, op := range lanewise {
		actionOf[name] = func(m *machine, args []operand) {
			n := m.width(&args[2])
			a, b := m.vector(&args[1], n), m.vector(&args[0], n)
			for i := range n {
				a[i] = op(a[i], b[i])
			}
			m.setVector(&args[2], n, a)
		}
	}
	for name, op := range unary {
		actionOf[name] = func(m *machine, args []operand) {
			n := m.width(&args[1])
			a := m.vector(&args[0], n)
			for i := range n {
				a[i] = op(a[i])
			}
			m.setVector(&args[1], n, a)
		}
	}
	for name, op := range withImmediate {
		actionOf[name] = func(m *machine, args []operand) {
			n := m.width(&args[2])
			a := m.vector(&args[1], n)
			for i := range n {
				a[i] = op(a[i], int(args[0].n))
			}
			m.setVector(&args[2], n, a)
		}
	}
	for name, sign := range map[string]float32{"VFMADD231PS": 1, "VFNMADD231PS": -1} {
		actionOf[name] = func(m *machine, args []operand) {
			n := m.width(&args[2])
			b, a, acc := m.vector(&args[0], n), m.vector(&args[1], n), m.vector(&args[2], n)
			for i := range n {
				acc[i] = math.Float32bits(fma(sign*float(a[i]), float(b[i]), float(acc[i])))
			}
			m.setVector(&args[2], n, acc)
		}
	}
	// Shuffles of two sources in units of one lane, four lanes, or a pair of
	// lanes; a's come first.
	for name, op := range shuffles {
		actionOf[name] = func(m *machine, args []operand) {
			dst := &args[len(args)-1]
			n, pattern := m.width(dst), 0
			if args[0].kind == isImmediate {
				pattern, args = int(args[0].n), args[1:]
			}
			b := m.vector(&args[0], n)
			a := b
			if len(args) == 3 {
				a = m.vector(&args[1], n)
			}
			m.setVector(dst, n, op(a, b, n, pattern))
		}
	}
}

func float(x uint32) float32 { return math.Float32frombits(x) }

// fma is a*b + c rounded once. The product is exact in float64. Their sum is
// rounded to odd there: where bits are lost the last one kept is made 1, so
// that rounding again, to float32, sees on which side of a half it was.
func fma(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	s := p + float64(c)
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	t := s - p
	lost := (p - (s - t)) + (float64(c) - t)
	if word := math.Float64bits(s); lost != 0 && word&1 == 0 {
		if (lost > 0) == (s > 0) {
			s = math.Float64frombits(word + 1)
		} else {
			s = math.Float64frombits(word - 1)
		}
	}
	return float32(s)
}

func (m *machine) compare(a, b int64) { m.less, m.equals = a < b, a == b }

var integerActions = map[string]action{
	"MOVQ": func(m *machine, a []operand) { m.setInteger(&a[1], m.integer(&a[0])) },
	"LEAQ": func(m *machine, a []operand) { m.setInteger(&a[1], m.address(a[0].mem)) },
	"MOVLQSX": func(m *machine, a []operand) {
		m.setInteger(&a[1], uint64(int64(int32(binary.LittleEndian.Uint32(m.place(&a[0], 4, "reads"))))))
	},
	"MOVL": func(m *machine, a []operand) {
		binary.LittleEndian.PutUint32(m.place(&a[1], 4, "writes"), uint32(m.integer(&a[0])))
	},
	"MOVBQZX": func(m *machine, a []operand) { m.setInteger(&a[1], uint64(m.place(&a[0], 1, "reads")[0])) },
	"MOVB":    func(m *machine, a []operand) { m.place(&a[1], 1, "writes")[0] = byte(m.integer(&a[0])) },
	"ADDQ":    func(m *machine, a []operand) { m.setInteger(&a[1], m.integer(&a[1])+m.integer(&a[0])) },
	"SUBQ":    func(m *machine, a []operand) { m.setInteger(&a[1], m.integer(&a[1])-m.integer(&a[0])) },
	"ANDQ":    func(m *machine, a []operand) { m.setInteger(&a[1], m.integer(&a[1])&m.integer(&a[0])) },
	"SHLQ":    func(m *machine, a []operand) { m.setInteger(&a[1], m.integer(&a[1])<<m.integer(&a[0])) },
	"SHRQ":    func(m *machine, a []operand) { m.setInteger(&a[1], m.integer(&a[1])>>m.integer(&a[0])) },
	"IMULQ":   func(m *machine, a []operand) { m.setInteger(&a[1], m.integer(&a[1])*m.integer(&a[0])) },
	"IMUL3Q":  func(m *machine, a []operand) { m.setInteger(&a[2], m.integer(&a[1])*m.integer(&a[0])) },
	"CMPQ":    func(m *machine, a []operand) { m.compare(int64(m.integer(&a[0])), int64(m.integer(&a[1]))) },
	"TESTQ":   func(m *machine, a []operand) { m.compare(int64(m.integer(&a[0])&m.integer(&a[1])), 0) },
	"DECQ": func(m *machine, a []operand) {
		v := m.integer(&a[0]) - 1
		m.setInteger(&a[0], v)
		m.compare(int64(v), 0)
	},
	"CMOVQLT": func(m *machine, a []operand) {
		if m.less {
			m.setInteger(&a[1], m.integer(&a[0]))
		}
	},
	"CMOVQGT": func(m *machine, a []operand) {
		if !m.less && !m.equals {
			m.setInteger(&a[1], m.integer(&a[0]))
		}
	},
	"PREFETCHT0": func(*machine, []operand) {},
}

// lanewise holds operations of the first source on the second, of which the
// assembler's order has the second first.
var lanewise = map[string]func(a, b uint32) uint32{
	"VADDPS": func(a, b uint32) uint32 { return math.Float32bits(float(a) + float(b)) },
	"VSUBPS": func(a, b uint32) uint32 { return math.Float32bits(float(a) - float(b)) },
	"VMULPS": func(a, b uint32) uint32 { return math.Float32bits(float(a) * float(b)) },
	"VDIVPS": func(a, b uint32) uint32 { return math.Float32bits(float(a) / float(b)) },
	"VMINPS": func(a, b uint32) uint32 {
		if float(a) < float(b) {
			return a
		}
		return b
	},
	"VMAXPS": func(a, b uint32) uint32 {
		if float(a) > float(b) {
			return a
		}
		return b
	},
	"VANDPS":   func(a, b uint32) uint32 { return a & b },
	"VORPS":    func(a, b uint32) uint32 { return a | b },
	"VXORPS":   func(a, b uint32) uint32 { return a ^ b },
	"VPXORD":   func(a, b uint32) uint32 { return a ^ b },
	"VANDNPS":  func(a, b uint32) uint32 { return ^a & b },
	"VPADDD":   func(a, b uint32) uint32 { return a + b },
	"VPSUBD":   func(a, b uint32) uint32 { return a - b },
	"VPMULLD":  func(a, b uint32) uint32 { return a * b },
	"VPMINSD":  func(a, b uint32) uint32 { return uint32(min(int32(a), int32(b))) },
	"VPMAXSD":  func(a, b uint32) uint32 { return uint32(max(int32(a), int32(b))) },
	"VPCMPEQD": func(a, b uint32) uint32 { return allOnes(a == b) },
	"VPCMPGTD": func(a, b uint32) uint32 { return allOnes(int32(a) > int32(b)) },
}

func allOnes(set bool) uint32 {
	if set {
		return math.MaxUint32
	}
	return 0
}

var unary = map[string]func(a uint32) uint32{
	"VSQRTPS":    func(a uint32) uint32 { return math.Float32bits(float32(math.Sqrt(float64(float(a))))) },
	"VCVTTPS2DQ": func(a uint32) uint32 { return toInt(math.Trunc(float64(float(a)))) },
	"VCVTPS2DQ":  func(a uint32) uint32 { return toInt(math.RoundToEven(float64(float(a)))) },
	"VCVTDQ2PS":  func(a uint32) uint32 { return math.Float32bits(float32(int32(a))) },
}

// toInt is an int32 where x fits, else the processor's mark for that.
func toInt(x float64) uint32 {
	if x >= -1<<31 && x < 1<<31 {
		return uint32(int32(x))
	}
	return 1 << 31
}

var withImmediate = map[string]func(a uint32, n int) uint32{
	"VPSLLD":      func(a uint32, n int) uint32 { return a << n },
	"VPSRLD":      func(a uint32, n int) uint32 { return a >> n },
	"VPSRAD":      func(a uint32, n int) uint32 { return uint32(int32(a) >> n) },
	"VROUNDPS":    round,
	"VRNDSCALEPS": round,
}

func round(a uint32, mode int) uint32 {
	x := float64(float(a))
	return math.Float32bits(float32([...]func(float64) float64{math.RoundToEven, math.Floor, math.Ceil, math.Trunc}[mode&3](x)))
}

// shuffles rearrange n lanes of a and b by a pattern.
var shuffles = map[string]func(a, b lanes, n, pattern int) lanes{
	"VSHUFPS": func(a, b lanes, n, pattern int) (v lanes) {
		for i := range n {
			from := &a
			if i%4 >= 2 {
				from = &b
			}
			v[i] = from[i&^3+pattern>>(i%4*2)&3]
		}
		return v
	},
	"VPERMILPS": func(a, _ lanes, n, pattern int) (v lanes) {
		for i := range n {
			v[i] = a[i&^3+pattern>>(i%4*2)&3]
		}
		return v
	},
	"VBLENDPS": func(a, b lanes, n, pattern int) lanes {
		for i := range n {
			if pattern>>i&1 != 0 {
				a[i] = b[i]
			}
		}
		return a
	},
	"VPERM2F128": func(a, b lanes, _, pattern int) (v lanes) {
		for half := range 2 {
			choice := pattern >> (4 * half)
			from := &a
			if choice&2 != 0 {
				from = &b
			}
			if choice&8 == 0 {
				copy(v[4*half:][:4], from[choice&1*4:])
			}
		}
		return v
	},
	"VSHUFF32X4": shuffleQuarters,
	"VSHUFF64X2": shuffleQuarters,
	"VPACKUSDW": func(a, b lanes, _, _ int) (v lanes) {
		for i := range v[:4] {
			from, at := &a, 2*i
			if i >= 2 {
				from, at = &b, 2*i-4
			}
			v[i] = saturated(int32(from[at]), math.MaxUint16) | saturated(int32(from[at+1]), math.MaxUint16)<<16
		}
		return v
	},
	"VPACKUSWB": func(a, b lanes, _, _ int) (v lanes) {
		for i := range v[:4] {
			from, at := &a, 2*i
			if i >= 2 {
				from, at = &b, 2*i-4
			}
			for k := range 4 {
				v[i] |= saturated(int32(int16(from[at+k/2]>>(k%2*16))), math.MaxUint8) << (8 * k)
			}
		}
		return v
	},
	"VUNPCKLPS": func(a, b lanes, n, _ int) lanes { return interleave(a, b, n, 1, 0) },
	"VUNPCKHPS": func(a, b lanes, n, _ int) lanes { return interleave(a, b, n, 1, 2) },
	"VUNPCKLPD": func(a, b lanes, n, _ int) lanes { return interleave(a, b, n, 2, 0) },
	"VUNPCKHPD": func(a, b lanes, n, _ int) lanes { return interleave(a, b, n, 2, 2) },
}

// saturated is x, or the end of 0 to most that it lies beyond.
func saturated(x, most int32) uint32 { return uint32(min(max(x, 0), most)) }

func shuffleQuarters(a, b lanes, n, pattern int) (v lanes) {
	for i := range n / 4 {
		from := &a
		if i >= 2 {
			from = &b
		}
		copy(v[4*i:][:4], from[pattern>>(2*i)&3*4:])
	}
	return v
}

// interleave takes units of lanes from a and b in turn, in each four lanes
// from the given one on.
func interleave(a, b lanes, n, unit, first int) (v lanes) {
	for i := range n {
		from := &a
		if i/unit%2 == 1 {
			from = &b
		}
		v[i] = from[i&^3+first+i%4/(2*unit)*unit+i%unit]
	}
	return v
}

var moveActions = map[string]action{
	"VMOVAPS": func(m *machine, a []operand) { // only between registers; with three operands, masked
		n := m.width(&a[len(a)-1])
		v := m.vector(&a[0], n)
		if len(a) == 3 {
			v = keep(v, m.set(&a[1]))
		}
		m.setVector(&a[len(a)-1], n, v)
	},
	"VMOVUPS": func(m *machine, a []operand) {
		switch dst := &a[len(a)-1]; {
		case len(a) == 2 && dst.kind == isReg:
			n := m.width(dst)
			m.setVector(dst, n, m.vector(&a[0], n))
		case len(a) == 2:
			m.storeLanes(dst, m.vec[m.f.physical(a[0].reg)], m.width(&a[0]))
		case dst.kind == isReg:
			m.setVector(dst, m.width(dst), m.loadWhere(&a[0], m.set(&a[1])))
		default:
			m.storeWhere(dst, m.vec[m.f.physical(a[0].reg)], m.set(&a[1]))
		}
	},
	"VMASKMOVPS": func(m *machine, a []operand) {
		if a[2].kind == isReg {
			m.setVector(&a[2], m.width(&a[2]), m.loadWhere(&a[0], m.set(&a[1])))
			return
		}
		m.storeWhere(&a[2], m.vec[m.f.physical(a[0].reg)], m.set(&a[1]))
	},
	"VMOVNTPS": func(m *machine, a []operand) {
		n := m.width(&a[0])
		if at := m.address(a[1].mem); at%uint64(4*n) != 0 {
			m.fail("writes at %#x, which is not a multiple of %d", at, 4*n)
		}
		m.storeLanes(&a[1], m.vec[m.f.physical(a[0].reg)], n)
	},
	"VPMOVZXBD": func(m *machine, a []operand) {
		n := m.width(&a[1])
		var v lanes
		for i, b := range m.place(&a[0], n, "reads") {
			v[i] = uint32(b)
		}
		m.setVector(&a[1], n, v)
	},
	"VPMOVDB": func(m *machine, a []operand) {
		v := m.vec[m.f.physical(a[0].reg)]
		for i, bytes := 0, m.place(&a[1], m.width(&a[0]), "writes"); i < len(bytes); i++ {
			bytes[i] = byte(v[i])
		}
	},
	"VMOVSS": func(m *machine, a []operand) { m.moveFirst(a, 1) },
	"VMOVSD": func(m *machine, a []operand) { m.moveFirst(a, 2) },
	"VMOVD": func(m *machine, a []operand) {
		m.setVector(&a[1], 1, lanes{uint32(m.integer(&a[0]))})
	},
	"VEXTRACTPS": func(m *machine, a []operand) {
		m.storeLanes(&a[2], lanes{m.vec[m.f.physical(a[1].reg)][a[0].n]}, 1)
	},
	"VEXTRACTF128":  func(m *machine, a []operand) { m.extract(a, 4) },
	"VEXTRACTF64X4": func(m *machine, a []operand) { m.extract(a, 8) },
	"VBROADCASTSS": func(m *machine, a []operand) {
		m.broadcast(&a[1], binary.LittleEndian.Uint32(m.place(&a[0], 4, "reads")))
	},
	"VPBROADCASTD": func(m *machine, a []operand) {
		if a[0].reg.Class() == GP {
			m.broadcast(&a[1], uint32(m.integer(&a[0])))
			return
		}
		m.broadcast(&a[1], m.vec[m.f.physical(a[0].reg)][0])
	},
	"VGATHERDPS": func(m *machine, a []operand) {
		place, mask := &a[1], &a[0]
		if m.isBits() {
			place, mask = mask, place
		}
		dst := &a[2]
		index := m.vec[m.f.physical(place.mem.Index)]
		v, set := m.vec[m.f.physical(dst.reg)], m.set(mask)
		for i := range m.f.isa.Lanes() {
			if set>>i&1 != 0 {
				at := m.address(Mem{Base: place.mem.Base, Disp: place.mem.Disp}) + uint64(int64(int32(index[i]))*int64(place.mem.Scale))
				v[i] = binary.LittleEndian.Uint32(m.find(at, 4, "reads"))
			}
		}
		m.setVector(dst, m.f.isa.Lanes(), v)
		m.setMask(mask, 0)
	},
}

func (m *machine) broadcast(dst *operand, x uint32) {
	var v lanes
	for i := range v {
		v[i] = x
	}
	m.setVector(dst, m.width(dst), v)
}

// moveFirst moves the first n lanes between a register and memory.
func (m *machine) moveFirst(a []operand, n int) {
	if a[1].kind == isReg {
		m.setVector(&a[1], n, m.vector(&a[0], n))
		return
	}
	m.storeLanes(&a[1], m.vec[m.f.physical(a[0].reg)], n)
}

// extract takes the i-th part of n lanes.
func (m *machine) extract(a []operand, n int) {
	v := m.vec[m.f.physical(a[1].reg)]
	var part lanes
	copy(part[:n], v[n*int(a[0].n):])
	m.setVector(&a[2], n, part)
}

func (m *machine) storeLanes(dst *operand, v lanes, n int) {
	bytes := m.place(dst, 4*n, "writes")
	for i := range n {
		binary.LittleEndian.PutUint32(bytes[4*i:], v[i])
	}
}

func keep(v lanes, set uint16) lanes {
	for i := range v {
		if set>>i&1 == 0 {
			v[i] = 0
		}
	}
	return v
}

func (m *machine) loadWhere(src *operand, set uint16) (v lanes) {
	at := m.address(src.mem)
	for i := range v {
		if set>>i&1 != 0 {
			v[i] = binary.LittleEndian.Uint32(m.find(at+uint64(4*i), 4, "reads"))
		}
	}
	return v
}

func (m *machine) storeWhere(dst *operand, v lanes, set uint16) {
	at := m.address(dst.mem)
	for i := range v {
		if set>>i&1 != 0 {
			binary.LittleEndian.PutUint32(m.find(at+uint64(4*i), 4, "writes"), v[i])
		}
	}
}

var maskActions = map[string]action{
	"VCMPPS": func(m *machine, a []operand) {
		m.comparison(a, func(x, y uint32) bool {
			p, q := float(x), float(y)
			switch a[0].n {
			case 0x00:
				return p == q
			case 0x11:
				return p < q
			case 0x12:
				return p <= q
			case 0x04:
				return p != q
			case 0x1d:
				return p >= q
			case 0x1e:
				return p > q
			}
			m.fail("unknown comparison %d", a[0].n)
			return false
		})
	},
	"VPCMPD": func(m *machine, a []operand) {
		m.comparison(a, func(x, y uint32) bool {
			p, q := int32(x), int32(y)
			return [...]bool{p == q, p < q, p <= q, false, p != q, p >= q, p > q, true}[a[0].n]
		})
	},
	"VBLENDVPS": func(m *machine, a []operand) { m.blend(&a[0], &a[1], &a[2], &a[3]) },
	"VBLENDMPS": func(m *machine, a []operand) { m.blend(&a[2], &a[0], &a[1], &a[3]) },
	"VMOVMSKPS": func(m *machine, a []operand) { m.setInteger(&a[1], uint64(m.set(&a[0]))) },
	"KANDW":     func(m *machine, a []operand) { m.setMask(&a[2], m.set(&a[0])&m.set(&a[1])) },
	"KORW":      func(m *machine, a []operand) { m.setMask(&a[2], m.set(&a[0])|m.set(&a[1])) },
	"KNOTW":     func(m *machine, a []operand) { m.setMask(&a[1], ^m.set(&a[0])) },
	"KMOVW": func(m *machine, a []operand) {
		var bits uint16
		switch {
		case a[0].kind != isReg:
			bits = binary.LittleEndian.Uint16(m.place(&a[0], 2, "reads"))
		case a[0].reg.Class() == GP:
			bits = uint16(m.integer(&a[0]))
		default:
			bits = m.set(&a[0])
		}
		switch {
		case a[1].kind != isReg:
			binary.LittleEndian.PutUint16(m.place(&a[1], 2, "writes"), bits)
		case a[1].reg.Class() == GP:
			m.setInteger(&a[1], uint64(bits))
		default:
			m.setMask(&a[1], bits)
		}
	},
}

// comparison sets a mask where holds is true of the lanes of a[2] and a[1].
func (m *machine) comparison(a []operand, holds func(x, y uint32) bool) {
	n := m.f.isa.Lanes()
	x, y := m.vector(&a[2], n), m.vector(&a[1], n)
	var set uint16
	for i := range n {
		if holds(x[i], y[i]) {
			set |= 1 << i
		}
	}
	m.setMask(&a[3], set)
}

func (m *machine) blend(mask, yes, no, dst *operand) {
	n := m.width(dst)
	v, y, set := m.vector(no, n), m.vector(yes, n), m.set(mask)
	for set := set; set != 0; set &= set - 1 {
		i := bits.TrailingZeros16(set)
		v[i] = y[i]
	}
	m.setVector(dst, n, v)
}
