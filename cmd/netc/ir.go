package main

import (
	"fmt"
	"slices"
	"strings"

	"netc/compiler"
	"netc/ir"
	"netc/spec/diag"
)

// irCommand is "netc ir FILE".
type irCommand struct {
	Output  outputFlags  `embed:""`
	Network networkFlags `embed:""`
	Only    phaseFlag    `embed:""`
	Kernels isaFlag      `embed:""`

	After  string `placeholder:"PASS" help:"Print the graph as it is after a pass (default the last)."`
	Passes bool   `help:"List the passes instead."`
}

// irResult is what "netc ir --json" prints: for each phase the IR's text.
type irResult struct {
	After  string    `json:"after"`
	ISA    string    `json:"isa"`
	Phases []phaseIR `json:"phases"`
}

type phaseIR struct {
	Phase string `json:"phase"`
	Text  string `json:"text"`
}

// Help lists the passes on the verb's page.
func (i *irCommand) Help() string {
	return "The passes, in order: " + strings.Join(passNames(), ", ") + "."
}

func passNames() []string {
	var names []string
	for _, p := range compiler.Passes() {
		names = append(names, p.Name)
	}
	return names
}

// Run prints the graphs.
func (i *irCommand) Run(c *console) error {
	passes := compiler.Passes()
	if i.Passes {
		return i.list(c, passes)
	}
	if i.After != "" && !slices.Contains(passNames(), i.After) {
		help := "the passes are " + strings.Join(passNames(), ", ")
		if near := diag.Nearest(i.After, passNames()); near != "" {
			help = fmt.Sprintf("did you mean %q? %s", near, help)
		}
		return &usageError{fmt.Sprintf("there is no pass %q", i.After), help}
	}
	options, err := i.Kernels.options(&i.Network)
	if err != nil {
		return err
	}
	result := irResult{After: i.After, ISA: i.Kernels.ISA}
	last := map[string]int{} // by phase, the entry in result
	options.Dump = func(pass string, g *ir.Graph) {
		if i.After != "" && pass != i.After || i.Only.Phase != "" && g.Phase != i.Only.Phase {
			return
		}
		at, seen := last[g.Phase]
		if !seen {
			at = len(result.Phases)
			last[g.Phase] = at
			result.Phases = append(result.Phases, phaseIR{Phase: g.Phase})
		}
		result.Phases[at].Text = g.String()
	}
	if _, err := i.Network.compile(c, i.Network.load(i.Only.Phase), options); err != nil {
		return err
	}
	if len(result.Phases) == 0 {
		return i.nothing()
	}
	if i.Output.JSON {
		return c.printJSON(result)
	}
	for n, p := range result.Phases {
		if n > 0 {
			fmt.Fprintln(c.out)
		}
		fmt.Fprint(c.out, p.Text)
	}
	return nil
}

// nothing says why no graph was printed.
func (i *irCommand) nothing() error {
	switch {
	case i.After == "":
		return fmt.Errorf("%s has no layers in the %s phase", i.Network.File, i.Only.Phase)
	case i.Network.Level == 0:
		return fmt.Errorf("the pass %s does not run with -O0", i.After)
	case i.Kernels.ISA == isaPortable && slices.ContainsFunc(compiler.Passes(), func(p compiler.PassInfo) bool { return p.Name == i.After && p.Lanes }):
		return fmt.Errorf("the pass %s does not run for portable kernels", i.After)
	}
	return fmt.Errorf("the pass %s does not run in the phase asked for", i.After)
}

func (i *irCommand) list(c *console, passes []compiler.PassInfo) error {
	if i.Output.JSON {
		return c.printJSON(passes)
	}
	for _, p := range passes {
		when := ""
		switch {
		case p.Required:
			when = " (also with -O0)"
		case p.Lanes:
			when = " (not for portable kernels)"
		}
		fmt.Fprintf(c.out, "%s%s\n  %s\n  %s\n", p.Name, when, p.Does, p.Because)
	}
	return nil
}
