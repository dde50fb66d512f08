package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The exit codes of a program and of netc.
const (
	exitDone        = 0
	exitFailed      = 1 // the data or the run failed
	exitUsage       = 2
	exitExpectation = 3 // an expectation was not met
	exitInterrupted = 130
)

const usage = `usage: %[1]s VERB [flags]

verbs
  train  trains and writes weights, state and log into a run folder
  test   evaluates weights on the test data and checks the expectations
  run    computes one pass on given arrays
  time   measures where the time of a step goes

"%[1]s VERB --help" lists a verb's flags.
`

// Main is the main function of an emitted program: it reads the command line,
// builds the network, does what the verb says and exits. Results go to stdout,
// progress and messages to stderr.
func Main(choice Choice) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(command(ctx, choice, os.Args, os.Stdout, os.Stderr))
}

// usageError is a mistake in the command line.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// invocation is one command under way.
type invocation struct {
	ctx            context.Context
	choice         Choice
	stdout, stderr io.Writer
	flags          *flag.FlagSet
	progress       *Progress

	// Flags of every verb.
	json, quiet                bool
	threads                    int
	seed                       int64
	data, weights, device, isa string
}

// command runs args and gives the exit code.
func command(ctx context.Context, choice Choice, args []string, stdout, stderr io.Writer) int {
	program := filepath.Base(args[0])
	verbs := map[string]func(*invocation, []string) error{"train": (*invocation).train, "test": (*invocation).test, "run": (*invocation).run, "time": (*invocation).time}
	if len(args) < 2 {
		fmt.Fprintf(stderr, usage, program)
		return exitUsage
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[1]) {
		fmt.Fprintf(stdout, usage, program)
		return exitDone
	}
	verb, known := verbs[args[1]]
	if !known {
		fmt.Fprintf(stderr, "error: unknown verb %q%s\n", args[1], didYouMean(args[1], []string{"train", "test", "run", "time"}))
		fmt.Fprintf(stderr, usage, program)
		return exitUsage
	}
	i := &invocation{ctx: ctx, choice: choice, stdout: stdout, stderr: stderr, flags: flag.NewFlagSet(program+" "+args[1], flag.ContinueOnError)}
	i.flags.SetOutput(io.Discard) // errors are printed here, once
	i.flags.BoolVar(&i.json, "json", false, "print one JSON object on stdout")
	i.flags.BoolVar(&i.quiet, "quiet", false, "print no progress")
	i.flags.IntVar(&i.threads, "threads", 0, "`number` of threads (default all cores)")
	i.flags.Int64Var(&i.seed, "seed", 1, "`number` that all randomness comes from")
	i.flags.StringVar(&i.data, "data", "", "data `source`: a known name, a folder, or noise (random images, for timing and smoke tests)")
	i.flags.StringVar(&i.weights, "weights", "", "weights `file` (.safetensors, .npz) or run folder")
	i.flags.StringVar(&i.device, "device", cpu, "`name` of the device: "+wordList(choice.devices()))
	i.flags.StringVar(&i.isa, "isa", "", "instruction set, one `name` of "+wordList(allISAs)+" (default the best here)")
	err := verb(i, args[2:])
	var wrongUsage usageError
	var interrupted *InterruptedError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, flag.ErrHelp):
		i.help()
		return exitDone
	case errors.Is(err, errExpectation):
		return exitExpectation
	case errors.As(err, &wrongUsage):
		fmt.Fprintf(stderr, "error: %v\n\"%s --help\" lists the flags\n", err, i.flags.Name())
		return exitUsage
	case errors.As(err, &interrupted):
		fmt.Fprintln(stderr, err)
		return exitInterrupted
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	return exitFailed
}

func (i *invocation) help() {
	fmt.Fprintf(i.stdout, "usage: %s [flags]\n\n", i.flags.Name())
	i.flags.SetOutput(i.stdout)
	i.flags.PrintDefaults()
}

