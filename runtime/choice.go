package runtime

import (
	"fmt"
	"slices"
)

// Choice is an emitted network before it is built: the instruction sets that it
// has kernels for, and how to build it with those of one. Nothing is allocated
// before an instruction set is chosen.
type Choice struct {
	Name  string
	ISAs  []string // of "portable", "avx2" and "avx512", the fastest last; "portable" is among them
	Build func(isa string) *Program

	// Accelerators are the devices besides the processor that the program was
	// built for.
	Accelerators []Accelerator
}

// cpu is the device that every program has.
const cpu = "cpu"

// devices lists what --device may name.
func (c Choice) devices() []string {
	list := []string{cpu}
	for _, a := range c.Accelerators {
		list = append(list, a.Name)
	}
	return list
}

// ISA gives the instruction set to build for: the one asked for, or for "" the
// fastest of those that the network has kernels for and this processor runs.
// Its error is an *ISAError.
func (c Choice) ISA(asked string) (string, error) {
	if err := CheckISA(asked); err != nil {
		return "", err
	}
	if asked != "" && !slices.Contains(c.ISAs, asked) {
		return "", &ISAError{ISA: asked, message: fmt.Sprintf("--isa %s: this program has no %s kernels, only %s", asked, asked, wordList(c.ISAs))}
	}
	best := asked
	for _, isa := range c.ISAs {
		if asked == "" && slices.Contains(thisProcessor(), isa) {
			best = isa
		}
	}
	return best, nil
}

// Program builds the network for an instruction set, "" being the best here. An
// instruction set that is not there, or an arena that the machine cannot hold,
// is an error.
func (c Choice) Program(isa string) (_ *Program, err error) {
	if isa, err = c.ISA(isa); err != nil {
		return nil, err
	}
	defer func() {
		if cause := recover(); cause != nil {
			tooLarge, ok := cause.(memoryError)
			if !ok {
				panic(cause)
			}
			err = tooLarge
		}
	}()
	return c.Build(isa), nil
}
