package gopkg_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/compiler/pass"
	"netc/compiler/plan"
	"netc/compiler/schedule"
	"netc/ir"
	"netc/ir/eval"
	"netc/ir/example"
	"netc/ir/op"
	"netc/models"
	"netc/runtime"
	"netc/spec"
)

// workspace is one Go module with many emitted packages and a driver, so that
// a test needs one build. Each package's training or test pass is run on given
// inputs and everything it computed comes back.
type workspace struct {
	t        *testing.T
	folder   string
	packages []string
	jobs     []job
}

// job runs steps passes of a phase with the kernels of an instruction set.
// Inputs holds, for each step, the elements of the phase's inputs in order.
type job struct {
	pkg    string
	isa    string // "" for "portable"
	phase  string
	steps  int
	inputs [][]eval.Tensor
	rate   float32
}

// results of a job: the parameters and states after it, then the phase's
// outputs, in order; and the loss of each step.
type results struct {
	losses  []float32
	tensors map[string][]float32
}

func newWorkspace(t *testing.T) *workspace {
	if testing.Short() {
		t.Skip("builds Go programs; not run with -short")
	}
	return &workspace{t: t, folder: t.TempDir()}
}

// add writes a compiled unit's package under another name.
func (w *workspace) add(pkg string, u *compiler.Unit) {
	w.t.Helper()
	u.Name = pkg
	m, err := gopkg.Emit(u, pkg+".net")
	if err != nil {
		w.t.Fatal(err)
	}
	if m.Name != pkg {
		w.t.Fatalf("package %s became %s", pkg, m.Name)
	}
	for name, content := range m.Files {
		switch {
		case strings.HasPrefix(name, "runtime/"):
		case !strings.Contains(name, "/") && (strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".s")):
			content = bytes.ReplaceAll(content, []byte(fmt.Sprintf("%q", pkg+"/runtime")), []byte(`"agreement/runtime"`))
			name = pkg + "/" + name
		default:
			continue
		}
		w.write(name, content)
	}
	w.packages = append(w.packages, pkg)
}

func (w *workspace) write(name string, content []byte) {
	w.t.Helper()
	path := filepath.Join(w.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// run builds the driver and runs all jobs with a number of threads.
func (w *workspace) run(threads int) []results {
	w.t.Helper()
	w.write("go.mod", []byte("module agreement\n\ngo 1.24\n"))
	var imports, cases strings.Builder
	for _, p := range w.packages {
		fmt.Fprintf(&imports, "\t%q\n", "agreement/"+p)
		fmt.Fprintf(&cases, "\t%q: %s.Program,\n", p, p)
	}
	w.write("main.go", []byte(fmt.Sprintf(driver, imports.String(), cases.String())))
	var in bytes.Buffer
	for _, j := range w.jobs {
		fmt.Fprintf(&in, "%s %s %s %d %g\n", j.pkg, cmp.Or(j.isa, "portable"), j.phase, j.steps, j.rate)
		for _, step := range j.inputs {
			for _, tensor := range step {
				for _, x := range tensor.Data {
					bits := math.Float32bits(float32(x))
					if tensor.Type.DType == ir.I32 {
						bits = uint32(int32(x))
					}
					binary.Write(&in, binary.LittleEndian, bits)
				}
			}
		}
	}
	program := filepath.Join(w.folder, "agreement.exe")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = w.folder
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		w.t.Fatalf("the emitted programs do not build: %v\n%s", err, text)
	}
	run := exec.Command(program, fmt.Sprint(threads))
	run.Stdin = &in
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		w.t.Fatalf("the emitted programs do not run: %v\n%s", err, stderr.Bytes())
	}
	return w.parse(bytes.NewReader(out))
}

