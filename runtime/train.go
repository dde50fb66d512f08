package runtime

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// DefaultSaveEvery is the time between checkpoints when Options does not say.
const DefaultSaveEvery = 30 * time.Second

// quietWindow is over how many iterations the loss is averaged when the run
// file asks for no display.
const quietWindow = 100

// Options say how to train what a Program describes.
type Options struct {
	Pool       *Pool
	Executor   Executor // nil computes on the pool
	Data       *Dataset // may be nil for a network that reads no data
	Seed       int32
	Iterations int           // updates in all; 0 takes Epochs
	Epochs     int           // passes over the training set; 0 takes the run file's length
	Weights    *TensorFile   // where the parameters start, instead of their fillers
	Log        bool          // write log.jsonl; a resumed run continues the log it has
	SaveEvery  time.Duration // between checkpoints, besides Config.Train.Snapshot; 0 takes DefaultSaveEvery
	Device     string        // for the result, "cpu" when empty
	Progress   *Progress

	// Resume is the folder of a run to continue. Otherwise NewFolder makes the
	// folder of a new run, once everything else fits; nil saves nothing.
	Resume    string
	NewFolder func() (string, error)
}

// Result is what a training run comes to, as --json prints it.
type Result struct {
	Name             string            `json:"name"`
	Device           string            `json:"device"`
	ISA              string            `json:"isa"`
	Threads          int               `json:"threads"`
	Seed             int32             `json:"seed"`
	Batch            int               `json:"batch"`
	Iterations       int               `json:"iterations"`
	Epochs           Number            `json:"epochs"`
	Train            TrainResult       `json:"train"`
	Test             map[string]Number `json:"test"`
	SamplesPerSecond Number            `json:"samples_per_second"` // of training, tests and saving left out
	StepMS           Number            `json:"step_ms"`            // mean of an iteration
	PeakBytes        int               `json:"peak_bytes"`         // of the process, see peakBytes
	Weights          string            `json:"weights"`
	WeightsSHA256    string            `json:"weights_sha256"`
	Data             DataResult        `json:"data"`
	Run              string            `json:"run"` // the run folder
}

// TrainResult is the mean training loss since the report before the last.
type TrainResult struct {
	Loss Number `json:"loss"`
}

// DataResult names the data set that results belong to.
type DataResult struct {
	Name      string `json:"name"`
	Generated bool   `json:"generated"`
}

// InterruptedError says that a run was stopped and, unless Folder is empty,
// saved.
type InterruptedError struct {
	Folder    string
	Iteration int
}

// Error tells how to continue.
func (e *InterruptedError) Error() string {
	if e.Folder == "" {
		return fmt.Sprintf("interrupted after iteration %d", e.Iteration)
	}
	return fmt.Sprintf("interrupted after iteration %d, saved: continue with --resume %s", e.Iteration, e.Folder)
}

// trainer is one run under way.
type trainer struct {
	Options
	program    *Program
	folder     string // of the run; "" saves nothing
	rate       func(iteration int) float64
	iterations int // the length of the run
	accumulate int
	sampler    *sampler
	loader     *loader
	chosen     []int32
	evaluator  *evaluator // nil when the network has no test phase
	log        *runLog
	losses     []float32 // of the batches that have come to an end
	seen       int       // batches whose loss is known, over the whole run

	at      progress
	results map[string]Number // of the last test
	saved   int               // the iteration of the last checkpoint
	savedAt time.Time

	// What this process has trained, for speeds.
	steps       int
	stepTime    time.Duration
	windowSteps int // since the last report
	windowTime  time.Duration
}

// Train runs the solver loop to its end, or until ctx is cancelled: then it
// finishes the step, saves and returns an InterruptedError. The same seed gives
// the same weights for any number of threads, and whether or not the run was
// interrupted and resumed on the way.
func Train(ctx context.Context, program *Program, options Options) (Result, error) {
	t := &trainer{Options: options, program: program, accumulate: max(program.Config.Solver.Accumulate, 1)}
	if t.SaveEvery == 0 {
		t.SaveEvery = DefaultSaveEvery
	}
	if t.Executor == nil {
		t.Executor = NewExecutor(program, t.Pool)
	}
	if err := t.prepare(); err != nil {
		return Result{}, err
	}
	err := t.start()
	if err == nil {
		err = t.loop(ctx)
	}
	t.Progress.clear()
	if closeErr := t.log.close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = t.Executor.Pull(t.program.persistent()) // for the digest, where nothing was saved
	}
	if err != nil {
		return Result{}, err
	}
	return t.result(), nil
}

