package vector

import "netc/codegen/asm"

// uniform gives the random number in [0, 1) of every lane's i32 index, bit for
// bit what runtime.RandomStream.At gives; whiten and offset are the stream's, in
// all lanes.
func uniform(f *asm.Func, whiten, offset, index asm.Reg) asm.Reg {
	h := mix32(f, f.Op(asm.Xor, index, whiten))
	h = mix32(f, f.Op(asm.AddInt32, h, offset))
	return f.Op(asm.Mul, f.Un(asm.ToFloat, f.Shift(asm.ShiftRight, h, 8)), f.Const(0x1p-24))
}

// mix32 is the runtime's bijection of 32-bit words.
func mix32(f *asm.Func, x asm.Reg) asm.Reg {
	for _, step := range []struct {
		shift  int
		factor uint32
	}{{16, 0x7feb352d}, {15, 0x846ca68b}} {
		x = f.Op(asm.Xor, x, f.Shift(asm.ShiftRight, x, step.shift))
		x = f.Op(asm.MulInt32, x, f.ConstInt(int32(step.factor)))
	}
	return f.Op(asm.Xor, x, f.Shift(asm.ShiftRight, x, 16))
}
