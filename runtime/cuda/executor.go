package cuda

import (
	"fmt"
	"os"
	goruntime "runtime"
	"unsafe"

	"netc/runtime"
)

// stepwiseVariable names the environment variable that makes every kernel run
// by itself, so that an error names the kernel that made it.
const stepwiseVariable = "NETC_CUDA_SYNC"

// Executor computes a program's phases on a GPU. A phase is one CUDA graph: it
// takes the inputs from a staging area into the arena, runs the kernels, and
// leaves the loss in pinned memory. Its setup is launched before it where it is
// due. Each phase has two slots, so that the next batch is made and copied while
// this one is computed.
type Executor struct {
	gpu     *gpu
	network *Program
	program *runtime.Program

	module   Module
	arena    Memory
	upload   Stream // copies of inputs
	compute  Stream
	side     []Stream // on which graphs branch, besides compute
	made     []Event  // that order the launches of graphs while they are captured
	marks    []Event  // those of them that are free
	phases   []*phase
	setUp    *phase    // the last that was started, whose setup the arena holds; nil where parameters have changed since
	pending  []*slot   // of training passes that were started, whose loss was not taken
	finished []float32 // losses of passes whose slots are in use again
	timing   []Event   // that note the time, made when they are first needed
	stepwise bool
}

// phase is a phase of the program with its slots.
type phase struct {
	*runtime.Phase
	name     string
	launches []Launch
	ready    []Function // of the launches; 0 for copies
	kept     *kept      // the images on the device that make its batches; nil where they are fed
	setup    int        // so many of them are the setup, not part of the graph
	slots    [2]slot
	next     int
}

// slot is what one pass needs besides the arena.
type slot struct {
	staging  block // the inputs and scalars, as they are copied into the arena
	inputs   []runtime.Tensor
	scalars  []scalar
	copies   []span // from the staging area's device side into the arena
	cuts     Memory // where the cuts of kept images lie, on the device
	loss     block  // 4 bytes, host side only; none where the phase has no loss
	lossAt   Memory
	exec     Exec
	uploaded Event
	done     Event
	busy     bool // started, and not known to be over
}

// block is memory on the host, pinned, and on the device.
type block struct {
	bytes  int
	host   unsafe.Pointer
	device Memory
}

// scalar is one of the program's scalar inputs and its place in a staging area.
type scalar struct {
	from unsafe.Pointer // 4 bytes
	to   unsafe.Pointer
}

// span is a range to copy.
type span struct {
	to, from Memory
	bytes    int
}

// Open readies a GPU for a program: it compiles the network's kernels, lays out
// the arena and captures the graphs. Everything that the Executor does happens
// on the calling goroutine, which stays on its thread until Close.
func Open(program *runtime.Program, network *Program, libraries Libraries) (_ runtime.Executor, err error) {
	if err := network.Check(); err != nil {
		return nil, err
	}
	goruntime.LockOSThread()
	gpu, err := openGPU(libraries)
	if err != nil {
		goruntime.UnlockOSThread()
		return nil, err
	}
	e := &Executor{gpu: gpu, network: network, program: program, stepwise: os.Getenv(stepwiseVariable) != ""}
	if err := e.prepare(); err != nil {
		e.Close() // the first error says more than those of clearing up
		return nil, err
	}
	return e, nil
}

// prepare allocates and captures.
func (e *Executor) prepare() (err error) {
	if e.module, err = e.gpu.module(e.network.Source, e.network.Name, e.network.Options); err != nil {
		return err
	}
	if e.compute, err = e.gpu.NewStream(); err != nil {
		return err
	}
	if e.upload, err = e.gpu.NewStream(); err != nil {
		return err
	}
	for len(e.side) < mostBranches-1 {
		stream, err := e.gpu.NewStream()
		if err != nil {
			return err
		}
		e.side = append(e.side, stream)
	}
	if e.arena, err = e.alloc(e.network.Arena); err != nil {
		return err
	}
	if err := e.gpu.Fill(e.arena, 0, max(e.network.Arena, 1), e.compute); err != nil {
		return err
	}
	for _, p := range []struct {
		name  string
		phase *runtime.Phase
	}{{"train", &e.program.Train}, {"test", &e.program.Test}, {"update", &e.program.Update}} {
		launches := e.network.Phases[p.name]
		if len(launches) == 0 {
			continue
		}
		one := &phase{Phase: p.phase, name: p.name, launches: launches, setup: e.network.Setup[p.name]}
		e.phases = append(e.phases, one)
		if one.ready, err = e.functions(launches); err != nil {
			return err
		}
		for i := range one.slots {
			if err := e.prepareSlot(one, &one.slots[i]); err != nil {
				return err
			}
		}
	}
	return e.gpu.SynchronizeStream(e.compute)
}

