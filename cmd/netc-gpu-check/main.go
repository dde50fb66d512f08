// Command netc-gpu-check finds out whether netc's kernels and programs are right
// on this machine's GPU, and writes a report:
//
//   - conformance: every operator's kernels, and those on tensor cores, against
//     the float64 reference, which this command computes itself
//   - training: five steps of each model on the GPU and on the processor, with
//     the same losses, and twice on the GPU, with the same bits
//   - compute-sanitizer, where it is installed, finds no fault in either
//
// It needs a driver and NVRTC, and the models' programs, built before, in a
// folder; "make gpu-folder" puts all into one. It needs neither Go nor the source.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The exit codes.
const (
	exitRight = 0
	exitWrong = 1 // something does not agree, or could not be checked
	exitUsage = 2
)

// parts are what is checked, as --only names it.
var parts = []string{"conformance", "training", "sanitizer"}

// options are the command line.
type options struct {
	only   []string
	models string // folder of the models' programs; that of those for the processor is beside it
	out    string // file of the report
}

func parseOptions(args []string) (*options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("netc-gpu-check", flag.ContinueOnError)
	f.StringVar(&only, "only", strings.Join(parts, ","), "what to check, separated by commas")
	f.StringVar(&o.models, "models", "", "folder of the models' programs, beside which FOLDER-cpu has those for the processor (default models beside this command)")
	f.StringVar(&o.out, "out", "", "file for the report, besides stdout")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	for _, part := range strings.Split(only, ",") {
		if !slices.Contains(parts, part) {
			return nil, fmt.Errorf("--only: there is no %q, only %s", part, strings.Join(parts, ", "))
		}
		o.only = append(o.only, part)
	}
	if o.models == "" {
		own, err := os.Executable()
		if err != nil {
			return nil, err
		}
		o.models = filepath.Join(filepath.Dir(own), "models")
	}
	return &o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(exitUsage)
	}
	right, err := o.run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(exitWrong)
	case !right:
		fmt.Fprintln(os.Stderr, "the check failed: the report has the lines that say FAILED")
		os.Exit(exitWrong)
	}
}

// run checks everything and writes the report. An error says that there is none,
// as without a GPU; what cannot be checked otherwise is in the report.
func (o *options) run(ctx context.Context) (right bool, err error) {
	r, err := newReport()
	if err != nil {
		return false, err
	}
	begin := time.Now()
	for _, part := range o.only {
		fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(begin).Seconds(), part)
		switch part {
		case "conformance":
			err = r.conformance(ctx)
		case "training":
			err = r.training(ctx, o.models, filepath.Clean(o.models)+"-cpu")
		case "sanitizer":
			err = r.sanitizer(ctx, o.models)
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			r.broken(part, err)
		}
	}
	r.took = time.Since(begin)
	page := r.markdown()
	if o.out != "" {
		if err := os.MkdirAll(filepath.Dir(o.out), 0o777); err != nil {
			return false, err
		}
		if err := os.WriteFile(o.out, []byte(page), 0o666); err != nil {
			return false, err
		}
	}
	_, err = fmt.Print(page)
	return r.failures == 0, err
}
