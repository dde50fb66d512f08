package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
)

// stateFile holds a whole checkpoint: parameters, state and progress. Being one
// file, renamed into place, its parts always belong together; the weights file
// beside it is a copy for others to read, and is never resumed from.
const stateFile = "state.safetensors"

// The prefixes keep parameters and state apart in one file.
const (
	parameterPrefix = "parameter/"
	statePrefix     = "state/"
)

// progress is how far a run has come, and what tells its trajectory from
// another's. It is stored in a checkpoint's metadata.
type progress struct {
	iteration int     // updates done
	tested    int     // the iteration of the last test, 0 before it
	lossSum   float64 // over the batches since the last report
	lossCount int
	lossShown float64 // the last report's mean

	// A checkpoint continues only with the same of these.
	seed       int32
	batch      int
	accumulate int
	data       string // the data set's name
	samples    int    // in its training split
}

// saveCheckpoint writes a run folder's state, then the copy of the weights.
func saveCheckpoint(folder string, program *Program, p progress) error {
	var tensors []Tensor
	for _, t := range program.Parameters {
		t.Name = parameterPrefix + t.Name
		tensors = append(tensors, t.Tensor)
	}
	for _, t := range program.State {
		t.Name = statePrefix + t.Name
		tensors = append(tensors, t)
	}
	exact := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	metadata := map[string]string{
		"format":     "netc checkpoint 1",
		"network":    program.Name,
		"iteration":  strconv.Itoa(p.iteration),
		"tested":     strconv.Itoa(p.tested),
		"loss_sum":   exact(p.lossSum),
		"loss_count": strconv.Itoa(p.lossCount),
		"loss_shown": exact(p.lossShown),
		"seed":       strconv.Itoa(int(p.seed)),
		"batch":      strconv.Itoa(p.batch),
		"accumulate": strconv.Itoa(p.accumulate),
		"data":       p.data,
		"samples":    strconv.Itoa(p.samples),
	}
	if err := saveSafetensors(filepath.Join(folder, stateFile), tensors, metadata); err != nil {
		return err
	}
	return saveWeights(filepath.Join(folder, weightsFile), program)
}

// saveWeights writes the parameters alone.
func saveWeights(path string, program *Program) error {
	return saveSafetensors(path, tensorsOf(program.Parameters), map[string]string{"network": program.Name})
}

// errNoCheckpoint says that a run folder was left before its first checkpoint.
var errNoCheckpoint = errors.New("no checkpoint")

// loadCheckpoint puts a run folder's checkpoint into the program. The program
// is left as it was when anything does not fit.
func loadCheckpoint(folder string, program *Program, want progress) (progress, error) {
	path := filepath.Join(folder, stateFile)
	file, err := ReadSafetensors(path)
	if errors.Is(err, fs.ErrNotExist) {
		return progress{}, errNoCheckpoint
	}
	if err != nil {
		return progress{}, fmt.Errorf("cannot resume: %w", err)
	}
	p, err := parseProgress(file.Metadata)
	if err != nil {
		return progress{}, fmt.Errorf("cannot resume from %s: %w", path, err)
	}
	if err := p.mustMatch(want); err != nil {
		return progress{}, fmt.Errorf("cannot resume from %s: %w", path, err)
	}
	if err := restore(program, file); err != nil {
		return progress{}, fmt.Errorf("cannot resume from %s: %w", path, err)
	}
	return p, nil
}

// restore copies parameters and state, all of them or none.
func restore(program *Program, file *TensorFile) error {
	var targets []Tensor
	for _, t := range program.Parameters {
		t.Name = parameterPrefix + t.Name
		targets = append(targets, t.Tensor)
	}
	for _, t := range program.State {
		t.Name = statePrefix + t.Name
		targets = append(targets, t)
	}
	sources := make([]Tensor, len(targets))
	for i, target := range targets {
		source, found := file.Find(target.Name)
		switch {
		case !found:
			return fmt.Errorf("it has no %s: it belongs to another network or solver", target.Name)
		case !slices.Equal(source.Shape, target.Shape) || (source.I32 == nil) != (target.I32 == nil):
			return fmt.Errorf("%s is %s there and %s here: it belongs to another network", target.Name, shapeText(source.Shape), shapeText(target.Shape))
		}
		sources[i] = source
	}
	if len(file.Tensors) != len(targets) {
		for _, t := range file.Tensors {
			if !slices.ContainsFunc(targets, func(target Tensor) bool { return target.Name == t.Name }) {
				return fmt.Errorf("it has %s, which this network lacks: it belongs to another network or solver", t.Name)
			}
		}
	}
	for i, target := range targets {
		copy(target.F32, sources[i].F32)
		copy(target.I32, sources[i].I32)
	}
	return nil
}

// parseProgress reads a checkpoint's metadata.
func parseProgress(metadata map[string]string) (progress, error) {
	var p progress
	var failure error
	integer := func(key string) int {
		n, err := strconv.ParseInt(metadata[key], 10, 64)
		if err != nil && failure == nil {
			failure = fmt.Errorf("its %s is %q: it is no checkpoint of a run", key, metadata[key])
		}
		return int(n)
	}
	float := func(key string) float64 {
		v, err := strconv.ParseFloat(metadata[key], 64)
		if err != nil && failure == nil {
			failure = fmt.Errorf("its %s is %q: it is no checkpoint of a run", key, metadata[key])
		}
		return v
	}
	p.iteration, p.tested = integer("iteration"), integer("tested")
	p.lossSum, p.lossCount, p.lossShown = float("loss_sum"), integer("loss_count"), float("loss_shown")
	p.seed, p.batch, p.accumulate = int32(integer("seed")), integer("batch"), integer("accumulate")
	p.data, p.samples = metadata["data"], integer("samples")
	if failure == nil && p.iteration < 0 {
		failure = fmt.Errorf("its iteration is %d: it is no checkpoint of a run", p.iteration)
	}
	return p, failure
}

// mustMatch refuses a checkpoint that could not continue on the same path.
func (p progress) mustMatch(want progress) error {
	switch {
	case p.seed != want.seed:
		return fmt.Errorf("its run has seed %d, not %d: leave --seed out", p.seed, want.seed)
	case p.batch != want.batch || p.accumulate != want.accumulate:
		return fmt.Errorf("its run has batches of %d, %d an update; this network is compiled for %d and %d: build it with the same, or start from the run's weights with --weights", p.batch, p.accumulate, want.batch, want.accumulate)
	case p.data != want.data || p.samples != want.samples:
		return fmt.Errorf("its run was on data set %q of %d samples, not %q of %d: give the same with --data, or start from the run's weights with --weights", p.data, p.samples, want.data, want.samples)
	}
	return nil
}