// parse reads the verb's flags.
func (i *invocation) parse(args []string) error {
	if err := i.flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		message := err.Error()
		if name, undefined := strings.CutPrefix(message, "flag provided but not defined: -"); undefined {
			var names []string
			i.flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
			message = fmt.Sprintf("unknown flag --%s%s", name, didYouMean(name, names))
		}
		return usageError{message}
	}
	switch {
	case i.flags.NArg() > 0:
		return usageError{fmt.Sprintf("unexpected argument %q", i.flags.Arg(0))}
	case i.threads < 0:
		return usageError{fmt.Sprintf("--threads %d: give at least 1, or leave it out for all cores", i.threads)}
	case i.seed < math.MinInt32 || i.seed > math.MaxInt32:
		return usageError{fmt.Sprintf("--seed %d does not fit 32 bits", i.seed)}
	case !slices.Contains(i.choice.devices(), i.device):
		message := fmt.Sprintf("--device %s: this program was built for %s", i.device, wordList(i.choice.devices()))
		if i.device == "cuda" {
			message += `; "netc build --device cuda" builds one for a GPU`
		}
		return usageError{message}
	case i.device != cpu && i.isa != "":
		return usageError{"--isa chooses kernels of the processor: leave it out with --device " + i.device}
	}
	var isa *ISAError
	if err := CheckISA(i.isa); errors.As(err, &isa) && isa.Unknown {
		return usageError{isa.Error()}
	}
	if i.threads == 0 {
		i.threads = goruntime.GOMAXPROCS(0)
	}
	i.progress = NewProgress(i.stderr, i.quiet)
	return nil
}

