package runtime

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// TimeOutcome is where the time of one phase goes, as --json prints it. A step
// is what training repeats: the batches of one update and the update, or one
// test batch. Everything was measured in the same run on the same threads.
type TimeOutcome struct {
	Name             string       `json:"name"`
	Device           string       `json:"device"`
	Processor        string       `json:"processor,omitempty"` // the name of an accelerator
	ISA              string       `json:"isa"`
	Threads          int          `json:"threads"`
	Seed             int32        `json:"seed"`
	Batch            int          `json:"batch"`
	Phase            string       `json:"phase"`
	Iterations       int          `json:"iterations"` // steps measured as a whole, and as many by kernels
	StepMS           Spread       `json:"step_ms"`    // of whole steps
	SamplesPerSecond Number       `json:"samples_per_second"`
	SetupKernels     int          `json:"setup_kernels"` // what a step finds done, see Phase.Setup
	SetupMS          Number       `json:"setup_ms"`      // their time together, median
	Flops            int          `json:"flops"`         // of a step: two for each multiply-add of a convolution or product
	GFlops           Number       `json:"gflops"`        // those a second, in 10^9
	PeakGFlops       Number       `json:"peak_gflops"`   // see PeakOf
	FractionOfPeak   Number       `json:"fraction_of_peak"`
	PeakOf           string       `json:"peak_of"`                   // what was measured as the peak
	PeakBandwidth    Number       `json:"peak_gigabytes_per_second"` // of copying memory
	LaunchUS         Number       `json:"launch_us"`                 // microseconds to start and end a kernel that does nothing
	KernelsMS        Number       `json:"kernels_ms"`                // the kernels' times together
	Kernels          []KernelTime `json:"kernels"`                   // in the order of the schedule
	Layers           []LayerTime  `json:"layers"`
}

// Spread is how far measurements of one thing lie apart.
type Spread struct {
	Median Number `json:"median"`
	Min    Number `json:"min"`
	Max    Number `json:"max"`
}

// KernelTime is one kernel of the schedule.
type KernelTime struct {
	Name           string `json:"name"`
	Layers         string `json:"layers"`
	Pass           string `json:"pass"`
	Launches       int    `json:"launches"` // in a step
	Tasks          int    `json:"tasks"`
	MS             Number `json:"ms"`    // of one launch, median
	Share          Number `json:"share"` // of all launches in the time of a step
	Flops          int    `json:"flops"` // two for each multiply-add, or the kernel's other arithmetic
	GFlops         Number `json:"gflops"`
	Bytes          int    `json:"bytes"` // of the tensors read and written, each once
	Bandwidth      Number `json:"gigabytes_per_second"`
	FractionOfPeak Number `json:"fraction_of_peak"` // of the arithmetic peak
	OfBandwidth    Number `json:"fraction_of_peak_bandwidth"`
	Bound          string `json:"bound"` // "arithmetic", "memory" or "dispatch"
}

// LayerTime sums the kernels that compute the same layers.
type LayerTime struct {
	Layers string            `json:"layers"`
	MS     Number            `json:"ms"`     // in a step
	Share  Number            `json:"share"`  // of the time of a step
	Passes map[string]Number `json:"passes"` // ms by part of the step, named as in KernelTime.Pass
}

const (
	// dispatchTime is the time below which a kernel's start and the threads'
	// meeting at its end weigh more than its work.
	dispatchTime = 5 * time.Microsecond
	// timeBudget is how long the steps of a phase are measured when the command
	// line gives no number of iterations, which then lies between the others.
	timeBudget      = 2 * time.Second
	leastIterations = 10
	mostIterations  = 1000
)

