package main

import (
	"fmt"
	"time"

	"netc/compiler"
)

// testCommand is "netc test FILE --weights F".
type testCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Machine machineFlags `embed:""`
	Data    dataFlag     `embed:""`
}

// Run builds the network's program, the one that training uses, and lets it
// evaluate the weights.
func (t *testCommand) Run(c *console) error {
	if t.Machine.Weights == "" {
		return &usageError{"test needs --weights", "give the file, or the run folder, that training printed"}
	}
	start := time.Now()
	s := t.Network.load("test")
	unit, err := t.Network.compile(c, s, compiler.Options{Vector: true})
	if err != nil {
		return err
	}
	if unit.Phase("test") == nil {
		return fmt.Errorf("%s has no layers in the test phase", s.path)
	}
	executable, err := c.program(unit, s, &t.Network, &t.Machine, start)
	if err != nil {
		return err
	}
	data, err := t.Data.prepare(c, s.run)
	if err != nil {
		return err
	}
	a := t.Machine.shared("test", t.Output, &t.Network)
	a.text("data", data)
	return c.start(executable, a)
}
