package runtime

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// smallPeaks measures quickly, and nothing worth knowing.
func smallPeaks(pool *Pool) *peaks { return newPeaks(pool, isaPortable, 1<<10, 1<<16) }

func TestTimeCommand(t *testing.T) {
	network := newTinyNetwork(6, 3)
	code, stdout, stderr := invoke(t, network, t.Context(), "time", "--phase", "all", "--iterations", "20", "--threads", "2", "--json")
	if code != exitDone || !strings.Contains(stderr, "measuring 20 steps of the train phase on 2 threads") {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one a phase: %s", len(lines), stdout)
	}
	train := keysOf(t, lines[0])
	for _, key := range []string{"name", "device", "isa", "threads", "batch", "phase", "step_ms", "samples_per_second", "gflops", "peak_gflops", "fraction_of_peak", "kernels"} {
		if _, there := train[key]; !there {
			t.Errorf("JSON lacks %s: %s", key, lines[0])
		}
	}
	var outcomes [2]TimeOutcome
	for n := range outcomes {
		if err := json.Unmarshal([]byte(lines[n]), &outcomes[n]); err != nil {
			t.Fatal(err)
		}
	}
	o := outcomes[0]
	if o.Name != "tiny" || o.Device != "cpu" || o.ISA != "portable" || o.Threads != 2 || o.Batch != 6 || o.Phase != "train" || o.Iterations != 20 || o.Seed != 1 {
		t.Errorf("JSON %s", lines[0])
	}
	if outcomes[1].Phase != "test" || len(outcomes[1].Kernels) != 1 || outcomes[1].Batch != 8 {
		t.Errorf("JSON %s", lines[1])
	}
	// Three batches of two products of 6*4 make a step.
	if o.Flops != 3*2*2*6*4 || len(o.Kernels) != 4 || o.Kernels[0].Launches != 3 || o.Kernels[3].Launches != 1 {
		t.Errorf("%d operations of kernels %+v", o.Flops, o.Kernels)
	}
	near := func(what string, got, want Number) {
		if math.Abs(float64(got-want)) > 1e-9*math.Abs(float64(want)) || want <= 0 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("samples a second", o.SamplesPerSecond, 3*6*1000/o.StepMS.Median)
	near("GFLOP/s", o.GFlops, Number(o.Flops)/o.StepMS.Median/1e6)
	near("the fraction of the peak", o.FractionOfPeak, o.GFlops/o.PeakGFlops)
	if o.StepMS.Min > o.StepMS.Median || o.StepMS.Median > o.StepMS.Max {
		t.Errorf("spread %+v", o.StepMS)
	}
	sum := Number(0)
	for _, l := range o.Layers {
		sum += l.MS
	}
	near("the layers' time", sum, o.KernelsMS)

	code, stdout, stderr = invoke(t, newTinyNetwork(6, 3), t.Context(), "time", "--iterations", "3", "--quiet")
	if code != exitDone || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{"tiny, train phase: a batch of 6", "median of 3", "forward x3", "(solver)", "backward  update", "all kernels", "dispatch"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the text lacks %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "test phase") {
		t.Errorf("the test phase was measured too:\n%s", stdout)
	}
}

func TestTimeRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"the phases are train and test, or all": {"--phase", "both"},
		"--iterations is at least 1":            {"--iterations", "-1"},
		"leave --data out":                      {"--data", "digits"},
	} {
		if code, stdout, stderr := invoke(t, newTinyNetwork(6, 1), t.Context(), append([]string{"time"}, args...)...); code != exitUsage || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%v: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
	network := newTinyNetwork(6, 1)
	network.Test.Schedule = nil
	if code, _, stderr := invoke(t, network, t.Context(), "time", "--phase", "test"); code != exitFailed || !strings.Contains(stderr, "no test phase") {
		t.Errorf("without a test phase: exit %d: %s", code, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, stdout, _ := invoke(t, newTinyNetwork(6, 1), ctx, "time", "--iterations", "5"); code != exitInterrupted || stdout != "" {
		t.Errorf("interrupted: exit %d: %s", code, stdout)
	}
}

// TestStepTimerTrains checks that measured steps are training steps: they feed
// labels within their range, change the parameters and start again.
func TestStepTimerTrains(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	network := newTinyNetwork(6, 2)
	if err := Fill(network.Parameters, 1, pool); err != nil {
		t.Fatal(err)
	}
	setScalar(network.Rate, 0.5)
	start := append([]float32{}, network.Parameters[0].F32...)
	var batches []int
	network.onStep = func(batch int) { batches = append(batches, batch) }
	s := newStepTimer(&network.Program, "train", 7, smallPeaks(pool))
	seen := map[int32]bool{}
	for _, label := range network.Train.Inputs[1].I32 {
		seen[label] = true
	}
	if !seen[0] || !seen[1] || len(seen) != 2 {
		t.Errorf("labels %v", network.Train.Inputs[1].I32)
	}
	for i, x := range network.Train.Inputs[0].F32 {
		if x < 0 || x >= 1 || i > 0 && x == network.Train.Inputs[0].F32[i-1] {
			t.Errorf("input %v at %d", x, i)
		}
	}
	s.step()
	s.round()
	if network.Parameters[0].F32[0] == start[0] {
		t.Error("steps do not train")
	}
	for n, batch := range batches { // three steps of two batches
		if batch != n || len(batches) != 6 {
			t.Fatalf("batches %v", batches)
		}
	}
	s.restart()
	for i, w := range network.Parameters[0].F32 {
		if w != start[i] || network.State[0].F32[i] != 0 {
			t.Errorf("weight %d is %v after starting again, %v before", i, w, start[i])
		}
	}
	network.Train.Loss[0] = float32(math.NaN())
	if !isFinite(1) || isFinite(network.Train.Loss[0]) || isFinite(float32(math.Inf(1))) {
		t.Error("isFinite")
	}
}

func TestStepTimerDoesNotAllocate(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	network := newTinyNetwork(6, 2)
	s := newStepTimer(&network.Program, "train", 1, smallPeaks(pool))
	const runs = 20
	if err := s.measure(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	s.steps = s.steps[:0]
	for k := range s.kernels {
		s.kernels[k] = s.kernels[k][:0]
	}
	if allocations := testing.AllocsPerRun(runs-1, s.round); allocations != 0 { // and one to warm up
		t.Errorf("a round allocates %v times", allocations)
	}
	if allocations := testing.AllocsPerRun(3, s.peaks.measure); allocations != 0 {
		t.Errorf("measuring the peaks allocates %v times", allocations)
	}
}

func TestBoundsAndSpreads(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	peak := &peaks{pool: pool, processors: pool.Threads(), arithmetic: 10e9, memory: 20e9, launch: time.Microsecond}
	for _, c := range []struct {
		took               time.Duration
		tasks, flops, size int
		want               string
	}{
		{time.Millisecond, 2, 1e6, 1e6, "arithmetic"}, // 100 µs against 50 µs
		{time.Millisecond, 2, 1e6, 4e6, "memory"},
		{time.Millisecond, 2, 0, 8e6, "memory"},
		{time.Millisecond, 2, 1e3, 1e3, "dispatch"}, // 100 ns and 50 ns against 1 µs
		{time.Millisecond, 1, 1e6, 1e6, "dispatch"},
		{4 * time.Microsecond, 2, 1e6, 1e6, "dispatch"},
	} {
		if got := boundOf(c.took, c.tasks, c.flops, c.size, peak); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for layers, want := range map[string]string{"": "(solver)", "a + b + c": "a + b + c", "a + b + c + d": "a + b and 2 more"} {
		if got := layersText(layers); got != want {
			t.Errorf("layers %q, want %q", got, want)
		}
	}
	for _, c := range []struct {
		times []time.Duration
		want  Spread
	}{
		{[]time.Duration{3e6}, Spread{3, 3, 3}},
		{[]time.Duration{4e6, 1e6, 2e6}, Spread{2, 1, 4}},
		{[]time.Duration{4e6, 1e6, 2e6, 3e6}, Spread{2.5, 1, 4}},
	} {
		if got := spreadOf(c.times); got != c.want {
			t.Errorf("spread %+v, want %+v", got, c.want)
		}
	}
}

// TestPeaks checks that the arithmetic loop really carries as many sums as it
// is credited with: one more sum would change its total.
func TestPeaks(t *testing.T) {
	// After n rounds the sum that started at s is 2 + (s-2)/2^n, with factor 1/2
	// and term 1.
	want := float32(0)
	for s := 1; s <= chains; s++ {
		want += 2 + (float32(s)-2)/8
	}
	if got := multiplyAdd(3, 0.5, 1); got != want {
		t.Errorf("total %v, want %v", got, want)
	}
	pool := NewPool(3)
	defer pool.Close()
	p := smallPeaks(pool)
	p.from[5], p.from[len(p.from)/3*3-1] = 1, 2
	p.measure()
	if p.arithmetic <= 0 || p.memory <= 0 || p.launch <= 0 || p.to[5] != 1 || p.to[len(p.from)/3*3-1] != 2 {
		t.Errorf("%v operations and %v bytes a second", p.arithmetic, p.memory)
	}
	before := *p
	p.measure()
	if p.arithmetic < before.arithmetic || p.memory < before.memory || p.launch > before.launch {
		t.Error("a later measurement made a peak worse")
	}
}
