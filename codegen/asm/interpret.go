package asm

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// Memory is a set of buffers at made-up addresses, far apart: an access that
// misses its buffer misses all.
type Memory struct {
	buffers []buffer
}

type buffer struct {
	name  string
	bytes []byte
}

// Each buffer has a range of addresses of its own and lies in the middle of
// it, at a multiple of 64. The first range holds the args array of a call.
const (
	rangeBits = 36
	middle    = 1 << (rangeBits - 1)
)

// Add places a buffer and returns its address. The buffer is shared, not
// copied: what a function stores is seen in it.
func (m *Memory) Add(name string, bytes []byte) uint64 {
	m.buffers = append(m.buffers, buffer{name, bytes})
	return uint64(len(m.buffers)+1)<<rangeBits + middle
}

// find returns size bytes at an address.
func (m *machine) find(address uint64, size int, verb string) []byte {
	at := int64(address&(1<<rangeBits-1)) - middle
	var b buffer
	switch i := int(address>>rangeBits) - 2; {
	case i == -1:
		b = buffer{"args", m.args}
	case i >= 0 && i < len(m.memory.buffers):
		b = m.memory.buffers[i]
	default:
		m.fail("%s %d bytes at %#x, which is in no buffer", verb, size, address)
	}
	if at < 0 || at+int64(size) > int64(len(b.bytes)) {
		m.fail("%s %d bytes at offset %d of %q, which has %d", verb, size, at, b.name, len(b.bytes))
	}
	return b.bytes[at : at+int64(size) : at+int64(size)]
}

// A machine is the state of the processor, as far as functions use it.
type machine struct {
	f      *Func
	memory *Memory
	in     *inst
	args   []byte // the args array
	frame  []byte
	params [argumentBytes / 8]uint64

	gp           [16]uint64
	vec          [32]lanes
	mask         [8]uint16
	less, equals bool // the flags, as far as signed comparisons leave them
}

// lanes is a vector register; a shorter vector is in its first lanes.
type lanes [16]uint32

// fault ends an interpretation.
type fault struct{ err error }

func (m *machine) fail(format string, args ...any) {
	panic(fault{fmt.Errorf(format, args...)})
}

// Interpret runs the finished function, instruction by instruction. args are
// the addresses of the tensors, scratch that of the scratch memory (0 for
// none), all from m. An access outside a buffer, one that must be aligned and
// is not, and an instruction without a meaning here are errors that name it.
func (f *Func) Interpret(m *Memory, args []uint64, scratch uint64, task int) (err error) {
	if !f.finished || f.fault != nil {
		return fmt.Errorf("asm: %s: interpreted before it was finished", f.name)
	}
	p := &machine{f: f, memory: m, frame: make([]byte, f.frame)}
	for _, a := range args {
		p.args = binary.LittleEndian.AppendUint64(p.args, a)
	}
	p.params = [...]uint64{1<<rangeBits + middle, scratch, uint64(task)}
	// What a register holds at the start is anything.
	for i := range p.gp {
		p.gp[i] = 0xdead0000dead0000 + uint64(i)
	}
	for i := range p.vec {
		for l := range p.vec[i] {
			p.vec[i][l] = 0x7fa00000 + uint32(i)
		}
	}
	for i := range p.mask {
		p.mask[i] = 0x5a5a
	}
	labels := make([]int, len(f.labels))
	actions := make([]action, len(f.code))
	for i := range f.code {
		in := &f.code[i]
		if in.isLabel() {
			labels[in.args[0].n] = i
			continue
		}
		name := strings.TrimSuffix(strings.TrimSuffix(in.op, ".BCST"), ".Z")
		if actions[i] = actionOf[name]; actions[i] == nil && jumps[name] == nil {
			return fmt.Errorf("asm: %s: instruction %d, %s: unknown to the interpreter", f.name, i, f.text(in))
		}
	}
	pc := 0
	defer func() {
		switch r := recover().(type) {
		case nil:
		case fault:
			err = fmt.Errorf("asm: %s: instruction %d, %s: %w", f.name, pc, f.text(p.in), r.err)
		default:
			panic(r)
		}
	}()
	for pc < len(f.code) {
		in := &f.code[pc]
		p.in = in
		switch {
		case in.isLabel():
		case actions[pc] != nil:
			actions[pc](p, in.args)
		case jumps[in.op](p):
			pc = labels[in.args[0].n]
			continue
		}
		pc++
	}
	return nil
}

