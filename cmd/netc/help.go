package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

const about = "netc compiles neural networks written in Caffe's vocabulary to Go programs."

// firstSteps is what netc says when it is asked nothing.
const firstSteps = about + `

  netc train models/lenet.net                        build the network and train it
  netc test models/lenet.net --weights runs/LeNet-…  evaluate what was trained
  netc summary models/lenet.net                      layers, parameters, operations, memory
  netc build models/lenet.net                        write the Go program into build/lenet
  netc vet models/*.net                              find mistakes
  netc doc Convolution                               read about a layer

"netc help" lists all verbs, "netc VERB --help" describes one.
`

// verbGroups are the parts of "netc help", in order.
var verbGroups = []kong.Group{
	{Key: "use", Title: "Train and use a network"},
	{Key: "look", Title: "Look at a network"},
	{Key: "write", Title: "Write networks"},
	{Key: "data", Title: "Data sets"},
	{Key: "netc", Title: "About netc"},
}

// helpEnd follows the list of verbs.
const helpEnd = `
FILE is a .net file; the run file NAME.toml beside NAME.net is read by itself.
Results go to stdout, progress and messages to stderr.

Exit codes: 0 done, 1 the net, the data or the run failed, 2 wrong usage,
3 an expectation was not met, 130 interrupted, after saving.

"netc VERB --help" describes a verb.
`

// helpCommand is "netc help [VERB]".
type helpCommand struct {
	Verb []string `arg:"" optional:"" help:"Verb to describe."`
}

// Run prints the list of verbs, or the page of one.
func (h *helpCommand) Run(parser *kong.Kong) error {
	ctx, err := kong.Trace(parser, h.Verb)
	if err != nil {
		return err
	}
	if ctx.Error != nil {
		return &usageError{asUnknownVerb(ctx.Error.Error()), `"netc help" lists the verbs`}
	}
	return ctx.PrintUsage(false)
}

// printHelp prints the list of verbs by group, or kong's page of one verb.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if ctx.Selected() != nil {
		return kong.DefaultHelpPrinter(options, ctx)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nusage: netc VERB [flags] FILE…\n", about)
	for _, group := range verbGroups {
		fmt.Fprintf(&b, "\n%s\n", group.Title)
		for _, verb := range ctx.Model.Children {
			if verb.Group != nil && verb.Group.Key == group.Key {
				fmt.Fprintf(&b, "  %-10s %s\n", verb.Name, verb.Help)
			}
		}
	}
	b.WriteString(helpEnd)
	_, err := fmt.Fprint(ctx.Stdout, b.String())
	return err
}
