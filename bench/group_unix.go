//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// inGroup starts a process in a group of its own, so that what it starts ends
// with it: torch.compile runs compilers.
func inGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}

// endGroup ends a process and its group; one that has ended already is no error.
func endGroup(c *exec.Cmd) { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
