package gopkg_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"netc/codegen/gopkg"
	"netc/compiler"
)

// user is a program that embeds a network as README.md shows.
const user = `package main

import (
	"fmt"
	"os"
	"testing"

	"lenet"
	"lenet/runtime"
)

func main() {
	net, err := lenet.New(1)
	if err != nil {
		panic(err)
	}
	defer net.Close()
	for i := range net.Train.Data {
		net.Train.Data[i] = float32(i%255) / 255
	}
	first := net.Step(0.01)
	for range 9 {
		for i := range net.Train.Data {
			net.Train.Data[i] = float32(i%255) / 255
		}
		clear(net.Train.Label)
		net.Step(0.01)
	}
	clear(net.Train.Label)
	last := net.Step(0.01)
	var tensors []runtime.Tensor
	for _, p := range net.Program.Parameters {
		tensors = append(tensors, p.Tensor)
	}
	file, err := os.Create("w.safetensors")
	if err != nil {
		panic(err)
	}
	if err := runtime.WriteSafetensors(file, tensors, nil); err != nil {
		panic(err)
	}
	file.Close()
	again, err := lenet.New(2)
	if err != nil {
		panic(err)
	}
	if err := again.Load("w.safetensors"); err != nil {
		panic(err)
	}
	for _, n := range []*lenet.Net{net, again} {
		for i := range n.Test.Data {
			n.Test.Data[i] = float32(i%255) / 255
		}
		clear(n.Test.Label)
		n.Forward()
	}
	weight, ok := net.Parameter("conv1.weight")
	fmt.Println(last < first, net.Test.Ip2[3] == again.Test.Ip2[3], ok, weight.Shape)
	fmt.Println(testing.AllocsPerRun(3, func() { again.Step(0.01); again.Forward() }))
	pool := runtime.NewPool(2)
	defer pool.Close()
	for _, isa := range lenet.Choice.ISAs {
		if runtime.CheckISA(isa) != nil {
			continue
		}
		p := lenet.Program(isa)
		if err := runtime.Fill(p.Parameters, 1, pool); err != nil {
			panic(err)
		}
		if n := testing.AllocsPerRun(3, func() { p.Train.Run(pool); p.Test.Run(pool) }); n != 0 {
			fmt.Println(isa, "allocates", n)
		}
	}
}
`

// TestEmbed builds a program of another module with an emitted package, trains
// some steps, and loads the weights into a second network. Steps of two threads
// allocate nothing, with any instruction set.
func TestEmbed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go program; not run with -short")
	}
	u := compileModel(t, "../../models/lenet.net", compiler.Options{Vector: true, TrainBatch: 20, TestBatch: 2})
	m, err := gopkg.Emit(u, "lenet.net")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"go.mod":  []byte("module user\n\ngo 1.24\n\nrequire lenet v0.0.0\n\nreplace lenet => ./lenet\n"),
		"main.go": []byte(user),
	}
	for name, content := range m.Files {
		files["lenet/"+name] = content
	}
	out, err := goRun(t, t.TempDir(), files, ".")
	if got := strings.TrimSpace(string(out)); err != nil || got != "true true true [20 1 5 5]\n0" {
		t.Fatalf("%v\n%s", err, got)
	}
}

// goRun writes files into a folder and runs a Go program of theirs.
func goRun(t *testing.T, folder string, files map[string][]byte, program string) ([]byte, error) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command("go", "run", program)
	run.Dir = folder
	run.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "CGO_ENABLED=0")
	return run.CombinedOutput()
}