// alloc is memory on the device, with an error that says how much there is.
func (e *Executor) alloc(bytes int) (Memory, error) {
	m, err := e.gpu.Alloc(max(bytes, 1))
	if isCode(err, CodeOutOfMemory) {
		if free, total, infoErr := e.gpu.MemoryInfo(); infoErr == nil {
			const mebi = 1 << 20
			return 0, fmt.Errorf("the network needs %d MiB on the GPU, of whose %d MiB %d are free: use a smaller batch (%w)", bytes/mebi, total/mebi, free/mebi, err)
		}
	}
	return m, err
}

// functions finds the kernels of launches in the module, and allows them the
// shared memory they ask for.
func (e *Executor) functions(launches []Launch) ([]Function, error) {
	const always = 48 << 10 // bytes that need no leave
	list := make([]Function, len(launches))
	for i := range launches {
		l := &launches[i]
		if l.Copy != 0 {
			continue
		}
		f, err := e.gpu.Function(e.module, l.Kernel)
		if err != nil {
			return nil, of(err, l)
		}
		if l.Shared > e.gpu.shared {
			return nil, fmt.Errorf("kernel %s, which computes %s, needs %d bytes of shared memory in a block; %s has %d", l.Kernel, l.Layers, l.Shared, e.gpu.name, e.gpu.shared)
		}
		if l.Shared > always {
			// Launches may share a kernel, and so the one leave that it has.
			if err := e.gpu.SetFunctionAttribute(f, MaxDynamicShared, e.network.mostShared(l.Kernel)); err != nil {
				return nil, of(err, l)
			}
		}
		list[i] = f
	}
	return list, nil
}

// prepareSlot lays out a staging area and captures the phase's graph with it.
func (e *Executor) prepareSlot(p *phase, s *slot) (err error) {
	if err := e.layOut(p, s); err != nil {
		return err
	}
	if s.uploaded, err = e.gpu.NewEvent(false); err != nil {
		return err
	}
	if s.done, err = e.gpu.NewEvent(true); err != nil {
		return err
	}
	if err := e.gpu.BeginCapture(e.compute); err != nil {
		return err
	}
	issued := e.issue(p, s, false)
	graph, err := e.gpu.EndCapture(e.compute)
	if issued != nil {
		err = issued
	}
	if err != nil {
		return err
	}
	if s.exec, err = e.gpu.Instantiate(graph); err != nil {
		return err
	}
	return e.gpu.DestroyGraph(graph)
}

// stagingAlign is the distance between tensors of a staging area, as in an
// arena.
const stagingAlign = 64

