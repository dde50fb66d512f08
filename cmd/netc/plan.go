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
	Kernels isaFlag      `embed:""`

	Draw bool   `help:"Draw the arena as text: steps to the right, bytes upwards."`
	SVG  string `name:"svg" placeholder:"FILE" help:"Draw one phase's arena into a file (train, unless --phase says test)."`
}

// planResult is what "netc plan --json" prints: the arena of a program with the
// kernels of an instruction set, and what each phase has there.
type planResult struct {
	Name       string      `json:"name"`
	ISA        string      `json:"isa"`
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
	options, err := p.Kernels.options(&p.Network)
	if err != nil {
		return err
	}
	unit, err := p.Network.compile(c, p.Network.load(p.Only.Phase), options)
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
		c.say("drew the %s phase of the %s into %s", phases[0].Name, p.Kernels.kernels(), p.SVG)
	}
	if p.Output.JSON {
		return c.printJSON(planOf(unit, p.Kernels.ISA, phases))
	}
	if p.SVG != "" && !p.Draw {
		return nil
	}
	fmt.Fprintf(c.out, "%s, %s: one arena of %s for all phases\n", unit.Name, p.Kernels.kernels(), plan.Bytes(unit.Arena.Size))
	for _, phase := range phases {
		fmt.Fprintln(c.out)
		if !p.Draw {
			fmt.Fprint(c.out, phase.Plan.Report())
		} else if err := phase.Plan.Draw(c.out); err != nil {
			return err
		}
	}
	return nil
}

func planOf(u *compiler.Unit, isa string, phases []*compiler.Phase) planResult {
	r := planResult{Name: u.Name, ISA: isa, ArenaBytes: u.Arena.Size}
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
