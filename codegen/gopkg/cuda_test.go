//go:build linux && !nocuda

package gopkg_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"netc/codegen/cuda"
	"netc/codegen/cuda/emulate"
	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/runtime"
	kernels "netc/runtime/cuda"
	"netc/runtime/cuda/cudatest"
)

// built is an emitted program with the kernels of a GPU.
type built struct {
	gpu    *cuda.Program
	module *gopkg.Module
	folder string // of the module's files and, beside them, the programs
}

// smallNet has a kernel of every kind and little to compute, because every
// launch under emulation is a process.
const smallNet = `net Small
data  = input [1, 12, 12]
label = input [] i32
conv  = Convolution(data) { num_output: 3  kernel_size: 3  weight_filler: xavier }
relu  = ReLU(conv)
pool  = Pooling(relu)     { pool: max  kernel_size: 2  stride: 2 }
drop  = Dropout(pool)
ip    = InnerProduct(drop) { num_output: 10  weight_filler: xavier }
loss  = SoftmaxWithLoss(ip, label)
accuracy = Accuracy(ip, label) @test
`

const smallRun = `[train]
batch = 2
iterations = 5
[test]
batch = 2
[solver]
type = "SGD"
lr = 0.01
momentum = 0.9
iter_size = 2
[data]
scale = 0.00390625
mean_value = [33.0]
crop_size = 12
mirror = true
`

// buildCUDA emits a small network and builds it, with and without the tag
// nocuda.
func buildCUDA(t *testing.T) *built {
	t.Helper()
	net := filepath.Join(t.TempDir(), "small.net")
	for path, text := range map[string]string{net: smallNet, strings.TrimSuffix(net, ".net") + ".toml": smallRun} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u := compileModel(t, net, compiler.Options{})
	gpu, err := cuda.Emit(u, "small.net")
	if err != nil {
		t.Fatal(err)
	}
	m, err := gopkg.EmitCUDA(u, "small.net", gpu)
	if err != nil {
		t.Fatal(err)
	}
	b := &built{gpu, m, t.TempDir()}
	for name, content := range m.Files {
		path := filepath.Join(b.folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"build", "-o", "program", "./cmd/small"}, {"build", "-tags", "nocuda", "-o", "static", "./cmd/small"}, {"vet", "./..."}} {
		run := exec.Command("go", args...)
		run.Dir = b.folder
		run.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
		if said, err := run.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, said)
		}
	}
	return b
}

// start runs one of the programs and gives what it prints.
func (b *built) start(t *testing.T, program string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	run := exec.Command(filepath.Join(b.folder, program), args...)
	run.Dir = b.folder
	var out, said bytes.Buffer
	run.Stdout, run.Stderr = &out, &said
	err := run.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return run.ProcessState.ExitCode(), out.String(), said.String()
}

