package asm_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"netc/codegen/asm"
	"netc/codegen/asm/asmtest"
)

// meaning interprets a function of one output vector after the other on both
// instruction sets. That the processor does the same, TestNative shows.
func meaning(t *testing.T, build func(f *asm.Func, w *writer), check func(isa asm.ISA, floats []float32, ints []int32, got [][]uint32) error) {
	for _, isa := range isas {
		f := asm.New("meaning", isa)
		w := &writer{f: f, floats: f.Arg(0), ints: f.Arg(1), store: f.Arg(2)}
		build(f, w)
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		buffers := inputs(rand.New(rand.NewPCG(3, 4)), isa, w.at)
		call := asmtest.Call{Buffers: [][]byte{buffers[0], buffers[1], make([]byte, w.at)}, Scratch: 64, Tasks: 1}
		asmtest.Interpret(t, []*asm.Func{f}, []asmtest.Call{call})
		var floats []float32
		var ints []int32
		for i := 0; i < len(buffers[0]); i += 4 {
			floats = append(floats, math.Float32frombits(binary.LittleEndian.Uint32(buffers[0][i:])))
			ints = append(ints, int32(binary.LittleEndian.Uint32(buffers[1][i:])))
		}
		var got [][]uint32
		for at := 0; at < w.at; at += w.size() {
			var v []uint32
			for l := range isa.Lanes() {
				v = append(v, binary.LittleEndian.Uint32(call.Buffers[2][at+4*l:]))
			}
			got = append(got, v)
		}
		if err := check(isa, floats, ints, got); err != nil {
			t.Errorf("%v: %v", isa, err)
		}
	}
}

// TestFirstLanes checks that partial loads and stores touch what they say.
func TestFirstLanes(t *testing.T) {
	meaning(t, func(f *asm.Func, w *writer) {
		for n := 1; n <= f.ISA().Lanes(); n++ {
			w.vec(f.LoadFirst(w.float(n), n))
			f.StoreFirst(asm.Mem{Base: w.store, Disp: w.at}, f.Load(w.float(n)), n)
			w.at += w.size()
		}
	}, func(isa asm.ISA, floats []float32, _ []int32, got [][]uint32) error {
		for n := 1; n <= isa.Lanes(); n++ {
			for l := range isa.Lanes() {
				want := uint32(0)
				if l < n {
					want = math.Float32bits(floats[n*isa.Lanes()+l])
				}
				if load, store := got[2*n-2][l], got[2*n-1][l]; load != want || store != want {
					return fmt.Errorf("first %d: lane %d loads %08x, stores %08x, want %08x", n, l, load, store, want)
				}
			}
		}
		return nil
	})
}

// TestWhere checks masked loads, stores and gathers.
func TestWhere(t *testing.T) {
	meaning(t, func(f *asm.Func, w *writer) {
		mask := f.CmpInt(asm.GtP, f.Load(w.integer(8)), f.Load(w.integer(9)))
		index := f.Op(asm.And, f.Load(w.integer(0)), f.ConstInt(63))
		w.vec(f.LoadWhere(w.float(2), mask))
		w.vec(f.Gather(asm.Mem{Base: w.floats, Disp: 4}, index, mask))
		f.StoreWhere(asm.Mem{Base: w.store, Disp: w.at}, f.Load(w.float(2)), mask)
		w.at += w.size()
		w.mask(mask) // unharmed
	}, func(isa asm.ISA, floats []float32, ints []int32, got [][]uint32) error {
		n := isa.Lanes()
		for l := range n {
			var load, gather, all uint32
			if ints[8*n+l] > ints[9*n+l] {
				load, gather, all = math.Float32bits(floats[2*n+l]), math.Float32bits(floats[1+ints[l]&63]), math.MaxUint32
			}
			for i, want := range []uint32{load, gather, load, all} {
				if got[i][l] != want {
					return fmt.Errorf("result %d, lane %d is %08x, want %08x", i, l, got[i][l], want)
				}
			}
		}
		return nil
	})
}

