//go:build linux && !nocuda

package cuda_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/runtime"
	"netc/runtime/cuda"
	"netc/runtime/cuda/cudatest"
	"netc/runtime/cuda/dl"
)

// tiny is a program whose kernels the stand-in for a GPU knows:
//
//	scaled = data * rate;  w = w + scaled;  loss = sum of w + iteration
//
// and in its test phase, whose setup is kept = w * rate, in the place of scaled,
// result = the sum of data + kept, + iteration.
type tiny struct {
	runtime.Program
	network      *cuda.Program
	w            []float32
	data, tested runtime.Tensor
	result       []float32
}

func newTiny() *tiny {
	const at, w, rate, iteration, seed, data, scaled, loss, tested, result = 64, 0, 64, 128, 192, 256, 320, 384, 256, 448
	a := runtime.NewArena(512)
	n := &tiny{w: a.F32(w, 4), result: a.F32(result, 1)}
	n.data = runtime.Tensor{Name: "data", Shape: []int{4}, F32: a.F32(data, 4)}
	n.tested = runtime.Tensor{Name: "data", Shape: []int{4}, F32: a.F32(tested, 4)}
	n.Program = runtime.Program{
		Name: "tiny", ISA: "portable", Arena: a, ArenaBytes: a.Bytes(),
		Parameters: []runtime.Parameter{{Tensor: runtime.Tensor{Name: "w", Shape: []int{4}, F32: n.w}}},
		Rate:       a.F32(rate, 1), Iteration: a.I32(iteration, 1), Seed: a.I32(seed, 1),
	}
	total := func(out, in []float32) func(lo, hi int) {
		return func(lo, hi int) { out[0] = in[0] + in[1] + in[2] + in[3] + float32(n.Iteration[0]) }
	}
	temporary := a.F32(scaled, 4)
	n.Train = runtime.Phase{Batch: 4, Inputs: []runtime.Tensor{n.data}, Classes: []int{0}, Loss: a.F32(loss, 1), Schedule: []runtime.Launch{
		{Kernel: "scale", Tasks: 1, Run: func(lo, hi int) {
			for i := range temporary {
				temporary[i] = n.data.F32[i] * n.Rate[0]
			}
		}},
		{Kernel: "increase", Tasks: 1, Run: func(lo, hi int) {
			for i := range temporary {
				n.w[i] += temporary[i]
			}
		}},
		{Kernel: "total", Tasks: 1, Run: total(a.F32(loss, 1), n.w)},
	}}
	n.Train.Arena = a
	n.Test = runtime.Phase{Arena: a, Batch: 4, Inputs: []runtime.Tensor{n.tested}, Classes: []int{0}, Outputs: []runtime.Tensor{{Name: "result", F32: n.result}},
		Setup: []runtime.Launch{{Kernel: "scale", Tasks: 1, Run: func(lo, hi int) {
			for i := range temporary {
				temporary[i] = n.w[i] * n.Rate[0]
			}
		}}},
		Schedule: []runtime.Launch{
			{Kernel: "increase", Tasks: 1, Run: func(lo, hi int) {
				for i := range temporary {
					n.tested.F32[i] += temporary[i]
				}
			}},
			{Kernel: "total", Tasks: 1, Run: total(n.result, n.tested.F32)},
		}}
	one, four := [3]int{1, 1, 1}, [3]int{4, 1, 1}
	n.network = &cuda.Program{
		Name: "tiny.cu", Arena: a.Bytes(), Options: []string{"--std=c++17"},
		Source: `extern "C" __global__ void scale(float* out, const float* in, const float* factor) {}
extern "C" __global__ void increase(float* out, const float* in) {}
extern "C" __global__ void total(float* out, const float* in, const int* offset) {}`,
		Phases: map[string][]cuda.Launch{
			"train": {
				{Kernel: "scale", Layers: "scale1", Grid: one, Block: four, Args: []int{scaled, data, rate}, Pass: "forward", Operations: 4, Bytes: 36},
				{Kernel: "increase", Layers: "ip1 + relu1", Grid: four, Block: one, Shared: 60000, Args: []int{w, scaled}, After: []int{0}, Pass: "update", MultiplyAdds: 4, Bytes: 32},
				{Kernel: "total", Layers: "loss", Grid: one, Block: one, Args: []int{loss, w, iteration}, After: []int{1}, Pass: "forward", Bytes: 24},
			},
			"test": {
				{Kernel: "scale", Layers: "norm", Grid: one, Block: four, Args: []int{scaled, w, rate}},
				{Kernel: "increase", Layers: "norm", Grid: four, Block: one, Args: []int{tested, scaled}, After: []int{0}},
				{Kernel: "total", Layers: "accuracy", Grid: one, Block: one, Args: []int{result, tested, iteration}, After: []int{1}},
			},
		},
		Setup: map[string]int{"test": 1},
	}
	return n
}

