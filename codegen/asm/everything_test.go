package asm_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"netc/codegen/asm"
	"netc/codegen/asm/asmtest"
)

var isas = []asm.ISA{asm.AVX2, asm.AVX512}

// A use is a function of all that Func has for one purpose. Buffer 0 holds 64
// vectors of floats, buffer 1 as many of integers, buffer 2 takes the results.
type use struct {
	name  string
	build func(f *asm.Func, w *writer)
}

// writer stores results one after the other.
type writer struct {
	f                   *asm.Func
	floats, ints, store asm.Reg
	at                  int
}

const vectors = 64

func (w *writer) size() int { return 4 * w.f.ISA().Lanes() }

func (w *writer) vec(v asm.Reg) {
	w.f.Store(asm.Mem{Base: w.store, Disp: w.at}, v)
	w.at += w.size()
}

func (w *writer) int(r asm.Reg) {
	w.f.StoreInt32(asm.Mem{Base: w.store, Disp: w.at}, r)
	w.at += w.size()
}

func (w *writer) mask(m asm.Reg) { w.vec(w.f.Select(m, w.f.ConstInt(-1), w.f.Zero())) }

// float is the address of the i-th vector of floats, integer of integers.
func (w *writer) float(i int) asm.Mem   { return asm.Mem{Base: w.floats, Disp: i * w.size()} }
func (w *writer) integer(i int) asm.Mem { return asm.Mem{Base: w.ints, Disp: i * w.size()} }