// layOut reserves a slot's memory: the inputs, then the scalars that lie in the
// arena, one after the other, and the loss.
func (e *Executor) layOut(p *phase, s *slot) (err error) {
	type part struct {
		offset, bytes int // in the arena
		tensor        *runtime.Tensor
		scalar        unsafe.Pointer
		cuts          bool
	}
	var parts []part
	add := func(q part, address unsafe.Pointer) {
		if q.offset = e.program.Arena.Offset(address); q.offset >= 0 {
			parts = append(parts, q)
			s.staging.bytes += (q.bytes + stagingAlign - 1) / stagingAlign * stagingAlign
		}
	}
	for i := range p.Inputs {
		t := &p.Inputs[i]
		q := part{bytes: bytesOf(t), tensor: t}
		if p.kept != nil && p.kept.input == i {
			q.bytes, q.cuts = 4*runtime.CutNumbers*p.Batch, true
		}
		add(q, addressOf(t))
	}
	if len(parts) != len(p.Inputs) {
		return fmt.Errorf("an input of the %s phase lies outside of the arena", p.name)
	}
	for _, address := range []unsafe.Pointer{unsafe.Pointer(unsafe.SliceData(e.program.Rate)), unsafe.Pointer(unsafe.SliceData(e.program.Iteration)), unsafe.Pointer(unsafe.SliceData(e.program.Seed))} {
		add(part{bytes: 4, scalar: address}, address)
	}
	if s.staging.bytes > 0 {
		if s.staging.host, err = e.gpu.AllocHost(s.staging.bytes); err != nil {
			return err
		}
		if s.staging.device, err = e.alloc(s.staging.bytes); err != nil {
			return err
		}
	}
	at := 0
	for _, q := range parts {
		host := unsafe.Add(s.staging.host, at)
		device := s.staging.device + Memory(at)
		switch {
		case q.cuts:
			s.cuts = device
			s.inputs = append(s.inputs, runtime.Tensor{Name: q.tensor.Name, Shape: []int{p.Batch, runtime.CutNumbers},
				I32: unsafe.Slice((*int32)(host), runtime.CutNumbers*p.Batch)})
		case q.tensor != nil:
			s.inputs = append(s.inputs, viewAt(host, q.tensor))
		default:
			s.scalars = append(s.scalars, scalar{from: q.scalar, to: host})
		}
		if !q.cuts {
			s.copies = append(s.copies, span{to: e.arena + Memory(q.offset), from: device, bytes: q.bytes})
		}
		at += (q.bytes + stagingAlign - 1) / stagingAlign * stagingAlign
	}
	s.copies = joined(s.copies)
	if p.Loss == nil {
		return nil
	}
	offset := e.program.Arena.Offset(unsafe.Pointer(unsafe.SliceData(p.Loss)))
	if offset < 0 {
		return fmt.Errorf("the loss of the %s phase lies outside of the arena", p.name)
	}
	s.lossAt, s.loss.bytes = e.arena+Memory(offset), 4
	s.loss.host, err = e.gpu.AllocHost(s.loss.bytes)
	return err
}

