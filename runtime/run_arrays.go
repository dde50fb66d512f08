package runtime

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// assignments collects a repeated flag of the form NAME=FILE.
type assignments []assignment

type assignment struct{ name, file string }

// String shows the flag's value.
func (a *assignments) String() string {
	var parts []string
	for _, one := range *a {
		parts = append(parts, one.name+"="+one.file)
	}
	return strings.Join(parts, " ")
}

// Set adds one NAME=FILE.
func (a *assignments) Set(text string) error {
	name, file, found := strings.Cut(text, "=")
	if !found || name == "" || file == "" {
		return fmt.Errorf("%q is not NAME=FILE.npy", text)
	}
	*a = append(*a, assignment{name, file})
	return nil
}

// gradientSuffix makes a tensor's name its gradient's.
const gradientSuffix = ".grad"

// RunOutcome is what the run verb computed, as --json prints it.
type RunOutcome struct {
	Name    string      `json:"name"`
	Phase   string      `json:"phase"`
	Loss    *Number     `json:"loss,omitempty"`
	Outputs []RunOutput `json:"outputs"`
}

// RunOutput is one array that was written.
type RunOutput struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	File  string `json:"file"`
}

// run computes one pass on given arrays. In the train phase the learning rate
// is zero, so that gradients are computed and the parameters stay.
func (i *invocation) run(args []string) (err error) {
	var in, out, grad assignments
	var phaseName string
	i.flags.Var(&in, "in", "`NAME=FILE`.npy: an input's values, repeatable")
	i.flags.Var(&out, "out", "`NAME=FILE`.npy: where to write a tensor, repeatable")
	i.flags.Var(&grad, "grad", "`NAME=FILE`.npy: where to write the loss's gradient by a tensor, repeatable")
	i.flags.StringVar(&phaseName, "phase", "test", "`phase` to run, train or test")
	if err := i.parse(args); err != nil {
		return err
	}
	if len(grad) > 0 && !i.isSet("phase") {
		phaseName = "train"
	}
	switch {
	case phaseName != "train" && phaseName != "test":
		return usageError{fmt.Sprintf("--phase %s: the phases are train and test", phaseName)}
	case phaseName == "test" && len(grad) > 0:
		return usageError{"--grad needs --phase train, the test phase has no gradients"}
	case len(out)+len(grad) == 0:
		return usageError{"run writes nothing: give --out NAME=FILE.npy"}
	}
	program, err := i.network()
	if err != nil {
		return err
	}
	phase := &program.Test
	if phaseName == "train" || len(phase.Schedule) == 0 {
		phase, phaseName = &program.Train, "train"
	}
	for n := range grad {
		grad[n].name += gradientSuffix
	}
	wanted := slices.Concat(out, grad)
	tensors, err := findTensors(program, phase, phaseName, wanted)
	if err != nil {
		return err
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
	if err := executor.Push(program.persistent()); err != nil {
		return err
	}
	inputs, err := executor.Feed(phase)
	if err != nil {
		return err
	}
	if err := i.feed(phase, inputs, in); err != nil {
		return err
	}
	if err := executor.Start(phase); err != nil {
		return err
	}
	if err := executor.Pull(slices.Concat(tensors, phase.results())); err != nil {
		return err
	}
	outcome := RunOutcome{Name: program.Name, Phase: phaseName, Outputs: []RunOutput{}}
	var text strings.Builder
	if phase.Loss != nil {
		loss := Number(phase.Loss[0])
		outcome.Loss = &loss
		fmt.Fprintf(&text, "loss %.6g\n", float64(loss))
	}
	for n, t := range tensors {
		if err := WriteNPY(wanted[n].file, t); err != nil {
			return err
		}
		outcome.Outputs = append(outcome.Outputs, RunOutput{Name: t.Name, Shape: append([]int{}, t.Shape...), File: wanted[n].file})
		fmt.Fprintf(&text, "%s %s -> %s\n", t.Name, shapeText(t.Shape), wanted[n].file)
	}
	return i.print(outcome, text.String())
}

// feed reads the given arrays into the arrays of the phase's inputs. The others stay zero.
func (i *invocation) feed(phase *Phase, inputs []Tensor, in assignments) error {
	var names []string
	for _, input := range inputs {
		names = append(names, input.Name)
	}
	fed := map[string]bool{}
	for _, given := range in {
		at := slices.Index(names, given.name)
		if at < 0 {
			return fmt.Errorf("--in %s: no such input%s; the network has %s", given.name, didYouMean(given.name, names), listed(names))
		}
		array, err := ReadNPY(given.file)
		if err != nil {
			return err
		}
		if fed[given.name] {
			return usageError{fmt.Sprintf("--in %s is given twice", given.name)}
		}
		if err := assign(inputs[at], array); err != nil {
			return fmt.Errorf("--in %s=%s: %w", given.name, given.file, err)
		}
		if err := phase.checkLabels(at, inputs[at].I32); err != nil {
			return fmt.Errorf("--in %s=%s: %w", given.name, given.file, err)
		}
		fed[given.name] = true
	}
	for _, input := range inputs {
		if !fed[input.Name] {
			clear(input.F32)
			clear(input.I32)
			fmt.Fprintf(i.progress, "note: input %s is not given, it is all zero\n", input.Name)
		}
	}
	return nil
}

// assign copies an array into an input of the same shape, between float and
// integer where the values allow it.
func assign(input, array Tensor) error {
	if !slices.Equal(input.Shape, array.Shape) {
		return fmt.Errorf("the array is %s, the input %s (the batch comes first)", shapeText(array.Shape), shapeText(input.Shape))
	}
	copy(input.F32, array.F32)
	copy(input.I32, array.I32)
	if input.F32 != nil {
		for i, v := range array.I32 {
			input.F32[i] = float32(v)
		}
		return nil
	}
	for i, v := range array.F32 {
		if v != float32(math.Trunc(float64(v))) || v < math.MinInt32 || v >= math.MaxInt32 {
			return fmt.Errorf("value %g at index %d is no integer, as the input wants", v, i)
		}
		input.I32[i] = int32(v)
	}
	return nil
}

// findTensors gives the tensors of the names wanted, from everything that can
// be read after the phase.
func findTensors(program *Program, phase *Phase, phaseName string, wanted assignments) ([]Tensor, error) {
	readable := slices.Concat(phase.Outputs, phase.Tensors, phase.Inputs, tensorsOf(program.Parameters))
	var names []string
	for _, t := range readable {
		if !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	var found []Tensor
	for _, w := range wanted {
		at := slices.IndexFunc(readable, func(t Tensor) bool { return t.Name == w.name })
		if at < 0 {
			return nil, fmt.Errorf("the %s phase has no tensor %s%s; it has %s", phaseName, w.name, didYouMean(w.name, names), listed(names))
		}
		found = append(found, readable[at])
	}
	return found, nil
}