func (w *workspace) parse(out *bytes.Reader) []results {
	var list []results
	for _, j := range w.jobs {
		r := results{tensors: map[string][]float32{}, losses: make([]float32, j.steps)}
		check := func(err error) {
			if err != nil {
				w.t.Fatalf("%s: the driver's results end early: %v", j.pkg, err)
			}
		}
		check(binary.Read(out, binary.LittleEndian, r.losses))
		var count int32
		check(binary.Read(out, binary.LittleEndian, &count))
		for range count {
			var sizes [2]int32
			check(binary.Read(out, binary.LittleEndian, &sizes))
			name := make([]byte, sizes[0])
			check(binary.Read(out, binary.LittleEndian, name))
			data := make([]float32, sizes[1])
			check(binary.Read(out, binary.LittleEndian, data))
			r.tensors[string(name)] = data
		}
		list = append(list, r)
	}
	return list
}

const driver = `package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"agreement/runtime"
%s)

var programs = map[string]func(isa string) *runtime.Program{
%s}

func main() {
	threads, _ := strconv.Atoi(os.Args[1])
	pool := runtime.NewPool(threads)
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		var pkg, isa, phase string
		var steps int
		var rate float32
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Sscan(line, &pkg, &isa, &phase, &steps, &rate)
		program := programs[pkg](isa)
		if err := runtime.Fill(program.Parameters, 1, pool); err != nil {
			panic(err)
		}
		run := &program.Train
		if phase == "test" {
			run = &program.Test
		}
		program.Rate[0], program.Seed[0] = rate, 1
		losses := make([]float32, steps)
		for step := range steps {
			for _, t := range run.Inputs {
				if t.I32 != nil {
					check(binary.Read(in, binary.LittleEndian, t.I32))
				} else {
					check(binary.Read(in, binary.LittleEndian, t.F32))
				}
			}
			program.Iteration[0] = int32(step)
			run.Run(pool)
			if every := program.Config.Solver.Accumulate; every > 1 && (step+1)%%every == 0 {
				program.Update.Run(pool)
			}
			if run.Loss != nil {
				losses[step] = run.Loss[0]
			}
		}
		check(binary.Write(out, binary.LittleEndian, losses))
		var tensors []runtime.Tensor
		for _, p := range program.Parameters {
			tensors = append(tensors, p.Tensor)
		}
		tensors = append(append(tensors, program.State...), run.Tensors...)
		check(binary.Write(out, binary.LittleEndian, int32(len(tensors))))
		for _, t := range tensors {
			data := t.F32
			if t.I32 != nil {
				data = make([]float32, len(t.I32))
				for i, x := range t.I32 {
					data[i] = float32(x)
				}
			}
			check(binary.Write(out, binary.LittleEndian, [2]int32{int32(len(t.Name)), int32(len(data))}))
			out.WriteString(t.Name)
			check(binary.Write(out, binary.LittleEndian, data))
		}
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
`