// succeed is start for what must end well and prints JSON.
func (b *built) succeed(t *testing.T, into any, args ...string) {
	t.Helper()
	code, stdout, stderr := b.start(t, "program", append(args, "--json", "--quiet")...)
	if code != 0 {
		t.Fatalf("%v: exit %d\n%s", args, code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		t.Fatalf("%v: %v in %s", args, err, stdout)
	}
}

// The number of the digits that tests draw, and their rows and columns.
const digitsOf, digitSide = 5, 14

// randomDigits writes a data set in MNIST's form.
func randomDigits(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	write := func(name string, shape []uint32, most int) {
		file := []byte{0, 0, 8, byte(len(shape))}
		count := 1
		for _, n := range shape {
			file = binary.BigEndian.AppendUint32(file, n)
			count *= int(n)
		}
		for range count {
			file = append(file, byte(random.IntN(most)))
		}
		if err := os.WriteFile(filepath.Join(folder, name), file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, split := range []string{"train", "t10k"} {
		write(split+"-images-idx3-ubyte", []uint32{digitsOf, digitSide, digitSide}, 256)
		write(split+"-labels-idx1-ubyte", []uint32{digitsOf}, 10)
	}
	return folder
}

// emulation compiles the kernels for the CPU, and those that make batches of
// kept images, and says so to the stand-in for a GPU.
func emulation(t *testing.T, gpu *cuda.Program) {
	t.Helper()
	folder := t.TempDir()
	var launches []cuda.Launch
	source := gpu.Source
	images := &runtime.Images{Split: &runtime.Split{N: digitsOf, Shape: []int{1, digitSide, digitSide}, Bytes: make([]byte, digitsOf*digitSide*digitSide)}, CropHeight: 12, CropWidth: 12}
	for _, p := range gpu.Phases {
		launches = append(launches, p.Launches...)
		if p.Name == "update" {
			continue
		}
		const batch = 2
		name := kernels.GatherName(p.Name)
		source += "\n" + kernels.GatherSource(name, batch, images)
		launches = append(launches, cuda.Launch{Kernel: name, Args: []cuda.Arg{
			{Bytes: batch * 4 * 12 * 12, Written: true}, {Bytes: len(images.Bytes)}, {Bytes: 4 * 256}, {Bytes: batch * 4 * runtime.CutNumbers}}})
	}
	if _, err := emulate.Compile(folder, source, launches); errors.Is(err, emulate.ErrNoCompiler) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "table"), []byte(emulate.Table(launches)), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAKE_CUDA_EMULATION", folder)
}

// TestCUDAProgram builds the program of a network with its kernels for a GPU,
// and runs it on a stand-in for NVIDIA's libraries whose kernels are the emitted
// ones, emulated: it trains, tests and computes as on the processor, and says
// what a machine lacks.
func TestCUDAProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	if goruntime.GOOS != "linux" {
		t.Skip("CUDA programs run on Linux")
	}
	b := buildCUDA(t)
	digits := randomDigits(t)

	t.Run("nothing there", func(t *testing.T) {
		t.Setenv("NETC_CUDA_PATH", t.TempDir())
		code, _, stderr := b.start(t, "program", "train", "--device", "cuda", "--data", digits)
		if code == 0 {
			t.Skip("this machine has a GPU")
		}
		if code != 1 || !strings.HasPrefix(stderr, "error: --device cuda: no ") || !strings.Contains(stderr, "\n help: ") {
			t.Errorf("exit %d: %s", code, stderr)
		}
		if code, _, stderr = b.start(t, "static", "train", "--device", "cuda", "--data", digits); code != 1 || !strings.Contains(stderr, "built without CUDA") {
			t.Errorf("exit %d: %s", code, stderr)
		}
		if runs, _ := filepath.Glob(filepath.Join(b.folder, "runs", "*")); len(runs) != 0 {
			t.Errorf("failed runs left %v", runs)
		}
	})

	cudatest.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	emulation(t, b.gpu)
	results := map[string]*runtime.Result{}
	weights := map[string]*runtime.TensorFile{}
	for _, run := range []struct{ name, program, device string }{{"cpu", "program", "cpu"}, {"cuda", "program", "cuda"}, {"again", "program", "cuda"}} {
		r := &runtime.Result{}
		b.succeed(t, r, "train", "--device", run.device, "--data", digits, "--iterations", "3", "--out", run.name)
		if r.Device != run.device {
			t.Errorf("trained on %s, asked for %s", r.Device, run.device)
		}
		results[run.name] = r
		file, err := runtime.ReadTensorFile(filepath.Join(b.folder, run.name))
		if err != nil {
			t.Fatal(err)
		}
		weights[run.name] = file
	}
	if d := math.Abs(float64(results["cpu"].Train.Loss - results["cuda"].Train.Loss)); !(d < 1e-4) || !(results["cpu"].Train.Loss > 1) {
		t.Errorf("mean loss %v on the GPU, %v on the processor", results["cuda"].Train.Loss, results["cpu"].Train.Loss)
	}
	for name, value := range results["cpu"].Test {
		if d := math.Abs(float64(value - results["cuda"].Test[name])); !(d < 1e-4) {
			t.Errorf("test %s %v on the GPU, %v on the processor", name, results["cuda"].Test[name], value)
		}
	}
	if results["cuda"].WeightsSHA256 != results["again"].WeightsSHA256 {
		t.Error("the same run gives other weights the second time")
	}
	for _, want := range weights["cpu"].Tensors {
		got, _ := weights["cuda"].Find(want.Name)
		if len(got.F32) != len(want.F32) {
			t.Fatalf("%s has %d elements", want.Name, len(got.F32))
		}
		for i, v := range want.F32 {
			if d := math.Abs(float64(v - got.F32[i])); !(d < 1e-4) {
				t.Fatalf("%s[%d] is %v on the GPU, %v on the processor", want.Name, i, got.F32[i], v)
			}
		}
	}

	// A run that was begun on the processor goes on on the GPU.
	var resumed runtime.Result
	b.succeed(t, &resumed, "train", "--device", "cuda", "--data", digits, "--iterations", "4", "--resume", "cpu")
	if resumed.Iterations != 4 || !(resumed.Train.Loss > 0) {
		t.Errorf("resumed to %+v", resumed)
	}

	for _, device := range []string{"cpu", "cuda"} {
		if code, _, stderr := b.start(t, "program", "run", "--device", device, "--weights", "again", "--out", "ip="+device+".npy"); code != 0 {
			t.Fatalf("exit %d: %s", code, stderr)
		}
	}
	var outputs [][]float32
	for _, device := range []string{"cpu", "cuda"} {
		array, err := runtime.ReadNPY(filepath.Join(b.folder, device+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, array.F32)
	}
	if !slices.EqualFunc(outputs[0], outputs[1], func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-4 }) {
		t.Errorf("ip is %v on the GPU, %v on the processor", outputs[1], outputs[0])
	}

	var timed runtime.TimeOutcome
	b.succeed(t, &timed, "time", "--device", "cuda", "--iterations", "1")
	if timed.Processor != "Fake GPU 0" || len(timed.Kernels) != len(b.gpu.Phase("train").Launches)+len(b.gpu.Phase("update").Launches) || timed.Flops == 0 || timed.PeakGFlops == 0 {
		t.Errorf("timed %+v", timed)
	}
}

// TestOpenerIsOurs: the emitted module names the version that this one is built
// and tested with.
func TestOpenerIsOurs(t *testing.T) {
	u := compileModel(t, "../../models/mlp.net", compiler.Options{TrainBatch: 2, TestBatch: 2})
	gpu, err := cuda.Emit(u, "mlp.net")
	if err != nil {
		t.Fatal(err)
	}
	m, err := gopkg.EmitCUDA(u, "mlp.net", gpu)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(m.Files["go.sum"])) {
		if !bytes.Contains(sums, []byte(line)) {
			t.Errorf("go.sum of the module says %q, ours does not", line)
		}
	}
	own, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, required := range m.Requires {
		if line := strings.Replace(required, "@", " ", 1); !bytes.Contains(own, []byte(line)) || !bytes.Contains(m.Files["go.mod"], []byte(line)) {
			t.Errorf("go.mod and that of the module do not both have %s", line)
		}
	}
	for path, content := range m.Files {
		if strings.HasPrefix(path, "runtime/") && bytes.Contains(content, []byte(`"netc/`)) {
			t.Errorf("%s imports a package of netc", path)
		}
	}
}
