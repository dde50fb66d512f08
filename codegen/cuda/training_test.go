package cuda_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"netc/codegen/cuda"
	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/ir"
	"netc/spec"
)

// compileModel compiles a model of the zoo.
func compileModel(t *testing.T, name string, o compiler.Options, sets ...string) *compiler.Unit {
	t.Helper()
	net := filepath.Join("..", "..", "models", name)
	file, list := spec.Load(net + ".net")
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	run, list := spec.LoadRun(net+".toml", sets)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	u, list, err := compiler.Compile(file, run, o)
	if err != nil || list.Errors() > 0 {
		t.Fatal(err, list)
	}
	return u
}

// driver trains an emitted CPU program on inputs from standard input. It writes
// the parameters as they start, then the loss of each step.
const driver = `package main

import (
	"bufio"
	"encoding/binary"
	"os"
	"strconv"

	net "NAME"
	"NAME/runtime"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	steps, err := strconv.Atoi(os.Args[1])
	check(err)
	p, pool := net.Program("portable"), runtime.NewPool(1)
	check(runtime.Fill(p.Parameters, 1, pool))
	for _, v := range p.Parameters {
		check(binary.Write(out, binary.LittleEndian, v.F32))
	}
	p.Rate[0], p.Seed[0] = 0.01, 1
	for step := range steps {
		for _, v := range p.Train.Inputs {
			if v.I32 != nil {
				check(binary.Read(in, binary.LittleEndian, v.I32))
			} else {
				check(binary.Read(in, binary.LittleEndian, v.F32))
			}
		}
		p.Iteration[0] = int32(step)
		p.Train.Run(pool)
		check(binary.Write(out, binary.LittleEndian, p.Train.Loss[0]))
	}
	check(out.Flush())
}
`

// cpuProgram builds the CPU program of a unit with the driver and runs it.
func cpuProgram(t *testing.T, u *compiler.Unit, steps string, input []byte) *bytes.Reader {
	t.Helper()
	module, err := gopkg.Emit(u, u.Name+".net")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	module.Files["cmd/driver/main.go"] = []byte(strings.ReplaceAll(driver, "NAME", module.Name))
	for name, content := range module.Files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command("go", "run", "./cmd/driver", steps)
	run.Dir = folder
	run.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "CGO_ENABLED=0")
	run.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	return bytes.NewReader(out)
}

// large are models for which the emulation is too slow: some thousand millions of
// multiplications for an image.
var large = []string{"alexnet", "googlenet", "resnet50"}

// TestTrainingAgrees trains LeNet for five steps on the emulated GPU and with
// the CPU program, from the same weights on the same random batches: the losses
// differ by less than 1e-4, relative where they are above 1, and in the first step
// the kernels leave the same bits in two orders of threads. Every second step runs
// the kernels in another order, the last of those that need not wait. With
// NETC_EMULATE_ALL set, as in CI, the other models train for two steps.
func TestTrainingAgrees(t *testing.T) {
	nets, err := filepath.Glob("../../models/*.net")
	if err != nil || len(nets) == 0 {
		t.Fatalf("no models: %v", err)
	}
	for _, net := range nets {
		name := strings.TrimSuffix(filepath.Base(net), ".net")
		t.Run(name, func(t *testing.T) {
			switch {
			case name == "lenet":
				trainingAgrees(t, name, 5)
			case os.Getenv("NETC_EMULATE_ALL") == "":
				t.Skip("NETC_EMULATE_ALL is not set")
			case slices.Contains(large, name):
				t.Skip("too large to emulate")
			default:
				t.Parallel()
				trainingAgrees(t, name, 2)
			}
		})
	}
}

// lastFirst puts launches into another order in which each comes after those that
// it waits for: of those that can be next, always the last.
func lastFirst(launches []cuda.Launch) []cuda.Launch {
	var list []cuda.Launch
	done := make([]bool, len(launches))
	for len(list) < len(launches) {
		for i := len(launches) - 1; i >= 0; i-- {
			if !done[i] && !slices.ContainsFunc(launches[i].After, func(before int) bool { return !done[before] }) {
				list, done[i] = append(list, launches[i]), true
				break
			}
		}
	}
	return list
}

func trainingAgrees(t *testing.T, name string, steps int) {
	u := compileModel(t, name, compiler.Options{TrainBatch: 2, TestBatch: 2})
	g := newGPU(t, u)
	graph := u.Phase("train").Graph

	random := rand.New(rand.NewPCG(1, 5))
	batches := make([]map[*ir.Value][]float64, steps)
	var input bytes.Buffer
	for i := range batches {
		batches[i] = map[*ir.Value][]float64{}
		for _, v := range graph.Inputs {
			if strings.HasPrefix(v.Name, "solver.") {
				continue
			}
			data := make([]float64, v.Type.Shape.Count())
			for j := range data {
				if v.Type.DType == ir.I32 {
					data[j] = float64(random.IntN(10))
					binary.Write(&input, binary.LittleEndian, int32(data[j]))
				} else {
					data[j] = float64(random.Float32())
					binary.Write(&input, binary.LittleEndian, float32(data[j]))
				}
			}
			batches[i][v] = data
		}
	}
	out := cpuProgram(t, u, strconv.Itoa(steps), input.Bytes())
	saved := slices.Clone(graph.Params)
	for _, v := range graph.States {
		if v.Param.Saved {
			saved = append(saved, v)
		}
	}
	for _, v := range saved {
		data := make([]float32, v.Type.Shape.Count())
		if err := binary.Read(out, binary.LittleEndian, data); err != nil {
			t.Fatal(err)
		}
		wide := make([]float64, len(data))
		for i, x := range data {
			wide[i] = float64(x)
		}
		g.set("train", v, wide)
	}
	first := 0.0
	for step, batch := range batches {
		for v, data := range batch {
			g.set("train", v, data)
		}
		for name, x := range map[string]float64{"solver.rate": 0.01, "solver.iteration": float64(step), "solver.seed": 1} {
			if v := graph.Lookup(name); v != nil {
				g.set("train", v, []float64{x})
			}
		}
		launches := g.program.Phase("train").Launches
		if step%2 == 1 {
			launches = lastFirst(launches)
		}
		if err := g.device.Run(g.memory, launches, max(1, 2-step)); err != nil {
			t.Fatal(err)
		}
		var want float32
		if err := binary.Read(out, binary.LittleEndian, &want); err != nil {
			t.Fatal(err)
		}
		got := g.get("train", graph.Loss)[0]
		if !(math.Abs(got-float64(want)) <= 1e-4*max(1, math.Abs(float64(want)))) {
			t.Errorf("step %d: the loss is %v on the GPU and %v on the CPU", step, got, want)
		}
		if step == 0 {
			first = got
		} else if got == first {
			t.Errorf("step %d: the loss does not change", step)
		}
	}
}