// unitOf plans and schedules a graph by itself, as the phase "test".
func unitOf(t *testing.T, g *ir.Graph, optimize bool) *compiler.Unit {
	t.Helper()
	arena, err := plan.BuildAll([]*ir.Graph{g}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Check(g, arena.Plans[0], nil); err != nil {
		t.Fatal(err)
	}
	p := &compiler.Phase{Name: "test", Batch: 1, Graph: g, Plan: arena.Plans[0]}
	for _, n := range g.Nodes {
		if p.Plan.IsAlias(n) {
			continue
		}
		nests, err := op.Nests(n)
		if err != nil {
			t.Fatal(err)
		}
		schedules := schedule.All(nests, optimize)
		for i, nest := range nests {
			p.Kernels = append(p.Kernels, &compiler.Kernel{Node: n, Nest: nest, Schedule: schedules[i], Part: i, Parts: len(nests)})
		}
	}
	return &compiler.Unit{Name: "operators", Run: spec.DefaultRun(), Phases: []*compiler.Phase{p}, Arena: arena}
}

// operatorBound is how far an operator's emitted float32 result may be from
// the float64 reference, relative to the largest result of the operator and at
// least 1: some roundings of 2^-24 each, for sums of a few hundred terms.
const operatorBound = 1e-6

// isas are the instruction sets that this processor runs, for jobs.
func isas() []string {
	list := []string{"portable"}
	for _, isa := range []string{"avx2", "avx512"} {
		if runtime.CheckISA(isa) == nil {
			list = append(list, isa)
		}
	}
	return list
}

// TestOperatorsAgree emits every operator's examples as one program, plain,
// tiled and for vectors, runs it and compares with the reference. What a program
// takes and gives is row-major, so an operand or result that is not is converted.
func TestOperatorsAgree(t *testing.T) {
	g := ir.New("operators", "test")
	feeds := map[string]*eval.Tensor{}
	var order []eval.Tensor
	nodeOf := map[string]string{}
	for number, e := range example.All() {
		x := e.Instance(t, uint64(number))
		if slices.ContainsFunc(slices.Concat(x.Node.In, x.Node.Out), func(v *ir.Value) bool { return !v.Type.IsRowMajor() }) {
			continue // what a program takes and gives is row-major
		}
		var in []*ir.Value
		for _, v := range x.Node.In {
			name := fmt.Sprintf("e%d.%s", number, v.Name)
			feed := x.Feeds[v.Name]
			if v.Type.DType == ir.U8 { // which a program neither takes nor gives: it pools images for its own
				feed = example.RandomTensor(rand.New(rand.NewPCG(uint64(number), 9)), x.Node.Out[0].Type)
			}
			operand := g.AddInput(name, feed.Type)
			if grad, ok := e.Op.(*op.MaxPoolGrad); ok && v.Type.DType == ir.U8 {
				pool := &op.MaxPool{Kernel: grad.Kernel, Stride: grad.Stride, Pad: grad.Pad, Floor: grad.Floor}
				operand = g.MustAll(pool, name+".pool", nil, operand)[1]
			}
			in = append(in, operand)
			for i, f := range feed.Data {
				feed.Data[i] = float64(float32(f)) // what the program sees
			}
			feeds[name] = feed
			order = append(order, *feed)
		}
		for _, v := range g.MustAll(e.Op, fmt.Sprintf("e%d.out", number), nil, in...) {
			if v.Type.DType == ir.U8 {
				continue
			}
			g.Outputs = append(g.Outputs, v)
			nodeOf[v.Name] = e.Op.Mnemonic() + " " + ir.Attributes(e.Op)
		}
	}
	want, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkspace(t)
	w.add("plain", unitOf(t, g, false))
	tiled := unitOf(t, g, true)
	tiled.Vector = unitOf(t, g, true)
	w.add("tiled", tiled)
	inputs := [][]eval.Tensor{order}
	w.jobs = append(w.jobs, job{pkg: "plain", phase: "test", steps: 1, inputs: inputs})
	for _, isa := range isas() {
		w.jobs = append(w.jobs, job{pkg: "tiled", isa: isa, phase: "test", steps: 1, inputs: inputs})
	}
	for k, r := range w.run(2) {
		for name, node := range nodeOf {
			scale := 1.0
			for _, x := range want[name].Data {
				scale = max(scale, math.Abs(x))
			}
			got, ok := r.tensors[name]
			if !ok {
				t.Fatalf("%s was not computed", name)
			}
			for i, x := range want[name].Data {
				if !(math.Abs(float64(got[i])-x) <= operatorBound*scale) {
					t.Errorf("%s %s: %s (%s)[%d] is %v, the reference gives %v", w.jobs[k].pkg, w.jobs[k].isa, node, name, i, got[i], x)
					break
				}
			}
		}
	}
}

// trainingBound is how far a parameter may be from the float64 reference after
// the steps of TestModelsAgree, relative to the largest element of its tensor.
const trainingBound = 1e-4

// modelSteps is how many training steps TestModelsAgree takes.
const modelSteps = 2

// wideBatch is a batch of which the last block of vectors is padded.
const wideBatch = 20

// TestModelsAgree trains every small model for some steps on random data, of two
// samples and of wideBatch, with every instruction set that this processor runs,
// on one and on two threads. The number of threads never changes a bit, nor does
// -O0 the portable kernels. With two samples all give what the reference gives,
// computed from the graph before it was optimized, within trainingBound; with
// wideBatch, which takes the reference too long, what the portable kernels give.
// All use SGD, because the first steps of Adam move a parameter by the sign of
// its gradient, however small and uncertain that is; TestSolversAgree judges the
// other solvers.
func TestModelsAgree(t *testing.T) {
	w := newWorkspace(t)
	reference := map[string]*ir.Graph{}
	add := func(pkg, net string, o compiler.Options) {
		o.Dump = func(pass string, g *ir.Graph) {
			if pass == "update" {
				copied, err := ir.Parse(g.String())
				if err != nil {
					t.Fatal(err)
				}
				reference[pkg] = copied
			}
		}
		o.TestBatch, o.Phases = 2, []string{"train"}
		var edit []func([]byte) []byte
		if o.TrainBatch == wideBatch && strings.HasSuffix(net, "resnet20.net") {
			edit = append(edit, withoutKinks)
		}
		u := compileEdited(t, net, edit, o, "solver.type=SGD", "solver.momentum=0.9")
		w.add(pkg, u)
		j := job{pkg: pkg, phase: "train", steps: modelSteps, inputs: modelInputs(u.Phase("train").Graph), rate: 0.01}
		for _, isa := range isas() {
			if j.isa = isa; isa == "portable" || o.Vector {
				w.jobs = append(w.jobs, j)
			}
		}
	}
	for _, model := range models.Small() {
		net, name := "../../models/"+model+".net", strings.ReplaceAll(model, "_", "")
		add(name+"plain", net, compiler.Options{Unoptimized: true, TrainBatch: 2})
		add(name+"two", net, compiler.Options{Vector: true, TrainBatch: 2})
		add(name+"wide", net, compiler.Options{Vector: true, TrainBatch: wideBatch})
	}
	one, two := w.run(1), w.run(2)
	portable, references := map[string]results{}, map[string]exact{}
	for k, j := range w.jobs {
		name := j.pkg + " with " + j.isa
		sameBits(t, name+" on 1 and 2 threads", one[k], two[k])
		model, isTwo := strings.CutSuffix(j.pkg, "two")
		switch {
		case j.isa == "portable":
			portable[j.pkg] = one[k]
			if isTwo {
				sameBits(t, name+" and -O0", portable[model+"plain"], one[k])
			}
		case strings.HasSuffix(j.pkg, "wide"):
			compareResults(t, name, one[k], portable[j.pkg])
		}
		if isTwo {
			want, ok := references[model]
			if !ok {
				want = repeated(t, reference[j.pkg], nil, j)
				references[model] = want
			}
			want.compare(t, name, one[k])
		}
	}
}

// withoutKinks replaces rectifiers by something smooth. Of the millions of
// activations of a batch of ResNet-20, some are so near 0 that rounding decides
// whether the gradient passes, and each moves the gradients of all layers before
// it, here by up to a twentieth.
func withoutKinks(source []byte) []byte {
	return bytes.ReplaceAll(source, []byte("ReLU("), []byte("TanH("))
}

// compareResults compares losses and tensors within trainingBound: tensors by the
// root of the sum of squares of the differences, relative to that of the tensor.
func compareResults(t *testing.T, name string, got, want results) {
	t.Helper()
	for i, loss := range want.losses {
		if !(math.Abs(float64(got.losses[i]-loss)) <= trainingBound*max(1, math.Abs(float64(loss)))) {
			t.Errorf("%s: the loss of step %d is %v, not %v", name, i, got.losses[i], loss)
		}
	}
	worst, of := 0.0, ""
	for _, n := range slices.Sorted(maps.Keys(want.tensors)) {
		difference, size := 0.0, 0.0
		for i, x := range want.tensors[n] {
			difference += math.Pow(float64(got.tensors[n][i]-x), 2)
			size += math.Pow(float64(x), 2)
		}
		relative := math.Sqrt(difference / max(size, 1e-20))
		if relative > worst {
			worst, of = relative, n
		}
		if !(relative <= trainingBound) {
			t.Errorf("%s: after %d steps %s is off by %.3g of itself", name, len(want.losses), n, relative)
		}
	}
	t.Logf("%s: the largest difference is %.2g of a tensor, in %s", name, worst, of)
}

// solverNet has gradients well away from zero, so that every solver's steps
// are certain.
const solverNet = `net Solvers
x = input [3]
y = input [2]
ip = InnerProduct(x) { num_output: 2  weight_filler: uniform { min: 1 max: 2 }  param { lr_mult: 1 } param { lr_mult: 2  decay_mult: 0 } }
loss = EuclideanLoss(ip, y)
`

// solverBatch is enough for the batch to be in lanes, of which some are padding.
const solverBatch = 9

// TestSolversAgree trains a small network with every solver and setting, and
// compares with the reference as TestModelsAgree does.
func TestSolversAgree(t *testing.T) {
	settings := map[string][]string{
		"clip":       {"solver.type=SGD", "solver.momentum=0.9", "solver.clip_gradients=0.5"},
		"lone":       {"solver.type=SGD", "solver.weight_decay=0.1", "solver.regularization=L1"},
		"ltwo":       {"solver.type=SGD", "solver.weight_decay=0.1"},
		"accumulate": {"solver.type=SGD", "solver.momentum=0.9", fmt.Sprintf("solver.iter_size=%d", modelSteps), "solver.clip_gradients=1"},
	}
	for _, kind := range pass.SolverTypes() {
		settings[strings.ToLower(kind)] = []string{"solver.type=" + kind, "solver.weight_decay=0.01", "solver.delta=1e-4"}
		switch kind {
		case "SGD", "Nesterov", "Adam", "AdamW", "AdaDelta":
			settings[strings.ToLower(kind)] = append(settings[strings.ToLower(kind)], "solver.momentum=0.9")
		}
	}
	w := newWorkspace(t)
	var names []string
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)
	graphs := map[string]map[string]*ir.Graph{}
	file, list := spec.Parse("solvers.net", []byte(solverNet))
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	for _, name := range names {
		run, list := spec.ParseRun("solvers.toml", nil, settings[name])
		if list.Errors() > 0 {
			t.Fatal(list)
		}
		graphs[name] = map[string]*ir.Graph{}
		u, list, err := compiler.Compile(file, run, compiler.Options{Vector: true, TrainBatch: solverBatch, Phases: []string{"train"}, Dump: func(passName string, g *ir.Graph) {
			copied, err := ir.Parse(g.String())
			if err != nil {
				t.Fatal(err)
			}
			if passName == "update" || passName == "fold-constants" && g.Phase == "update" {
				graphs[name][g.Phase] = copied
			}
		}})
		if err != nil || list.Errors() > 0 {
			t.Fatal(err, list)
		}
		w.add(name, u)
		for _, isa := range isas() {
			w.jobs = append(w.jobs, job{pkg: name, isa: isa, phase: "train", steps: modelSteps, inputs: modelInputs(u.Phase("train").Graph), rate: 0.01})
		}
	}
	for k, r := range w.run(1) {
		j := w.jobs[k]
		compareWithReference(t, j.pkg+" with "+j.isa, graphs[j.pkg]["train"], graphs[j.pkg]["update"], j, r)
	}
}

