package asm_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"netc/codegen/asm"
	"netc/codegen/asm/asmtest"
)

// A random program: more variables than registers, changed in place, in loops
// and under conditions. It is emitted, and evaluated on plain Go variables;
// no allocation may change what it computes.
type program struct {
	r     *rand.Rand
	f     *asm.Func
	lanes int

	vec, gp, mask []asm.Reg // the emitted variables

	vecs  [][16]uint32 // their values
	gps   []int64
	masks [][16]bool
}

// step is what a statement does to the variables' values.
type step func()

// statements emits up to n random statements and returns their meaning.
func (p *program) statements(n, deep int) step {
	var steps []step
	for range n {
		steps = append(steps, p.statement(deep))
	}
	return func() {
		for _, s := range steps {
			s()
		}
	}
}

func (p *program) statement(deep int) step {
	f, r := p.f, p.r
	kinds := 12
	if deep >= 3 {
		kinds = 9
	}
	a, b, c := r.IntN(len(p.vec)), r.IntN(len(p.vec)), r.IntN(len(p.vec))
	i, j := r.IntN(len(p.gp)), r.IntN(len(p.gp))
	k, l, m := r.IntN(len(p.mask)), r.IntN(len(p.mask)), r.IntN(len(p.mask))
	n := r.IntN(1000) - 500
	switch r.IntN(kinds) {
	case 0, 1:
		op := []asm.VecOp{asm.AddInt32, asm.SubInt32, asm.Xor}[r.IntN(3)]
		f.OpTo(p.vec[a], op, p.vec[b], p.vec[c])
		return p.each(func(l int) {
			x, y := p.vecs[b][l], p.vecs[c][l]
			p.vecs[a][l] = map[asm.VecOp]uint32{asm.AddInt32: x + y, asm.SubInt32: x - y, asm.Xor: x ^ y}[op]
		})
	case 2:
		f.OpTo(p.vec[a], asm.AddInt32, p.vec[b], f.ConstInt(int32(n)))
		return p.each(func(l int) { p.vecs[a][l] = p.vecs[b][l] + uint32(n) })
	case 3:
		f.AddGP(p.gp[i], p.gp[j])
		return func() { p.gps[i] += p.gps[j] }
	case 4:
		f.AddInt(p.gp[i], n)
		return func() { p.gps[i] += int64(n) }
	case 5:
		f.MinGP(p.gp[i], p.gp[j])
		return func() { p.gps[i] = min(p.gps[i], p.gps[j]) }
	case 6:
		f.Move(p.mask[k], f.CmpInt(asm.LtP, p.vec[a], p.vec[b]))
		return p.each(func(l int) { p.masks[k][l] = int32(p.vecs[a][l]) < int32(p.vecs[b][l]) })
	case 7:
		f.Move(p.mask[k], f.MaskOr(p.mask[l], p.mask[m]))
		return p.each(func(i int) { p.masks[k][i] = p.masks[l][i] || p.masks[m][i] })
	case 8:
		f.Move(p.vec[a], f.Select(p.mask[k], p.vec[b], p.vec[c]))
		return p.each(func(l int) {
			if p.masks[k][l] {
				p.vecs[a][l] = p.vecs[b][l]
			} else {
				p.vecs[a][l] = p.vecs[c][l]
			}
		})
	case 9:
		var body step
		f.If(p.gp[i], asm.Gt, n, func() { body = p.statements(3, deep+1) })
		return func() {
			if p.gps[i] > int64(n) {
				body()
			}
		}
	case 10:
		count := f.ModInt(f.ModInt(p.gp[i], 1<<31), 4)
		var body step
		f.RepeatGP(count, func() { body = p.statements(3, deep+1) })
		return func() {
			for range p.gps[i] & (1<<31 - 1) % 4 {
				body()
			}
		}
	}
	// A loop with variables that only it reads and changes.
	times, permanent, own := 1+r.IntN(3), len(p.vec), r.IntN(4)
	for range own {
		v := f.NewVec()
		f.Move(v, p.vec[a])
		p.vec, p.vecs = append(p.vec, v), append(p.vecs, [16]uint32{})
	}
	var body step
	f.Repeat(times, func() { body = p.statements(4, deep+1) })
	p.vec = p.vec[:permanent]
	return func() {
		for i := range own {
			p.vecs = append(p.vecs[:permanent+i], p.vecs[a])
		}
		for range times {
			body()
		}
		p.vecs = p.vecs[:permanent]
	}
}