// time says where the time of a step goes, on random inputs.
func (i *invocation) time(args []string) (err error) {
	var phaseName string
	var iterations int
	i.flags.StringVar(&phaseName, "phase", "", "`phase` to measure: train, test, or all, which prints one JSON object a line (default train, or test where there is no other)")
	i.flags.IntVar(&iterations, "iterations", 0, fmt.Sprintf("`number` of steps to measure (default as many as take %v)", timeBudget))
	if err := i.parse(args); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]string{"", "train", "test", "all"}, phaseName):
		return usageError{fmt.Sprintf("--phase %s: the phases are train and test, or all", phaseName)}
	case iterations < 0:
		return usageError{"--iterations is at least 1"}
	case i.data != "":
		return usageError{"time measures on random inputs: leave --data out"}
	}
	program, err := i.network()
	if err != nil {
		return err
	}
	var names []string
	for _, p := range []struct {
		name  string
		phase *Phase
	}{{"train", &program.Train}, {"test", &program.Test}} {
		exists := len(p.phase.Schedule) > 0
		switch {
		case phaseName == p.name && !exists:
			return fmt.Errorf("network %s has no %s phase", program.Name, p.name)
		case phaseName == p.name, phaseName == "all" && exists, phaseName == "" && exists && len(names) == 0:
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("network %s computes nothing", program.Name)
	}
	pool := NewPool(i.threads)
	defer pool.Close()
	executor, err := i.executor(program, pool)
	if err != nil {
		return err
	}
	defer closeExecutor(executor, &err)
	if err := i.fill(program, pool); err != nil {
		return err
	}
	timePhase, err := i.phaseTimer(program, pool, executor)
	if err != nil {
		return err
	}
	for n, name := range names {
		outcome, err := timePhase(name, iterations)
		if err != nil {
			return err
		}
		text := timeText(outcome)
		if n > 0 {
			text = "\n" + text
		}
		if err := i.print(outcome, text); err != nil {
			return err
		}
	}
	return nil
}

// phaseTimer gives what measures one phase of a program.
func (i *invocation) phaseTimer(program *Program, pool *Pool, executor Executor) (func(name string, iterations int) (*TimeOutcome, error), error) {
	profiler, isDevice := executor.(Profiler)
	if !isDevice {
		peak := newPeaks(pool, program.ISA, multiplyRounds, copiedBytes)
		return func(name string, iterations int) (*TimeOutcome, error) {
			return i.timePhase(program, name, iterations, peak)
		}, nil
	}
	peak, err := profiler.Peaks()
	return func(name string, iterations int) (*TimeOutcome, error) {
		return i.timeOnDevice(program, name, iterations, profiler, peak)
	}, err
}

// timePhase measures one phase; 0 iterations are as many as take timeBudget.
func (i *invocation) timePhase(program *Program, name string, iterations int, peak *peaks) (*TimeOutcome, error) {
	rate, err := RateAt(program.Config.Solver, max(program.Config.Train.Iterations, 1))
	if err != nil {
		return nil, err
	}
	setScalar(program.Rate, float32(rate(0)))
	s := newStepTimer(program, name, int32(i.seed), peak)
	if iterations == 0 {
		iterations = s.iterationsFor(timeBudget)
	}
	i.progress.say("measuring %d steps of the %s phase on %d threads …", iterations, name, i.threads)
	if err := s.measure(i.ctx, iterations); err != nil {
		return nil, err
	}
	if s.diverged {
		fmt.Fprintln(i.progress, "note: training on the random data diverged: some steps computed with values that are no numbers")
	}
	outcome := s.outcome()
	outcome.Name, outcome.Device, outcome.ISA, outcome.Seed = program.Name, i.device, program.ISA, int32(i.seed)
	return outcome, nil
}

// spreadOf gives the median, least and greatest time in milliseconds. It sorts
// times, of which there is at least one.
func spreadOf(times []time.Duration) Spread {
	slices.Sort(times)
	return Spread{Median: inMS(medianOf(times)), Min: inMS(times[0]), Max: inMS(times[len(times)-1])}
}