// prepare connects the program to its data and works out the run's length.
func (t *trainer) prepare() error {
	phase := &t.program.Train
	if len(phase.Schedule) == 0 {
		return fmt.Errorf("network %s has no training phase", t.program.Name)
	}
	if phase.Loss == nil {
		return fmt.Errorf("network %s has no loss to train", t.program.Name)
	}
	t.at = progress{seed: t.Seed, batch: phase.Batch, accumulate: t.accumulate, lossShown: math.NaN()}
	if len(phase.Inputs) > 0 {
		if t.Data == nil {
			return fmt.Errorf("network %s needs a data set to train", t.program.Name)
		}
		t.at.data, t.at.samples = t.Data.Name, t.Data.Train.N
		var err error
		if t.loader, err = newLoader(phase, t.Data.Train, t.program.Config.Data, true, t.Seed); err != nil {
			return err
		}
		if err := t.loader.keep(phase, t.Executor, t.Progress); err != nil {
			return err
		}
		t.sampler = newSampler(t.Data.Train.N, phase.Batch, t.program.Config.Data.Shuffle, t.Seed)
		t.chosen = make([]int32, phase.Batch)
	}
	var err error
	if t.iterations, err = t.length(); err != nil {
		return err
	}
	if t.rate, err = RateAt(t.program.Config.Solver, t.iterations); err != nil {
		return err
	}
	if len(t.program.Test.Schedule) > 0 {
		t.evaluator, err = newEvaluator(t.program, t.Data, t.Executor, t.Pool, t.Progress)
	}
	return err
}

// length is the number of iterations of the run. Epochs are rounded up to
// whole iterations.
func (t *trainer) length() (int, error) {
	config := t.program.Config.Train
	iterations, epochs := t.Iterations, t.Epochs
	if iterations == 0 && epochs == 0 {
		iterations, epochs = config.Iterations, config.Epochs
	}
	switch {
	case iterations < 0 || epochs < 0:
		return 0, errors.New("a run cannot have a negative length: give --iterations or --epochs")
	case iterations > 0:
		return iterations, nil
	case epochs == 0:
		return 0, errors.New("the run file does not say how long to train: set train.iterations or train.epochs, or give --iterations or --epochs")
	case t.loader == nil:
		return 0, fmt.Errorf("network %s reads no data set, so epochs have no length: give --iterations", t.program.Name)
	}
	samples := t.program.Train.Batch * t.accumulate
	return (epochs*t.Data.Train.N + samples - 1) / samples, nil
}

// start fills the parameters, from fillers, weights or a checkpoint.
func (t *trainer) start() error {
	if err := Fill(t.program.Parameters, t.Seed, t.Pool); err != nil {
		return err
	}
	if t.Weights != nil {
		missing, err := LoadWeights(t.program.Parameters, t.Weights)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			fmt.Fprintf(t.Progress, "note: %s lacks %s: these start from their fillers\n", t.Weights.Path, listed(missing))
		}
	}
	t.folder = t.Resume
	switch {
	case t.Resume != "":
		loaded, err := loadCheckpoint(t.folder, t.program, t.at)
		switch {
		case errors.Is(err, errNoCheckpoint):
			fmt.Fprintf(t.Progress, "note: %s has no checkpoint yet: starting from the beginning\n", t.folder)
		case err != nil:
			return err
		default:
			t.at = loaded
		}
	case t.NewFolder != nil:
		var err error
		if t.folder, err = t.NewFolder(); err != nil {
			return err
		}
	}
	t.seen = t.at.iteration * t.accumulate
	if err := t.Executor.Push(t.program.persistent()); err != nil {
		return err
	}
	t.saved, t.savedAt = t.at.iteration, time.Now()
	if t.folder == "" {
		return nil
	}
	_, noLog := os.Stat(filepath.Join(t.folder, logFile))
	if t.Log || (t.Resume != "" && noLog == nil) {
		var err error
		t.log, err = openLog(t.folder, t.at.iteration, t.at.tested)
		return err
	}
	return nil
}