// TestAcross checks sums against float64, their order against a slow
// formulation, and the transpose.
func TestAcross(t *testing.T) {
	count := 0
	meaning(t, func(f *asm.Func, w *writer) {
		lanes := f.ISA().Lanes()
		var vs []asm.Reg
		for i := range lanes {
			vs = append(vs, f.Un(asm.ToFloat, f.Shift(asm.ShiftRightSigned, f.Load(w.integer(i)), 4)))
		}
		for n := 1; n <= lanes; n++ {
			w.vec(f.Sums(vs[:n]))
		}
		for _, v := range vs {
			w.vec(f.Sum(v))
		}
		for _, v := range vs {
			w.vec(f.MaxLanes(v))
		}
		for _, v := range f.Transpose(vs) {
			w.vec(v)
		}
	}, func(isa asm.ISA, _ []float32, ints []int32, got [][]uint32) error {
		lanes := isa.Lanes()
		value := func(i, l int) float32 { return float32(ints[i*lanes+l] >> 4) }
		for i := range lanes {
			var partial []float32
			largest := value(i, 0)
			for l := range lanes {
				partial = append(partial, value(i, l))
				largest = max(largest, value(i, l))
			}
			for n := lanes / 2; n > 0; n /= 2 {
				for l := range n {
					partial[l] += partial[l+n]
				}
			}
			sum := math.Float32bits(partial[0])
			for n := 1; n <= lanes; n++ {
				want := sum
				if i >= n {
					want = 0
				}
				if g := got[n-1][i]; g != want {
					return fmt.Errorf("Sums of %d: lane %d is %08x, want %08x", n, i, g, want)
				}
			}
			for l := range lanes {
				if g := got[lanes+i][l]; g != sum {
					return fmt.Errorf("Sum of %d: lane %d is %08x, want %08x", i, l, g, sum)
				}
				if g := got[2*lanes+i][l]; g != math.Float32bits(largest) {
					return fmt.Errorf("MaxLanes of %d: lane %d is %08x, want %08x", i, l, g, math.Float32bits(largest))
				}
				if g := got[3*lanes+i][l]; g != math.Float32bits(value(l, i)) {
					return fmt.Errorf("Transpose: lane %d of %d is %08x", l, i, g)
				}
			}
			count++
		}
		return nil
	})
	if count < 8+16 {
		t.Errorf("%d vectors were checked", count)
	}
}

// TestComparisons checks predicates, masks and selections, with NaNs.
func TestComparisons(t *testing.T) {
	meaning(t, func(f *asm.Func, w *writer) {
		for p := asm.EqP; p <= asm.GtP; p++ {
			a, b := f.Load(w.float(8)), f.Load(w.float(9))
			floats, ints := f.Cmp(p, a, b), f.CmpInt(p, f.Load(w.integer(8)), f.Load(w.integer(9)))
			w.int(f.MaskBits(floats))
			w.int(f.MaskBits(ints))
			w.int(f.MaskBits(f.MaskAnd(floats, f.MaskNot(ints))))
			w.int(f.MaskBits(f.MaskOr(floats, ints)))
			w.vec(f.Select(floats, a, b))
			w.vec(f.Keep(floats, a))
		}
	}, func(isa asm.ISA, floats []float32, ints []int32, got [][]uint32) error {
		at := 8 * isa.Lanes()
		for p := asm.EqP; p <= asm.GtP; p++ {
			for l := range isa.Lanes() {
				a, b := floats[at+l], floats[at+isa.Lanes()+l]
				i, j := ints[at+l], ints[at+isa.Lanes()+l]
				want := [...]bool{a == b, a < b, a <= b, a != b, a >= b, a > b}[p]
				wantInt := [...]bool{i == j, i < j, i <= j, i != j, i >= j, i > j}[p]
				rows := got[6*int(p):]
				for k, set := range []bool{want, wantInt, want && !wantInt, want || wantInt} {
					if rows[k][0]>>l&1 != 0 != set {
						return fmt.Errorf("predicate %d, row %d, lane %d of %v %v, %v %v: %v", p, k, l, a, b, i, j, !set)
					}
				}
				selected, kept := b, float32(0)
				if want {
					selected, kept = a, a
				}
				if rows[4][l] != math.Float32bits(selected) || rows[5][l] != math.Float32bits(kept) {
					return fmt.Errorf("predicate %d, lane %d: selects %08x, keeps %08x", p, l, rows[4][l], rows[5][l])
				}
			}
		}
		return nil
	})
}

