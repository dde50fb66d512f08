package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trainTiny trains in a folder, which is resumed when it exists, and stops
// after the batch stopAt when that is not negative.
func trainTiny(t *testing.T, folder string, threads, accumulate, stopAt int, change func(*Program, *Options)) (Result, error) {
	t.Helper()
	network := newTinyNetwork(6, accumulate)
	pool := NewPool(threads)
	defer pool.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	network.onStep = func(batch int) {
		if batch == stopAt {
			cancel()
		}
	}
	options := Options{Pool: pool, Data: tinyDataset(), Seed: 7, Log: true, SaveEvery: time.Hour,
		NewFolder: func() (string, error) { return folder, NewRunFolder(folder) }}
	if _, err := os.Stat(filepath.Join(folder, runFile)); err == nil {
		options.Resume = folder
	}
	if change != nil {
		change(&network.Program, &options)
	}
	result, err := Train(ctx, &network.Program, options)
	if options.Resume == "" && folder != "" {
		if err := writeRun(folder, RunDescription{Name: "tiny", Seed: 7}); err != nil {
			t.Fatal(err)
		}
	}
	return result, err
}

// logWithoutTimes reads a log and drops what depends on the clock.
func logWithoutTimes(t *testing.T, folder string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, logFile))
	if err != nil {
		t.Fatal(err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(content)) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		delete(object, "step_ms")
		delete(object, "samples_per_second")
		text, _ := json.Marshal(object)
		kept.Write(append(text, '\n'))
	}
	return kept.String()
}

func TestTrainingLearns(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	result, err := trainTiny(t, folder, 2, 1, -1, func(p *Program, _ *Options) { p.Config.Train.Iterations = 300 })
	if err != nil {
		t.Fatal(err)
	}
	if result.Test["accuracy"] < 0.95 || result.Test["loss"] > 0.4 || result.Train.Loss > 0.6 {
		t.Errorf("after 300 iterations: %+v", result)
	}
	if result.Iterations != 300 || math.Abs(float64(result.Epochs)-300*6/50.) > 1e-9 {
		t.Errorf("iterations %d, epochs %g", result.Iterations, result.Epochs)
	}
	file, err := ReadSafetensors(result.Weights)
	if err != nil {
		t.Fatal(err)
	}
	network := newTinyNetwork(6, 1)
	if _, err := LoadWeights(network.Parameters, file); err != nil || WeightsSHA256(network.Parameters) != result.WeightsSHA256 {
		t.Errorf("the weights file does not hold the weights of the result: %v", err)
	}
}