var uses = []use{
	{"lanewise", func(f *asm.Func, w *writer) {
		for op := asm.Add; op <= asm.MaxInt32; op++ {
			for i := range 3 {
				a, b := f.Load(w.float(2*i)), f.Load(w.float(2*i+1))
				if op >= asm.AddInt32 {
					a, b = f.Load(w.integer(2*i)), f.Load(w.integer(2*i+1))
				}
				w.vec(f.Op(op, a, b))
				w.vec(f.OpMem(op, a, w.float(2*i+1)))
			}
		}
	}},
	{"unary", func(f *asm.Func, w *writer) {
		for op := asm.Sqrt; op < asm.ToFloat; op++ {
			for i := range 4 {
				w.vec(f.Un(op, f.Load(w.float(i))))
			}
		}
		w.vec(f.Un(asm.ToFloat, f.Load(w.integer(0))))
		for op := asm.ShiftLeft; op <= asm.ShiftRightSigned; op++ {
			w.vec(f.Shift(op, f.Load(w.integer(1)), 13))
			w.vec(f.Shift(op, f.Load(w.integer(1)), 0))
		}
		c := f.Const(1.5)
		f.FMA(c, f.Load(w.float(0)), f.Load(w.float(1)))
		w.vec(c)
		f.FMAMem(c, f.Load(w.float(2)), w.float(3))
		w.vec(c)
		f.FMABroadcast(c, f.Load(w.float(2)), w.float(5))
		w.vec(c)
		f.FNMA(c, f.Load(w.float(4)), f.Load(w.float(5)))
		w.vec(c)
		w.vec(f.ConstInt(-7))
		w.vec(f.Const(0))
		w.vec(f.Const(float32(math.Copysign(0, -1))))
		w.vec(f.LaneNumbers())
		w.vec(f.Broadcast(w.float(7)))
		w.vec(f.BroadcastGP(f.Int(-123456)))
	}},
	{"masks", func(f *asm.Func, w *writer) {
		var fs, is []asm.Reg
		for p := asm.EqP; p <= asm.GtP; p++ {
			a, b := f.Load(w.float(8)), f.Load(w.float(9)) // equal in places, with NaNs
			fs = append(fs, f.Cmp(p, a, b))
			is = append(is, f.CmpInt(p, f.Load(w.integer(8)), f.Load(w.integer(9))))
			w.mask(fs[p])
			w.mask(is[p])
			w.vec(f.Select(fs[p], a, b))
			w.vec(f.Keep(is[p], a))
			w.int(f.MaskBits(fs[p]))
		}
		w.mask(f.MaskAnd(fs[asm.LeP], is[asm.LtP]))
		w.mask(f.MaskOr(fs[asm.LtP], is[asm.EqP]))
		w.mask(f.MaskNot(fs[asm.LtP]))
		for n := range f.ISA().Lanes() + 1 {
			w.int(f.MaskBits(f.FirstLanes(n)))
		}
		m := f.FirstLanes(1)
		f.Move(m, is[asm.GtP])
		w.mask(m)
	}},
	{"memory", func(f *asm.Func, w *writer) {
		lanes := f.ISA().Lanes()
		for n := 1; n <= lanes; n++ {
			w.vec(f.LoadFirst(asm.Mem{Base: w.floats, Disp: 4 * (vectors*lanes - n)}, n)) // the last n floats
		}
		v := f.Load(w.float(1))
		for n := 1; n <= lanes; n++ {
			f.StoreFirst(asm.Mem{Base: w.store, Disp: w.at}, v, n)
			w.at += w.size()
		}
		for i := range 4 { // bytes of any value, as integers and back
			b := f.LoadBytes(asm.Mem{Base: w.ints, Disp: 4*vectors*lanes - (i+1)*lanes})
			w.vec(b)
			f.StoreBytes(asm.Mem{Base: w.store, Disp: w.at}, b)
			w.at += w.size()
		}
		w.int(f.LoadByte(asm.Mem{Base: w.ints, Disp: 4*vectors*lanes - 1}))
		f.StoreByte(asm.Mem{Base: w.store, Disp: w.at}, f.LoadInt32(w.integer(6)))
		w.at += w.size()
		m := f.CmpInt(asm.GtP, f.Load(w.integer(2)), f.Load(w.integer(3)))
		w.vec(f.LoadWhere(w.float(2), m))
		w.vec(f.Load(w.float(3)))
		f.StoreWhere(asm.Mem{Base: w.store, Disp: w.at}, v, m)
		w.at += w.size()
		f.StoreStream(asm.Mem{Base: f.Scratch()}, v)
		w.vec(f.Load(asm.Mem{Base: f.Scratch()}))
		f.Prefetch(asm.Mem{Base: w.floats, Disp: -1 << 20})
		index := f.Op(asm.And, f.Load(w.integer(4)), f.ConstInt(63))
		all := f.FirstLanes(lanes)
		i := f.Int(3)
		w.vec(f.Gather(asm.Mem{Base: w.floats, Index: i, Scale: 8, Disp: 4}, index, all))
		w.vec(f.Gather(asm.Mem{Base: w.floats}, f.Load(w.integer(5)), f.MaskNot(all)))
		w.vec(f.Gather(asm.Mem{Base: w.floats}, index, m))
		w.vec(f.Load(asm.Mem{Base: w.floats, Index: i, Scale: 4, Disp: 12}))
	}},
	{"across", func(f *asm.Func, w *writer) {
		w.vec(f.Sum(f.Load(w.float(0))))
		w.vec(f.MaxLanes(f.Load(w.float(1))))
		lanes := f.ISA().Lanes()
		for n := 1; n <= lanes; n++ {
			var vs []asm.Reg
			for i := range n {
				vs = append(vs, f.Load(w.float(10+i)))
			}
			w.vec(f.Sums(vs))
		}
		var vs []asm.Reg
		for i := range lanes {
			vs = append(vs, f.Load(w.float(10+i)))
		}
		for _, v := range f.Transpose(vs) {
			w.vec(v)
		}
	}},
	{"integers", func(f *asm.Func, w *writer) {
		a := f.LoadInt32(w.integer(0))
		w.int(a)
		for _, n := range []int{0, 1, 2, 3, 5, 7, 9, 64, -6, 1000003} {
			w.int(f.MulInt(a, n))
		}
		w.int(f.MulInt(f.Int(3), 1<<40+5))
		small := f.ModInt(f.LoadInt32(w.integer(0)), 1<<31)
		for _, n := range []int{1, 2, 3, 7, 10, 64, 1000, 1<<31 - 1, 1 << 31} {
			w.int(f.DivInt(small, n))
			w.int(f.ModInt(small, n))
		}
		b := f.LoadInt32(w.integer(1))
		for _, change := range []func(dst, src asm.Reg){f.AddGP, f.SubGP, f.MinGP, f.MaxGP} {
			c := f.NewGP()
			f.Move(c, a)
			change(c, b)
			w.int(c)
			change(c, a)
			w.int(c)
		}
		f.AddInt(a, 5)
		f.AddInt(a, 1<<40)
		f.AddInt(a, 0)
		w.int(a)
		w.int(f.Lea(asm.Mem{Base: a, Index: b, Scale: 2, Disp: -7}))
	}},
	{"control", func(f *asm.Func, w *writer) {
		a, b := f.LoadInt32(w.integer(0)), f.LoadInt32(w.integer(1))
		for c := asm.Lt; c <= asm.Gt; c++ {
			r := f.Int(0)
			f.IfGP(a, c, b, func() { f.AddInt(r, 1) })
			f.IfGP(a, c, a, func() { f.AddInt(r, 2) })
			f.If(a, c, 0, func() { f.AddInt(r, 4) })
			f.If(a, c, 1<<40, func() { f.AddInt(r, 8) })
			w.int(r)
		}
		for _, n := range []int{-3, 0, 1, 5} {
			count, r := f.Int(n), f.Int(0)
			f.RepeatGP(count, func() {
				f.Repeat(1, func() { f.AddInt(r, 1) })
				f.Repeat(3, func() { f.AddInt(r, 10) })
			})
			w.int(r)
			w.int(count)
		}
		w.int(f.Task())
	}},
}

