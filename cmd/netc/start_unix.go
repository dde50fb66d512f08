//go:build unix

package main

import (
	"os"
	"syscall"
)

// start lets a built program take netc's place: it gets the terminal, the
// signals and the exit code as if the user had started it.
func (c *console) start(executable string, args []string) error {
	return syscall.Exec(executable, append([]string{"netc"}, args...), os.Environ())
}
