// Command netc compiles neural networks written in Caffe's vocabulary to Go
// programs, and trains, tests, runs and explains them.
//
// This package only reads the command line and prints: one file for each verb,
// and the files network.go (what is compiled), program.go (how the emitted
// program is built and started) and console.go (what is said and how).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"netc/compiler"
	"netc/runtime"
	"netc/spec"
	"netc/spec/diag"
)

// The exit codes of every verb.
const (
	exitDone        = 0
	exitFailed      = 1 // the spec, the data or the run failed
	exitUsage       = 2
	exitInterrupted = 130
)

// commands is the command line: a field for each verb, grouped as in
// "netc help".
type commands struct {
	Train trainCommand `cmd:"" group:"use" help:"Build a network and train it."`
	Test  testCommand  `cmd:"" group:"use" help:"Evaluate weights on the test data and check the run file's [expect]."`
	Run   runCommand   `cmd:"" group:"use" help:"Compute one pass on arrays, and gradients."`
	Build buildCommand `cmd:"" group:"use" help:"Write the network as a Go program."`

	Summary summaryCommand `cmd:"" group:"look" help:"List layers, parameters, operations and memory."`
	Plan    planCommand    `cmd:"" group:"look" help:"Show where each tensor lies in memory."`
	Time    timeCommand    `cmd:"" group:"look" help:"Measure where the time of a step goes, by kernel and layer."`
	Graph   graphCommand   `cmd:"" group:"look" help:"Print the layers as a DOT graph."`

	IR        irCommand        `cmd:"" name:"ir" group:"look" help:"Print the compiler's graph, after any pass."`
	Gradcheck gradcheckCommand `cmd:"" group:"look" help:"Check every gradient against central differences."`

	Vet     vetCommand     `cmd:"" group:"write" help:"Find mistakes in nets and run files."`
	Fmt     fmtCommand     `cmd:"" group:"write" help:"Give nets their canonical layout."`
	Doc     docCommand     `cmd:"" group:"write" help:"Describe a layer and its fields, or list the layers."`
	Explain explainCommand `cmd:"" group:"write" help:"Explain the code of an error."`

	Data dataCommand `cmd:"" group:"data" help:"Describe, download, generate and preview data sets."`

	Version versionCommand `cmd:"" group:"netc" help:"Print netc's version."`
	Help    helpCommand    `cmd:"" group:"netc" help:"List the verbs, or describe one."`
}

// collectAt is the growth of memory, in percent, after which garbage is
// collected: a compilation allocates little that it can drop before it ends, and
// with Go's 100 it would spend a quarter of its time looking for it.
const collectAt = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	// A second signal ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(os.Args[1:], newConsole(ctx, os.Stdin, os.Stdout, os.Stderr)))
}

// run carries out one command line and gives the exit code.
func run(args []string, c *console) (code int) {
	defer func() {
		if cause := recover(); cause != nil {
			c.bug(&compiler.BugError{Pass: "netc " + strings.Join(args, " "), Cause: fmt.Sprint(cause), Stack: string(debug.Stack())})
			code = exitFailed
		}
	}()
	if len(args) == 0 {
		fmt.Fprint(c.out, firstSteps)
		return exitDone
	}
	shown := false // kong has printed the help that --help asks for
	parser, err := newParser(c, func(int) { shown = true })
	if err != nil {
		panic(err)
	}
	parsed, err := parser.Parse(args)
	switch {
	case shown:
		return exitDone
	case err != nil:
		return c.exitCode(err)
	}
	return c.exitCode(parsed.Run())
}

// newParser builds the command line's parser, which prints help as a result and
// calls shown afterwards.
func newParser(c *console, shown func(int)) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("netc"), kong.Description(about),
		kong.Writers(c.out, io.Discard), kong.Exit(shown), kong.Bind(c),
		kong.Vars{"trainDigits": fmt.Sprint(trainDigits), "testDigits": fmt.Sprint(testDigits), "digitsSeed": fmt.Sprint(digitsSeed),
			"fileSamples": fmt.Sprint(fileSamples), "layerSamples": fmt.Sprint(layerSamples)},
		kong.ExplicitGroups(verbGroups), kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 96}))
}

// usageError is a mistake in the command line that kong cannot see.
type usageError struct{ message, help string }

func (e *usageError) Error() string { return e.message }

// mistakes are messages about the user's files that stop a command.
type mistakes struct {
	list    diag.List
	sources diag.Sources
}

func (m *mistakes) Error() string { return fmt.Sprintf("%d errors", m.list.Errors()) }

// ended is the exit code of a command that has said what there is to say.
type ended int

func (e ended) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitCode reports an error of a verb and gives its exit code.
func (c *console) exitCode(err error) int {
	var wrongUsage *usageError
	var parse *kong.ParseError
	var found *mistakes
	var bug *compiler.BugError
	var isa *runtime.ISAError
	var code ended
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &wrongUsage):
		c.complain(wrongUsage.message, wrongUsage.help)
		return exitUsage
	case errors.As(err, &isa):
		c.complain(isa.Error(), "")
		if isa.Unknown {
			return exitUsage
		}
		return exitFailed
	case errors.As(err, &parse):
		return c.usage(parse)
	case errors.As(err, &found):
		c.diagnose(found.list, found.sources)
		for _, d := range found.list {
			if d.Severity == diag.Error && d.Code != spec.CodeSet {
				return exitFailed
			}
		}
		return exitUsage // nothing but mistakes in --set flags
	case errors.As(err, &bug):
		c.bug(bug)
		return exitFailed
	case c.ctx.Err() != nil:
		c.say("interrupted")
		return exitInterrupted
	}
	c.complain(err.Error(), "")
	return exitFailed
}

// usage reports what kong found wrong in the command line.
func (c *console) usage(err *kong.ParseError) int {
	message, page := err.Error(), "netc help"
	if verb := err.Context.Selected(); verb != nil {
		page = verb.FullPath() + " --help"
	} else {
		message = asUnknownVerb(message)
	}
	c.complain(message, fmt.Sprintf("%q says more", page))
	return exitUsage
}

// asUnknownVerb rewords kong's message about what stands where a verb should,
// which is an "argument" to it.
func asUnknownVerb(message string) string {
	return strings.Replace(message, "unexpected argument", "unknown verb", 1)
}
