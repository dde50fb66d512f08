//go:build !linux

package runtime

import goruntime "runtime"

// yieldProcessor lets another goroutine have this one's processor; to let
// another thread of the system have it, Go offers nothing here.
func yieldProcessor() { goruntime.Gosched() }
