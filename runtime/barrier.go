package runtime

import (
	goruntime "runtime"
	"sync/atomic"
)

const (
	// looks is how often a waiting thread looks again before it lets others
	// run: with a pause between two looks 20 to 40 µs, which is longer than
	// threads with equal shares lie apart, and about what parking and waking
	// would cost.
	looks = 1000
	// yields is how often it then gives its processor away before it parks, for
	// some ten microseconds where nobody takes it.
	yields = 50
)

// sleeper is a thread's way of waiting. The padding keeps two threads' flags off
// one cache line.
type sleeper struct {
	_      [64]byte
	parked atomic.Bool // a send on wake is wanted; whoever clears it sends
	wake   chan struct{}
	_      [64]byte
}

// await returns when word is no longer what was seen. Whoever changes the word
// rouses the sleeper afterwards.
func (p *Pool) await(s *sleeper, word *atomic.Uint32, seen uint32) {
	for range p.looks {
		if word.Load() != seen {
			return
		}
		pause()
	}
	for range yields {
		if word.Load() != seen {
			return
		}
		if p.crowded {
			goruntime.Gosched()
		} else {
			yieldProcessor()
		}
	}
	for word.Load() == seen {
		s.parked.Store(true)
		p.sleeping.Add(1)
		// The order matters: who changes the word after this look finds the
		// thread parked.
		if word.Load() == seen || !s.parked.CompareAndSwap(true, false) {
			<-s.wake
		}
		p.sleeping.Add(-1)
	}
}

// rouse wakes a thread where it has parked. One that waits for another word
// looks and parks again.
func (s *sleeper) rouse() {
	if s.parked.Load() && s.parked.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

// barrier returns when every sharer of the current schedule has called it.
func (p *Pool) barrier(s *sleeper) {
	seen := p.generation.Load()
	if p.arrived.Add(1) < int32(p.current.sharers) {
		p.await(s, &p.generation, seen)
		return
	}
	p.arrived.Store(0)
	p.generation.Add(1)
	if p.sleeping.Load() > 0 {
		for _, w := range p.workers[:p.current.sharers] {
			w.sleeper.rouse()
		}
	}
}