var libraries = cuda.Libraries{Driver: dl.OpenDriver, Compiler: dl.OpenCompiler}

// open gives an executor on a stand-in for a GPU, with a cache of its own.
func open(t *testing.T, n *tiny) (runtime.Executor, *cudatest.Fake) {
	t.Helper()
	fake := cudatest.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	e, err := cuda.Open(&n.Program, n.network, libraries)
	if err != nil {
		t.Fatal(err)
	}
	return e, fake
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// train computes steps on an executor, taking losses as they come, and tests in
// between.
func train(t *testing.T, n *tiny, e runtime.Executor, steps int) (losses, results []float32) {
	t.Helper()
	for i := range n.w {
		n.w[i] = float32(i)
	}
	check(t, e.Push([]runtime.Tensor{n.Parameters[0].Tensor}))
	for step := range steps {
		n.Rate[0], n.Iteration[0] = 0.5+float32(step), int32(step)
		inputs, err := e.Feed(&n.Train)
		check(t, err)
		for i := range inputs[0].F32 {
			inputs[0].F32[i] = float32(step*10 + i)
		}
		check(t, e.Start(&n.Train))
		losses, err = e.Losses(losses, false)
		check(t, err)
		if step%3 == 2 {
			inputs, err := e.Feed(&n.Test)
			check(t, err)
			copy(inputs[0].F32, []float32{1, 2, 3, float32(step)})
			check(t, e.Start(&n.Test))
			check(t, e.Pull(n.Test.Outputs))
			results = append(results, n.result[0])
		}
	}
	losses, err := e.Losses(losses, true)
	check(t, err)
	check(t, e.Pull([]runtime.Tensor{n.Parameters[0].Tensor}))
	return losses, results
}

// TestExecutor: a GPU's passes give what the pool's give, in the same order,
// and everything is given back.
func TestExecutor(t *testing.T) {
	want := newTiny()
	pool := runtime.NewPool(1)
	defer pool.Close()
	wantLosses, wantResults := train(t, want, runtime.NewExecutor(&want.Program, pool), 8)
	for name, set := range map[string]string{"as graphs": "", "kernel by kernel": "1"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NETC_CUDA_SYNC", set)
			n := newTiny()
			e, fake := open(t, n)
			losses, results := train(t, n, e, 8)
			if !slices.Equal(losses, wantLosses) || !slices.Equal(results, wantResults) || !slices.Equal(n.w, want.w) {
				t.Errorf("losses %v, results %v, w %v; want %v, %v, %v", losses, results, n.w, wantLosses, wantResults, want.w)
			}
			check(t, e.Close())
			if live := fake.Live(); live != 0 {
				t.Errorf("%d allocations were not freed", live)
			}
		})
	}
}

// TestStepIsOneGraph: a step uploads once, launches one graph, and waits for
// nothing.
func TestStepIsOneGraph(t *testing.T) {
	n := newTiny()
	e, fake := open(t, n)
	defer e.Close()
	opened := fake.Calls()
	// The three scalars and the input lie one after the other: one copy. Then
	// the kernels, and the loss.
	graph := `cuStreamBeginCapture_v2 1 2
cuMemcpyDtoDAsync_v2 dev1+256 dev3 16 stream 1
cuMemcpyDtoDAsync_v2 dev1+64 dev3+64 132 stream 1
cuEventCreate 2
cuEventRecord 3 stream 1
cuLaunchKernel scale grid 1 1 1 block 4 1 1 shared 0 stream 1 extra 0 (dev1+320 dev1+256 dev1+64)
cuEventCreate 2
cuEventRecord 4 stream 1
cuLaunchKernel increase grid 4 1 1 block 1 1 1 shared 60000 stream 1 extra 0 (dev1 dev1+320)
cuEventRecord 4 stream 1
cuLaunchKernel total grid 1 1 1 block 1 1 1 shared 0 stream 1 extra 0 (dev1+384 dev1 dev1+128)
cuMemcpyDtoHAsync_v2 pinned4 dev1+384 4 stream 1
cuStreamEndCapture 1
cuGraphInstantiateWithFlags 1 0
cuGraphDestroy 1
`
	if !strings.Contains(opened, graph) {
		t.Errorf("Open captured\n%swant in it\n%s", opened, graph)
	}
	if !strings.Contains(opened, "cuFuncSetAttribute increase 8 60000\n") || strings.Contains(opened, "cuFuncSetAttribute total") {
		t.Errorf("shared memory is allowed wrongly:\n%s", opened)
	}
	want := `cuMemcpyHtoDAsync_v2 dev3 pinned2 256 stream 2
cuEventRecord 1 stream 2
cuStreamWaitEvent 1 1 0
cuGraphLaunch 1 stream 1
cuEventRecord 2 stream 1
`
	_, err := e.Feed(&n.Train)
	check(t, err)
	check(t, e.Start(&n.Train))
	if got := fake.Calls(); got != want {
		t.Errorf("the first step calls\n%swant\n%s", got, want)
	}
}

