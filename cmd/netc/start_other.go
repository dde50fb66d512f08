//go:build !unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// start runs a built program to its end, which gives the exit code. An
// interrupt from the console reaches the program by itself; netc waits.
func (c *console) start(executable string, args []string) error {
	signal.Ignore(os.Interrupt)
	child := exec.Command(executable, args...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := child.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return ended(failed.ExitCode())
	}
	return err
}