// address is that of a memory operand without a vector index.
func (m *machine) address(a Mem) uint64 {
	at := m.gp[m.f.physical(a.Base)] + uint64(a.Disp)
	if a.Index != 0 {
		at += m.gp[m.f.physical(a.Index)] * uint64(a.Scale)
	}
	return at
}

// place is the size bytes of an operand in memory.
func (m *machine) place(o *operand, size int, verb string) []byte {
	switch o.kind {
	case isMem:
		return m.find(m.address(o.mem), size, verb)
	case isSlot:
		return m.frame[o.n:][:size]
	case isParameter:
		return binary.LittleEndian.AppendUint64(nil, m.params[o.n/8])[:size]
	case isSymbol:
		bytes := m.f.symbols[o.n].bytes
		if o.mem.Disp+size > len(bytes) {
			m.fail("%s %d bytes at %d of a constant of %d", verb, size, o.mem.Disp, len(bytes))
		}
		return bytes[o.mem.Disp:][:size]
	}
	m.fail("operand %s is not in memory", m.f.operandText(*o))
	return nil
}

func (m *machine) integer(o *operand) uint64 {
	switch o.kind {
	case isReg:
		return m.gp[m.f.physical(o.reg)]
	case isImmediate:
		return uint64(o.n)
	}
	return binary.LittleEndian.Uint64(m.place(o, 8, "reads"))
}

func (m *machine) setInteger(o *operand, v uint64) {
	if o.kind == isReg {
		m.gp[m.f.physical(o.reg)] = v
		return
	}
	binary.LittleEndian.PutUint64(m.place(o, 8, "writes"), v)
}

// width is how many lanes a vector operand has.
func (m *machine) width(o *operand) int {
	switch o.width {
	case 'X':
		return 4
	case 'Y':
		return 8
	case 'Z':
		return 16
	}
	return m.f.isa.Lanes()
}

// vector reads n lanes of an operand; one float for all where the instruction
// broadcasts it from memory.
func (m *machine) vector(o *operand, n int) (v lanes) {
	if o.kind == isReg {
		return m.vec[m.f.physical(o.reg)]
	}
	if strings.HasSuffix(m.in.op, ".BCST") {
		x := binary.LittleEndian.Uint32(m.place(o, 4, "reads"))
		for i := range n {
			v[i] = x
		}
		return v
	}
	bytes := m.place(o, 4*n, "reads")
	for i := range n {
		v[i] = binary.LittleEndian.Uint32(bytes[4*i:])
	}
	return v
}

// setVector writes the first n lanes of a register and clears the others.
func (m *machine) setVector(o *operand, n int, v lanes) {
	clear(v[n:])
	m.vec[m.f.physical(o.reg)] = v
}

// isBits reports that masks are bits in registers of their own.
func (m *machine) isBits() bool { return m.f.isa == AVX512 }

// set reports for each lane whether a mask operand has it set.
func (m *machine) set(o *operand) (bits uint16) {
	p := m.f.physical(o.reg)
	if m.isBits() {
		return m.mask[p]
	}
	for i := range m.f.isa.Lanes() {
		bits |= uint16(m.vec[p][i]>>31) << i
	}
	return bits
}

// setMask writes a mask operand.
func (m *machine) setMask(o *operand, bits uint16) {
	p := m.f.physical(o.reg)
	if m.isBits() {
		m.mask[p] = bits
		return
	}
	v := lanes{}
	for i := range m.f.isa.Lanes() {
		if bits>>i&1 != 0 {
			v[i] = math.MaxUint32
		}
	}
	m.vec[p] = v
}
