package runtime

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// clockedExecutor is an accelerator for tests: the pool, with a clock of its
// own by which kernel k takes k+1 milliseconds and a pass half of its kernels'
// sum.
type clockedExecutor struct {
	poolExecutor
	pushes, closed int
	failure        error // of every pass
}

func (e *clockedExecutor) Push(tensors []Tensor) error {
	e.pushes++
	return e.poolExecutor.Push(tensors)
}

func (e *clockedExecutor) Close() error {
	e.closed++
	return nil
}

func (e *clockedExecutor) Launches(phase *Phase) []Launch { return phase.Schedule }

func (e *clockedExecutor) TimePass(phase *Phase) (time.Duration, error) {
	kernels := time.Duration(len(phase.Schedule))
	return kernels * (kernels + 1) / 4 * time.Millisecond, errors.Join(e.Start(phase), e.failure)
}

func (e *clockedExecutor) TimeKernels(phase *Phase, sums []time.Duration) error {
	for k := range sums {
		sums[k] += time.Duration(k+1) * time.Millisecond
	}
	return e.Start(phase)
}

func (e *clockedExecutor) TimeSetup(phase *Phase) (int, time.Duration, error) {
	return len(phase.Setup), time.Duration(len(phase.Setup)) * time.Millisecond, e.failure
}

func (e *clockedExecutor) Peaks() (DevicePeaks, error) {
	return DevicePeaks{Device: "Clock", What: "nothing", Arithmetic: 1e9, Memory: 1e9, Launch: time.Microsecond, Processors: 1}, nil
}

// withAccelerator adds an accelerator to a network's program.
func withAccelerator(network *tinyNetwork, e *clockedExecutor) Choice {
	choice := choiceOf(network)
	choice.Accelerators = []Accelerator{{Name: "cuda", Open: func(program *Program) (Executor, error) {
		if program.ISA != "cuda" {
			return nil, errors.New("the program's kernels are called " + program.ISA)
		}
		e.poolExecutor = poolExecutor{program: program, pool: NewPool(1)}
		return e, nil
	}}}
	return choice
}

func TestTimeOnDevice(t *testing.T) {
	device := &clockedExecutor{}
	code, stdout, stderr := invokeChoice(t, withAccelerator(newTinyNetwork(6, 2), device), t.Context(), "time", "--device", "cuda", "--iterations", "10", "--json")
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var o TimeOutcome
	if err := json.Unmarshal([]byte(stdout), &o); err != nil {
		t.Fatal(err)
	}
	// Three kernels in each of two batches, and the update's: 2*3 + 0 ms a step.
	if o.Device != "cuda" || o.Processor != "Clock" || o.ISA != "cuda" || o.Iterations != 10 || o.StepMS.Median != 6 || o.PeakOf != "nothing" || o.PeakGFlops != 1 {
		t.Errorf("outcome %+v", o)
	}
	var ms []Number
	for _, k := range o.Kernels {
		ms = append(ms, k.MS)
	}
	if !slices.Equal(ms, []Number{1, 2, 3, 1}) || o.Kernels[0].Launches != 2 || o.Kernels[3].Launches != 1 {
		t.Errorf("kernels %+v", o.Kernels)
	}
	if want := Number(2*6*4) / 1e6; o.Kernels[0].Name != "forward" || o.Kernels[0].GFlops < want*0.99 || o.Kernels[0].GFlops > want*1.01 || o.Kernels[0].FractionOfPeak != o.Kernels[0].GFlops {
		t.Errorf("the first kernel is %+v, want %v GFLOP/s", o.Kernels[0], want)
	}
	if device.closed != 1 || device.pushes < timeBlocks {
		t.Errorf("%d pushes, closed %d times", device.pushes, device.closed)
	}
	_, text, _ := invokeChoice(t, withAccelerator(newTinyNetwork(6, 2), device), t.Context(), "time", "--device", "cuda", "--iterations", "1")
	if !strings.Contains(text, "a batch of 6, cuda on Clock\n") {
		t.Errorf("the report starts\n%s", text)
	}
}

// TestDeviceFails: an error of a device ends a verb, and the device is closed.
func TestDeviceFails(t *testing.T) {
	device := &clockedExecutor{failure: errors.New("out of smoke")}
	code, _, stderr := invokeChoice(t, withAccelerator(newTinyNetwork(6, 1), device), t.Context(), "time", "--device", "cuda", "--quiet")
	if code != exitFailed || stderr != "error: out of smoke\n" || device.closed != 1 {
		t.Errorf("exit %d, closed %d times: %s", code, device.closed, stderr)
	}
}

// TestTrainOnDevice: the same run on the pool and on an accelerator whose
// losses come late gives the same result.
func TestTrainOnDevice(t *testing.T) {
	var results []Result
	for _, late := range []bool{false, true} {
		network := newTinyNetwork(6, 2)
		pool := NewPool(1)
		defer pool.Close()
		var e Executor = &poolExecutor{program: &network.Program, pool: pool}
		if late {
			e = &lateExecutor{poolExecutor: poolExecutor{program: &network.Program, pool: pool}}
		}
		r, err := Train(t.Context(), &network.Program, Options{Pool: pool, Executor: e, Data: tinyDataset(), Seed: 5})
		if err != nil {
			t.Fatal(err)
		}
		r.SamplesPerSecond, r.StepMS, r.PeakBytes = 0, 0, 0
		results = append(results, r)
	}
	if a, b := results[0], results[1]; a.WeightsSHA256 != b.WeightsSHA256 || a.Train.Loss != b.Train.Loss || a.Test["loss"] != b.Test["loss"] || a.Iterations != b.Iterations {
		t.Errorf("%+v\ndiffers from\n%+v", b, a)
	}
}

// lateExecutor gives losses only when they are waited for, or two passes later.
type lateExecutor struct{ poolExecutor }

func (e *lateExecutor) Losses(list []float32, wait bool) ([]float32, error) {
	if wait {
		return e.poolExecutor.Losses(list, true)
	}
	ready := max(len(e.losses)-2, 0)
	list = append(list, e.losses[:ready]...)
	e.losses = e.losses[ready:]
	return list, nil
}

// TestLateDivergence: a loss that is no number is reported with its own
// iteration, however late it comes.
func TestLateDivergence(t *testing.T) {
	for _, late := range []bool{false, true} {
		network := newTinyNetwork(6, 1)
		network.onStep = func(batch int) {
			if batch == 3 {
				network.Parameters[1].F32[0] = float32(math.NaN())
			}
		}
		pool := NewPool(1)
		defer pool.Close()
		var e Executor = &poolExecutor{program: &network.Program, pool: pool}
		if late {
			e = &lateExecutor{poolExecutor: poolExecutor{program: &network.Program, pool: pool}}
		}
		_, err := Train(t.Context(), &network.Program, Options{Pool: pool, Executor: e, Data: tinyDataset()})
		if err == nil || !strings.Contains(err.Error(), "at iteration 3:") {
			t.Errorf("late %v: %v", late, err)
		}
	}
}

func TestDeviceUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"this program was built for cpu and cuda":       {"train", "--device", "tpu"},
		"leave it out with --device cuda":               {"train", "--device", "cuda", "--isa", "portable"},
		"this program was built for cpu; \"netc build ": {"train", "--device", "cuda", "without"},
	} {
		choice := withAccelerator(newTinyNetwork(6, 1), &clockedExecutor{})
		if args[len(args)-1] == "without" {
			args, choice.Accelerators = args[:len(args)-1], nil
		}
		code, stdout, stderr := invokeChoice(t, choice, t.Context(), args...)
		if code != exitUsage || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%v: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
}
