package main

import (
	"fmt"
	"time"

	"netc/compiler"
	"netc/runtime"
)

// trainCommand is "netc train FILE".
type trainCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Machine machineFlags `embed:""`
	Data    dataFlag     `embed:""`

	Out        string        `placeholder:"DIR" help:"Run folder (default runs/NAME-DATE-TIME)."`
	Iterations int           `placeholder:"N" xor:"length" help:"Parameter updates in all."`
	Epochs     int           `placeholder:"N" xor:"length" help:"Passes over the training data."`
	Resume     string        `placeholder:"DIR" help:"Continue the run in a folder, with its settings."`
	Log        string        `enum:",jsonl" default:"" help:"jsonl: write log.jsonl into the run folder."`
	SaveEvery  time.Duration `placeholder:"TIME" help:"Time between checkpoints, such as 30s."`
}

// Run builds the network's program and lets it train.
func (t *trainCommand) Run(c *console) error {
	if t.Iterations < 0 || t.Epochs < 0 {
		return &usageError{"--iterations and --epochs are at least 1", ""}
	}
	start := time.Now()
	var settings []string
	if t.Resume != "" {
		run, err := runtime.ReadRun(t.Resume)
		if err != nil {
			return err
		}
		settings = settingsOf(run.Config)
	}
	s := t.Network.load("train", settings...)
	unit, err := t.Network.compile(c, s, compiler.Options{Vector: true})
	if err != nil {
		return err
	}
	if unit.Phase("train") == nil {
		return fmt.Errorf("%s has no loss in the training phase, so there is nothing to train", s.path)
	}
	executable, err := c.program(unit, s, &t.Network, &t.Machine, start)
	if err != nil {
		return err
	}
	data, err := t.Data.prepare(c, s.run)
	if err != nil {
		return err
	}
	a := t.Machine.shared("train", t.Output, &t.Network)
	a.text("data", data)
	a.text("out", t.Out)
	a.text("resume", t.Resume)
	a.text("log", t.Log)
	a.number("iterations", t.Iterations)
	a.number("epochs", t.Epochs)
	if t.SaveEvery != 0 {
		a.text("save-every", t.SaveEvery.String())
	}
	return c.start(executable, a)
}