func compileModel(t testing.TB, net string, o compiler.Options, sets ...string) *compiler.Unit {
	t.Helper()
	return compileEdited(t, net, nil, o, sets...)
}

// compileEdited compiles a model after changes of its text.
func compileEdited(t testing.TB, net string, edit []func([]byte) []byte, o compiler.Options, sets ...string) *compiler.Unit {
	t.Helper()
	source, err := os.ReadFile(net)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range edit {
		source = f(source)
	}
	file, list := spec.Parse(net, source)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	run, list := spec.LoadRun(strings.TrimSuffix(net, ".net")+".toml", sets)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	u, list, err := compiler.Compile(file, run, o)
	if err != nil || list.Errors() > 0 {
		t.Fatal(err, list)
	}
	return u
}

// modelInputs makes random images in [0, 1) and labels that are 0 or 1.
func modelInputs(g *ir.Graph) [][]eval.Tensor {
	random := rand.New(rand.NewPCG(7, 7))
	var steps [][]eval.Tensor
	for range modelSteps {
		var step []eval.Tensor
		for _, v := range g.Inputs {
			if strings.HasPrefix(v.Name, "solver.") {
				continue
			}
			x := eval.Zeros(v.Type)
			for i := range x.Data {
				if v.Type.DType == ir.I32 {
					x.Data[i] = float64(random.IntN(2))
				} else {
					x.Data[i] = float64(random.Float32())
				}
			}
			step = append(step, *x)
		}
		steps = append(steps, step)
	}
	return steps
}

