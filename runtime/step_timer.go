package runtime

import (
	"context"
	"slices"
	"time"
)

// stepTimer measures the steps of a phase: in turn one step as a whole and one
// kernel by kernel, so that both see the same machine. Parameters and states
// change as in training, and start again from what they were several times, so
// that no measurement depends on how far the training got.
type stepTimer struct {
	program  *Program
	name     string
	phase    *Phase
	update   *Phase // what ends a step; its schedule is empty in a test, and where a batch updates by itself
	batches  int    // of a step
	peaks    *peaks
	alone    []*schedule // of each kernel, with the threads' shares that it has in a step
	starts   []startingValues
	batch    int32 // the number of batches computed so far
	diverged bool  // a loss was no finite number

	setupKernels int             // of the phase's setup
	setups       []time.Duration // of all of it

	steps   []time.Duration   // of whole steps
	kernels [][]time.Duration // of the phase's kernels, then the update's: the mean of a step's launches
	sums    []time.Duration   // of the step under way, by kernel
}

// startingValues are what a parameter or state was at first.
type startingValues struct {
	tensor Tensor
	f32    []float32
	i32    []int32
}

const (
	// timeBlocks is how often the peaks are measured and training starts again.
	timeBlocks = 5
	// warmUpSteps fill the caches again after the peaks.
	warmUpSteps = 2
)

// newStepTimer fills the inputs of the phase, "train" or "test".
func newStepTimer(program *Program, name string, seed int32, peaks *peaks) *stepTimer {
	s := &stepTimer{program: program, name: name, phase: &program.Test, update: &Phase{}, batches: 1, peaks: peaks}
	if name == "train" {
		s.phase, s.update, s.batches = &program.Train, &program.Update, max(program.Config.Solver.Accumulate, 1)
	}
	for _, t := range append(tensorsOf(program.Parameters), program.State...) {
		s.starts = append(s.starts, startingValues{t, slices.Clone(t.F32), slices.Clone(t.I32)})
	}
	randomInputs(s.phase, s.phase.Inputs, seed)
	s.setupKernels = len(s.phase.Setup)
	launches := len(s.phase.Schedule) + len(s.update.Schedule)
	for k := range launches {
		phase, launch := s.phase, k
		if k >= len(s.phase.Schedule) {
			phase, launch = s.update, k-len(s.phase.Schedule)
		}
		s.alone = append(s.alone, phase.prepareFor(peaks.pool).alone(launch))
	}
	s.kernels, s.sums = make([][]time.Duration, launches), make([]time.Duration, launches)
	return s
}

// randomInputs fills arrays for the inputs of a phase with random numbers from 0
// to 1 and labels within their range.
func randomInputs(phase *Phase, inputs []Tensor, seed int32) {
	for n, input := range inputs {
		key := randomKey(seed, "time", uint64(n))
		for i := range input.F32 {
			input.F32[i] = float32(unit(random64(key, uint64(i))))
		}
		classes := phase.Classes[n]
		if classes == 0 {
			classes = 2 // numbers such as the similarities of pairs
		}
		for i := range input.I32 {
			input.I32[i] = int32(below(random64(key, uint64(i)), classes))
		}
	}
}

// restart sets parameters and states to what they were at first.
func (s *stepTimer) restart() {
	for _, start := range s.starts {
		copy(start.tensor.F32, start.f32)
		copy(start.tensor.I32, start.i32)
	}
	s.program.Arena.Changed()
	s.batch = 0
}

// timeSetup computes the phase's setup and keeps its time.
func (s *stepTimer) timeSetup() {
	begin := time.Now()
	s.phase.setUp(s.peaks.pool)
	s.setups = append(s.setups, time.Since(begin))
}

// warmUp computes steps that do not count.
func (s *stepTimer) warmUp() {
	for range warmUpSteps {
		s.step()
	}
}

// iterationsFor is how many iterations of measure take about a time.
func (s *stepTimer) iterationsFor(budget time.Duration) int {
	s.warmUp()
	begin := time.Now()
	s.step()
	took := max(time.Since(begin), 1)
	return min(max(int(budget/(2*took)), leastIterations), mostIterations)
}

// measure times a number of steps both ways. It allocates before the first.
func (s *stepTimer) measure(ctx context.Context, iterations int) error {
	s.steps = make([]time.Duration, 0, iterations)
	for k := range s.kernels {
		s.kernels[k] = make([]time.Duration, 0, iterations)
	}
	for n := range iterations {
		if n%max(iterations/timeBlocks, 1) == 0 {
			s.restart()
			s.peaks.measure()
			s.timeSetup()
			s.warmUp()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s.round()
	}
	return nil
}

// round times one step as a whole and one by kernels.
func (s *stepTimer) round() {
	begin := time.Now()
	s.step()
	s.steps = append(s.steps, time.Since(begin))

	clear(s.sums)
	for range s.batches {
		s.nextBatch()
		s.timeKernels(0, len(s.phase.Schedule))
	}
	s.timeKernels(len(s.phase.Schedule), len(s.alone))
	for k, sum := range s.sums {
		s.kernels[k] = append(s.kernels[k], sum/time.Duration(s.launches(k)))
	}
	s.diverged = s.diverged || s.phase.Loss != nil && !isFinite(s.phase.Loss[0])
}

// launches is how often kernel k runs in a step.
func (s *stepTimer) launches(k int) int {
	if k < len(s.phase.Schedule) {
		return s.batches
	}
	return 1
}

func (s *stepTimer) launch(k int) *Launch {
	if k < len(s.phase.Schedule) {
		return &s.phase.Schedule[k]
	}
	return &s.update.Schedule[k-len(s.phase.Schedule)]
}

// nextBatch tells the kernels that a batch follows.
func (s *stepTimer) nextBatch() {
	setScalar(s.program.Iteration, s.batch)
	s.batch++
}

// step computes one step as training and testing do.
func (s *stepTimer) step() {
	for range s.batches {
		s.nextBatch()
		s.phase.Run(s.peaks.pool)
	}
	s.update.Run(s.peaks.pool)
}

// timeKernels runs kernels first to end-1 and adds each one's time to its sum.
func (s *stepTimer) timeKernels(first, end int) {
	begin := time.Now()
	for k := first; k < end; k++ {
		s.peaks.pool.compute(s.alone[k])
		now := time.Now()
		s.sums[k] += now.Sub(begin)
		begin = now
	}
}
