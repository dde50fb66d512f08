package runtime

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"sync/atomic"
)

// spins is how often a waiting thread looks again before it parks: about 20 µs
// at a nanosecond a look, longer than the gap between two kernels of a step and
// shorter than anybody notices after the last one.
const spins = 20_000

// Pool is a fixed set of threads that split one kernel's tasks among them. The
// goroutine that calls Run works too, so a Pool of one thread starts nobody.
//
// Run may be called by one goroutine at a time, and not from inside a body.
type Pool struct {
	workers []*worker // threads 1, 2, …; thread 0 is the caller of Run
	threads int
	spins   int

	// What the current Run asks for, written before any ticket is raised.
	tasks int
	body  func(lo, hi int)

	_       [64]byte // keeps the counters of a run off the cache line above
	pending atomic.Int32
	waiting atomic.Bool // the caller has parked on done
	done    chan struct{}
	failure atomic.Pointer[PanicError]
}

// worker is one thread of a Pool. The padding keeps two workers' flags off one
// cache line.
type worker struct {
	ticket atomic.Uint32 // raised once for each run in which the worker has a share
	parked atomic.Bool   // the worker has parked on wake
	closed atomic.Bool
	wake   chan struct{}
	index  int
	_      [64]byte
}

// PanicError is the panic that Run raises in its caller when a body panics in
// any thread.
type PanicError struct {
	Value any    // what the body panicked with
	Stack string // the stack of the thread that panicked
}

// Error gives the panic's value and the stack it came from.
func (e *PanicError) Error() string {
	return fmt.Sprintf("%v\n\nkernel thread:\n%s", e.Value, e.Stack)
}

// NewPool starts a pool of the given number of threads, or of one for each core
// if that is not positive. Close ends it.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = goruntime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, spins: spins, done: make(chan struct{}, 1)}
	if p.threads > goruntime.GOMAXPROCS(0) {
		p.spins = 0 // a spinning thread would hold the processor that another needs
	}
	for i := 1; i < p.threads; i++ {
		w := &worker{wake: make(chan struct{}, 1), index: i}
		p.workers = append(p.workers, w)
		go p.work(w)
	}
	return p
}

// Threads is the number of threads that share the work.
func (p *Pool) Threads() int { return p.threads }

// Run calls body for disjoint ranges that together cover 0 to tasks-1, one
// contiguous range a thread, and returns when all are done. The split depends
// on tasks and the number of threads only. It does not allocate.
func (p *Pool) Run(tasks int, body func(lo, hi int)) {
	if tasks <= 0 {
		return
	}
	sharers := min(p.threads, tasks)
	if sharers == 1 {
		body(0, tasks)
		return
	}
	p.tasks, p.body = tasks, body
	p.pending.Store(int32(sharers - 1))
	for _, w := range p.workers[:sharers-1] {
		w.ticket.Add(1)
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.share(0)
	p.wait()
	p.body = nil
	if failure := p.failure.Swap(nil); failure != nil {
		panic(failure)
	}
}

// Close ends the workers. The pool must not be used afterwards; closing it
// again does nothing.
func (p *Pool) Close() {
	for _, w := range p.workers {
		w.closed.Store(true)
		w.ticket.Add(1)
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.workers, p.threads = nil, 1
}

// share computes one thread's part of the current run. A panic is kept for the
// caller of Run, which must not unwind while others still work on its arrays.
func (p *Pool) share(thread int) {
	defer func() {
		if v := recover(); v != nil {
			failure, nested := v.(*PanicError)
			if !nested {
				failure = &PanicError{Value: v, Stack: string(debug.Stack())}
			}
			p.failure.CompareAndSwap(nil, failure)
		}
	}()
	sharers := min(p.threads, p.tasks)
	lo, hi := p.tasks*thread/sharers, p.tasks*(thread+1)/sharers
	p.body(lo, hi)
}

// wait returns when every worker has finished its share.
func (p *Pool) wait() {
	for i := 0; i < p.spins; i++ {
		if p.pending.Load() == 0 {
			return
		}
	}
	p.waiting.Store(true)
	if p.pending.Load() == 0 && p.waiting.CompareAndSwap(true, false) {
		return
	}
	<-p.done // the last worker saw waiting and sends
}

// work is the life of one worker. Its goroutine is not locked to a thread: a
// spinning goroutine keeps its thread anyway, and locked ones took 1.4 to 2.8 µs
// to share an empty kernel between two cores where these take 0.2 µs.
func (p *Pool) work(w *worker) {
	for seen := uint32(0); ; seen++ {
		p.awaitTicket(w, seen)
		if w.closed.Load() {
			return
		}
		p.share(w.index)
		if p.pending.Add(-1) == 0 && p.waiting.CompareAndSwap(true, false) {
			p.done <- struct{}{}
		}
	}
}

// awaitTicket returns when the worker's ticket has moved past seen.
func (p *Pool) awaitTicket(w *worker, seen uint32) {
	for i := 0; i < p.spins; i++ {
		if w.ticket.Load() != seen {
			return
		}
	}
	w.parked.Store(true)
	if w.ticket.Load() != seen && w.parked.CompareAndSwap(true, false) {
		return
	}
	<-w.wake // whoever raised the ticket saw parked and sends
}

// Run runs the phase's kernels in order, each split over the pool's threads.
func (p *Phase) Run(pool *Pool) {
	for i := range p.Schedule {
		launch := &p.Schedule[i]
		pool.Run(launch.Tasks, launch.Run)
	}
}
