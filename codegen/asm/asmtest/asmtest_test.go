//go:build linux

package asmtest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"netc/codegen/asm"
)

// recorder takes a fault for an answer.
type recorder struct{ testing.TB }

func (r recorder) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// failure is what a run reports, "" for none.
func failure(t *testing.T, run func(testing.TB, []*asm.Func, []Call), f *asm.Func, c Call) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	run(recorder{t}, []*asm.Func{f}, []Call{c})
	return ""
}

// TestFaults checks that both ways of running kernels see them reach outside
// their buffers.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		disp, scratch int
		want          string // of the program; of both if it is ""
	}{
		"inside":           {0, 0, ""},
		"past the end":     {4, 0, "flush to the end"},
		"before the start": {-4, 0, "flush to the start"},
		"scratch":          {0, 64, "buffer 1 of 64 bytes"},
	} {
		f := asm.New("kernel", asm.AVX2)
		f.Store(asm.Mem{Base: f.Arg(0), Disp: c.disp}, f.BroadcastGP(f.Task()))
		f.StoreLane(asm.Mem{Base: f.Scratch(), Disp: c.scratch}, f.Zero())
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		call := Call{Buffers: [][]byte{make([]byte, 32)}, Scratch: 60, First: 5, Tasks: 2}
		text := failure(t, Interpret, f, call)
		if (text == "") != (c.want == "") {
			t.Errorf("%s: interpreted: %q", name, text)
		}
		if !Native(asm.AVX2) {
			continue
		}
		clear(call.Buffers[0])
		text = failure(t, Run, f, call)
		if (text == "") != (c.want == "") || !strings.Contains(text, c.want) {
			t.Errorf("%s: run: %q, want %q", name, text, c.want)
		}
		if got := binary.LittleEndian.Uint32(call.Buffers[0]); c.want == "" && got != 6 {
			t.Errorf("%s: the buffer holds %d, not the last task", name, got)
		}
	}
}
