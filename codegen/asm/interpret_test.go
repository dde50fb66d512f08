package asm_test

import (
	"strings"
	"testing"

	"netc/codegen/asm"
)

// TestFaults checks that the interpreter sees accesses outside buffers.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(f *asm.Func)
		want  string // in the error; none if empty
	}{
		{"in bounds", func(f *asm.Func) { f.Store(asm.Mem{Base: f.Arg(1)}, f.Load(asm.Mem{Base: f.Arg(0)})) }, ""},
		{"load past the end", func(f *asm.Func) { f.Store(asm.Mem{Base: f.Arg(1)}, f.Load(asm.Mem{Base: f.Arg(0), Disp: 4})) }, `VMOVUPS 4(`},
		{"load before the start", func(f *asm.Func) {
			f.Store(asm.Mem{Base: f.Arg(1)}, f.Load(asm.Mem{Base: f.Arg(0), Disp: -4}))
		}, `reads 32 bytes at offset -4 of "input", which has 32`},
		{"store past the end", func(f *asm.Func) { f.StoreFirst(asm.Mem{Base: f.Arg(1), Disp: 20}, f.Zero(), 4) }, `writes 16 bytes at offset 20 of "output"`},
		{"a masked store in bounds", func(f *asm.Func) { f.StoreWhere(asm.Mem{Base: f.Arg(1), Disp: 20}, f.Zero(), f.FirstLanes(3)) }, ""},
		{"a masked store", func(f *asm.Func) { f.StoreWhere(asm.Mem{Base: f.Arg(1), Disp: 20}, f.Zero(), f.FirstLanes(4)) }, `writes 4 bytes at offset 32 of "output"`},
		{"an argument too many", func(f *asm.Func) { f.StoreLane(asm.Mem{Base: f.Arg(2)}, f.Zero()) }, `at offset 16 of "args"`},
		{"an integer as an address", func(f *asm.Func) { f.StoreLane(asm.Mem{Base: f.Task()}, f.Zero()) }, `in no buffer`},
		{"an unaligned store past the caches", func(f *asm.Func) { f.StoreStream(asm.Mem{Base: f.Arg(1), Disp: -16}, f.Zero()) }, `not a multiple of 32`},
		{"a gather in bounds", func(f *asm.Func) {
			f.Store(asm.Mem{Base: f.Arg(1)}, f.Gather(asm.Mem{Base: f.Arg(0)}, f.LaneNumbers(), f.FirstLanes(8)))
		}, ""},
		{"a gather", func(f *asm.Func) {
			f.Store(asm.Mem{Base: f.Arg(1)}, f.Gather(asm.Mem{Base: f.Arg(0)}, f.ConstInt(-1), f.FirstLanes(1)))
		}, `offset -4 of "input"`},
	} {
		f := asm.New("faults", asm.AVX2)
		c.build(f)
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		var m asm.Memory
		args := []uint64{m.Add("input", make([]byte, 32)), m.Add("output", make([]byte, 32))}
		err := f.Interpret(&m, args, 0, 0)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one with %s", c.name, err, c.want)
		}
	}
}

// TestFinishFaults checks that misuse is reported, not compiled.
func TestFinishFaults(t *testing.T) {
	for _, c := range []struct {
		build func(f *asm.Func)
		want  string
	}{
		{func(f *asm.Func) { f.Op(asm.Add, f.Zero(), 0) }, "want Vec"},
		{func(f *asm.Func) { f.Store(asm.Mem{Base: f.Zero()}, f.Zero()) }, "without a base"},
		{func(f *asm.Func) { f.Store(asm.Mem{Base: f.Arg(0), Index: f.Int(1), Scale: 3}, f.Zero()) }, "scale 3"},
		{func(f *asm.Func) { f.Store(asm.Mem{Base: f.Arg(0)}, f.NewVec()) }, "not set before"},
		{func(f *asm.Func) { f.Repeat(0, func() {}) }, "Repeat 0"},
		{func(f *asm.Func) { f.Select(f.Zero(), f.Zero(), f.Zero()) }, "want Mask"},
		{func(f *asm.Func) { f.LoadFirst(asm.Mem{Base: f.Arg(0)}, 9) }, "9 lanes"},
	} {
		f := asm.New("faults", asm.AVX2)
		c.build(f)
		if err := f.Finish(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}
