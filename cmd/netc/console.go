package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"netc/compiler"
	"netc/spec/diag"
)

// console is where a command reads and writes: results to out, everything that
// is about the work to err.
type console struct {
	ctx   context.Context // ends at an interrupt
	in    io.Reader
	out   io.Writer
	err   io.Writer
	color bool // err is a terminal that shows colours
	quiet bool // no progress
}

func newConsole(ctx context.Context, in, out, err *os.File) *console {
	return &console{ctx: ctx, in: in, out: out, err: err, color: showsColor(err)}
}

// showsColor follows the convention of https://no-color.org.
func showsColor(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// outputFlags are the flags of every verb.
type outputFlags struct {
	JSON  bool `name:"json" help:"Print JSON on stdout, and nothing else."`
	Quiet bool `help:"Print no progress."`
}

// AfterApply tells the console about --quiet.
func (f outputFlags) AfterApply(c *console) error {
	c.quiet = f.Quiet
	return nil
}

// say writes a line of progress, unless --quiet is given.
func (c *console) say(format string, args ...any) {
	if !c.quiet {
		fmt.Fprintf(c.err, format+"\n", args...)
	}
}

// note writes a line that changes what the results mean; --quiet does not stop it.
func (c *console) note(format string, args ...any) {
	fmt.Fprintf(c.err, "note: "+format+"\n", args...)
}

// complain reports an error that has no place in a file, and the way out.
func (c *console) complain(message, help string) {
	c.diagnose(diag.List{{Message: message, Help: help}}, nil)
}

// diagnose renders messages about the user's files.
func (c *console) diagnose(list diag.List, sources diag.Sources) {
	render := diag.Render
	if c.color {
		render = diag.RenderColor
	}
	// There is nowhere left to report that stderr cannot be written.
	_ = render(c.err, list, sources)
}

// bug reports a fault of netc itself and leaves what reproduces it in a file.
func (c *console) bug(b *compiler.BugError) {
	where := b.Pass
	if b.Phase != "" {
		where += " (" + b.Phase + " phase)"
	}
	help := "the network is not at fault"
	if path, err := writeReproducer(b); err != nil {
		help += fmt.Sprintf("; what reproduces it could not be saved: %v", err)
	} else {
		help += "; please report it with " + path + ", which reproduces it"
	}
	c.complain(fmt.Sprintf("netc itself has a bug, in %s: %s", where, b.Cause), help)
}

// writeReproducer saves the graph on which a pass failed, with the failure as
// comments of the IR, where the system keeps temporary files.
func writeReproducer(b *compiler.BugError) (path string, err error) {
	file, err := os.CreateTemp("", "netc-bug-*.ir")
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(file, commented(b.Error()+"\n"+b.Stack)+b.Reproducer)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return file.Name(), err
}

// printJSON writes a result as one line of JSON.
func (c *console) printJSON(result any) error {
	encoder := json.NewEncoder(c.out)
	encoder.SetEscapeHTML(false) // a comparison such as ">= 0.99" stays readable
	return encoder.Encode(result)
}

// separate puts an empty line between the messages about two files.
func (c *console) separate() { fmt.Fprintln(c.err) }

// commented makes text a comment of the IR.
func commented(text string) string {
	return "# " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n# ") + "\n\n"
}
