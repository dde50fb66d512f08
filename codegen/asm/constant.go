package asm

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A symbol is a read-only constant of the file. Equal constants have equal
// names, so that a file holds each once.
type symbol struct {
	name string
	note string // what it holds, for the reader
	data []uint32

	bytes []byte // the data in memory
}

func (f *Func) symbol(name, note string, data func() []uint32) int {
	if i, ok := f.known[name]; ok {
		return i
	}
	s := symbol{name: name, note: note, data: data()}
	for _, word := range s.data {
		s.bytes = binary.LittleEndian.AppendUint32(s.bytes, word)
	}
	f.symbols = append(f.symbols, s)
	f.known[name] = len(f.symbols) - 1
	return len(f.symbols) - 1
}

// broadcastSymbol is a constant for all lanes. AVX2 keeps a whole vector of it
// in memory, so that an instruction can take it as an operand there; AVX-512
// broadcasts operands itself.
func (f *Func) broadcastSymbol(kind, note string, bits uint32) int {
	return f.symbol(fmt.Sprintf("%s%08x", kind, bits), note, func() []uint32 {
		data := []uint32{bits}
		if f.isa == AVX2 {
			for len(data) < f.isa.Lanes() {
				data = append(data, bits)
			}
		}
		return data
	})
}

// Const is x in all lanes of a new register.
func (f *Func) Const(x float32) Reg {
	if math.Float32bits(x) == 0 {
		return f.Zero()
	}
	r := f.NewVec()
	f.emit("VBROADCASTSS", f.constant(f.broadcastSymbol("float", fmt.Sprint(x), math.Float32bits(x)), 0), def(r))
	return r
}

// ConstInt is x in all lanes of a new register.
func (f *Func) ConstInt(x int32) Reg {
	if x == 0 {
		return f.Zero()
	}
	r := f.NewVec()
	f.emit("VBROADCASTSS", f.constant(f.broadcastSymbol("int", fmt.Sprint(x), uint32(x)), 0), def(r))
	return r
}

// LaneNumbers is the int32 lanes 0, 1, 2, … in a new register.
func (f *Func) LaneNumbers() Reg {
	r := f.NewVec()
	s := f.symbol("lanes", "the lanes' numbers", func() []uint32 {
		data := make([]uint32, f.isa.Lanes())
		for i := range data {
			data[i] = uint32(i)
		}
		return data
	})
	f.emit("VMOVUPS", f.constant(s, 0), def(r))
	return r
}

// firstLanesTable is set lanes, then as many clear ones: read from the right
// place, it has any number of set lanes first.
func (f *Func) firstLanesTable() int {
	return f.symbol("firstlanes", "8 set lanes, 8 clear ones", func() []uint32 {
		data := make([]uint32, 16)
		for i := range 8 {
			data[i] = math.MaxUint32
		}
		return data
	})
}
