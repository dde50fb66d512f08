package runtime

import "syscall"

// yieldProcessor lets another thread of the system have this one's processor:
// what a waiting thread waits for may be one that has none.
func yieldProcessor() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