// TestGraphBranches: kernels that do not wait for each other are captured on
// streams of their own, and the graph waits for all of them.
func TestGraphBranches(t *testing.T) {
	n := newTiny()
	launches := n.network.Phases["train"]
	launches[1].After, launches[2].After = nil, []int{0, 1}
	n.network.Phases["train"] = append(launches, launches[0])
	e, fake := open(t, n)
	defer e.Close()
	opened := fake.Calls()
	begin := strings.Index(opened, "cuLaunchKernel")
	end := strings.Index(opened, "cuMemcpyDtoHAsync_v2")
	want := `cuLaunchKernel scale grid 1 1 1 block 4 1 1 shared 0 stream 1 extra 0 (dev1+320 dev1+256 dev1+64)
cuEventCreate 2
cuEventRecord 4 stream 1
cuStreamWaitEvent 3 3 0
cuLaunchKernel increase grid 4 1 1 block 1 1 1 shared 60000 stream 3 extra 0 (dev1 dev1+320)
cuEventCreate 2
cuEventRecord 5 stream 3
cuStreamWaitEvent 3 4 0
cuLaunchKernel total grid 1 1 1 block 1 1 1 shared 0 stream 3 extra 0 (dev1+384 dev1 dev1+128)
cuStreamWaitEvent 4 3 0
cuLaunchKernel scale grid 1 1 1 block 4 1 1 shared 0 stream 4 extra 0 (dev1+320 dev1+256 dev1+64)
cuEventRecord 5 stream 3
cuStreamWaitEvent 1 5 0
cuEventRecord 5 stream 4
cuStreamWaitEvent 1 5 0
`
	if got := opened[begin:end]; got != want {
		t.Errorf("captured\n%swant\n%s", got, want)
	}
}

// TestSetupIsLaunchedOnce: before the first step of a phase, and again when
// another phase was started or tensors were pushed. It is no part of the graph.
func TestSetupIsLaunchedOnce(t *testing.T) {
	n := newTiny()
	e, fake := open(t, n)
	defer e.Close()
	if captured := fake.Calls(); strings.Contains(captured, "(dev1+320 dev1 dev1+64)") {
		t.Errorf("a graph has the setup:\n%s", captured)
	}
	start := func(phase *runtime.Phase) {
		t.Helper()
		_, err := e.Feed(phase)
		check(t, err)
		check(t, e.Start(phase))
	}
	const setup = "cuLaunchKernel scale grid 1 1 1 block 4 1 1 shared 0 stream 1 extra 0 (dev1+320 dev1 dev1+64)\ncuGraphLaunch"
	for _, c := range []struct {
		when string
		do   func()
		want int
	}{
		{"at first", func() {}, 1},
		{"again", func() {}, 0},
		{"after a training step", func() { start(&n.Train) }, 1},
		{"after a push", func() { check(t, e.Push([]runtime.Tensor{n.Parameters[0].Tensor})) }, 1},
		{"after a pull", func() { check(t, e.Pull(n.Test.Outputs)) }, 0},
	} {
		c.do()
		start(&n.Test)
		if calls := fake.Calls(); strings.Count(calls, setup) != c.want {
			t.Errorf("%s the setup is launched %d times, want %d:\n%s", c.when, strings.Count(calls, setup), c.want, calls)
		}
	}
}

