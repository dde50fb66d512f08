package runtime

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

// Pool is a fixed set of threads that compute schedules together. The goroutine
// that calls Run works too, so a Pool of one thread starts nobody.
//
// A pool computes one thing at a time: Run and Phase.Run may be called by one
// goroutine at a time, and not from inside a kernel.
type Pool struct {
	workers []*worker // by thread; thread 0 is the caller of Run
	threads int
	looks   int      // how often a thread looks before it lets others run
	crowded bool     // there are more threads than Go runs at once
	scratch int      // bytes of each worker's buffer
	single  schedule // what Run computes: one body, whose turns it fills in

	current *schedule // written before any ticket is raised

	_          [64]byte // what all threads write is off the cache line above
	arrived    atomic.Int32
	_          [64]byte
	generation atomic.Uint32 // of the barrier: counts the times that all had arrived
	finished   atomic.Uint32 // counts the schedules that all workers have finished
	sleeping   atomic.Int32  // threads that are parked or about to park
	failure    atomic.Pointer[PanicError]
	_          [64]byte
	pending    atomic.Int32 // workers still at the current schedule
	_          [64]byte
}

// worker is one thread of a Pool.
type worker struct {
	sleeper sleeper
	index   int
	scratch unsafe.Pointer // nil until a kernel needs one
	ticket  atomic.Uint32  // raised once for each schedule in which the worker has a share
	closed  atomic.Bool
	_       [64]byte
}

// PanicError is the panic that Run raises in its caller when a kernel panics in
// any thread.
type PanicError struct {
	Value any    // what the kernel panicked with
	Stack string // the stack of the thread that panicked
}

// Error gives the panic's value and the stack it came from.
func (e *PanicError) Error() string {
	return fmt.Sprintf("%v\n\nkernel thread:\n%s", e.Value, e.Stack)
}