// build makes the functions of all uses for one instruction set.
func build(t *testing.T, isa asm.ISA) (funcs []*asm.Func, results []int) {
	for _, u := range uses {
		f := asm.New(u.name+strings.ToUpper(isa.String()), isa)
		f.Comment("everything for %s", u.name)
		w := &writer{f: f, floats: f.Arg(0), ints: f.Arg(1), store: f.Arg(2)}
		u.build(f, w)
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		funcs, results = append(funcs, f), append(results, w.at)
	}
	return funcs, results
}

// inputs are the three buffers of a call.
func inputs(r *rand.Rand, isa asm.ISA, out int) [][]byte {
	floats, ints := make([]byte, vectors*isa.Lanes()*4), make([]byte, vectors*isa.Lanes()*4)
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, 1.5, 2.5, -2.5, 3e9, -3e9, 1e38, 1e-40, -1e-45, float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32}
	for i := 0; i < len(floats); i += 4 {
		x := float32(r.NormFloat64() * math.Exp2(float64(r.IntN(20)-10)))
		switch {
		case r.IntN(4) == 0:
			x = special[r.IntN(len(special))]
		case r.IntN(4) == 0 && i/4 >= 8*isa.Lanes() && i/4 < 10*isa.Lanes():
			x = float32(math.NaN())
		}
		binary.LittleEndian.PutUint32(floats[i:], math.Float32bits(x))
		n := r.Uint32()
		if r.IntN(4) == 0 {
			n = uint32(r.IntN(5)) - 2
		}
		binary.LittleEndian.PutUint32(ints[i:], n)
	}
	return [][]byte{floats, ints, make([]byte, out)}
}

// TestNative compares the processor with the interpreter, bit by bit, on all
// that Func has.
func TestNative(t *testing.T) {
	for _, isa := range isas {
		t.Run(isa.String(), func(t *testing.T) {
			if !asmtest.Native(isa) {
				t.Skip("this processor has no " + isa.String())
			}
			r := rand.New(rand.NewPCG(1, 2))
			funcs, results := build(t, isa)
			var got, want []asmtest.Call
			for i := range funcs {
				for range 20 {
					call := asmtest.Call{Func: i, Buffers: inputs(r, isa, results[i]), Scratch: 64, First: 3, Tasks: 1}
					got = append(got, call)
					call.Buffers = nil
					for _, b := range got[len(got)-1].Buffers {
						call.Buffers = append(call.Buffers, append([]byte(nil), b...))
					}
					want = append(want, call)
				}
			}
			asmtest.Interpret(t, funcs, want)
			asmtest.Run(t, funcs, got)
			for i := range got {
				if err := differ(got[i].Buffers[2], want[i].Buffers[2]); err != nil {
					t.Errorf("%s: %v", funcs[got[i].Func].Name(), err)
				}
			}
		})
	}
}

// differ compares words; NaNs are equal, whatever their payload.
func differ(got, want []byte) error {
	for i := 0; i < len(got); i += 4 {
		a, b := binary.LittleEndian.Uint32(got[i:]), binary.LittleEndian.Uint32(want[i:])
		x, y := math.Float32frombits(a), math.Float32frombits(b)
		if a != b && !(x != x && y != y) {
			return fmt.Errorf("word %d is %08x (%v), want %08x (%v)", i/4, a, x, b, y)
		}
	}
	return nil
}

// TestAssembles gives everything to go vet, which checks frames and arguments,
// and to the assembler.
func TestAssembles(t *testing.T) {
	for _, isa := range isas {
		t.Run(isa.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			funcs, _ := build(t, isa)
			for _, rows := range []int{20, 40, 80} { // frames of both kinds
				f := product(isa, fmt.Sprintf("rows%d", rows), rows, 9)
				if err := f.Finish(); err != nil {
					t.Fatal(err)
				}
				funcs = append(funcs, f)
			}
			asmtest.Write(t, dir, funcs)
			for _, args := range [][]string{{"vet", "./..."}, {"build", "-o", "kernels", "."}} {
				c := exec.Command("go", args...)
				c.Dir = dir
				c.Env = append(c.Environ(), "GOARCH=amd64", "GOWORK=off")
				if out, err := c.CombinedOutput(); err != nil {
					t.Fatalf("go %s: %v\n%s", args[0], err, out)
				}
			}
		})
	}
}