// TestSharedKernel: a kernel of several launches is allowed the most that one
// of them asks for, whatever their order.
func TestSharedKernel(t *testing.T) {
	n := newTiny()
	more, less := n.network.Phases["train"][1], n.network.Phases["train"][1]
	more.Shared, less.Shared = 90000, 50000
	n.network.Phases["train"] = append(n.network.Phases["train"], more, less)
	e, fake := open(t, n)
	check(t, e.Close())
	var set []string
	for line := range strings.Lines(fake.Calls()) {
		if strings.HasPrefix(line, "cuFuncSetAttribute") {
			set = append(set, strings.TrimSpace(line))
		}
	}
	const want = "cuFuncSetAttribute increase 8 90000"
	if len(set) == 0 || slices.ContainsFunc(set, func(call string) bool { return call != want }) {
		t.Errorf("shared memory is allowed by %q, want %q only", set, want)
	}
}

// TestLossesComeLate: passes that are not over are not waited for, and a slot
// that is used again keeps the loss of its last pass.
func TestLossesComeLate(t *testing.T) {
	n := newTiny()
	e, fake := open(t, n)
	defer e.Close()
	var losses []float32
	for step := range 4 {
		fake.Busy(1)
		n.Iteration[0] = int32(step)
		_, err := e.Feed(&n.Train) // of the third step on waits for the one before the last
		check(t, err)
		check(t, e.Start(&n.Train))
		fake.Busy(1)
		losses, err = e.Losses(losses, false)
		check(t, err)
		if len(losses) != max(step-1, 0) {
			t.Errorf("after step %d there are losses %v", step, losses)
		}
	}
	losses, err := e.Losses(losses, true)
	check(t, err)
	if !slices.Equal(losses, []float32{0, 1, 2, 3}) {
		t.Errorf("losses %v", losses)
	}
	if losses, err = e.Losses(losses[:0], true); len(losses) != 0 || err != nil {
		t.Errorf("taken again: %v, %v", losses, err)
	}
}

// TestErrorsName makes calls fail and holds the messages against what they must
// say.
func TestErrorsName(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(f *cudatest.Fake, n *tiny)
		want    []string
	}{
		"no device": {func(f *cudatest.Fake, n *tiny) { f.Machine(0, 12040, 9, 0) }, []string{"--device cuda: no GPU", "cuInit", "(100)", "help:"}},
		"driver and kernel module differ": {func(f *cudatest.Fake, n *tiny) { f.Fail("cuInit", 803, 0) },
			[]string{"does not fit", "(803)", "help: restart"}},
		"broken driver": {func(f *cudatest.Fake, n *tiny) { f.Fail("cuInit", 999, 0) }, []string{"does not start", "nvidia-smi"}},
		"old driver": {func(f *cudatest.Fake, n *tiny) { f.Machine(1, 10020, 9, 0) },
			[]string{"driver is too old", "CUDA 10.2", "help: install a driver for CUDA 11.4"}},
		"old GPU": {func(f *cudatest.Fake, n *tiny) { f.Machine(1, 12040, 6, 1) },
			[]string{"GPU is too old", "Fake GPU 0 has compute capability 6.1", "compiles for 7.5 and newer"}},
		"mistake in the source": {func(f *cudatest.Fake, n *tiny) { n.network.Source += "\n#error wrong" }, []string{"NVRTC cannot compile tiny.cu", "tiny.cu(4): error"}},
		"compiler newer than driver": {func(f *cudatest.Fake, n *tiny) { f.Fail("cuModuleLoadDataEx", 222, 0) },
			[]string{"compiler and the driver do not fit", "for CUDA 12.4", "NVRTC 12.4", "help: install NVRTC 12 or older"}},
		"kernel is missing": {func(f *cudatest.Fake, n *tiny) { n.network.Phases["train"][1].Kernel = "decrease" },
			[]string{"cuModuleGetFunction (decrease) of kernel decrease, which computes ip1 + relu1: FAKE_ERROR_500"}},
		"out of memory": {func(f *cudatest.Fake, n *tiny) { f.Fail("cuMemAlloc_v2", 2, 0) },
			[]string{"the network needs 0 MiB on the GPU, of whose 81920 MiB 71680 are free: use a smaller batch", "cuMemAlloc"}},
		"too much shared memory": {func(f *cudatest.Fake, n *tiny) { n.network.Phases["train"][1].Shared = 300000 },
			[]string{"kernel increase, which computes ip1 + relu1, needs 300000 bytes", "Fake GPU 0 has 232448"}},
		"shared memory is refused": {func(f *cudatest.Fake, n *tiny) { f.Fail("cuFuncSetAttribute", 1, 0) },
			[]string{"cuFuncSetAttribute (attribute 8 to 60000) of kernel increase, which computes ip1 + relu1: FAKE_ERROR_1 (1)"}},
		"launch fails": {func(f *cudatest.Fake, n *tiny) { f.Fail("cuLaunchKernel", 701, 2) },
			[]string{"cuLaunchKernel of kernel total, which computes loss: FAKE_ERROR_701 (701): fault 701 on demand"}},
		"an argument outside": {func(f *cudatest.Fake, n *tiny) { n.network.Phases["train"][0].Args[0] = 512 }, []string{"tiny.cu, phase train, kernel scale: argument at byte 512 of an arena of 512"}},
		"a block of 2000":     {func(f *cudatest.Fake, n *tiny) { n.network.Phases["train"][0].Block[0] = 2000 }, []string{"kernel scale: a block of [2000 1 1] threads"}},
		"an empty grid":       {func(f *cudatest.Fake, n *tiny) { n.network.Phases["train"][0].Grid[1] = 0 }, []string{"kernel scale: a grid of [1 0 1] blocks"}},
		"clusters do not fit": {func(f *cudatest.Fake, n *tiny) { n.network.Phases["train"][0].Cluster = [3]int{2, 1, 1} }, []string{"clusters of [2 1 1] do not divide"}},
		"a copy out of bounds": {func(f *cudatest.Fake, n *tiny) {
			n.network.Phases["train"][0].Copy = 1000
			n.network.Phases["train"][0].Args = []int{0, 64}
		}, []string{"a copy of 1000 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTiny()
			fake := cudatest.New(t)
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			c.prepare(fake, n)
			e, err := cuda.Open(&n.Program, n.network, libraries)
			if err == nil {
				e.Close()
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error\n%v\nlacks %q", err, want)
				}
			}
			if live := fake.Live(); live != 0 {
				t.Errorf("%d allocations were not freed", live)
			}
		})
	}
}

