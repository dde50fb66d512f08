package runtime

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// wave is a schedule in which every result depends on results of other threads:
// each task of a launch sums what it may read of the launch before.
type wave struct {
	phase  Phase
	values [][]int32 // by launch and task
}

func newWave(launches []Launch) *wave {
	w := &wave{}
	for i := range launches {
		l := launches[i]
		values := make([]int32, l.Tasks)
		w.values = append(w.values, values)
		compute := func(task int) {
			values[task] = 1
			if i == 0 {
				return
			}
			before := w.values[i-1]
			lo, hi := 0, len(before)
			if l.Joins && l.Groups == launches[i-1].Groups { // its own group's only
				group := task * l.Groups / l.Tasks
				lo, hi = group*len(before)/l.Groups, (group+1)*len(before)/l.Groups
			}
			for _, v := range before[lo:hi] {
				values[task] += v
			}
			values[task] %= 1 << 20
		}
		if i%2 == 0 {
			l.Run = func(lo, hi int) {
				for task := lo; task < hi; task++ {
					compute(task)
				}
			}
		} else { // as a kernel in assembly would be called
			l.Args = []unsafe.Pointer{unsafe.Pointer(&w.values)}
			l.Code = func(args *unsafe.Pointer, scratch unsafe.Pointer, task int) {
				if *args != unsafe.Pointer(&w.values) || uintptr(scratch)%arenaAlign != 0 {
					panic("wrong arguments")
				}
				buffer := unsafe.Slice((*int32)(scratch), w.phase.Scratch/4)
				buffer[0], buffer[len(buffer)-1] = int32(task), int32(task)
				compute(task)
				if buffer[0] != int32(task) || buffer[len(buffer)-1] != int32(task) {
					panic("two threads share a buffer")
				}
			}
		}
		w.phase.Schedule = append(w.phase.Schedule, l)
	}
	w.phase.Scratch = 200
	return w
}

// waveLaunches has launches of all kinds.
func waveLaunches() []Launch {
	var list []Launch
	for range 4 {
		list = append(list, Launch{Tasks: 7}, Launch{Tasks: 1}, Launch{Tasks: 1}, Launch{Tasks: 12, Groups: 4},
			Launch{Tasks: 4, Groups: 4, Joins: true}, Launch{Tasks: 24, Groups: 4, Joins: true}, Launch{Tasks: 8, Groups: 4},
			Launch{Tasks: 2}, Launch{Tasks: 3, Groups: 3}, Launch{Tasks: 33, Groups: 3, Joins: true})
	}
	return list
}

// TestBarriers computes a wave again and again: with as many threads as cores
// and with more, which then wait by yielding, and with threads that are late.
// Under the race detector it also shows that no barrier is missing.
func TestBarriers(t *testing.T) {
	reference := newWave(waveLaunches())
	one := NewPool(1)
	reference.phase.Run(one)
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	for _, threads := range []int{2, 3, 4, 9} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			pool := NewPool(threads)
			defer pool.Close()
			w := newWave(waveLaunches())
			for round := range rounds {
				for _, values := range w.values {
					clear(values)
				}
				if round%50 == 49 { // the workers park
					time.Sleep(time.Millisecond)
				}
				w.phase.Run(pool)
				for i := range w.values {
					for task, v := range w.values[i] {
						if v != reference.values[i][task] {
							t.Fatalf("round %d: task %d of launch %d gives %d, want %d", round, task, i, v, reference.values[i][task])
						}
					}
				}
			}
		})
	}
}

// TestBarriersOfLateThreads has a different thread sleep before each barrier,
// so that all others park.
func TestBarriersOfLateThreads(t *testing.T) {
	for _, threads := range []int{2, 3, 5} {
		pool := NewPool(threads)
		order := make([][]int, threads)
		var launches []Launch
		for i := range 12 {
			launches = append(launches, Launch{Tasks: threads, Run: func(lo, hi int) {
				if lo == i%threads {
					time.Sleep(500 * time.Microsecond)
				}
				order[lo] = append(order[lo], i)
			}})
		}
		phase := Phase{Schedule: launches}
		for range 3 {
			phase.Run(pool)
		}
		for thread, list := range order {
			for n, launch := range list {
				if launch != n%12 || len(list) != 36 {
					t.Errorf("thread %d computed the launches %v", thread, list)
					break
				}
			}
		}
		pool.Close()
	}
}

// A panic in any thread at any launch ends the step in the caller, and the pool
// goes on working.
func TestBarriersAfterPanics(t *testing.T) {
	for _, threads := range []int{1, 2, 3} {
		pool := NewPool(threads)
		for at := range 5 {
			for thrower := range threads {
				computed := make([]int, 5) // by the last thread
				broken := true
				phase := Phase{}
				for i := range computed {
					phase.Schedule = append(phase.Schedule, Launch{Tasks: threads, Run: func(lo, hi int) {
						if broken && i == at && lo <= thrower && thrower < hi {
							panic("kernel bug")
						}
						if hi == threads {
							computed[i]++
						}
					}})
				}
				func() {
					defer func() {
						err, _ := recover().(error)
						var failure *PanicError
						if !errors.As(err, &failure) || failure.Value != "kernel bug" || !strings.Contains(failure.Stack, "barrier_test.go") {
							t.Errorf("%d threads: recovered %v", threads, err)
						}
					}()
					phase.Run(pool)
				}()
				for i, n := range computed {
					if i < at && n != 1 || i > at && n != 0 {
						t.Errorf("%d threads, a panic in launch %d: the launches ran %v times", threads, at, computed)
						break
					}
				}
				broken = false
				clear(computed)
				phase.Run(pool)
				if computed[4] != 1 {
					t.Errorf("%d threads: after a panic, the launches ran %v times", threads, computed)
				}
			}
		}
		pool.Close()
	}
}

// The garbage collector stops threads between tasks, and while they wait.
func TestBarriersUnderGarbageCollection(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	w := newWave(waveLaunches())
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				goruntime.GC()
			}
		}
	}()
	for range 50 {
		w.phase.Run(pool)
	}
	close(stop)
	<-stopped
}

func TestStepsDoNotAllocate(t *testing.T) {
	for _, threads := range []int{1, 2, 3} {
		pool := NewPool(threads)
		w := newWave(waveLaunches())
		network := newTinyNetwork(6, 2)
		step := func() {
			w.phase.Run(pool)
			network.Train.Run(pool)
			network.Train.Run(pool)
			network.Update.Run(pool)
			network.Test.Run(pool)
		}
		if n := testing.AllocsPerRun(100, step); n != 0 {
			t.Errorf("%d threads: %v allocations a step", threads, n)
		}
		pool.Close()
	}
}

// BenchmarkBarrier measures a launch of nothing within a schedule.
func BenchmarkBarrier(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprint(threads), func(b *testing.B) {
			pool := NewPool(threads)
			defer pool.Close()
			phase := Phase{}
			for range 1000 {
				phase.Schedule = append(phase.Schedule, Launch{Tasks: threads, Run: func(lo, hi int) {}})
			}
			for b.Loop() {
				phase.Run(pool)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/launch")
		})
	}
}