func TestInterruptedAndResumedEqualsUninterrupted(t *testing.T) {
	for _, accumulate := range []int{1, 3} {
		straight := filepath.Join(t.TempDir(), "straight")
		want, err := trainTiny(t, straight, 1, accumulate, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantLog := logWithoutTimes(t, straight)
		if lines := strings.Count(wantLog, "\n"); lines != 6+3 { // reports at 7…35 and 40, tests at 15, 30, 40
			t.Fatalf("log has %d lines:\n%s", lines, wantLog)
		}
		// 0 stops after the first step, 44 inside an update of three batches,
		// 14 right before the test at 15, 39 right before the end.
		for _, stops := range [][]int{{0}, {10}, {14}, {39}, {44}, {5, 20, 33}} {
			folder := filepath.Join(t.TempDir(), "run")
			for n, stop := range stops {
				_, err := trainTiny(t, folder, 1+n%2, accumulate, stop, nil)
				var interrupted *InterruptedError
				if stop < 40*accumulate && (!errors.As(err, &interrupted) || !strings.Contains(err.Error(), "--resume "+folder)) {
					t.Fatalf("stop at batch %d: error %v", stop, err)
				}
				writeFile(t, folder, stateFile+".partial", []byte("left by a kill")) // must not matter
			}
			got, err := trainTiny(t, folder, 2, accumulate, -1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.WeightsSHA256 != want.WeightsSHA256 {
				t.Errorf("accumulate %d, stops %v: other weights than without", accumulate, stops)
			}
			if got.Train.Loss != want.Train.Loss || got.Test["loss"] != want.Test["loss"] || got.Test["accuracy"] != want.Test["accuracy"] {
				t.Errorf("accumulate %d, stops %v: results %+v, want %+v", accumulate, stops, got, want)
			}
			if log := logWithoutTimes(t, folder); log != wantLog {
				t.Errorf("accumulate %d, stops %v: log\n%swant\n%s", accumulate, stops, log, wantLog)
			}
		}
	}
}

// A kill leaves the last checkpoint, a log that goes on after it and possibly
// half a line and half a file.
func TestResumeAfterKill(t *testing.T) {
	straight := filepath.Join(t.TempDir(), "straight")
	want, err := trainTiny(t, straight, 2, 1, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "run")
	trainTiny(t, folder, 2, 1, 11, nil)
	state, err := os.ReadFile(filepath.Join(folder, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	trainTiny(t, folder, 2, 1, 36, nil)
	writeFile(t, folder, stateFile, state) // as if the second checkpoint had not been written
	log, err := os.OpenFile(filepath.Join(folder, logFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	log.WriteString(`{"iteration":3`)
	log.Close()
	got, err := trainTiny(t, folder, 1, 1, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.WeightsSHA256 != want.WeightsSHA256 {
		t.Error("other weights than without the kill")
	}
	if log, wantLog := logWithoutTimes(t, folder), logWithoutTimes(t, straight); log != wantLog {
		t.Errorf("log\n%swant\n%s", log, wantLog)
	}
	again, err := trainTiny(t, folder, 1, 1, -1, nil) // a finished run has nothing left to do
	if err != nil || again.WeightsSHA256 != want.WeightsSHA256 || again.Test["loss"] != want.Test["loss"] {
		t.Errorf("resuming a finished run: %+v, %v", again, err)
	}
	if log, wantLog := logWithoutTimes(t, folder), logWithoutTimes(t, straight); log != wantLog {
		t.Errorf("resuming a finished run changed the log:\n%s", log)
	}
}

func TestResumeWithoutCheckpointStartsOver(t *testing.T) {
	want, err := trainTiny(t, filepath.Join(t.TempDir(), "straight"), 1, 1, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := writeRun(folder, RunDescription{Name: "tiny", Seed: 7}); err != nil {
		t.Fatal(err)
	}
	var notices strings.Builder
	got, err := trainTiny(t, folder, 1, 1, -1, func(_ *Program, o *Options) { o.Progress = NewProgress(&notices, true) })
	if err != nil || got.WeightsSHA256 != want.WeightsSHA256 {
		t.Errorf("started over: %v", err)
	}
	if !strings.Contains(notices.String(), "no checkpoint yet") {
		t.Errorf("notices: %q", notices.String())
	}
}

func TestSavingChangesNothing(t *testing.T) {
	want, _ := trainTiny(t, filepath.Join(t.TempDir(), "a"), 1, 1, -1, nil)
	for name, change := range map[string]func(*Program, *Options){
		"snapshots":    func(p *Program, _ *Options) { p.Config.Train.Snapshot = 4 },
		"by time":      func(_ *Program, o *Options) { o.SaveEvery = time.Nanosecond },
		"nothing kept": func(_ *Program, o *Options) { o.NewFolder = nil },
	} {
		folder := filepath.Join(t.TempDir(), "b")
		os.Mkdir(folder, 0o777)
		got, err := trainTiny(t, folder, 1, 1, -1, change)
		if err != nil || got.WeightsSHA256 != want.WeightsSHA256 {
			t.Errorf("%s: %v, other weights", name, err)
		}
	}
}

func TestSeedsAndEpochs(t *testing.T) {
	want, _ := trainTiny(t, filepath.Join(t.TempDir(), "a"), 1, 1, -1, nil)
	other, _ := trainTiny(t, filepath.Join(t.TempDir(), "b"), 1, 1, -1, func(_ *Program, o *Options) { o.Seed = 8 })
	if other.WeightsSHA256 == want.WeightsSHA256 {
		t.Error("two seeds give the same weights")
	}
	epochs, err := trainTiny(t, filepath.Join(t.TempDir(), "c"), 1, 2, -1, func(_ *Program, o *Options) { o.Epochs = 2 })
	if err != nil || epochs.Iterations != 9 { // 100 samples by 12, rounded up
		t.Errorf("two epochs are %d iterations, %v", epochs.Iterations, err)
	}
}

func TestTrainErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Program, *Options)
		want   string
	}{
		"no length":     {func(p *Program, _ *Options) { p.Config.Train.Iterations = 0 }, "does not say how long"},
		"policy":        {func(p *Program, _ *Options) { p.Config.Solver.Policy = "setp" }, `did you mean "step"?`},
		"shape":         {func(p *Program, o *Options) { o.Data.Train.Shape = []int{1, 4, 1} }, "samples of 1x2x2, but the data set's are 1x4x1"},
		"crop":          {func(p *Program, _ *Options) { p.Config.Data.CropSize = 3 }, "crop_size 3 is larger than the images, 2x2"},
		"mean":          {func(p *Program, _ *Options) { p.Config.Data.MeanValue = []float64{1, 2} }, "mean_value has 2 values"},
		"no data":       {func(_ *Program, o *Options) { o.Data = nil }, "needs a data set"},
		"no train":      {func(p *Program, _ *Options) { p.Train.Schedule = nil }, "no training phase"},
		"other weights": {func(_ *Program, o *Options) { o.Weights = &TensorFile{Path: "w"} }, "another network's weights"},
		"diverges": {func(p *Program, _ *Options) { p.Config.Solver.Rate = 1e38 },
			"is probably too high, try --set solver.lr=1e+37"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			_, err := trainTiny(t, folder, 1, 1, -1, c.change)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestDamagedCheckpoints(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	trainTiny(t, folder, 1, 1, 10, nil)
	state, err := os.ReadFile(filepath.Join(folder, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		change  func(*Program, *Options)
		want    string
	}{
		"truncated":  {state[:len(state)-4], nil, "cut off"},
		"no header":  {state[:5], nil, "too few"},
		"weights":    {weightsOf(t, folder), nil, "no checkpoint of a run"},
		"seed":       {state, func(_ *Program, o *Options) { o.Seed = 8 }, "has seed 7, not 8"},
		"data":       {state, func(_ *Program, o *Options) { o.Data.Name = "mnist" }, `on data set "tiny" of 50`},
		"batch":      {state, func(p *Program, _ *Options) { *p = newTinyNetwork(5, 1).Program }, "batches of 6"},
		"shape":      {state, func(p *Program, _ *Options) { p.Parameters[0].Shape = []int{4, 1} }, "1x4 there and 4x1 here"},
		"name":       {state, func(p *Program, _ *Options) { p.Parameters[0].Name = "ip2.weight" }, "has no parameter/ip2.weight"},
		"less state": {state, func(p *Program, _ *Options) { p.State = p.State[:1] }, "it has state/gradient, which this network lacks"},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, folder, stateFile, c.content)
			_, err := trainTiny(t, folder, 1, 1, -1, c.change)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "cannot resume") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func weightsOf(t *testing.T, folder string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, weightsFile))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// The test set of 21 is no multiple of the batch of 8: the metrics must be
// means over exactly 21.
func TestMetricsCoverExactlyTheTestSet(t *testing.T) {
	for _, c := range []struct{ batches, samples int }{{0, 21}, {1, 8}, {2, 16}, {3, 21}, {9, 21}} {
		network := newTinyNetwork(6, 1)
		network.Config.Test.Iterations = c.batches
		copy(network.Parameters[0].F32, []float32{1, -0.5, 2, -1})
		network.Parameters[1].F32[0] = -0.125
		set := tinyDataset()
		pool := NewPool(2)
		var notices strings.Builder
		e, err := newEvaluator(&network.Program, set, NewExecutor(&network.Program, pool), pool, NewProgress(&notices, true))
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		loss, right := 0.0, 0
		for s := range c.samples {
			z := -0.125
			for i, w := range []float64{1, -0.5, 2, -1} {
				z += w * float64(set.Test.Bytes[4*s+i]) / 256
			}
			y := float64(2*set.Test.Labels[s] - 1)
			loss += math.Log1p(math.Exp(-y*z)) / float64(c.samples)
			if y*z > 0 {
				right++
			}
		}
		if math.Abs(float64(got["loss"])-loss) > 1e-6 || math.Abs(float64(got["accuracy"])-float64(right)/float64(c.samples)) > 1e-6 {
			t.Errorf("%d batches: %v, want loss %g, accuracy %d/%d", c.batches, got, loss, right, c.samples)
		}
		if noticed := strings.Contains(notices.String(), "each is measured once"); noticed != (c.batches*8 > 21) {
			t.Errorf("%d batches: notices %q", c.batches, notices.String())
		}
		pool.Close()
	}
}