// TestDivide checks division by constants at the ends of its range and around
// multiples.
func TestDivide(t *testing.T) {
	divisors := []int{1, 2, 3, 5, 6, 7, 9, 11, 13, 25, 49, 100, 127, 128, 129, 641, 1000, 65535, 65536, 65537, 1<<24 + 1, 1<<30 - 1, 1<<31 - 1, 1 << 31, 1 << 40}
	var values []int
	for _, d := range divisors {
		for _, v := range []int{0, 1, d - 1, d, d + 1, 7*d - 1, 7 * d, (1<<31-1)/d*d - 1, (1<<31 - 1) / d * d, 1<<31 - 2, 1<<31 - 1} {
			if v >= 0 && v < 1<<31 {
				values = append(values, v)
			}
		}
	}
	for _, isa := range isas {
		f := asm.New("divide", isa)
		task, out := f.Task(), f.Arg(0)
		for i, d := range divisors {
			f.StoreInt32(asm.Mem{Base: out, Disp: 8 * i}, f.DivInt(task, d))
			f.StoreInt32(asm.Mem{Base: out, Disp: 8*i + 4}, f.ModInt(task, d))
		}
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		var calls []asmtest.Call
		for _, v := range values {
			calls = append(calls, asmtest.Call{Buffers: [][]byte{make([]byte, 8*len(divisors))}, First: v, Tasks: 1})
		}
		asmtest.Interpret(t, []*asm.Func{f}, calls)
		for k, v := range values {
			for i, d := range divisors {
				q, r := binary.LittleEndian.Uint32(calls[k].Buffers[0][8*i:]), binary.LittleEndian.Uint32(calls[k].Buffers[0][8*i+4:])
				if int(q) != v/d || int(r) != v%d {
					t.Fatalf("%v: %d / %d is %d, remainder %d", isa, v, d, q, r)
				}
			}
		}
	}
}

// TestFMA checks the interpreter's rounding against exact arithmetic. The
// terms are chosen to nearly cancel or to end near a half, where rounding
// twice goes wrong.
func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200000 {
		a, b := float32(r.NormFloat64()), float32(r.NormFloat64())
		p := float64(a) * float64(b)
		c := float32(math.Ldexp(r.NormFloat64(), r.IntN(80)-40))
		switch r.IntN(3) {
		case 0: // half a unit in the last place of c, but for a part that float64 has no room for
			i := float32(r.IntN(500)-250) * 0x1p-23
			a, b = 1+i, 1-i
			p = float64(a) * float64(b)
			c = float32(1<<24 + 2*r.IntN(1<<23))
			if r.IntN(2) == 0 {
				c = -c
			}
		case 1: // cancels
			c = float32(-p * (1 + math.Ldexp(float64(r.IntN(9)-4), -23)))
		}
		exact := new(big.Float).SetPrec(400).SetFloat64(p)
		exact.Add(exact, new(big.Float).SetFloat64(float64(c)))
		want, _ := exact.Float32()
		if got := asm.FMA(a, b, c); got != want {
			t.Fatalf("%v*%v + %v is %v, want %v", a, b, c, got, want)
		}
	}
}