// isSet tells whether a flag was given.
func (i *invocation) isSet(name string) bool {
	set := false
	i.flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// network builds the program for the instruction set asked for.
func (i *invocation) network() (*Program, error) {
	isa := i.isa
	if i.device != cpu {
		isa = isaPortable // whose memory plan accelerators share
	}
	program, err := i.choice.Program(isa)
	if err != nil {
		return nil, err
	}
	if i.device != cpu {
		program.ISA = i.device
	}
	if i.data != "" {
		program.Config.Data.Source, program.Config.Data.Otherwise = i.data, ""
	}
	return program, nil
}

// executor readies the device for a program.
func (i *invocation) executor(program *Program, pool *Pool) (Executor, error) {
	for _, a := range i.choice.Accelerators {
		if a.Name == i.device {
			return a.Open(program)
		}
	}
	return NewExecutor(program, pool), nil
}

// closeExecutor ends an executor. After an error it has no more to say.
func closeExecutor(e Executor, err *error) {
	if failure := e.Close(); *err == nil {
		*err = failure
	}
}

// dataset opens the data that the program's phase reads; nil when it reads none.
func (i *invocation) dataset(program *Program, phase *Phase) (*Dataset, error) {
	if len(phase.Inputs) == 0 {
		return nil, nil
	}
	if program.Config.Data.Source == NoiseName {
		fmt.Fprintln(i.progress, "note: the images and labels are random: they serve to measure speed, nothing can be learnt from them")
		return noise(phase), nil
	}
	return OpenConfigured(program.Config.Data, i.progress)
}

// print writes a result: as one JSON object, or as text.
func (i *invocation) print(result any, text string) error {
	if !i.json {
		_, err := io.WriteString(i.stdout, text)
		return err
	}
	encoder := json.NewEncoder(i.stdout)
	encoder.SetEscapeHTML(false) // a comparison such as ">= 0.99" stays readable
	return encoder.Encode(result)
}

func (i *invocation) train(args []string) (err error) {
	var out, resume, log string
	var iterations, epochs int
	var saveEvery time.Duration
	i.flags.StringVar(&out, "out", "", "run `folder` (default runs/NAME-DATE-TIME)")
	i.flags.StringVar(&resume, "resume", "", "continue the run in a `folder`")
	i.flags.IntVar(&iterations, "iterations", 0, "`number` of parameter updates in all")
	i.flags.IntVar(&epochs, "epochs", 0, "`number` of passes over the training set")
	i.flags.StringVar(&log, "log", "", "jsonl: write log.jsonl into the run folder (`format`)")
	i.flags.DurationVar(&saveEvery, "save-every", DefaultSaveEvery, "`time` between checkpoints")
	if err := i.parse(args); err != nil {
		return err
	}
	switch {
	case log != "" && log != "jsonl":
		return usageError{fmt.Sprintf("--log %s: the only format is jsonl", log)}
	case iterations < 0 || epochs < 0:
		return usageError{"--iterations and --epochs are at least 1"}
	case iterations > 0 && epochs > 0:
		return usageError{"--iterations and --epochs both say how long to train: give one"}
	case resume != "" && out != "":
		return usageError{"--resume continues in its own folder: leave --out out"}
	case resume != "" && i.weights != "":
		return usageError{"--resume continues with the run's weights: leave --weights out"}
	case saveEvery <= 0:
		return usageError{"--save-every is a positive time, such as 30s"}
	}
	program, err := i.network()
	if err != nil {
		return err
	}
	options := Options{Seed: int32(i.seed), Iterations: iterations, Epochs: epochs, Log: log != "", SaveEvery: saveEvery, Device: i.device, Progress: i.progress}
	if resume != "" {
		if err := i.continueRun(resume, program, &options); err != nil {
			return err
		}
	}
	if i.weights != "" {
		if options.Weights, err = ReadTensorFile(i.weights); err != nil {
			return err
		}
	}
	options.Pool = NewPool(i.threads)
	defer options.Pool.Close()
	if options.Executor, err = i.executor(program, options.Pool); err != nil {
		return err
	}
	defer closeExecutor(options.Executor, &err)
	if options.Data, err = i.dataset(program, &program.Train); err != nil {
		return err
	}
	options.NewFolder = func() (string, error) { return i.newRun(out, program, options) }
	result, err := Train(i.ctx, program, options)
	if err != nil {
		return err
	}
	return i.print(result, trainText(result))
}

// newRun makes and describes the run's folder.
func (i *invocation) newRun(out string, program *Program, options Options) (string, error) {
	folder, err := out, error(nil)
	if out == "" {
		folder, err = NewDatedRunFolder(program.Name, time.Now())
	} else {
		err = NewRunFolder(out)
	}
	if err != nil {
		return "", err
	}
	config := program.Config
	if options.Iterations > 0 || options.Epochs > 0 {
		config.Train.Iterations, config.Train.Epochs = options.Iterations, options.Epochs
	}
	return folder, writeRun(folder, RunDescription{Name: program.Name, ISA: program.ISA, Threads: i.threads, Seed: options.Seed,
		Batch: program.Train.Batch, Weights: i.weights, Config: config})
}

// continueRun takes what the command line leaves open from the run's own
// description.
func (i *invocation) continueRun(folder string, program *Program, options *Options) error {
	run, err := ReadRun(folder)
	if err != nil {
		return err
	}
	if run.Name != program.Name {
		return fmt.Errorf("%s holds a run of network %s, not of %s", folder, run.Name, program.Name)
	}
	options.Resume = folder
	if !i.isSet("seed") {
		options.Seed = run.Seed
	}
	if !i.isSet("data") {
		program.Config.Data.Source, program.Config.Data.Otherwise = run.Config.Data.Source, run.Config.Data.Otherwise
	}
	if options.Iterations == 0 && options.Epochs == 0 {
		options.Iterations, options.Epochs = run.Config.Train.Iterations, run.Config.Train.Epochs
	}
	if _, err := os.Stat(filepath.Join(folder, stateFile)); errors.Is(err, fs.ErrNotExist) {
		i.weights = run.Weights // the run was left before its first checkpoint
	}
	return nil
}

func trainText(r Result) string {
	var text strings.Builder
	fmt.Fprintf(&text, "trained %s for %d iterations (%.2f epochs) on %s%s\n", r.Name, r.Iterations, float64(r.Epochs), r.Data.Name, generatedText(r.Data))
	fmt.Fprintf(&text, "train    loss %.4g\n", float64(r.Train.Loss))
	if len(r.Test) > 0 {
		fmt.Fprintf(&text, "test     %s\n", metricsText(r.Test))
	}
	fmt.Fprintf(&text, "speed    %.0f samples/s, %.3g ms an iteration, %d threads, %s\n", float64(r.SamplesPerSecond), float64(r.StepMS), r.Threads, r.ISA)
	fmt.Fprintf(&text, "weights  %s\nsha256   %s\n", r.Weights, r.WeightsSHA256)
	return text.String()
}

func generatedText(data DataResult) string {
	if data.Generated {
		return " (generated data)"
	}
	return ""
}

// errExpectation says that the results are printed but fall short.
var errExpectation = errors.New("an expectation was not met")

// TestOutcome is what the test verb finds, as --json prints it.
type TestOutcome struct {
	Name   string            `json:"name"`
	Test   map[string]Number `json:"test"`
	Expect []ExpectResult    `json:"expect"`
	Data   DataResult        `json:"data"`
}

func (i *invocation) test(args []string) (err error) {
	if err := i.parse(args); err != nil {
		return err
	}
	if i.weights == "" {
		return usageError{"test needs --weights: the file, or the run folder, that training printed"}
	}
	program, err := i.network()
	if err != nil {
		return err
	}
	pool := NewPool(i.threads)
	defer pool.Close()
	executor, err := i.executor(program, pool)
	if err != nil {
		return err
	}
	defer closeExecutor(executor, &err)
	if err := i.loadAll(program); err != nil {
		return err
	}
	if err := executor.Push(program.persistent()); err != nil {
		return err
	}
	set, err := i.dataset(program, &program.Test)
	if err != nil {
		return err
	}
	evaluator, err := newEvaluator(program, set, executor, pool, i.progress)
	if err != nil {
		return err
	}
	outcome := TestOutcome{Name: program.Name}
	if set != nil {
		outcome.Data = DataResult{Name: set.Name, Generated: set.Generated}
	}
	if outcome.Test, err = evaluator.run(i.ctx); err != nil {
		return err
	}
	if outcome.Expect, err = CheckExpectations(program.Config.Expect, outcome.Test); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "tested %s on %d samples of %s%s\ntest     %s\n", program.Name, evaluator.n, outcome.Data.Name, generatedText(outcome.Data), metricsText(outcome.Test))
	met := true
	for _, e := range outcome.Expect {
		verdict := "met"
		if !e.OK {
			verdict, met = "NOT MET", false
		}
		fmt.Fprintf(&text, "expect   %s %s: %.6g, %s\n", e.Key, e.Want, float64(e.Got), verdict)
	}
	if err := i.print(outcome, text.String()); err != nil {
		return err
	}
	if !met {
		return errExpectation
	}
	return nil
}

// fill gives the parameters their values for run and time, from
// --weights or the fillers, and the network its seed.
func (i *invocation) fill(program *Program, pool *Pool) error {
	setScalar(program.Seed, int32(i.seed))
	if i.weights != "" {
		return i.loadAll(program)
	}
	return Fill(program.Parameters, int32(i.seed), pool)
}

// loadAll reads --weights into the program; every parameter must be there.
func (i *invocation) loadAll(program *Program) error {
	file, err := ReadTensorFile(i.weights)
	if err != nil {
		return err
	}
	missing, err := LoadWeights(program.Parameters, file)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s lacks the parameters %s: these are another network's weights", file.Path, listed(missing))
	}
	return nil
}
