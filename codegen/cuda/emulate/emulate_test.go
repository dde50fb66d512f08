package emulate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"netc/codegen/cuda"
)

// reverse is a kernel that reverses 64 numbers through shared memory.
const reverse = `extern "C" __global__ void __launch_bounds__(64)
reverse(float* __restrict__ to, const float* __restrict__ from)
{
    __shared__ float all[64];
    const int i = threadIdx.x;
    all[i] = from[i];
    __syncthreads();
    to[i] = all[63 - i];
}
`

// rounds is a kernel that does so twice and adds.
const rounds = `extern "C" __global__ void __launch_bounds__(64)
reverse(float* __restrict__ to, const float* __restrict__ from)
{
    __shared__ float all[64];
    const int i = threadIdx.x;
    float sum = 0.0f;
    for (int round = 0; round < 2; round++) {
        all[i] = from[i]*(round + 1);
        __syncthreads();
        sum += all[63 - i];
        __syncthreads();
    }
    to[i] = sum;
}
`

func launchOf(kernel string, block int) cuda.Launch {
	return cuda.Launch{Kernel: kernel, Grid: [3]int{1, 1, 1}, Block: [3]int{block, 1, 1}, Args: []cuda.Arg{
		{Tensor: "to", Offset: 256, Bytes: 256, Element: 4, Written: true}, {Tensor: "from", Offset: 0, Bytes: 256, Element: 4},
	}}
}

// TestFaults: a kernel that is right gives its result, and each way of breaking
// it is found and named.
func TestFaults(t *testing.T) {
	replace := func(text, old, new string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not in the kernel", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	lastBarrier := strings.LastIndex(rounds, "        __syncthreads();\n")
	cases := []struct {
		name, source string
		block        int
		want         string // in the error; empty: none
	}{
		{"right", reverse, 64, ""},
		{"right in rounds", rounds, 64, ""},
		{"no barrier", replace(reverse, "    __syncthreads();\n", ""), 64, "depends on the order"},
		{"no barrier but a warp's", replace(reverse, "__syncthreads();", "__syncwarp();"), 64, "depends on the order"},
		{"no barrier at the end of a round", rounds[:lastBarrier] + rounds[lastBarrier+len("        __syncthreads();\n"):], 64, "depends on the order"},
		{"reads past the end", replace(reverse, "from[i]", "from[i + 1]"), 64, "element 64 of from is outside of it"},
		{"reads before the beginning", replace(reverse, "from[i]", "from[i - 1]"), 64, "element -1 of from is outside of it"},
		{"writes past the end", replace(reverse, "to[i]", "to[i*2]"), 64, "of to is outside of it"},
		{"leaves shared memory", replace(reverse, "all[63 - i]", "all[64 - i]"), 64, "outside of an array"},
		{"writes its operand", replace(reverse, "to[i] =", "((float*)from)[i] ="), 64, "writes element 0 of from"},
		{"two threads store one element", replace(reverse, "to[i]", "to[i/2]"), 64, "depends on the order"},
		{"a barrier for half the threads", replace(reverse, "__syncthreads", "if (i < 32) __syncthreads"), 64, "only some threads of the block"},
		{"a shuffle for some threads", replace(reverse, "__syncthreads();", "if (i < 40) __syncwarp(); __syncthreads();"), 64, "only some threads of the warp"},
	}
	var source strings.Builder
	var all []cuda.Launch
	for i, c := range cases {
		l := launchOf(fmt.Sprintf("reverse%d", i), c.block)
		source.WriteString(strings.Replace(c.source, "\nreverse(", "\n"+l.Kernel+"(", 1))
		all = append(all, l)
	}
	d, err := Compile(t.TempDir(), source.String(), all)
	if errors.Is(err, ErrNoCompiler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		memory := make([]byte, 512)
		for i := range 64 {
			binary.LittleEndian.PutUint32(memory[4*i:], math.Float32bits(float32(i)+1))
		}
		err = d.Run(memory, all[i:i+1], 3)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "kernel "+all[i].Kernel) {
				t.Errorf("%s: %v; want %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		factor := float32(1)
		if c.source == rounds {
			factor = 3
		}
		for i := range 64 {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(memory[256+4*i:])); got != factor*float32(64-i) {
				t.Fatalf("%s: element %d is %v", c.name, i, got)
			}
		}
	}
}
