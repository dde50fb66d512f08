package runtime

import (
	"fmt"
	"time"
)

// timeOnDevice measures one phase on an accelerator, with the accelerator's own
// clock: in turn a step as a whole and kernel by kernel. 0 iterations are as
// many as take timeBudget.
func (i *invocation) timeOnDevice(program *Program, name string, iterations int, profiler Profiler, peak DevicePeaks) (*TimeOutcome, error) {
	rate, err := RateAt(program.Config.Solver, max(program.Config.Train.Iterations, 1))
	if err != nil {
		return nil, err
	}
	setScalar(program.Rate, float32(rate(0)))
	s := newDeviceTimer(program, name, int32(i.seed), profiler, peak)
	if err := s.restart(); err != nil {
		return nil, err
	}
	took, err := s.step()
	if err != nil {
		return nil, err
	}
	if iterations == 0 {
		iterations = min(max(int(timeBudget/(2*max(took, 1))), leastIterations), mostIterations)
	}
	i.progress.say("measuring %d steps of the %s phase on %s …", iterations, name, peak.Device)
	for n := range iterations {
		if n%max(iterations/timeBlocks, 1) == 0 {
			if err := s.restart(); err != nil {
				return nil, err
			}
		}
		if err := i.ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.round(); err != nil {
			return nil, err
		}
	}
	outcome := s.results.outcome()
	outcome.Name, outcome.Device, outcome.Processor, outcome.ISA, outcome.Seed = program.Name, i.device, peak.Device, program.ISA, int32(i.seed)
	outcome.Threads = i.threads
	return outcome, nil
}

// deviceTimer measures the steps of a phase on an accelerator.
type deviceTimer struct {
	profiler Profiler
	program  *Program
	phase    *Phase
	update   *Phase // nil where no update of its own ends a step
	seed     int32
	batch    int32            // the number of batches computed since the last restart
	filled   map[*Tensor]bool // arrays of inputs that have their random numbers

	// results has a program whose schedules are the accelerator's kernels.
	results *stepTimer
}

func newDeviceTimer(program *Program, name string, seed int32, profiler Profiler, peak DevicePeaks) *deviceTimer {
	t := &deviceTimer{profiler: profiler, program: program, phase: &program.Test, seed: seed, filled: map[*Tensor]bool{}}
	t.results = &stepTimer{name: name, batches: 1, update: &Phase{},
		peaks: &peaks{processors: peak.Processors, arithmetic: peak.Arithmetic, memory: peak.Memory, launch: peak.Launch, loop: arithmeticPeak{what: peak.What}}}
	if name == "train" {
		t.phase, t.results.batches = &program.Train, max(program.Config.Solver.Accumulate, 1)
		if kernels := profiler.Launches(&program.Update); len(kernels) > 0 {
			t.update, t.results.update = &program.Update, &Phase{Schedule: kernels}
		}
	}
	t.results.phase = &Phase{Batch: t.phase.Batch, Schedule: profiler.Launches(t.phase)}
	launches := len(t.results.phase.Schedule) + len(t.results.update.Schedule)
	t.results.kernels, t.results.sums = make([][]time.Duration, launches), make([]time.Duration, launches)
	return t
}

// restart sets parameters and states to what they were at first, which the
// program still holds, and computes a step that does not count.
func (t *deviceTimer) restart() error {
	t.batch = 0
	if err := t.profiler.Push(t.program.persistent()); err != nil {
		return err
	}
	kernels, took, err := t.profiler.TimeSetup(t.phase)
	if err != nil {
		return err
	}
	t.results.setupKernels, t.results.setups = kernels, append(t.results.setups, took)
	_, err = t.step()
	return err
}

// feed readies the next batch.
func (t *deviceTimer) feed() error {
	inputs, err := t.profiler.Feed(t.phase)
	if err != nil {
		return err
	}
	if len(inputs) > 0 && !t.filled[&inputs[0]] {
		randomInputs(t.phase, inputs, t.seed)
		t.filled[&inputs[0]] = true
	}
	setScalar(t.program.Iteration, t.batch)
	t.batch++
	return nil
}

// step computes one step as training and testing do, and gives the time of its
// passes.
func (t *deviceTimer) step() (time.Duration, error) {
	var sum time.Duration
	for range t.results.batches {
		if err := t.feed(); err != nil {
			return 0, err
		}
		took, err := t.profiler.TimePass(t.phase)
		if err != nil {
			return 0, err
		}
		sum += took
	}
	if t.update == nil {
		return sum, nil
	}
	took, err := t.profiler.TimePass(t.update)
	return sum + took, err
}

// round times one step as a whole and one by kernels.
func (t *deviceTimer) round() error {
	took, err := t.step()
	if err != nil {
		return err
	}
	s := t.results
	s.steps = append(s.steps, took)
	clear(s.sums)
	own := len(s.phase.Schedule)
	for range s.batches {
		if err := t.feed(); err != nil {
			return err
		}
		if err := t.profiler.TimeKernels(t.phase, s.sums[:own]); err != nil {
			return err
		}
	}
	if t.update != nil {
		if err := t.profiler.TimeKernels(t.update, s.sums[own:]); err != nil {
			return err
		}
	}
	if len(s.sums) == 0 {
		return fmt.Errorf("the %s phase has no kernels", s.name)
	}
	for k, sum := range s.sums {
		s.kernels[k] = append(s.kernels[k], sum/time.Duration(s.launches(k)))
	}
	return nil
}