// joined makes one copy of those that follow each other on both sides with
// nothing but padding between them.
func joined(list []span) []span {
	var out []span
	for _, c := range list {
		if n := len(out); n > 0 {
			last := &out[n-1]
			padded := Memory((last.bytes + stagingAlign - 1) / stagingAlign * stagingAlign)
			if last.to+padded == c.to && last.from+padded == c.from {
				last.bytes = int(padded) + c.bytes
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// issue queues a pass on the compute stream: the inputs' way into the arena,
// the kernels, the loss's way out. With wait it waits after each kernel.
func (e *Executor) issue(p *phase, s *slot, wait bool) error {
	if err := e.bring(p, s); err != nil {
		return err
	}
	if wait {
		if err := e.launches(p, p.setup, len(p.launches), wait); err != nil {
			return err
		}
	} else if err := e.issueBranches(p); err != nil {
		return err
	}
	if s.loss.host != nil {
		return e.gpu.Download(s.loss.host, s.lossAt, s.loss.bytes, e.compute)
	}
	return nil
}

// launches queues kernels first to end-1 of a phase. With wait it waits after
// each.
func (e *Executor) launches(p *phase, first, end int, wait bool) error {
	for i := first; i < end; i++ {
		if err := e.launch(p, i, e.compute); err != nil {
			return err
		}
		if wait {
			if err := e.gpu.SynchronizeStream(e.compute); err != nil {
				return of(err, &p.launches[i])
			}
		}
	}
	return nil
}

// makeReady makes the arena a phase's own: it queues the setup, unless no other
// phase has been started and nothing was pushed since it was.
func (e *Executor) makeReady(p *phase) error {
	if e.setUp == p {
		return nil
	}
	e.setUp = nil // until all of it is queued
	if err := e.launches(p, 0, p.setup, e.stepwise); err != nil {
		return fmt.Errorf("setup of the %s phase: %w", p.name, err)
	}
	e.setUp = p
	return nil
}

// bring queues the inputs' way into the arena.
func (e *Executor) bring(p *phase, s *slot) error {
	for _, c := range s.copies {
		if err := e.gpu.Copy(c.to, c.from, c.bytes, e.compute); err != nil {
			return err
		}
	}
	if p.kept == nil {
		return nil
	}
	return e.gather(p.kept, s)
}

// launch queues one kernel.
func (e *Executor) launch(p *phase, i int, stream Stream) error {
	l := &p.launches[i]
	if l.Copy != 0 {
		return of(e.gpu.Copy(e.arena+Memory(l.Args[0]), e.arena+Memory(l.Args[1]), l.Copy, stream), l)
	}
	args := make([]Memory, len(l.Args))
	for k, offset := range l.Args {
		args[k] = e.arena + Memory(offset)
	}
	return of(e.gpu.Launch(p.ready[i], l.config(), stream, args), l)
}

// phaseOf finds a phase of the program.
func (e *Executor) phaseOf(which *runtime.Phase) (*phase, error) {
	for _, p := range e.phases {
		if p.Phase == which {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s has no kernels for this phase", e.network.Name)
}

// Feed waits for the pass before the last of the phase, whose slot comes next.
func (e *Executor) Feed(which *runtime.Phase) ([]runtime.Tensor, error) {
	p, err := e.phaseOf(which)
	if err != nil {
		return nil, err
	}
	s := &p.slots[p.next]
	return s.inputs, e.release(p, s)
}

// release waits until a slot's last pass is over, and keeps its loss.
func (e *Executor) release(p *phase, s *slot) error {
	if !s.busy {
		return nil
	}
	if err := e.gpu.SynchronizeEvent(s.done); err != nil {
		return e.asynchronous(p, err)
	}
	s.busy = false
	if len(e.pending) > 0 && e.pending[0] == s { // passes end in their order
		e.finished = append(e.finished, s.value())
		e.pending = e.pending[1:]
	}
	return nil
}

// value is the loss of a slot's last pass.
func (s *slot) value() float32 { return *(*float32)(s.loss.host) }

// Start queues the upload of what was fed, and the phase's graph.
func (e *Executor) Start(which *runtime.Phase) error {
	p, err := e.phaseOf(which)
	if err != nil {
		return err
	}
	s := &p.slots[p.next]
	if err := e.release(p, s); err != nil { // where nothing was fed
		return err
	}
	if err := e.send(s); err != nil {
		return err
	}
	if err := e.makeReady(p); err != nil {
		return err
	}
	if e.stepwise {
		err = e.issue(p, s, true)
	} else {
		err = e.gpu.LaunchGraph(s.exec, e.compute)
	}
	if err != nil {
		return fmt.Errorf("%s phase: %w", p.name, err)
	}
	if err := e.gpu.Record(s.done, e.compute); err != nil {
		return err
	}
	s.busy = true
	p.next = (p.next + 1) % len(p.slots)
	if which == &e.program.Train && s.loss.host != nil {
		e.pending = append(e.pending, s)
	}
	return nil
}

// send uploads a slot's staging area and lets the compute stream wait for it.
func (e *Executor) send(s *slot) error {
	if s.staging.bytes == 0 {
		return nil
	}
	for _, one := range s.scalars {
		*(*[4]byte)(one.to) = *(*[4]byte)(one.from)
	}
	if err := e.gpu.Upload(s.staging.device, s.staging.host, s.staging.bytes, e.upload); err != nil {
		return err
	}
	if err := e.gpu.Record(s.uploaded, e.upload); err != nil {
		return err
	}
	return e.gpu.WaitEvent(e.compute, s.uploaded)
}

// asynchronous is the error of kernels that were queued before the call which
// reports it.
func (e *Executor) asynchronous(p *phase, err error) error {
	if e.stepwise {
		return fmt.Errorf("%s phase: %w", p.name, err)
	}
	return fmt.Errorf("%s phase: %w\n help: with %s=1 in the environment each kernel runs by itself and the error names the one", p.name, err, stepwiseVariable)
}

// Losses appends the losses of training passes that are over.
func (e *Executor) Losses(list []float32, wait bool) ([]float32, error) {
	list = append(list, e.finished...)
	e.finished = e.finished[:0]
	for len(e.pending) > 0 {
		s := e.pending[0]
		p, err := e.phaseOf(&e.program.Train)
		if err != nil {
			return list, err
		}
		if !wait {
			passed, err := e.gpu.Passed(s.done)
			if err != nil {
				return list, e.asynchronous(p, err)
			}
			if !passed {
				return list, nil
			}
		} else if err := e.gpu.SynchronizeEvent(s.done); err != nil {
			return list, e.asynchronous(p, err)
		}
		list = append(list, s.value())
		s.busy = false
		e.pending = e.pending[1:]
	}
	return list, nil
}

// Push copies tensors from the program's arena to the device's.
func (e *Executor) Push(tensors []runtime.Tensor) error {
	e.setUp = nil
	return e.move(tensors, true)
}

// Pull copies tensors from the device's arena to the program's.
func (e *Executor) Pull(tensors []runtime.Tensor) error { return e.move(tensors, false) }

func (e *Executor) move(tensors []runtime.Tensor, up bool) error {
	for i := range tensors {
		t := &tensors[i]
		if bytesOf(t) == 0 {
			continue
		}
		host := addressOf(t)
		offset := e.program.Arena.Offset(host)
		if offset < 0 {
			return fmt.Errorf("tensor %s lies outside of the arena", t.Name)
		}
		var err error
		if up {
			err = e.gpu.Upload(e.arena+Memory(offset), host, bytesOf(t), e.compute)
		} else {
			err = e.gpu.Download(host, e.arena+Memory(offset), bytesOf(t), e.compute)
		}
		if err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
	}
	if err := e.gpu.SynchronizeStream(e.compute); err != nil {
		return err
	}
	goruntime.KeepAlive(e.program)
	return nil
}

// Close waits for the passes under way and gives everything back.
func (e *Executor) Close() error {
	defer goruntime.UnlockOSThread()
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	if e.compute != 0 {
		note(e.gpu.SynchronizeStream(e.compute))
	}
	for _, p := range e.phases {
		for i := range p.slots {
			note(e.closeSlot(&p.slots[i]))
		}
		if p.kept != nil {
			note(e.drop(p.kept))
		}
	}
	for _, event := range append(e.timing, e.made...) {
		note(e.gpu.DestroyEvent(event))
	}
	if e.arena != 0 {
		note(e.gpu.Free(e.arena))
	}
	for _, s := range append(e.side, e.upload, e.compute) {
		if s != 0 {
			note(e.gpu.DestroyStream(s))
		}
	}
	if e.module != 0 {
		note(e.gpu.UnloadModule(e.module))
	}
	note(e.gpu.close())
	return first
}

// closeSlot gives back what a slot holds, and empties it. It gives the first error.
func (e *Executor) closeSlot(s *slot) error {
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	if s.exec != 0 {
		note(e.gpu.DestroyExec(s.exec))
	}
	for _, event := range []Event{s.uploaded, s.done} {
		if event != 0 {
			note(e.gpu.DestroyEvent(event))
		}
	}
	for _, b := range []block{s.staging, s.loss} {
		if b.host != nil {
			note(e.gpu.FreeHost(b.host))
		}
		if b.device != 0 {
			note(e.gpu.Free(b.device))
		}
	}
	*s = slot{}
	return first
}

// bytesOf is a tensor's size.
func bytesOf(t *runtime.Tensor) int { return 4 * (len(t.F32) + len(t.I32)) }

// addressOf is where a tensor's elements are.
func addressOf(t *runtime.Tensor) unsafe.Pointer {
	if t.I32 != nil {
		return unsafe.Pointer(unsafe.SliceData(t.I32))
	}
	return unsafe.Pointer(unsafe.SliceData(t.F32))
}

// viewAt is a tensor like another with its elements at an address.
func viewAt(at unsafe.Pointer, like *runtime.Tensor) runtime.Tensor {
	view := runtime.Tensor{Name: like.Name, Shape: like.Shape}
	if like.I32 != nil {
		view.I32 = unsafe.Slice((*int32)(at), len(like.I32))
	} else {
		view.F32 = unsafe.Slice((*float32)(at), len(like.F32))
	}
	return view
}