func (p *program) each(lane func(l int)) step {
	return func() {
		for l := range p.lanes {
			lane(l)
		}
	}
}

// random makes a function and what it leaves in its one buffer: the vectors,
// then the integers, then the masks as vectors.
func random(t *testing.T, r *rand.Rand, isa asm.ISA, name string) (f *asm.Func, in, want []byte) {
	f = asm.New(name, isa)
	p := &program{r: r, f: f, lanes: isa.Lanes()}
	base := f.Arg(0)
	size := 4 * p.lanes
	vecs, gps, masks := r.IntN(9)+1, r.IntN(6)+1, r.IntN(3)+1
	if r.IntN(2) == 0 {
		vecs, gps, masks = r.IntN(50)+1, r.IntN(20)+1, r.IntN(12)+1
	}
	in = make([]byte, (vecs+masks)*size+4*gps)
	for i := range in {
		in[i] = byte(r.Uint32())
	}
	for i := range vecs {
		p.vec = append(p.vec, f.Load(asm.Mem{Base: base, Disp: i * size}))
		var v [16]uint32
		for l := range p.lanes {
			v[l] = binary.LittleEndian.Uint32(in[i*size+4*l:])
		}
		p.vecs = append(p.vecs, v)
	}
	for i := range gps {
		at := vecs*size + 4*i
		p.gp = append(p.gp, f.LoadInt32(asm.Mem{Base: base, Disp: at}))
		p.gps = append(p.gps, int64(int32(binary.LittleEndian.Uint32(in[at:]))))
	}
	for range masks {
		p.mask = append(p.mask, f.FirstLanes(len(p.mask)%(p.lanes+1)))
		var v [16]bool
		for l := range len(p.masks) % (p.lanes + 1) {
			v[l] = true
		}
		p.masks = append(p.masks, v)
	}
	meaning := p.statements(r.IntN(60), 0)
	p.vecs = p.vecs[:vecs]
	meaning()
	want = make([]byte, len(in))
	store := func(at int, x uint32) { binary.LittleEndian.PutUint32(want[at:], x) }
	for i, v := range p.vec {
		f.Store(asm.Mem{Base: base, Disp: i * size}, v)
		for l := range p.lanes {
			store(i*size+4*l, p.vecs[i][l])
		}
	}
	for i, v := range p.gp {
		f.StoreInt32(asm.Mem{Base: base, Disp: vecs*size + 4*i}, v)
		store(vecs*size+4*i, uint32(p.gps[i]))
	}
	for i, m := range p.mask {
		at := vecs*size + 4*gps + i*size
		f.Store(asm.Mem{Base: base, Disp: at}, f.Keep(m, f.ConstInt(-1)))
		for l := range p.lanes {
			if p.masks[i][l] {
				store(at+4*l, 1<<32-1)
			}
		}
	}
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	return f, in, want
}

// TestRandomPrograms judges allocation, spilling and dead code by programs
// whose results are known.
func TestRandomPrograms(t *testing.T) {
	for _, isa := range isas {
		t.Run(isa.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(isa)))
			var funcs []*asm.Func
			var calls []asmtest.Call
			var wants [][]byte
			framed := 0
			for i := range 150 {
				f, in, want := random(t, r, isa, "random"+string(rune('a'+i/26))+string(rune('a'+i%26)))
				run := append([]byte(nil), in...)
				asmtest.Interpret(t, []*asm.Func{f}, []asmtest.Call{{Buffers: [][]byte{run}, Tasks: 1}})
				if !bytes.Equal(run, want) {
					t.Fatalf("program %d, interpreted: got\n%x\nwant\n%x", i, run, want)
				}
				if f.Frame() > 0 {
					framed++
				}
				if i%5 == 0 {
					calls = append(calls, asmtest.Call{Func: len(funcs), Buffers: [][]byte{in}, Tasks: 1})
					funcs, wants = append(funcs, f), append(wants, want)
				}
			}
			if framed < 30 || framed > 140 {
				t.Errorf("%d of 150 programs spill; the test is to have both kinds", framed)
			}
			if !asmtest.Native(isa) {
				t.Logf("this processor has no %v: interpreted only", isa)
				return
			}
			asmtest.Run(t, funcs, calls)
			for i, c := range calls {
				if !bytes.Equal(c.Buffers[0], wants[i]) {
					t.Errorf("program %d: got\n%x\nwant\n%x", i*5, c.Buffers[0], wants[i])
				}
			}
		})
	}
}
