package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	nets         []*net
	modes        []mode
	peers        []*peer
	variants     []string
	device       string
	precision    string // on a GPU
	programs     string // folder of netc's programs, "" for one that goes with the run
	buildOnly    bool
	convolutions []*net
	threads      int
	rounds       int
	seconds      float64
	compileLimit time.Duration
	isa          string
	python       string
	cache        string
	json, out    string
}

// precisions are those of a run file's device.precision, the usual one first.
var precisions = []string{"float32", "tf32", "bf16"}

const (
	smallRounds = 7 // where --rounds says nothing
	largeRounds = 4
)

// rate is the learning rate of all sides. It is too small to change the weights
// visibly: no side may meet other numbers, such as denormal ones, because it
// trained further on the one batch.
const rate = 1e-6

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	if err := o.run(ctx); ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "interrupted")
		os.Exit(130)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (*options, error) {
	var o options
	var netList, modeList, peerList, variantList, convolutionList string
	var names []string
	for _, n := range nets {
		names = append(names, n.name)
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&netList, "nets", strings.Join(names, ","), "networks, separated by commas")
	f.StringVar(&modeList, "modes", "train,infer1,infer32", "what to measure: train, and infer with a batch size")
	f.StringVar(&peerList, "peers", "", "peers to measure where they are installed, of pytorch and onnxruntime (default all that know the device)")
	f.StringVar(&variantList, "variants", "", "variants of the peers to measure, such as eager,channels_last,compile,compile_plain, each with the peers that have it (default each peer's usual ones)")
	f.StringVar(&o.device, "device", cpu, "device of every side: cpu or cuda")
	f.StringVar(&o.precision, "precision", "float32", "precision of convolutions and products on a GPU, of every side: float32, tf32 or bf16")
	f.StringVar(&o.programs, "programs", "", "folder of netc's programs as --build-only left them; the run then needs neither Go nor the source")
	f.BoolVar(&o.buildOnly, "build-only", false, "build netc's programs into the folder of --programs, and measure nothing")
	f.StringVar(&convolutionList, "convolutions", "resnet50", "networks whose convolution kernels on the processor to sum, from netc time; empty for none")
	f.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads of every side")
	f.StringVar(&o.isa, "isa", "", "instruction set of netc's kernels: portable, avx2 or avx512 (default the best here)")
	f.IntVar(&o.rounds, "rounds", 0, fmt.Sprintf("rounds in which every side computes once (default %d, for large networks %d)", smallRounds, largeRounds))
	f.Float64Var(&o.seconds, "seconds", 0.25, "about how long a side computes in a round; at least one step")
	f.DurationVar(&o.compileLimit, "compile-limit", 5*time.Minute, "how long a side may take to open a network, torch.compile above all")
	f.StringVar(&o.python, "python", "python3", "Python interpreter of the peers")
	f.StringVar(&o.cache, "torch-cache", "", "folder that keeps what torch.compile compiled; then its compile times mean nothing (default none is kept)")
	f.StringVar(&o.json, "json", "", "file for all measurements as JSON")
	f.StringVar(&o.out, "out", "", "file for the report, besides stdout")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.threads < 1:
		return nil, fmt.Errorf("--threads %d: give at least 1", o.threads)
	case o.rounds < 0:
		return nil, fmt.Errorf("--rounds %d: give at least 1", o.rounds)
	case o.seconds <= 0:
		return nil, fmt.Errorf("--seconds %v: give a positive time", o.seconds)
	case o.device != cpu && o.device != cuda:
		return nil, fmt.Errorf("--device %s: the devices are %s and %s", o.device, cpu, cuda)
	case !slices.Contains(precisions, o.precision):
		return nil, fmt.Errorf("--precision %s: the precisions are %s", o.precision, strings.Join(precisions, ", "))
	case o.device == cpu && o.precision != precisions[0]:
		return nil, fmt.Errorf("--precision %s: the processor computes in %s", o.precision, precisions[0])
	case o.device != cpu && o.isa != "":
		return nil, fmt.Errorf("--isa %s: leave it out with --device %s", o.isa, o.device)
	case o.buildOnly && o.programs == "":
		return nil, errors.New("--build-only: name the folder with --programs")
	}
	var err error
	if o.nets, err = parseNets(netList); err != nil {
		return nil, err
	}
	if o.modes, err = parseModes(modeList); err != nil {
		return nil, err
	}
	if o.peers, err = parsePeers(peerList, o.device); err != nil {
		return nil, err
	}
	o.variants = splitList(variantList)
	if err := checkVariants(o.variants, o.peers, o.device); err != nil {
		return nil, err
	}
	if o.device != cpu || o.programs != "" { // netc time would compile, for the processor
		return &o, nil
	}
	if o.convolutions, err = parseNets(convolutionList); err != nil {
		return nil, fmt.Errorf("--convolutions: %w", err)
	}
	return &o, nil
}

// run measures everything and writes the report.
func (o *options) run(ctx context.Context) error {
	prebuilt := o.programs != "" && !o.buildOnly
	if _, err := os.Stat("models"); err != nil && !prebuilt {
		return errors.New("there is no folder models here: run bench in the repository's root")
	}
	folder, err := os.MkdirTemp("", "netc-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	b, err := newBench(ctx, o, folder)
	if err != nil {
		return err
	}
	if o.buildOnly {
		for _, n := range o.nets {
			if err := b.build(ctx, n); err != nil {
				return err
			}
		}
		return nil
	}
	begin, before := time.Now(), processorTimeNow()
	failure := b.measureAll(ctx)
	measured := len(b.report.Cases)+len(b.report.Convolutions) > 0
	if failure != nil {
		if !measured {
			return failure
		}
		b.miss("what would have followed: the run ended early (%v)", failure)
	}
	b.report.Took, b.report.Steal = time.Since(begin).Seconds(), processorTimeNow().stealSince(before)
	if err := o.write(b.report); err != nil {
		return err
	}
	if !measured {
		return errors.New("nothing was measured")
	}
	return failure
}

// measureAll measures what the options ask for.
func (b *bench) measureAll(ctx context.Context) error {
	for _, n := range b.options.nets {
		if err := b.net(ctx, n); err != nil {
			return err
		}
	}
	for _, n := range b.options.convolutions {
		b.sumConvolutions(ctx, n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (o *options) write(r *report) error {
	page := r.markdown()
	if _, err := os.Stdout.WriteString(page); err != nil {
		return err
	}
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(page), 0o666); err != nil {
			return err
		}
	}
	if o.json == "" {
		return nil
	}
	return writeJSON(o.json, r)
}

// exists reports whether the repository has a network.
func exists(n *net) bool {
	_, err := os.Stat(n.file())
	return !errors.Is(err, fs.ErrNotExist)
}