// loop trains from where the run stands to its end. A checkpoint is written
// only between iterations, after what the iteration before it reported.
func (t *trainer) loop(ctx context.Context) error {
	for {
		if err := t.test(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			if err := t.save(); err != nil {
				return err
			}
			return &InterruptedError{Folder: t.folder, Iteration: t.at.iteration}
		}
		if t.at.iteration >= t.iterations {
			return t.save()
		}
		if t.saveIsDue() {
			if err := t.save(); err != nil {
				return err
			}
		}
		if err := t.step(); err != nil {
			return err
		}
	}
}

// step computes one iteration: the batches of one update, and the update.
func (t *trainer) step() error {
	begin := time.Now()
	p := t.program
	rate := t.rate(t.at.iteration)
	setScalar(p.Rate, float32(rate))
	setScalar(p.Seed, t.Seed)
	for part := range t.accumulate {
		batch := t.at.iteration*t.accumulate + part
		setScalar(p.Iteration, int32(batch))
		inputs, err := t.Executor.Feed(&p.Train)
		if err != nil {
			return err
		}
		if t.loader != nil {
			t.sampler.indices(batch, t.chosen)
			t.loader.load(t.Pool, inputs, t.chosen, batch*len(t.chosen))
		}
		if err := t.Executor.Start(&p.Train); err != nil {
			return err
		}
		if err := t.takeLosses(false); err != nil {
			return err
		}
	}
	if len(p.Update.Schedule) > 0 {
		if err := t.Executor.Start(&p.Update); err != nil {
			return err
		}
	}
	t.at.iteration++

	window, shows := p.Config.Train.Display, true
	if window <= 0 {
		window, shows = quietWindow, false
	}
	last := t.at.iteration == t.iterations
	reports := t.at.iteration%window == 0 || last
	if reports {
		if err := t.takeLosses(true); err != nil {
			return err
		}
	}
	took := time.Since(begin)
	t.steps++
	t.stepTime += took
	t.windowSteps++
	t.windowTime += took
	if reports {
		return t.report(rate, shows || last)
	}
	if t.at.lossCount > 0 && t.Progress.wantsStep() {
		t.Progress.step(t.standing(t.at.lossSum/float64(t.at.lossCount), rate))
	}
	return nil
}

// takeLosses adds the losses that have become known. A device computes while
// the next batch is being made, so its losses come a step or two late; whoever
// needs all of them waits. Losses add up in the order of the batches.
func (t *trainer) takeLosses(wait bool) error {
	var err error
	t.losses, err = t.Executor.Losses(t.losses[:0], wait)
	if err != nil {
		return err
	}
	for _, loss := range t.losses {
		value := float64(loss)
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return t.diverged(value, t.seen/t.accumulate)
		}
		t.at.lossSum += value
		t.at.lossCount++
		t.seen++
	}
	return nil
}

// setScalar writes a step's scalar input where the network has it.
func setScalar[T float32 | int32](input []T, value T) {
	if len(input) > 0 {
		input[0] = value
	}
}

// diverged is the error of a loss that is no number. The last checkpoint was
// written before, so it is good.
func (t *trainer) diverged(loss float64, iteration int) error {
	rate := t.rate(iteration)
	wayOut := fmt.Sprintf("the learning rate %.3g is probably too high, try --set solver.lr=%.3g", rate, t.program.Config.Solver.Rate/10)
	if t.folder != "" && t.saved > 0 {
		wayOut += fmt.Sprintf("; %s keeps the weights of iteration %d", filepath.Join(t.folder, weightsFile), t.saved)
	}
	return fmt.Errorf("the loss became %v at iteration %d: %s", loss, iteration, wayOut)
}

// report ends a window of the loss.
func (t *trainer) report(rate float64, shows bool) error {
	t.at.lossShown = t.at.lossSum / float64(t.at.lossCount)
	t.at.lossSum, t.at.lossCount = 0, 0
	s := t.standing(t.at.lossShown, rate)
	line := trainLine{Iteration: s.iteration, Epoch: Number(s.epoch), Loss: Number(s.loss), Rate: Number(rate),
		StepMS: Number(milliseconds(t.windowTime, t.windowSteps)), SamplesPerSecond: Number(s.samplesPerSecond)}
	t.windowTime, t.windowSteps = 0, 0
	if !shows {
		return nil
	}
	t.Progress.report(s)
	return t.log.write(line)
}

