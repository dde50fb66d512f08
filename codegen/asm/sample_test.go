package asm_test

import (
	"strings"
	"testing"

	"netc/codegen/asm"
)

// product is a kernel as the vector back end writes them: out[m][lanes] += the
// sum over k of a[k][lanes]*b[k][m], for m rows, each an accumulator.
func product(isa asm.ISA, name string, rows, depth int) *asm.Func {
	f := asm.New(name, isa)
	vector := 4 * isa.Lanes()
	a, b, out := f.Arg(0), f.Arg(1), f.Arg(2)
	f.AddGP(out, f.MulInt(f.Task(), rows*vector))
	f.Comment("%d accumulators", rows)
	acc := make([]asm.Reg, rows)
	for i := range acc {
		acc[i] = f.Load(asm.Mem{Base: out, Disp: i * vector})
	}
	f.Repeat(depth, func() {
		x := f.Load(asm.Mem{Base: a})
		for i := range acc {
			f.FMABroadcast(acc[i], x, asm.Mem{Base: b, Disp: 4 * i})
		}
		f.AddInt(a, vector)
		f.AddInt(b, 4*rows)
	})
	f.Comment("results")
	for i := range acc {
		f.Store(asm.Mem{Base: out, Disp: i * vector}, acc[i])
	}
	return f
}

// TestNoSpill keeps the kernels that the back end lives on in registers.
func TestNoSpill(t *testing.T) {
	for _, c := range []struct {
		isa  asm.ISA
		rows int
	}{{asm.AVX2, 12}, {asm.AVX2, 13}, {asm.AVX2, 14}, {asm.AVX512, 28}, {asm.AVX512, 31}} {
		f := product(c.isa, "product", c.rows, 100)
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		var w asm.File
		w.Add(f)
		text := w.Text("")
		if strings.Contains(text, "(SP)") || !strings.Contains(text, "$0-24") {
			t.Errorf("%v, %d rows: spills\n%s", c.isa, c.rows, text)
		}
		if n := strings.Count(text, "VMOVAPS"); n > 0 {
			t.Errorf("%v, %d rows: %d moves", c.isa, c.rows, n)
		}
	}
}

const wantText = `// A sample.

#include "textflag.h"

// func product(args *unsafe.Pointer, scratch unsafe.Pointer, task int)
TEXT ·product(SB), NOSPLIT, $0-24
	MOVQ args+0(FP), AX
	MOVQ (AX), AX
	MOVQ args+0(FP), CX
	MOVQ 8(CX), CX
	MOVQ args+0(FP), DX
	MOVQ 16(DX), DX
	MOVQ task+16(FP), BX
	SHLQ $6, BX
	ADDQ BX, DX
	// 2 accumulators
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
	MOVQ $7, BX
	PCALIGN $32
loop1:
	VMOVUPS (AX), Y2
	VBROADCASTSS (CX), Y3
	VFMADD231PS Y3, Y2, Y0
	VBROADCASTSS 4(CX), Y3
	VFMADD231PS Y3, Y2, Y1
	ADDQ $32, AX
	ADDQ $8, CX
	DECQ BX
	JNE loop1
	// results
	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VZEROUPPER
	RET
`

func TestText(t *testing.T) {
	f := product(asm.AVX2, "product", 2, 7)
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	var w asm.File
	w.Add(f)
	if got := w.Text("// A sample."); got != wantText {
		t.Errorf("got\n%s", got)
	}
}

// TestMoves checks that results copied at once are written in place, and that
// copies of what is read again stay.
func TestMoves(t *testing.T) {
	f := asm.New("moves", asm.AVX2)
	a := f.Arg(0)
	joined, kept := f.Load(asm.Mem{Base: a}), f.Load(asm.Mem{Base: a})
	f.Repeat(10, func() {
		f.Move(joined, f.Op(asm.Max, joined, f.Load(asm.Mem{Base: a})))
		sum := f.Op(asm.Add, kept, joined)
		f.Move(kept, sum)
		f.OpTo(joined, asm.Mul, joined, sum)
	})
	f.Store(asm.Mem{Base: a}, f.Op(asm.Add, joined, kept))
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	var w asm.File
	w.Add(f)
	if text := w.Text(""); strings.Count(text, "VMOVAPS") != 1 {
		t.Errorf("want one copy in\n%s", text)
	}
}
