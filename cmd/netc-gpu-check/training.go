package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// steps are trained on each side.
	steps = 5
	// lossBound is how far a loss on the GPU may be from the processor's, relative
	// where that is above 1.
	lossBound = 1e-4
)

// modelResult is what a model's training came to.
type modelResult struct {
	name      string
	batch     int
	processor []float64 // losses
	gpu       []float64
	worst     float64 // difference of losses, relative where they are above 1
	sameBits  bool    // of the weights, trained twice on the GPU
	stepMS    [2]float64
	fault     string
}

// training trains each model on the processor, on the GPU, and on the GPU again.
// The programs of the second folder, of the same names, are those for the
// processor.
func (r *report) training(ctx context.Context, folder, processors string) error {
	programs, err := modelPrograms(folder)
	if err != nil {
		return err
	}
	for _, program := range programs {
		m := &modelResult{name: filepath.Base(program)}
		fmt.Fprintf(os.Stderr, "         %s\n", m.name)
		if err := m.train(ctx, program, filepath.Join(processors, m.name)); err != nil {
			m.fault = err.Error()
		}
		r.model(m)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// modelPrograms lists the programs of a folder.
func modelPrograms(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("the models' programs: %w: \"make gpu-folder\" builds them", err)
	}
	var list []string
	for _, e := range entries {
		if !e.IsDir() {
			list = append(list, filepath.Join(folder, e.Name()))
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no programs: \"make gpu-folder\" builds them", folder)
	}
	return list, nil
}

// train fills in the result; its error says what could not be done.
func (m *modelResult) train(ctx context.Context, program, forProcessor string) error {
	processor, err := runProgram(ctx, forProcessor, "cpu")
	if err != nil {
		return err
	}
	gpu, err := runProgram(ctx, program, "cuda")
	if err != nil {
		return err
	}
	again, err := runProgram(ctx, program, "cuda")
	if err != nil {
		return err
	}
	m.batch, m.processor, m.gpu = gpu.Batch, processor.losses, gpu.losses
	m.stepMS = [2]float64{processor.StepMS, gpu.StepMS}
	m.sameBits = gpu.WeightsSHA256 == again.WeightsSHA256 && slices.Equal(gpu.losses, again.losses)
	return m.compare()
}

// compare holds the losses against each other.
func (m *modelResult) compare() error {
	if len(m.processor) != steps || len(m.gpu) != steps {
		return fmt.Errorf("%d losses on the processor and %d on the GPU, of %d steps", len(m.processor), len(m.gpu), steps)
	}
	for i, want := range m.processor {
		d := math.Abs(m.gpu[i]-want) / max(1, math.Abs(want))
		m.worst = max(m.worst, d)
		if !(d <= lossBound) {
			return fmt.Errorf("the loss of step %d is %v on the GPU and %v on the processor", i+1, m.gpu[i], want)
		}
	}
	switch {
	case slices.Max(m.gpu) == slices.Min(m.gpu):
		return fmt.Errorf("the loss stays at %v", m.gpu[0])
	case !m.sameBits:
		return errors.New("the second run on the GPU gives other bits")
	}
	return nil
}

// trained is what is read of a program's train --json, and its losses.
type trained struct {
	Batch         int     `json:"batch"`
	StepMS        float64 `json:"step_ms"`
	WeightsSHA256 string  `json:"weights_sha256"`
	losses        []float64
}

// trainingArgs are the command line by which a program trains.
func trainingArgs(device, out string) []string {
	return []string{"train", "--data", "noise", "--iterations", fmt.Sprint(steps), "--log", "jsonl", "--out", out, "--json", "--quiet", "--device", device}
}

// runProgram trains a model's program on noise. It reports each step's loss,
// because it was built with train.display=1.
func runProgram(ctx context.Context, program, device string) (*trained, error) {
	folder, err := os.MkdirTemp("", "netc-gpu-check-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	run := filepath.Join(folder, "run")
	args := trainingArgs(device, run)
	if device == "cpu" { // a program for the processor alone has no such flag
		args = args[:len(args)-2]
	}
	command := exec.CommandContext(ctx, program, args...)
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("training on %s: %w: %s", device, err, strings.TrimSpace(said.String()))
	}
	var t trained
	if err := json.Unmarshal(out.Bytes(), &t); err != nil {
		return nil, fmt.Errorf("training on %s: %w", device, err)
	}
	t.losses, err = readLosses(filepath.Join(run, "log.jsonl"))
	return &t, err
}

// readLosses reads the training losses of a run's log.
func readLosses(path string) ([]float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var losses []float64
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line struct {
			Loss *float64 `json:"loss"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if line.Loss != nil {
			losses = append(losses, *line.Loss)
		}
	}
	return losses, nil
}