func (t *trainer) standing(loss, rate float64) standing {
	s := standing{iteration: t.at.iteration, iterations: t.iterations, epoch: t.epochs(), loss: loss, rate: rate}
	s.samplesPerSecond = perSecond(t.windowSteps*t.program.Train.Batch*t.accumulate, t.windowTime)
	if t.steps > 0 {
		s.left = t.stepTime / time.Duration(t.steps) * time.Duration(t.iterations-t.at.iteration)
	}
	return s
}

// epochs is how often the training set has been gone through.
func (t *trainer) epochs() float64 {
	if t.loader == nil {
		return 0
	}
	return float64(t.at.iteration) * float64(t.program.Train.Batch*t.accumulate) / float64(t.Data.Train.N)
}

func perSecond(count int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(count) / d.Seconds()
}

func milliseconds(d time.Duration, steps int) float64 {
	if steps == 0 {
		return 0
	}
	return d.Seconds() * 1000 / float64(steps)
}

// test measures the test set where that is due: at each interval and at the
// end. A resumed run repeats the test at its iteration only when it had been
// cut short, or when its result is still wanted at the end.
func (t *trainer) test(ctx context.Context) error {
	interval := t.program.Config.Test.Interval
	ended := t.at.iteration >= t.iterations
	atInterval := interval > 0 && t.at.iteration > 0 && t.at.iteration%interval == 0 && t.at.tested != t.at.iteration
	if t.evaluator == nil || !(ended || atInterval) {
		return nil
	}
	results, err := t.evaluator.run(ctx)
	if err != nil {
		return err
	}
	t.results = results
	t.Progress.test(t.at.iteration, results)
	if t.at.tested == t.at.iteration {
		return nil // the log has it
	}
	t.at.tested = t.at.iteration
	return t.log.write(testLine{Iteration: t.at.iteration, Test: results})
}

// saveIsDue tells whether the run file's snapshot interval or the time since
// the last checkpoint asks for one.
func (t *trainer) saveIsDue() bool {
	if t.saved == t.at.iteration {
		return false
	}
	snapshot := t.program.Config.Train.Snapshot
	return snapshot > 0 && t.at.iteration%snapshot == 0 || time.Since(t.savedAt) >= t.SaveEvery
}

// save writes a checkpoint. Nothing that training reads is changed by it.
func (t *trainer) save() error {
	if t.folder == "" {
		return nil
	}
	if err := t.takeLosses(true); err != nil {
		return err
	}
	if err := t.Executor.Pull(t.program.persistent()); err != nil {
		return err
	}
	t.saved = t.at.iteration
	err := saveCheckpoint(t.folder, t.program, t.at)
	t.savedAt = time.Now()
	return err
}

func (t *trainer) result() Result {
	r := Result{
		Name:             t.program.Name,
		Device:           t.Device,
		ISA:              t.program.ISA,
		Threads:          t.Pool.Threads(),
		Seed:             t.Seed,
		Batch:            t.program.Train.Batch,
		Iterations:       t.at.iteration,
		Epochs:           Number(t.epochs()),
		Train:            TrainResult{Loss: Number(t.at.lossShown)},
		Test:             t.results,
		SamplesPerSecond: Number(perSecond(t.steps*t.program.Train.Batch*t.accumulate, t.stepTime)),
		StepMS:           Number(milliseconds(t.stepTime, t.steps)),
		PeakBytes:        peakBytes(t.program.ArenaBytes),
		WeightsSHA256:    WeightsSHA256(t.program.Parameters),
		Run:              t.folder,
	}
	if r.Device == "" {
		r.Device = "cpu"
	}
	if r.Test == nil {
		r.Test = map[string]Number{}
	}
	if t.folder != "" {
		r.Weights = filepath.Join(t.folder, weightsFile)
	}
	if t.Data != nil {
		r.Data = DataResult{Name: t.Data.Name, Generated: t.Data.Generated}
	}
	return r
}
