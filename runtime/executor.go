package runtime

import "time"

// Executor computes a program's phases: the pool in the program's own memory,
// an accelerator in memory of its own, which mirrors the program's arena. It
// belongs to one program and one goroutine.
//
// A pass is fed, started, and over some time later; what has been started is
// computed in that order.
type Executor interface {
	// Feed gives the arrays for the inputs of a phase's next pass, in the order
	// of phase.Inputs. They are written before Start and not touched after it,
	// and keep what they hold. A phase has one list of arrays or several, which
	// take turns.
	Feed(phase *Phase) ([]Tensor, error)
	// Start computes a pass on what was fed and on the program's Rate, Iteration
	// and Seed as they stand. It may return before the pass is over.
	Start(phase *Phase) error
	// Losses appends the losses of the training passes that are over, each once
	// and in their order. With wait it waits for all that were started.
	Losses(list []float32, wait bool) ([]float32, error)
	// Push makes following passes see what the tensors, of the program's arena,
	// hold now. Pull waits for all passes and reads what they made of them.
	Push(tensors []Tensor) error
	Pull(tensors []Tensor) error
	// Close gives the memory back. What was not pulled is lost.
	Close() error
}

// Accelerator is a device, besides the processor, that a program was built for.
type Accelerator struct {
	Name string // as --device names it, "cuda"
	// Open readies the device for a program. An error says what is missing.
	Open func(program *Program) (Executor, error)
}

// Keeper is an Executor that can keep a data set in its own memory, so that a
// batch is made there and not sent.
type Keeper interface {
	Executor
	// Keep copies images to the device and makes a phase's batches of them from
	// then on. Of the phase's input of that number, Feed then gives an int32 array
	// [batch, CutNumbers] of what is a Cut for each sample. Where the device has
	// no room, Keep says so and changes nothing.
	Keep(phase *Phase, input int, images *Images) (why string, err error)
}

// Profiler is an Executor that can say where its time goes. It measures on the
// device: what the host does meanwhile is left out.
type Profiler interface {
	Executor
	// Launches lists the kernels of a phase's step, in order, with what they cost.
	// A kernel's Tasks are its blocks.
	Launches(phase *Phase) []Launch
	// TimePass computes a phase as Start does, and waits.
	TimePass(phase *Phase) (time.Duration, error)
	// TimeKernels computes a phase kernel by kernel and adds each one's time to
	// its sum.
	TimeKernels(phase *Phase, sums []time.Duration) error
	// TimeSetup computes a phase's setup, which may be there already, and gives
	// the number of its kernels and their time.
	TimeSetup(phase *Phase) (kernels int, took time.Duration, err error)
	// Peaks measures what the device can do at most.
	Peaks() (DevicePeaks, error)
}

// DevicePeaks is what a device can do at most.
type DevicePeaks struct {
	Device     string        // its name
	What       string        // what was measured as arithmetic
	Arithmetic float64       // operations a second
	Memory     float64       // bytes a second, read and written together, of copying
	Launch     time.Duration // of a kernel that does nothing, in a graph
	Processors int           // blocks that run side by side at least
}

// poolExecutor computes on the processor.
type poolExecutor struct {
	program *Program
	pool    *Pool
	losses  []float32
}

// NewExecutor is the executor of a pool: the program's arena is its memory, and
// a pass is over when Start returns.
func NewExecutor(program *Program, pool *Pool) Executor {
	return &poolExecutor{program: program, pool: pool}
}

func (e *poolExecutor) Feed(phase *Phase) ([]Tensor, error) { return phase.Inputs, nil }

func (e *poolExecutor) Start(phase *Phase) error {
	phase.Run(e.pool)
	if phase == &e.program.Train && phase.Loss != nil {
		e.losses = append(e.losses, phase.Loss[0])
	}
	return nil
}

func (e *poolExecutor) Losses(list []float32, wait bool) ([]float32, error) {
	list = append(list, e.losses...)
	e.losses = e.losses[:0]
	return list, nil
}

func (e *poolExecutor) Push([]Tensor) error {
	e.program.Arena.Changed()
	return nil
}

func (e *poolExecutor) Pull([]Tensor) error { return nil }
func (e *poolExecutor) Close() error        { return nil }

// persistent lists what lives from step to step: parameters, then states.
func (p *Program) persistent() []Tensor { return append(tensorsOf(p.Parameters), p.State...) }

// results lists what a phase reports: its outputs, and the loss.
func (p *Phase) results() []Tensor {
	list := p.Outputs
	if p.Loss != nil {
		list = append(list[:len(list):len(list)], Tensor{Name: "loss", F32: p.Loss})
	}
	return list
}