func sameBits(t *testing.T, what string, a, b results) {
	t.Helper()
	if !slices.Equal(a.losses, b.losses) {
		t.Errorf("%s: the losses differ: %v and %v", what, a.losses, b.losses)
	}
	for name := range a.tensors {
		if !slices.Equal(a.tensors[name], b.tensors[name]) {
			t.Errorf("%s: %s differs", what, name)
		}
	}
}

// compareWithReference compares a job with what it gives in float64.
func compareWithReference(t *testing.T, name string, g, update *ir.Graph, j job, got results) {
	t.Helper()
	repeated(t, g, update, j).compare(t, name, got)
}

// exact is what a job gives in float64.
type exact struct {
	losses  []float64
	tensors map[string]*eval.Tensor // parameters and states
}

// repeated repeats a job in float64. update is the graph that runs after every
// modelSteps steps, or nil.
func repeated(t *testing.T, g, update *ir.Graph, j job) (want exact) {
	t.Helper()
	pool := runtime.NewPool(1)
	defer pool.Close()
	stored := map[string]*eval.Tensor{}
	persistent := append(slices.Clone(g.Params), g.States...)
	if update != nil {
		persistent = append(persistent, update.States...)
	}
	for _, v := range persistent {
		p := runtime.Parameter{Tensor: runtime.Tensor{Name: v.Name, Shape: v.Type.Shape, F32: make([]float32, v.Type.Shape.Count())}, Fill: runtime.Filler(v.Param.Filler)}
		if v.Param.Saved {
			if err := runtime.Fill([]runtime.Parameter{p}, 1, pool); err != nil {
				t.Fatal(err)
			}
		}
		stored[v.Name] = eval.FromFloat32(v.Type.Shape, p.F32)
	}
	for step := range j.steps {
		feeds := map[string]*eval.Tensor{
			"solver.rate":      eval.Floats(nil, float64(j.rate)),
			"solver.iteration": eval.Ints(nil, step),
			"solver.seed":      eval.Ints(nil, 1),
		}
		i := 0
		for _, v := range g.Inputs {
			if !strings.HasPrefix(v.Name, "solver.") {
				feeds[v.Name] = &j.inputs[step][i]
				i++
			}
		}
		maps.Copy(feeds, stored)
		values, next, err := eval.Step(g, feeds)
		if err != nil {
			t.Fatal(err)
		}
		want.losses = append(want.losses, values[g.Loss.Name].Data[0])
		maps.Copy(stored, next)
		if update != nil && (step+1)%modelSteps == 0 {
			maps.Copy(feeds, stored)
			_, next, err := eval.Step(update, feeds)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(stored, next)
		}
	}
	want.tensors = stored
	return want
}

func (want exact) compare(t *testing.T, name string, got results) {
	t.Helper()
	for step, loss := range want.losses {
		if !(math.Abs(float64(got.losses[step])-loss) <= trainingBound*max(1, math.Abs(loss))) {
			t.Errorf("%s: the loss of step %d is %v, the reference gives %v", name, step, got.losses[step], loss)
		}
	}
	for n, x := range want.tensors {
		scale := 0.0
		for _, f := range x.Data {
			scale = max(scale, math.Abs(f))
		}
		for i, f := range x.Data {
			if !(math.Abs(float64(got.tensors[n][i])-f) <= trainingBound*max(scale, 1e-3)) {
				t.Errorf("%s: after %d steps %s[%d] is %v, the reference gives %v", name, len(want.losses), n, i, got.tensors[n][i], f)
				break
			}
		}
	}
}
