#include "textflag.h"

// Both loops carry twelve sums, each in a register of its own, through
// sum = sum*factor + term. All elements of the first sum start at 1, of the next
// at 2, and so on. The result is the total of all elements of all sums.

DATA starts<>+0(SB)/4, $1.0
DATA starts<>+4(SB)/4, $2.0
DATA starts<>+8(SB)/4, $3.0
DATA starts<>+12(SB)/4, $4.0
DATA starts<>+16(SB)/4, $5.0
DATA starts<>+20(SB)/4, $6.0
DATA starts<>+24(SB)/4, $7.0
DATA starts<>+28(SB)/4, $8.0
DATA starts<>+32(SB)/4, $9.0
DATA starts<>+36(SB)/4, $10.0
DATA starts<>+40(SB)/4, $11.0
DATA starts<>+44(SB)/4, $12.0
GLOBL starts<>(SB), RODATA|NOPTR, $48

// func multiplyAddAVX2(rounds int, factor, term float32) float32
TEXT ·multiplyAddAVX2(SB), NOSPLIT, $0-20
	MOVQ         rounds+0(FP), CX
	VBROADCASTSS factor+8(FP), Y12
	VBROADCASTSS term+12(FP), Y13
	VBROADCASTSS starts<>+0(SB), Y0
	VBROADCASTSS starts<>+4(SB), Y1
	VBROADCASTSS starts<>+8(SB), Y2
	VBROADCASTSS starts<>+12(SB), Y3
	VBROADCASTSS starts<>+16(SB), Y4
	VBROADCASTSS starts<>+20(SB), Y5
	VBROADCASTSS starts<>+24(SB), Y6
	VBROADCASTSS starts<>+28(SB), Y7
	VBROADCASTSS starts<>+32(SB), Y8
	VBROADCASTSS starts<>+36(SB), Y9
	VBROADCASTSS starts<>+40(SB), Y10
	VBROADCASTSS starts<>+44(SB), Y11
	PCALIGN      $32

round:
	VFMADD213PS Y13, Y12, Y0
	VFMADD213PS Y13, Y12, Y1
	VFMADD213PS Y13, Y12, Y2
	VFMADD213PS Y13, Y12, Y3
	VFMADD213PS Y13, Y12, Y4
	VFMADD213PS Y13, Y12, Y5
	VFMADD213PS Y13, Y12, Y6
	VFMADD213PS Y13, Y12, Y7
	VFMADD213PS Y13, Y12, Y8
	VFMADD213PS Y13, Y12, Y9
	VFMADD213PS Y13, Y12, Y10
	VFMADD213PS Y13, Y12, Y11
	DECQ        CX
	JNZ         round

	VADDPS       Y1, Y0, Y0
	VADDPS       Y3, Y2, Y2
	VADDPS       Y5, Y4, Y4
	VADDPS       Y7, Y6, Y6
	VADDPS       Y9, Y8, Y8
	VADDPS       Y11, Y10, Y10
	VADDPS       Y2, Y0, Y0
	VADDPS       Y6, Y4, Y4
	VADDPS       Y10, Y8, Y8
	VADDPS       Y4, Y0, Y0
	VADDPS       Y8, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VHADDPS      X0, X0, X0
	VHADDPS      X0, X0, X0
	VMOVSS       X0, ret+16(FP)
	VZEROUPPER
	RET

// func multiplyAddAVX512(rounds int, factor, term float32) float32
TEXT ·multiplyAddAVX512(SB), NOSPLIT, $0-20
	MOVQ         rounds+0(FP), CX
	VBROADCASTSS factor+8(FP), Z12
	VBROADCASTSS term+12(FP), Z13
	VBROADCASTSS starts<>+0(SB), Z0
	VBROADCASTSS starts<>+4(SB), Z1
	VBROADCASTSS starts<>+8(SB), Z2
	VBROADCASTSS starts<>+12(SB), Z3
	VBROADCASTSS starts<>+16(SB), Z4
	VBROADCASTSS starts<>+20(SB), Z5
	VBROADCASTSS starts<>+24(SB), Z6
	VBROADCASTSS starts<>+28(SB), Z7
	VBROADCASTSS starts<>+32(SB), Z8
	VBROADCASTSS starts<>+36(SB), Z9
	VBROADCASTSS starts<>+40(SB), Z10
	VBROADCASTSS starts<>+44(SB), Z11
	PCALIGN      $32

round:
	VFMADD213PS Z13, Z12, Z0
	VFMADD213PS Z13, Z12, Z1
	VFMADD213PS Z13, Z12, Z2
	VFMADD213PS Z13, Z12, Z3
	VFMADD213PS Z13, Z12, Z4
	VFMADD213PS Z13, Z12, Z5
	VFMADD213PS Z13, Z12, Z6
	VFMADD213PS Z13, Z12, Z7
	VFMADD213PS Z13, Z12, Z8
	VFMADD213PS Z13, Z12, Z9
	VFMADD213PS Z13, Z12, Z10
	VFMADD213PS Z13, Z12, Z11
	DECQ        CX
	JNZ         round

	VADDPS        Z1, Z0, Z0
	VADDPS        Z3, Z2, Z2
	VADDPS        Z5, Z4, Z4
	VADDPS        Z7, Z6, Z6
	VADDPS        Z9, Z8, Z8
	VADDPS        Z11, Z10, Z10
	VADDPS        Z2, Z0, Z0
	VADDPS        Z6, Z4, Z4
	VADDPS        Z10, Z8, Z8
	VADDPS        Z4, Z0, Z0
	VADDPS        Z8, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VADDPS        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VADDPS        X1, X0, X0
	VHADDPS       X0, X0, X0
	VHADDPS       X0, X0, X0
	VMOVSS        X0, ret+16(FP)
	VZEROUPPER
	RET
