package runtime

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolCoversEveryTaskOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 7} {
		pool := NewPool(threads)
		for _, tasks := range []int{0, 1, 2, 3, 5, 64, 1000} {
			counts := make([]int32, tasks)
			for range 20 {
				pool.Run(tasks, func(lo, hi int) {
					for i := lo; i < hi; i++ {
						atomic.AddInt32(&counts[i], 1)
					}
				})
			}
			for i, n := range counts {
				if n != 20 {
					t.Fatalf("%d threads, %d tasks: task %d ran %d times in 20 runs", threads, tasks, i, n)
				}
			}
		}
		pool.Close()
		pool.Close()
	}
}

func TestPoolWakesParkedWorkers(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	for range 20 {
		time.Sleep(200 * time.Microsecond) // longer than the workers spin
		var ran atomic.Int32
		pool.Run(3, func(lo, hi int) {
			time.Sleep(100 * time.Microsecond) // the caller parks too
			ran.Add(int32(hi - lo))
		})
		if ran.Load() != 3 {
			t.Fatalf("ran %d of 3 tasks", ran.Load())
		}
	}
}

func TestPoolRunDoesNotAllocate(t *testing.T) {
	for _, threads := range []int{1, 2, 3} {
		pool := NewPool(threads)
		sum := make([]int, 64)
		body := func(lo, hi int) {
			for i := lo; i < hi; i++ {
				sum[i]++
			}
		}
		phase := &Phase{Schedule: []Launch{{Kernel: "a", Tasks: 64, Run: body}, {Kernel: "b", Tasks: 2, Run: body}}}
		if n := testing.AllocsPerRun(200, func() { phase.Run(pool) }); n != 0 {
			t.Errorf("%d threads: %v allocations a step", threads, n)
		}
		pool.Close()
	}
}

func TestPoolSurfacesPanics(t *testing.T) {
	for _, threads := range []int{2, 3} {
		for thrower := range threads {
			t.Run(fmt.Sprintf("%d_%d", threads, thrower), func(t *testing.T) {
				pool := NewPool(threads)
				defer pool.Close()
				func() {
					defer func() {
						err, ok := recover().(error)
						var failure *PanicError
						if !ok || !errors.As(err, &failure) || failure.Value != "kernel bug" || !strings.Contains(err.Error(), "pool_test.go") {
							t.Errorf("recovered %v", err)
						}
					}()
					pool.Run(threads, func(lo, hi int) {
						if lo == thrower {
							panic("kernel bug")
						}
					})
				}()
				ran := make([]bool, threads)
				pool.Run(threads, func(lo, hi int) { ran[lo] = true })
				for i, ok := range ran {
					if !ok {
						t.Errorf("after the panic, task %d does not run", i)
					}
				}
			})
		}
	}
}

// BenchmarkPoolRun measures the cost of handing an empty kernel to the threads.
func BenchmarkPoolRun(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprint(threads), func(b *testing.B) {
			pool := NewPool(threads)
			defer pool.Close()
			body := func(lo, hi int) {}
			for range b.N {
				pool.Run(threads, body)
			}
		})
	}
}

func TestPoolOfAllCores(t *testing.T) {
	p := NewPool(0)
	defer p.Close()
	if want := goruntime.GOMAXPROCS(0); p.Threads() != want {
		t.Errorf("NewPool(0) has %d threads, not %d", p.Threads(), want)
	}
}

// TestRunsGroupByGroup: a run by groups takes each of a thread's groups through
// all of its kernels before the next one.
func TestRunsGroupByGroup(t *testing.T) {
	var order []string
	launch := func(name string, tasks int, joins bool) Launch {
		return Launch{Kernel: name, Tasks: tasks, Groups: 3, Joins: joins, Run: func(lo, hi int) {
			order = append(order, fmt.Sprintf("%s %d-%d", name, lo, hi))
		}}
	}
	phase := Phase{Schedule: []Launch{launch("a", 3, false), launch("b", 6, true), launch("c", 3, true), {Tasks: 2, Run: func(lo, hi int) { order = append(order, "d") }}}}
	pool := NewPool(1)
	defer pool.Close()
	phase.Run(pool)
	want := "a 0-1, b 0-2, c 0-1, a 1-2, b 2-4, c 1-2, a 2-3, b 4-6, c 2-3, d"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("computed\n%s\nwant\n%s", got, want)
	}
}
