package cuda

import "slices"

// mostBranches is how many streams a graph is captured on: so many kernels can
// run side by side.
const mostBranches = 6

// branches capture a phase's launches as a graph in which each waits only for
// those that it needs. Its first stream is the compute stream.
type branches struct {
	e       *Executor
	p       *phase
	last    []int         // of each stream: the launch it issued last, -1 before the first
	stream  map[int]int   // of a launch
	passed  map[int]Event // of launches that others wait for on other streams
	waiting map[int]int   // how many launches still ask for an event
	begun   Event
}

// issueBranches queues the kernels of a step while a graph is captured.
func (e *Executor) issueBranches(p *phase) (err error) {
	b := &branches{e: e, p: p, last: []int{-1}, stream: map[int]int{}, passed: map[int]Event{}, waiting: map[int]int{}}
	for i := p.setup; i < len(p.launches); i++ {
		for _, before := range b.after(i) {
			b.waiting[before]++
		}
	}
	if b.begun, err = e.mark(e.compute); err != nil {
		return err
	}
	for i := p.setup; i < len(p.launches); i++ {
		if err := b.issue(i); err != nil {
			return of(err, &p.launches[i])
		}
	}
	for n := 1; n < len(b.last); n++ {
		event, err := e.mark(e.branch(n))
		if err != nil {
			return err
		}
		e.marks = append(e.marks, event)
		if err := e.gpu.WaitEvent(e.compute, event); err != nil {
			return err
		}
	}
	e.marks = append(e.marks, b.begun)
	return nil
}

// after are the launches of the graph that one waits for.
func (b *branches) after(i int) []int {
	return slices.DeleteFunc(slices.Clone(b.p.launches[i].After), func(before int) bool { return before < b.p.setup })
}

// issue queues one launch behind those it waits for: on the stream of one of them
// where nothing else has followed it there.
func (b *branches) issue(i int) error {
	after := b.after(i)
	n := b.choose(after)
	stream := b.e.branch(n)
	joined := n == 0 || b.last[n] >= 0
	for _, before := range after {
		if b.stream[before] != n {
			if err := b.e.gpu.WaitEvent(stream, b.passed[before]); err != nil {
				return err
			}
			joined = true
		}
		if b.waiting[before]--; b.waiting[before] == 0 && b.passed[before] != 0 {
			b.e.marks = append(b.e.marks, b.passed[before])
			delete(b.passed, before)
		}
	}
	if !joined {
		if err := b.e.gpu.WaitEvent(stream, b.begun); err != nil {
			return err
		}
	}
	if err := b.e.launch(b.p, i, stream); err != nil {
		return err
	}
	b.stream[i], b.last[n] = n, i
	if b.waiting[i] == 0 {
		return nil
	}
	event, err := b.e.mark(stream)
	b.passed[i] = event
	return err
}

// choose gives the stream for a launch: where the last of those it waits for is
// also the stream's last, or a new one, or else the one whose last is oldest.
func (b *branches) choose(after []int) int {
	for _, before := range slices.Backward(after) {
		if n := b.stream[before]; b.last[n] == before {
			return n
		}
	}
	if n := len(b.last); n < mostBranches && b.last[0] >= 0 {
		b.last = append(b.last, -1)
		return n
	}
	oldest := 0
	for n, last := range b.last {
		if last < b.last[oldest] {
			oldest = n
		}
	}
	return oldest
}

// branch is a stream of a graph, made when it is first needed.
func (e *Executor) branch(n int) Stream {
	if n == 0 {
		return e.compute
	}
	return e.side[n-1]
}

// mark records an event on a stream, one that nothing waits for any more where
// there is such.
func (e *Executor) mark(s Stream) (event Event, err error) {
	if n := len(e.marks); n > 0 {
		event, e.marks = e.marks[n-1], e.marks[:n-1]
	} else {
		if event, err = e.gpu.NewEvent(false); err != nil {
			return 0, err
		}
		e.made = append(e.made, event)
	}
	return event, e.gpu.Record(event, s)
}
