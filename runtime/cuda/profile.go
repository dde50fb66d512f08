package cuda

import (
	"fmt"
	"time"

	"netc/runtime"
)

// Launches lists the kernels of a phase's step with what they cost. A kernel's
// Tasks are its blocks.
func (e *Executor) Launches(which *runtime.Phase) []runtime.Launch {
	p, err := e.phaseOf(which)
	if err != nil {
		return nil // a phase without kernels
	}
	var list []runtime.Launch
	for i := range p.launches[p.setup:] {
		l := &p.launches[p.setup+i]
		blocks := l.Grid[0] * l.Grid[1] * l.Grid[2]
		if l.Copy != 0 {
			blocks = max(l.Copy/maxBlock, 1)
		}
		list = append(list, runtime.Launch{Kernel: l.Kernel, Layers: l.Layers, Tasks: blocks,
			Pass: l.Pass, MultiplyAdds: l.MultiplyAdds, Operations: l.Operations, Bytes: l.Bytes})
	}
	return list
}

// TimePass computes a phase as Start does, and gives its time on the device:
// from the start of the graph to its end, uploads left out.
func (e *Executor) TimePass(which *runtime.Phase) (time.Duration, error) {
	return e.timed(which, func(p *phase, s *slot, events []Event) error {
		if err := e.gpu.Record(events[0], e.compute); err != nil {
			return err
		}
		if err := e.gpu.LaunchGraph(s.exec, e.compute); err != nil {
			return err
		}
		return e.gpu.Record(events[1], e.compute)
	}, 2, nil)
}

// TimeKernels computes a phase kernel by kernel and adds each one's time to its
// sum.
func (e *Executor) TimeKernels(which *runtime.Phase, sums []time.Duration) error {
	_, err := e.timed(which, func(p *phase, s *slot, events []Event) error {
		if err := e.bring(p, s); err != nil {
			return err
		}
		for i := range sums {
			if err := e.gpu.Record(events[i], e.compute); err != nil {
				return err
			}
			if err := e.launch(p, p.setup+i, e.compute); err != nil {
				return err
			}
		}
		return e.gpu.Record(events[len(sums)], e.compute)
	}, len(sums)+1, sums)
	return err
}

// TimeSetup computes a phase's setup, which may be there already, and gives the
// number of its kernels and their time.
func (e *Executor) TimeSetup(which *runtime.Phase) (kernels int, took time.Duration, err error) {
	p, err := e.phaseOf(which)
	if err != nil || p.setup == 0 {
		return 0, 0, err
	}
	e.setUp = nil
	took, err = e.once(func() error { return e.makeReady(p) })
	return p.setup, took, err
}

// timed computes a pass with so many events recorded in it, waits, and gives
// the time from the first to the last. It adds the times between neighbours to
// sums, where there are some.
func (e *Executor) timed(which *runtime.Phase, run func(p *phase, s *slot, events []Event) error, count int, sums []time.Duration) (_ time.Duration, err error) {
	p, err := e.phaseOf(which)
	if err != nil {
		return 0, err
	}
	if sums != nil && len(sums) != len(p.launches)-p.setup {
		return 0, fmt.Errorf("%d sums for %d kernels", len(sums), len(p.launches)-p.setup)
	}
	events, err := e.timingEvents(count)
	if err != nil {
		return 0, err
	}
	s := &p.slots[p.next]
	if err := e.release(p, s); err != nil {
		return 0, err
	}
	if err := e.send(s); err != nil {
		return 0, err
	}
	if err := e.makeReady(p); err != nil {
		return 0, err
	}
	if err := run(p, s, events); err != nil {
		return 0, fmt.Errorf("%s phase: %w", p.name, err)
	}
	if err := e.gpu.SynchronizeStream(e.compute); err != nil {
		return 0, e.asynchronous(p, err)
	}
	for i := range sums {
		between, err := e.between(events[i], events[i+1])
		if err != nil {
			return 0, err
		}
		sums[i] += between
	}
	return e.between(events[0], events[count-1])
}

// between is the time from one event to another.
func (e *Executor) between(from, to Event) (time.Duration, error) {
	ms, err := e.gpu.Elapsed(from, to)
	return time.Duration(float64(ms) * float64(time.Millisecond)), err
}

