// Package runtime is what an emitted network needs to run: worker pool, arena,
// datasets, solver loop, checkpoints and progress. It imports the standard
// library only, because netc copies it into every program it writes.
package runtime

import "unsafe"

// Program is one compiled network: its tensors, its static schedules and the
// run file it was compiled with. An emitted package fills it in; Main drives it.
type Program struct {
	Name   string
	ISA    string // the kernels' instruction set, "portable" for plain Go
	Config Config

	Train Phase // forward, backward and, unless Update holds it, the parameter update
	Test  Phase // forward only; its schedule may be empty when the net has no test phase
	// Update applies the gradients accumulated over Config.Solver.Accumulate
	// training batches. Its schedule is empty when Train updates by itself.
	Update Phase

	Parameters []Parameter // what a weights file holds, in the network's order
	State      []Tensor    // what else a resumed run needs: solver history, accumulated gradients

	// The step's scalar inputs, written by the solver loop before each step.
	Rate      []float32 // one element: the learning rate
	Iteration []int32   // one element: batches trained so far, counted over Accumulate
	Seed      []int32   // one element: for dropout

	ArenaBytes int    // the whole arena: parameters, state and activations
	Arena      *Arena // which all of the tensors above lie in
}

// Phase is one static schedule over the arena.
type Phase struct {
	Arena    *Arena // of the tensors; may be nil where no phase of the program has a Setup
	Batch    int
	Inputs   []Tensor  // fed before each pass: images and labels
	Classes  []int     // for each of Inputs: an int32 input's values are 0 to Classes-1; 0 where nothing bounds them
	Ignored  []int32   // labels that losses or accuracies leave out; they may lie outside of Classes
	Outputs  []Tensor  // scalars and results that the phase reports: loss, accuracy
	Loss     []float32 // one element: the weighted total; nil when the phase has no loss
	Tensors  []Tensor  // every tensor that may be read after the pass, by name
	Schedule []Launch  // a step; stays as it is once the phase has run
	Scratch  int       // bytes of the buffer that each thread needs for its Code kernels

	// Setup computes what depends on parameters and states alone, in a phase that
	// leaves them as they are. Run does it before the first step, and again when
	// another phase has run or Arena.Changed was called since. It stays as it is
	// once the phase has run.
	Setup []Launch

	prepared, preparedSetup *schedule // of Run's last pool
}

// Launch is one kernel of a schedule, with its arguments bound, in one of two
// forms. Run computes tasks lo to hi-1; Code, used where Run is nil, computes
// one task. Tasks are independent of each other: threads split them in any way
// and the result has the same bits.
type Launch struct {
	Kernel string // the emitted function's name
	Layers string // the layers it computes, as in "conv1 + relu1"
	Tasks  int
	Run    func(lo, hi int)

	// Code is a function in assembly. args is the first of Args, the addresses
	// of its tensors in the arena; scratch is the thread's own buffer of
	// Phase.Scratch bytes, aligned to 64, with what the last task left in it.
	Code func(args *unsafe.Pointer, scratch unsafe.Pointer, task int)
	Args []unsafe.Pointer

	// Groups is the number of equal groups of neighbouring tasks that compute
	// disjoint samples, such as the blocks of a batch; 0 where there are none.
	// It divides Tasks.
	Groups int
	// Joins promises, of a launch with groups, that each of its groups reads and
	// writes no memory but its own group's and what no launch of the run writes.
	// The run is this launch and those right before it, back to the first that
	// does not join, which must have as many groups and keep the same promise
	// towards those that join it. A run needs no waiting between its launches
	// where each thread computes whole groups; each then passes through all of
	// the run while it is in the caches.
	Joins bool

	// What it does and costs, for the time verb.

	Pass         string // "forward", "backward" or "update", or several joined by " + "
	MultiplyAdds int    // of its convolution or matrix product; 0 for other kernels
	Operations   int    // of a kernel without MultiplyAdds: its float arithmetic and comparisons
	Bytes        int    // size of the tensors it reads and writes, each once
}

// Tensor is a named array inside the arena, row-major. Exactly one of F32 and
// I32 is set.
type Tensor struct {
	Name  string
	Shape []int
	F32   []float32
	I32   []int32
}

// Parameter is a tensor of the weights file and how it starts.
type Parameter struct {
	Tensor
	Fill Filler
}

// Filler says how a parameter starts, with Caffe's meaning of each field.
// Kind is constant, uniform, gaussian, xavier, msra, orthogonal, bilinear or
// positive_unitball.
type Filler struct {
	Kind     string
	Value    float64 // constant
	Min, Max float64 // uniform
	Mean     float64 // gaussian
	Std      float64 // gaussian
	Sparse   int     // gaussian: non-zero inputs kept for each output; 0 keeps all
	Gain     float64 // orthogonal
	Variance string  // xavier, msra: "fan_in" (default), "fan_out" or "average"
}