// NewPool starts a pool of the given number of threads, or of one for each core
// if that is not positive. Close ends it.
func NewPool(threads int) *Pool {
	cores := goruntime.GOMAXPROCS(0)
	if threads <= 0 {
		threads = cores
	}
	p := &Pool{threads: threads, looks: looks, crowded: threads > cores}
	if p.crowded {
		p.looks = 0 // a thread that looks would hold what another needs
	}
	p.single = schedule{threads: threads, turns: make([][]turn, threads)}
	for i := range threads {
		w := &worker{index: i, sleeper: sleeper{wake: make(chan struct{}, 1)}}
		p.workers = append(p.workers, w)
		p.single.turns[i] = make([]turn, 1)
		if i > 0 {
			go p.work(w, &p.workers[0].sleeper)
		}
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
	for thread := range sharers {
		p.single.turns[thread][0] = turn{body: body, lo: tasks * thread / sharers, hi: tasks * (thread + 1) / sharers}
	}
	p.single.sharers = sharers
	p.compute(&p.single)
}

// Run computes the phase's kernels in order, split over the pool's threads, and
// before them its setup where that is not there. The first run with a pool
// allocates, the following ones do not.
func (p *Phase) Run(pool *Pool) {
	if len(p.Schedule) == 0 {
		return
	}
	p.setUp(pool)
	pool.compute(p.prepareFor(pool))
}

// setUp makes the arena the phase's own: it computes the setup, unless no other
// phase has run and nothing has changed since it did.
func (p *Phase) setUp(pool *Pool) {
	if p.Arena == nil || p.Arena.setUp == p {
		return
	}
	p.Arena.setUp = nil // until all of it is there
	if len(p.Setup) > 0 {
		if !p.preparedSetup.isFor(p.Setup, pool.threads) {
			p.preparedSetup = prepare(p.Setup, pool.threads)
		}
		pool.reserve(p.Scratch)
		pool.compute(p.preparedSetup)
	}
	p.Arena.setUp = p
}

// prepareFor gives the phase's schedule for a pool, which then has the buffers
// that the kernels need.
func (p *Phase) prepareFor(pool *Pool) *schedule {
	if !p.prepared.isFor(p.Schedule, pool.threads) {
		p.prepared = prepare(p.Schedule, pool.threads)
	}
	pool.reserve(p.Scratch)
	return p.prepared
}

// Close ends the workers. Afterwards the pool has the thread of its caller;
// closing it again does nothing.
func (p *Pool) Close() {
	for _, w := range p.workers[1:] {
		w.closed.Store(true)
		w.ticket.Add(1)
		w.sleeper.rouse()
	}
	p.workers, p.threads = p.workers[:1], 1
}

// reserve gives every worker a buffer of at least the given size, aligned to 64
// bytes and on cache lines of its own.
func (p *Pool) reserve(bytes int) {
	if bytes <= p.scratch {
		return
	}
	p.scratch = (bytes + arenaAlign - 1) / arenaAlign * arenaAlign
	for _, w := range p.workers {
		w.scratch = unsafe.Pointer(unsafe.SliceData(alignedBytes(p.scratch)))
	}
}

// compute runs a schedule: one wake-up for all of it.
func (p *Pool) compute(s *schedule) {
	p.current = s
	finished := p.finished.Load()
	if s.sharers > 1 {
		p.pending.Store(int32(s.sharers - 1))
		for _, w := range p.workers[1:s.sharers] {
			w.ticket.Add(1)
			w.sleeper.rouse()
		}
	}
	p.follow(p.workers[0])
	if s.sharers > 1 {
		p.await(&p.workers[0].sleeper, &p.finished, finished)
	}
	p.current = nil
	if failure := p.failure.Swap(nil); failure != nil {
		panic(failure)
	}
}

// work is the life of one worker. Its goroutine is not locked to a thread: a
// spinning goroutine keeps its thread anyway, and locked ones took 1.4 to 2.8 µs
// to share an empty kernel between two cores where these take 0.2 µs.
func (p *Pool) work(w *worker, caller *sleeper) {
	for seen := uint32(0); ; seen++ {
		p.await(&w.sleeper, &w.ticket, seen)
		if w.closed.Load() {
			return
		}
		p.follow(w)
		if p.pending.Add(-1) == 0 {
			p.finished.Add(1)
			caller.rouse() // who may already close the pool: nothing of p is read here
		}
	}
}

// follow computes a worker's turns of the current schedule. Where a kernel
// panics, every thread still comes to every barrier, so that none waits for
// ever, and computes nothing more.
func (p *Pool) follow(w *worker) {
	turns := p.current.turns[w.index]
	at := p.takeTurns(w, turns)
	for i := range turns[at:] {
		if turns[at+i].barrier {
			p.barrier(&w.sleeper)
		}
	}
}

// takeTurns computes turns until one panics, here or in another thread, and
// returns how many it has come to. A panic is kept for the caller of the pool,
// which must not unwind while others still work on its arrays.
func (p *Pool) takeTurns(w *worker, turns []turn) (at int) {
	defer func() {
		if v := recover(); v != nil {
			failure, nested := v.(*PanicError)
			if !nested {
				failure = &PanicError{Value: v, Stack: string(debug.Stack())}
			}
			p.failure.CompareAndSwap(nil, failure)
		}
	}()
	for at < len(turns) {
		t := &turns[at]
		at++
		if t.barrier {
			p.barrier(&w.sleeper)
			if p.failure.Load() != nil {
				return at
			}
		}
		if t.run == 0 {
			t.tasks(w.scratch, t.lo, t.hi)
			continue
		}
		run := turns[at-1 : at-1+t.run]
		for group := range t.groups {
			for i := range run {
				size := (run[i].hi - run[i].lo) / t.groups
				first := run[i].lo + group*size
				run[i].tasks(w.scratch, first, first+size)
			}
		}
		at += t.run - 1
	}
	return at
}

// tasks computes some of a turn's tasks.
func (t *turn) tasks(scratch unsafe.Pointer, lo, hi int) {
	switch {
	case lo == hi:
	case t.body != nil:
		t.body(lo, hi)
	default:
		for task := lo; task < hi; task++ {
			t.compute(scratch, task)
		}
	}
}

// compute computes one task of a kernel in assembly. A call that is not inlined
// begins with Go's check whether the thread is to stop, for the garbage
// collector or another goroutine. Without it a stop waits until a signal finds
// the thread outside of assembly, between two tasks, which took half a second.
//
//go:noinline
func (t *turn) compute(scratch unsafe.Pointer, task int) { t.code(t.args, scratch, task) }
