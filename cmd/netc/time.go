package main

import (
	"fmt"
	"time"

	"netc/compiler"
)

// timeCommand is "netc time FILE".
type timeCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Machine machineFlags `embed:""`

	Phase      string `enum:",train,test,all" default:"" help:"Phase to measure: train, test, or all, which prints one JSON object a line (default train, or test where there is no other)."`
	Iterations int    `placeholder:"N" help:"Steps to measure (default as many as take two seconds)."`
}

// Run builds the network's program, the one that training uses, and lets it
// measure itself on random inputs.
func (t *timeCommand) Run(c *console) error {
	if t.Iterations < 0 {
		return &usageError{"--iterations is at least 1", ""}
	}
	start := time.Now()
	s := t.Network.load(t.Phase)
	if t.Phase == "all" && t.Network.Batch != nil {
		s.run.Test.Batch = *t.Network.Batch
	}
	unit, err := t.Network.compile(c, s, compiler.Options{Vector: true})
	if err != nil {
		return err
	}
	if (t.Phase == "train" || t.Phase == "test") && unit.Phase(t.Phase) == nil {
		return fmt.Errorf("%s has no layers in the %s phase", s.path, t.Phase)
	}
	executable, err := c.program(unit, s, &t.Network, &t.Machine, start)
	if err != nil {
		return err
	}
	a := t.Machine.shared("time", t.Output, &t.Network)
	a.text("phase", t.Phase)
	a.number("iterations", t.Iterations)
	return c.start(executable, a)
}
