package runtime

import (
	"context"
	"fmt"
)

// evaluator measures the test phase on a data set's test split. It lives as
// long as a run and allocates nothing a batch.
type evaluator struct {
	program  *Program
	executor Executor
	pool     *Pool   // of the loader
	loader   *loader // nil when the phase reads no data
	n        int     // samples measured
	chosen   []int32
	metrics  []metric
	results  []Tensor
}

// metric is one scalar result of the test phase.
type metric struct {
	name  string
	value []float32 // where the phase writes it
	sum   float64   // over the samples measured so far
}

// newEvaluator prepares a test of the first config.Test.Iterations batches of
// the test split, in order, or of all of it; asking for more batches than it
// has is the same as asking for all.
func newEvaluator(program *Program, set *Dataset, executor Executor, pool *Pool, progress *Progress) (*evaluator, error) {
	phase := &program.Test
	if len(phase.Schedule) == 0 {
		return nil, fmt.Errorf("network %s has no test phase", program.Name)
	}
	e := &evaluator{program: program, executor: executor, pool: pool, chosen: make([]int32, phase.Batch), results: phase.results()}
	for _, output := range phase.Outputs {
		if len(output.F32) == 1 {
			e.metrics = append(e.metrics, metric{name: output.Name, value: output.F32})
		}
	}
	if phase.Loss != nil && !e.reports("loss") {
		e.metrics = append(e.metrics, metric{name: "loss", value: phase.Loss})
	}
	asked := program.Config.Test.Iterations
	if len(phase.Inputs) == 0 { // the network makes its own data
		e.n = max(asked, 1) * phase.Batch
		return e, nil
	}
	if set == nil {
		return nil, fmt.Errorf("network %s needs a data set to be tested", program.Name)
	}
	e.n = set.Test.N
	if asked > 0 {
		if asked*phase.Batch > set.Test.N {
			fmt.Fprintf(progress, "note: test.iterations = %d batches of %d are more than the %d test samples: each is measured once\n", asked, phase.Batch, set.Test.N)
		}
		e.n = min(e.n, asked*phase.Batch)
	}
	var err error
	if e.loader, err = newLoader(phase, set.Test, program.Config.Data, false, 0); err != nil {
		return nil, err
	}
	return e, e.loader.keep(phase, executor, progress)
}

func (e *evaluator) reports(name string) bool {
	for _, m := range e.metrics {
		if m.name == name {
			return true
		}
	}
	return false
}

// run measures and gives each metric's mean over exactly the samples measured.
//
// A phase reports means over a full batch. Where the batch does not divide the
// samples, the last batch is filled up with copies of its first sample, and a
// batch of nothing but that sample tells what each copy added, which is taken
// out again. That is exact for every metric that is a mean over samples.
func (e *evaluator) run(ctx context.Context) (map[string]Number, error) {
	for i := range e.metrics {
		e.metrics[i].sum = 0
	}
	batch := len(e.chosen)
	for first := 0; first < e.n; first += batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		filled := min(batch, e.n-first)
		for i := range e.chosen {
			e.chosen[i] = int32(first)
			if i < filled {
				e.chosen[i] = int32(first + i)
			}
		}
		if err := e.measure(first, float64(batch)); err != nil {
			return nil, err
		}
		if filled < batch {
			for i := range e.chosen {
				e.chosen[i] = int32(first)
			}
			if err := e.measure(first, -float64(batch-filled)); err != nil {
				return nil, err
			}
		}
	}
	results := make(map[string]Number, len(e.metrics))
	for _, m := range e.metrics {
		results[m.name] = Number(m.sum / float64(e.n))
	}
	return results, nil
}

// measure runs the chosen samples and adds each metric with a weight.
func (e *evaluator) measure(first int, weight float64) error {
	inputs, err := e.executor.Feed(&e.program.Test)
	if err != nil {
		return err
	}
	if e.loader != nil {
		e.loader.load(e.pool, inputs, e.chosen, first)
	}
	if err := e.executor.Start(&e.program.Test); err != nil {
		return err
	}
	if err := e.executor.Pull(e.results); err != nil {
		return err
	}
	for i := range e.metrics {
		m := &e.metrics[i]
		m.sum += weight * float64(m.value[0])
	}
	return nil
}