// medianOf takes sorted times.
func medianOf(times []time.Duration) time.Duration {
	middle := len(times) / 2
	if len(times)%2 == 1 {
		return times[middle]
	}
	return (times[middle-1] + times[middle]) / 2
}

func inMS(d time.Duration) Number { return Number(milliseconds(d, 1)) }

// boundOf says what holds a kernel back. It is its dispatch, where it has too
// few tasks to occupy every thread or takes less than dispatchTime. Otherwise it
// is what alone would take longest: its arithmetic at the peak, its bytes at the
// peak, or the start of a kernel.
func boundOf(took time.Duration, tasks, flops, bytes int, peak *peaks) string {
	arithmetic, memory := float64(flops)/peak.arithmetic, float64(bytes)/peak.memory
	switch {
	case took < dispatchTime || tasks < peak.processors || peak.launch.Seconds() > max(arithmetic, memory):
		return "dispatch"
	case arithmetic >= memory:
		return "arithmetic"
	}
	return "memory"
}

// isFinite reports whether a loss is a finite number.
func isFinite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

// outcome works out what the measurements say.
func (s *stepTimer) outcome() *TimeOutcome {
	o := &TimeOutcome{Threads: s.peaks.processors, Batch: s.phase.Batch, Phase: s.name, Iterations: len(s.steps), StepMS: spreadOf(s.steps),
		PeakGFlops: Number(s.peaks.arithmetic / 1e9), PeakOf: s.peaks.loop.what, PeakBandwidth: Number(s.peaks.memory / 1e9), LaunchUS: inMS(s.peaks.launch) * 1000}
	if s.setupKernels > 0 {
		slices.Sort(s.setups)
		o.SetupKernels, o.SetupMS = s.setupKernels, inMS(medianOf(s.setups))
	}
	step := medianOf(s.steps)
	o.SamplesPerSecond = Number(perSecond(s.phase.Batch*s.batches, step))
	for k, times := range s.kernels {
		slices.Sort(times)
		one := s.kernelTime(s.launch(k), s.launches(k), medianOf(times), step)
		o.Flops += one.Launches * 2 * s.launch(k).MultiplyAdds
		o.KernelsMS += Number(one.Launches) * one.MS
		o.Kernels = append(o.Kernels, one)
	}
	o.GFlops = Number(perSecond(o.Flops, step) / 1e9)
	o.FractionOfPeak = o.GFlops / o.PeakGFlops
	o.Layers = layerTimes(o.Kernels)
	return o
}

func (s *stepTimer) kernelTime(l *Launch, launches int, took, step time.Duration) KernelTime {
	flops := 2*l.MultiplyAdds + l.Operations
	arithmetic, bandwidth := perSecond(flops, took), perSecond(l.Bytes, took)
	return KernelTime{
		Name: l.Kernel, Layers: l.Layers, Pass: l.Pass, Launches: launches, Tasks: l.Tasks,
		MS: inMS(took), Share: Number(float64(launches) * float64(took) / float64(max(step, 1))),
		Flops: flops, GFlops: Number(arithmetic / 1e9), Bytes: l.Bytes, Bandwidth: Number(bandwidth / 1e9),
		FractionOfPeak: Number(arithmetic / s.peaks.arithmetic), OfBandwidth: Number(bandwidth / s.peaks.memory),
		Bound: boundOf(took, l.Tasks, flops, l.Bytes, s.peaks),
	}
}

// layerTimes sums kernels by layers, in the order of the schedule.
func layerTimes(kernels []KernelTime) []LayerTime {
	var list []LayerTime
	for _, k := range kernels {
		at := slices.IndexFunc(list, func(l LayerTime) bool { return l.Layers == k.Layers })
		if at < 0 {
			at = len(list)
			list = append(list, LayerTime{Layers: k.Layers, Passes: map[string]Number{}})
		}
		list[at].MS += Number(k.Launches) * k.MS
		list[at].Share += k.Share
		list[at].Passes[k.Pass] += Number(k.Launches) * k.MS
	}
	return list
}
