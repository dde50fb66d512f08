package gopkg

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// onAllCores calls f for each number below count. A panic of f is raised again
// here, where the compiler's own faults are caught.
func onAllCores(count int, f func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	faults := make([]any, count)
	one := func(i int) {
		defer func() { faults[i] = recover() }()
		f(i)
	}
	for range min(runtime.GOMAXPROCS(0), count) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				one(i)
			}
		})
	}
	wait.Wait()
	for _, fault := range faults {
		if fault != nil {
			panic(fault)
		}
	}
}
