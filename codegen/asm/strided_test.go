package asm_test

import (
	"encoding/binary"
	"math"
	"testing"

	"netc/codegen/asm"
	"netc/codegen/asm/asmtest"
)

// Every second float is loaded, and with exact set nothing after the last.
func TestLoadEvens(t *testing.T) {
	for _, isa := range []asm.ISA{asm.AVX2, asm.AVX512} {
		for _, exact := range []bool{false, true} {
			f := asm.New("evens", isa)
			f.Store(asm.Mem{Base: f.Arg(1)}, f.LoadEvens(asm.Mem{Base: f.Arg(0)}, exact))
			if err := f.Finish(); err != nil {
				t.Fatal(err)
			}
			n := isa.Lanes()
			count := 2 * n
			if exact {
				count-- // guards stand right behind
			}
			from, to := make([]byte, 4*count), make([]byte, 4*n)
			for i := range count {
				binary.LittleEndian.PutUint32(from[4*i:], math.Float32bits(float32(i)))
			}
			calls := []asmtest.Call{{Buffers: [][]byte{from, to}, Tasks: 1}}
			if asmtest.Native(isa) {
				asmtest.Run(t, []*asm.Func{f}, calls)
			} else {
				asmtest.Interpret(t, []*asm.Func{f}, calls)
			}
			for i := range n {
				if got := math.Float32frombits(binary.LittleEndian.Uint32(to[4*i:])); got != float32(2*i) {
					t.Errorf("%s exact %v: lane %d is %v", isa, exact, i, got)
				}
			}
		}
	}
}
