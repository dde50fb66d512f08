package main

import (
	"bytes"
	"fmt"

	"netc/compiler"
	"netc/compiler/plan"
)

// planCommand is "netc plan FILE".
type planCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Only    phaseFlag    `embed:""`

	Draw bool   `help:"Draw the arena as text: steps to the right, bytes upwards."`
	SVG  string `name:"svg" placeholder:"FILE" help:"Draw one phase's arena into a file (train, unless --phase says test)."`
}

// planResult is what "netc plan --json" prints.
type planResult struct {
	Name       string      `json:"name"`
	ArenaBytes int         `json:"arena_bytes"`
	Phases     []phasePlan `json:"phases"`
}

type phasePlan struct {
	Phase string `json:"phase"`
	Batch int    `json:"batch"`
	arenaBytes
	Ratio      float64      `json:"ratio"`
	Parameters int          `json:"parameter_bytes"`
	States     int          `json:"state_bytes"`
	Setup      int          `json:"setup_bytes"` // what is computed from them once, for all steps
	Buffers    []planBuffer `json:"buffers"`
}

// planBuffer is a piece of the arena. It is in use from step start to step end;
// -1 is before the first step, the number of steps is after the last.
type planBuffer struct {
	Offset int      `json:"offset"`
	Bytes  int      `json:"bytes"`
	Start  int      `json:"start"`
	End    int      `json:"end"`
	Values []string `json:"values"`
}

// Run prints the plans, or draws them.
func (p *planCommand) Run(c *console) error {
	unit, err := p.Network.compile(c, p.Network.load(p.Only.Phase), compiler.Options{})
	if err != nil {
		return err
	}
	phases, err := p.Only.chosen(unit)
	if err != nil {
		return err
	}
	if p.SVG != "" {
		var text bytes.Buffer
		if err := phases[0].Plan.SVG(&text); err != nil {
			return err
		}
		if err := writeFile(p.SVG, text.Bytes()); err != nil {
			return err
		}
		c.say("drew the %s phase into %s", phases[0].Name, p.SVG)
	}
	if p.Output.JSON {
		return c.printJSON(planOf(unit, phases))
	}
	if p.SVG != "" && !p.Draw {
		return nil
	}
	for i, phase := range phases {
		if i > 0 {
			fmt.Fprintln(c.out)
		}
		if !p.Draw {
			fmt.Fprint(c.out, phase.Plan.Report())
		} else if err := phase.Plan.Draw(c.out); err != nil {
			return err
		}
	}
	return nil
}

func planOf(u *compiler.Unit, phases []*compiler.Phase) planResult {
	r := planResult{Name: u.Name, ArenaBytes: u.Arena.Size}
	for _, p := range phases {
		one := phasePlan{
			Phase: p.Name, Batch: p.Batch, arenaBytes: arenaBytes{p.Plan.Size, p.Plan.LowerBound, p.Plan.WithoutReuse},
			Ratio: p.Plan.Ratio(), Parameters: p.Plan.Params, States: p.Plan.States, Setup: p.Plan.SetupBytes(), Buffers: []planBuffer{},
		}
		for _, b := range p.Plan.Buffers {
			one.Buffers = append(one.Buffers, bufferOf(b))
		}
		r.Phases = append(r.Phases, one)
	}
	return r
}

func bufferOf(b plan.Buffer) planBuffer {
	one := planBuffer{Offset: b.Offset, Bytes: b.Bytes, Start: b.Start, End: b.End}
	for _, v := range b.Values {
		one.Values = append(one.Values, v.Name)
	}
	return one
}