// timingEvents gives events that note the time; they are kept until Close.
func (e *Executor) timingEvents(count int) ([]Event, error) {
	for len(e.timing) < count {
		event, err := e.gpu.NewEvent(true)
		if err != nil {
			return nil, err
		}
		e.timing = append(e.timing, event)
	}
	return e.timing[:count], nil
}

// peakSource has the kernels that measure what a GPU can do at most, for each
// precision. Eight sums a thread, or fragments of sums a warp, hide the latency of
// a multiplication; the constants are such that sums neither grow out of range nor
// end as subnormal numbers.
var peakSource = `extern "C" __global__ void __launch_bounds__(256) netc_float32(float* out)
{
    float a = threadIdx.x, b = 1, c = 2, d = 3, e = 4, f = 5, g = 6, h = 7;
    const float factor = 0.5f, term = blockIdx.x + 1.0f;
#pragma unroll 16
    for (int i = 0; i < 8192; i++) {
        a = fmaf(a, factor, term); b = fmaf(b, factor, term);
        c = fmaf(c, factor, term); d = fmaf(d, factor, term);
        e = fmaf(e, factor, term); f = fmaf(f, factor, term);
        g = fmaf(g, factor, term); h = fmaf(h, factor, term);
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = a + b + c + d + e + f + g + h;
}

extern "C" __global__ void netc_nothing(float* out) {}

#if __CUDA_ARCH__ >= 800
` + productsText("netc_tf32", "m16n8k8.row.col.f32.tf32.tf32.f32", "0x3e000000u") +
	productsText("netc_bf16", "m16n8k16.row.col.f32.bf16.bf16.f32", "0x3e003e00u") + "#endif\n"

// productsText is a kernel whose warps multiply fragments on tensor cores; bits
// are those of numbers about 0.1.
func productsText(kernel, shape, bits string) string {
	return fmt.Sprintf(`extern "C" __global__ void __launch_bounds__(256) %s(float* out)
{
    float sum[8][4] = {};
    unsigned a[4], b[2];
    for (int i = 0; i < 4; i++) a[i] = %[3]s + (threadIdx.x + i) * 0x00030000u;
    for (int i = 0; i < 2; i++) b[i] = (%[3]s + (threadIdx.x + i) * 0x00050000u) ^ (threadIdx.x & 1) << 31;
    for (int i = 0; i < 8192; i++) {
#pragma unroll
        for (int j = 0; j < 8; j++)
            asm volatile("mma.sync.aligned.%[2]s {%%0, %%1, %%2, %%3}, {%%4, %%5, %%6, %%7}, {%%8, %%9}, {%%0, %%1, %%2, %%3};"
                         : "+f"(sum[j][0]), "+f"(sum[j][1]), "+f"(sum[j][2]), "+f"(sum[j][3])
                         : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
    float all = 0;
    for (int j = 0; j < 8; j++) all += sum[j][0] + sum[j][1] + sum[j][2] + sum[j][3];
    out[blockIdx.x * blockDim.x + threadIdx.x] = all;
}
`, kernel, shape, bits)
}

// arithmeticPeaks are the kernels of each precision: what they are, and the
// multiply-adds of a thread in a round of its eight sums. A warp's product has 16
// rows and 8 columns, of 8 or 16 terms.
var arithmeticPeaks = map[string]struct {
	kernel, what string
	each         int
}{
	"float32": {"netc_float32", "fused multiply-adds of float32 numbers in registers, on the GPU", 1},
	"tf32":    {"netc_tf32", "products of tf32 matrices in registers, on the GPU's tensor cores (mma.sync)", 16 * 8 * 8 / 32},
	"bf16":    {"netc_bf16", "products of bf16 matrices in registers, on the GPU's tensor cores (mma.sync)", 16 * 8 * 16 / 32},
}

const (
	peakThreads = 256
	peakRounds  = 8192
	peakSums    = 8
	// peakBlocks a multiprocessor fill it: 2048 threads.
	peakBlocks = 8
	// copiedBytes is what is copied to measure memory: several times the largest
	// cache of a GPU. With less memory free it is less.
	copiedBytes = 512 << 20
	peakTries   = 5
	// nothings is the number of kernels in the graph whose time gives that of
	// one start.
	nothings = 100
)