// TestKernelFaults: what a kernel does wrong shows later, in a call that waits.
func TestKernelFaults(t *testing.T) {
	for set, want := range map[string]string{
		"":  "train phase: cuEventSynchronize: FAKE_ERROR_700 (700): fault 700 on demand\n help: with NETC_CUDA_SYNC=1",
		"1": "train phase: cuStreamSynchronize of kernel increase, which computes ip1 + relu1: FAKE_ERROR_700",
	} {
		t.Setenv("NETC_CUDA_SYNC", set)
		n := newTiny()
		e, fake := open(t, n)
		fake.Calls()
		fake.Fail("cuEventSynchronize", 700, 0)
		if set != "" {
			fake.Fail("cuStreamSynchronize", 700, 1)
		}
		err := e.Start(&n.Train)
		if err == nil {
			_, err = e.Losses(nil, true)
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		e.Close()
	}
}

// TestEveryFailureIsReported lets every call of the driver fail in turn, in
// opening, two steps and closing.
func TestEveryFailureIsReported(t *testing.T) {
	use := func(n *tiny) error {
		e, err := cuda.Open(&n.Program, n.network, libraries)
		if err != nil {
			return err
		}
		for range 3 {
			if _, err = e.Feed(&n.Train); err == nil {
				err = e.Start(&n.Train)
			}
			if err == nil {
				_, err = e.Losses(nil, false)
			}
			if err != nil {
				e.Close()
				return err
			}
		}
		if _, err = e.Losses(nil, true); err == nil {
			err = e.Pull(n.Train.Inputs)
		}
		if failure := e.Close(); err == nil {
			err = failure
		}
		return err
	}
	unused := []string{"cuCtxSynchronize", "cuMemGetInfo_v2", "cuFuncGetAttribute", "cuOccupancyMaxActiveBlocksPerMultiprocessor", "cuLaunchKernelEx", "cuGraphGetNodes", "cuEventElapsedTime"}
	fake := cudatest.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, symbol := range cudatest.Symbols() {
		fake.Calls()
		fake.Fail(symbol, 77, 0)
		if symbol == "cuEventSynchronize" {
			fake.Busy(5)
		}
		err := use(newTiny())
		if slices.Contains(unused, symbol) {
			continue
		}
		call := strings.TrimSuffix(symbol, "_v2")
		if err == nil || !strings.Contains(err.Error(), call) || !strings.Contains(err.Error(), "FAKE_ERROR_77") {
			t.Errorf("%s failing gives %v", symbol, err)
		}
	}
}

// TestCache: machine code is compiled once for a source, its options and a
// kind of GPU, and again where the file in the cache is damaged or refused.
func TestCache(t *testing.T) {
	fake := cudatest.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	compiles := func(n *tiny) []string {
		t.Helper()
		fake.CompilerCalls()
		e, err := cuda.Open(&n.Program, n.network, libraries)
		check(t, err)
		check(t, e.Close())
		var list []string
		for line := range strings.Lines(fake.CompilerCalls()) {
			if strings.HasPrefix(line, "nvrtcCompileProgram ") {
				list = append(list, strings.TrimSpace(line))
			}
		}
		return list
	}
	expect := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: compiled %q, want %q", what, got, want)
		}
	}
	const cores = " --split-compile=0"
	const sm90 = "nvrtcCompileProgram --gpu-architecture=sm_90 --std=c++17" + cores
	expect("first", compiles(newTiny()), sm90)
	expect("again", compiles(newTiny()))
	changed := newTiny()
	changed.network.Source += "\n// another text"
	expect("another source", compiles(changed), sm90)
	changed.network.Options = nil
	expect("other options", compiles(changed), "nvrtcCompileProgram --gpu-architecture=sm_90"+cores)
	fake.Machine(1, 12040, 8, 6)
	expect("a GPU of the generation of sm_80", compiles(newTiny()), "nvrtcCompileProgram --gpu-architecture=sm_80 --std=c++17"+cores)
	fake.Machine(1, 12040, 10, 0)
	expect("a GPU that is newer than the compiler", compiles(newTiny()), "nvrtcCompileProgram --gpu-architecture=compute_90 --std=c++17"+cores)
	fake.Machine(1, 12040, 9, 0)
	fake.CompilerVersion(12, 6)
	expect("another compiler", compiles(newTiny()), sm90)
	fake.CompilerVersion(11, 8)
	expect("a compiler that uses one core", compiles(newTiny()), strings.TrimSuffix(sm90, cores))
	fake.CompilerVersion(12, 6)
	fake.Calls()
	fake.Fail("cuModuleLoadDataEx", 209, 0)
	n := newTiny()
	fake.CompilerCalls()
	if _, err := cuda.Open(&n.Program, n.network, libraries); err == nil {
		t.Error("a refused image went unnoticed") // refused from the cache, and again when compiled
	}
	if !strings.Contains(fake.CompilerCalls(), "nvrtcCompileProgram") {
		t.Error("an image that the driver refuses was not compiled again")
	}
	fake.Calls()
	expect("after that", compiles(newTiny()))
	cache, err := os.UserCacheDir()
	check(t, err)
	files, err := filepath.Glob(filepath.Join(cache, "netc", "cubin", "*"))
	check(t, err)
	if len(files) != 7 {
		t.Errorf("the cache has %d files, want 7: %v", len(files), files)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		check(t, err)
		check(t, os.WriteFile(file, content[:len(content)-1], 0o666))
	}
	expect("damaged", compiles(newTiny()), sm90)
	expect("and whole again", compiles(newTiny()))
	// Without a place for a cache everything works, once for each start.
	t.Setenv("XDG_CACHE_HOME", filepath.Join(files[0], "no-folder"))
	expect("no cache", compiles(newTiny()), sm90)
}

// TestNoLibraries: what is missing is said before anything else is tried.
func TestNoLibraries(t *testing.T) {
	n := newTiny()
	missing := &cuda.MissingError{What: "no NVIDIA driver"}
	_, err := cuda.Open(&n.Program, n.network, cuda.Libraries{Driver: func() (cuda.Driver, error) { return nil, missing }, Compiler: dl.OpenCompiler})
	if !errors.Is(err, missing) {
		t.Errorf("got %v", err)
	}
	fake := cudatest.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	library, err := os.ReadFile(filepath.Join(fake.Folder, cudatest.DriverLibrary))
	check(t, err)
	alone := t.TempDir()
	check(t, os.WriteFile(filepath.Join(alone, cudatest.DriverLibrary), library, 0o777))
	t.Setenv(dl.PathVariable, alone)
	_, err = cuda.Open(&n.Program, n.network, libraries)
	var absent *cuda.MissingError
	if err == nil {
		t.Skip("this machine has NVRTC where the loader finds it")
	}
	if !errors.As(err, &absent) || absent.What != "no CUDA compiler" || !strings.Contains(err.Error(), "libnvrtc.so.12") {
		t.Errorf("got %v", err)
	}
}
