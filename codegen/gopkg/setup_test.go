package gopkg_test

import (
	"strings"
	"testing"

	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/spec"
)

// normedNet has what a test phase computes from parameters and states alone.
const normedNet = `net Normed
x = input [3, 8, 8]
label = input [] i32
conv = Convolution(x) { num_output: 8  kernel_size: 3  bias_term: false  weight_filler: xavier }
norm = BatchNorm(conv) { moving_average_fraction: 0.9 }
scale = Scale(norm) { bias_term: true }
relu = ReLU(scale)
ip = InnerProduct(relu) { num_output: 5  weight_filler: xavier }
loss = SoftmaxWithLoss(ip, label)
`

// tester trains the network and tests it in between, with every instruction
// set, and prints what is wrong.
const tester = `package main

import (
	"fmt"
	"math"

	"normed"
	"normed/plain"
	"normed/runtime"
)

const steps = 4

func main() {
	pool := runtime.NewPool(2)
	defer pool.Close()
	for _, isa := range normed.Choice.ISAs {
		if runtime.CheckISA(isa) == nil {
			check(isa, pool)
		}
	}
	changed()
}

// check tests after each step of one program, and compares with programs that
// are tested once, after as many steps.
func check(isa string, pool *runtime.Pool) {
	setups := 0
	p := normed.Program(isa)
	if len(p.Test.Setup) == 0 || len(p.Train.Setup) > 0 {
		fmt.Println(isa, "has setups of", len(p.Test.Setup), "and", len(p.Train.Setup), "kernels")
	}
	p.Test.Setup = append(p.Test.Setup, runtime.Launch{Tasks: 1, Run: func(lo, hi int) { setups++ }})
	fill(p, pool)
	for k := 1; k <= steps; k++ {
		train(p, pool, k-1)
		got := test(p, pool)
		if again := test(p, pool); again != got || setups != k {
			fmt.Println(isa, "after step", k, "gives", got, "and then", again, "with", setups, "setups")
		}
		separate := normed.Program(isa)
		fill(separate, pool)
		for n := range k {
			train(separate, pool, n)
		}
		if want := test(separate, pool); got != want {
			fmt.Println(isa, "after step", k, "gives", got, "and without tests in between", want)
		}
		unoptimized := plain.Program("portable")
		for i, t := range p.Parameters {
			copy(unoptimized.Parameters[i].F32, t.F32)
		}
		if want := test(unoptimized, pool); math.Abs(float64(got-want)) > 1e-5*math.Abs(float64(want)) {
			fmt.Println(isa, "after step", k, "gives", got, "and without optimization", want)
		}
	}
}

func fill(p *runtime.Program, pool *runtime.Pool) {
	if err := runtime.Fill(p.Parameters, 1, pool); err != nil {
		panic(err)
	}
}

func feed(p *runtime.Phase, step int) {
	for _, input := range p.Inputs {
		for i := range input.F32 {
			input.F32[i] = float32((i*7+step*13)%255) / 255
		}
		for i := range input.I32 {
			input.I32[i] = int32((i + step) % 5)
		}
	}
}

func train(p *runtime.Program, pool *runtime.Pool, step int) {
	p.Rate[0], p.Iteration[0] = 0.1, int32(step)
	feed(&p.Train, step)
	p.Train.Run(pool)
}

func test(p *runtime.Program, pool *runtime.Pool) float32 {
	feed(&p.Train, 100) // which harms nothing
	feed(&p.Test, 50)
	p.Test.Run(pool)
	return p.Test.Loss[0]
}

// changed writes to a parameter through the package's interface.
func changed() {
	net, err := normed.New(1)
	if err != nil {
		panic(err)
	}
	defer net.Close()
	forward := func() float32 {
		feed(&net.Program.Test, 50)
		net.Forward()
		return net.Test.Ip[0]
	}
	net.Step(0.1)
	before := forward()
	factors, _ := net.Parameter("scale.weight")
	for i := range factors.F32 {
		factors.F32[i] = 3
	}
	net.Changed()
	if after := forward(); after == before {
		fmt.Println("a changed parameter is not seen")
	}
}
`

// TestSetup: the test phase computes what depends on parameters alone once, and
// again after a training step.
func TestSetup(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go program; not run with -short")
	}
	file, list := spec.Parse("normed.net", []byte(normedNet))
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	folder := t.TempDir()
	files := map[string][]byte{"tester/main.go": []byte(tester)}
	for _, unoptimized := range []bool{false, true} {
		u, list, err := compiler.Compile(file, spec.DefaultRun(), compiler.Options{Vector: true, Unoptimized: unoptimized, TrainBatch: 20, TestBatch: 9})
		if err != nil || list.Errors() > 0 {
			t.Fatal(err, list)
		}
		m, err := gopkg.Emit(u, "normed.net")
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range m.Files {
			switch {
			case !unoptimized:
				files[name] = content
			case !strings.Contains(name, "/") && strings.HasSuffix(name, ".go"):
				files["plain/"+name] = []byte(strings.Replace(string(content), "package normed", "package plain", 1))
			}
		}
	}
	if out, err := goRun(t, folder, files, "./tester"); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