// Peaks measures multiply-adds in registers, in the precision of the program's
// products, copying memory, and the start of a kernel: the best of several tries
// each.
func (e *Executor) Peaks() (_ runtime.DevicePeaks, err error) {
	processors, err := e.gpu.DeviceAttribute(e.gpu.device, Multiprocessors)
	if err != nil {
		return runtime.DevicePeaks{}, err
	}
	free, _, err := e.gpu.MemoryInfo()
	if err != nil {
		return runtime.DevicePeaks{}, err
	}
	module, err := e.gpu.module(peakSource, "peak.cu", nil)
	if err != nil {
		return runtime.DevicePeaks{}, err
	}
	defer func() {
		if failure := e.gpu.UnloadModule(module); err == nil {
			err = failure
		}
	}()
	blocks := processors * peakBlocks
	bytes := max(min(copiedBytes, int(free/4)), 4*blocks*peakThreads)
	memory, err := e.gpu.Alloc(2 * bytes)
	if err != nil {
		return runtime.DevicePeaks{}, err
	}
	defer func() {
		if failure := e.gpu.Free(memory); err == nil {
			err = failure
		}
	}()
	peak, known := arithmeticPeaks[e.network.Precision]
	if !known {
		peak = arithmeticPeaks["float32"]
	}
	multiply, err := e.gpu.Function(module, peak.kernel)
	if err != nil {
		return runtime.DevicePeaks{}, err
	}
	nothing, err := e.gpu.Function(module, "netc_nothing")
	if err != nil {
		return runtime.DevicePeaks{}, err
	}
	peaks := runtime.DevicePeaks{Device: e.gpu.name, What: peak.what, Processors: processors}
	took, err := e.best(func() error {
		return e.gpu.Launch(multiply, Config{Grid: [3]uint32{uint32(blocks), 1, 1}, Block: [3]uint32{peakThreads, 1, 1}}, e.compute, []Memory{memory})
	})
	if err != nil {
		return peaks, err
	}
	peaks.Arithmetic = float64(2*peak.each*peakSums*peakRounds*peakThreads*blocks) / took.Seconds()
	if took, err = e.best(func() error { return e.gpu.Copy(memory+Memory(bytes), memory, bytes, e.compute) }); err != nil {
		return peaks, err
	}
	peaks.Memory = float64(2*bytes) / took.Seconds()
	peaks.Launch, err = e.timeNothing(nothing, memory)
	return peaks, err
}

// best is the least time that something takes on the compute stream. Where an
// event's clock cannot tell, it is that clock's half microsecond.
func (e *Executor) best(run func() error) (time.Duration, error) {
	var least time.Duration
	for try := range peakTries {
		took, err := e.once(run)
		if err != nil {
			return 0, err
		}
		if try == 0 || took < least {
			least = took
		}
	}
	return max(least, 500*time.Nanosecond), nil
}

// once is the time that something takes on the compute stream.
func (e *Executor) once(run func() error) (time.Duration, error) {
	events, err := e.timingEvents(2)
	if err != nil {
		return 0, err
	}
	if err := e.gpu.Record(events[0], e.compute); err != nil {
		return 0, err
	}
	if err := run(); err != nil {
		return 0, err
	}
	if err := e.gpu.Record(events[1], e.compute); err != nil {
		return 0, err
	}
	if err := e.gpu.SynchronizeEvent(events[1]); err != nil {
		return 0, err
	}
	return e.between(events[0], events[1])
}

// timeNothing is the time of one kernel of a graph of kernels that do nothing.
func (e *Executor) timeNothing(nothing Function, memory Memory) (_ time.Duration, err error) {
	if err := e.gpu.BeginCapture(e.compute); err != nil {
		return 0, err
	}
	var failed error
	for range nothings {
		if failed = e.gpu.Launch(nothing, Config{Grid: [3]uint32{1, 1, 1}, Block: [3]uint32{32, 1, 1}}, e.compute, []Memory{memory}); failed != nil {
			break
		}
	}
	graph, err := e.gpu.EndCapture(e.compute)
	if failed != nil {
		return 0, failed
	}
	if err != nil {
		return 0, err
	}
	exec, err := e.gpu.Instantiate(graph)
	if err != nil {
		return 0, err
	}
	took, err := e.best(func() error { return e.gpu.LaunchGraph(exec, e.compute) })
	for _, failure := range []error{e.gpu.DestroyExec(exec), e.gpu.DestroyGraph(graph)} {
		if err == nil {
			err = failure
		}
	}
	return took / nothings, err
}
