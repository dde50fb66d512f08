package gopkg_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"netc/codegen/gopkg"
	"netc/compiler"
	"netc/spec"
)

// launch is what an emitted schedule says about a kernel's work.
type launch struct {
	kernel, pass                    string
	multiplyAdds, operations, bytes int
}

var launchText = regexp.MustCompile(`\{Kernel: "(\w+)", Layers: "[^"]*", Pass: "([^"]*)",(?: MultiplyAdds: (\d+),)?(?: Operations: (\d+),)? Bytes: (\d+),`)

// launches compiles a network and reads the schedule of a phase.
func launches(t *testing.T, net, settings, phase string, o compiler.Options) []launch {
	t.Helper()
	file, list := spec.Load(net)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	config := filepath.Join(t.TempDir(), "run.toml")
	if err := os.WriteFile(config, []byte(settings), 0o666); err != nil {
		t.Fatal(err)
	}
	run, list := spec.LoadRun(config, nil)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	unit, list, err := compiler.Compile(file, run, o)
	if err != nil || list.Errors() > 0 {
		t.Fatal(err, list)
	}
	module, err := gopkg.Emit(unit, filepath.Base(net))
	if err != nil {
		t.Fatal(err)
	}
	number := func(text []byte) int {
		n, _ := strconv.Atoi(string(text)) // an absent field is 0
		return n
	}
	var found []launch
	for _, m := range launchText.FindAllSubmatch(module.Files[phase+".go"], -1) {
		found = append(found, launch{string(m[1]), string(m[2]), number(m[3]), number(m[4]), number(m[5])})
	}
	if len(found) != module.Kernels[phase] {
		t.Fatalf("%d launches say what they cost, the schedule has %d", len(found), module.Kernels[phase])
	}
	return found
}

// launchOf is the first launch of a kernel.
func launchOf(list []launch, kernel string) launch {
	for _, l := range list {
		if l.kernel == kernel {
			return l
		}
	}
	return launch{}
}

const sgd = "[train]\nbatch = 64\niterations = 1\n[test]\nbatch = 64\n[solver]\nlr = 0.1\nmomentum = 0.9\n"

// TestWork checks LeNet's counts against figures worked out by hand.
func TestWork(t *testing.T) {
	const lenet = "../../models/lenet.net"
	// Two operations for each multiply-add of conv1 64*20*24*24*25, conv2
	// 64*50*8*8*500, ip1 64*500*800 and ip2 64*10*500.
	const forwardFlops = 293_504_000
	train := launches(t, lenet, sgd, "train", compiler.Options{})
	sums := map[string]int{}
	for _, l := range train {
		sums[l.pass] += 2 * l.multiplyAdds
		if (l.multiplyAdds > 0) == (l.operations > 0) {
			t.Errorf("%s: %d multiply-adds and %d operations, want one of them", l.kernel, l.multiplyAdds, l.operations)
		}
	}
	// Each contraction goes backward twice, except that nobody wants the
	// gradient of the images; gradients of weights are fused with the update.
	const conv1 = 2 * 64 * 20 * 24 * 24 * 25
	for pass, want := range map[string]int{"forward": forwardFlops, "backward": forwardFlops - conv1, "backward + update": forwardFlops, "update": 0} {
		if sums[pass] != want {
			t.Errorf("%s: %d operations of contractions, want %d", pass, sums[pass], want)
		}
	}
	const weights, images, conv1Out = 20 * 25 * 4, 64 * 28 * 28 * 4, 64 * 20 * 24 * 24 * 4
	for _, want := range []launch{
		{"trainConv1", "forward", conv1 / 2, 0, images + weights + 20*4 + conv1Out},
		// A 2x2 maximum compares each of its four elements.
		{"trainPool1", "forward", 0, conv1Out / 4, conv1Out + conv1Out/4 + conv1Out/16},
		// The scores and labels, the probabilities and the scores' gradient; then the loss.
		{"trainLossPart1", "forward + backward", 0, launchOf(train, "trainLossPart1").operations, 64*4 + 3*64*10*4},
		{"trainLossPart2", "forward", 0, launchOf(train, "trainLossPart2").operations, 64*4 + 64*10*4 + 4},
		// The old and the new momentum and weight, the images, the gradient, the rate.
		{"trainConv1WeightNext", "backward + update", conv1 / 2, 0, 4*weights + images + conv1Out + 4},
	} {
		if got := launchOf(train, want.kernel); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	total := 0
	for _, l := range launches(t, lenet, sgd, "test", compiler.Options{}) {
		if l.pass != "forward" {
			t.Errorf("%s of the test phase is %q", l.kernel, l.pass)
		}
		total += 2 * l.multiplyAdds
	}
	if total != forwardFlops {
		t.Errorf("the test phase has %d operations, want %d", total, forwardFlops)
	}
}

// TestWorkOfParts: the kernels of one node share its multiply-adds, and count
// of its result what each of them stores.
func TestWorkOfParts(t *testing.T) {
	net := filepath.Join(t.TempDir(), "strided.net")
	const text = `net Strided
data = input [4, 10, 9]
label = input [] i32
a = Convolution(data) { num_output: 3  kernel_size: 3  weight_filler: xavier }
b = Convolution(a) { num_output: 5  kernel_size: 3  stride: 2  pad: 1  weight_filler: xavier }
ip = InnerProduct(b) { num_output: 10  weight_filler: xavier }
loss = SoftmaxWithLoss(ip, label)
`
	if err := os.WriteFile(net, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	// The gradient of a, [64, 3, 8, 7], from that of b, [64, 5, 4, 4], by 3x3 taps.
	parts, multiplyAdds, stored := 0, 0, 0
	const gradient, weights = 64 * 5 * 4 * 4 * 4, 5 * 3 * 9 * 4
	for _, l := range launches(t, net, sgd, "train", compiler.Options{}) {
		if regexp.MustCompile(`^trainADPart[1-4]$`).MatchString(l.kernel) {
			parts++
			multiplyAdds += l.multiplyAdds
			stored += l.bytes - gradient - weights
		}
	}
	if want := 64 * 5 * 4 * 4 * 3 * 9; parts != 4 || multiplyAdds != want {
		t.Errorf("%d kernels with %d multiply-adds, want 4 with %d", parts, multiplyAdds, want)
	}
	// A kernel with one tap of an axis reads a third of the weights along it: the
	// phases have 1 or 2 taps, so 1, 2, 2 and 4 of 9: all of them together.
	if want := 64*3*8*7*4 - (4-1)*weights; stored != want {
		t.Errorf("the parts store %d bytes together, want %d", stored, want)
	}
}

// TestPasses looks at the updates that are not fused with a gradient: without
// optimization, with clipped gradients, and with accumulated ones.
func TestPasses(t *testing.T) {
	const mlp = "../../models/mlp.net"
	for _, c := range []struct {
		name, settings, phase string
		options               compiler.Options
		want                  []string
	}{
		{"separate kernels", sgd, "train", compiler.Options{Unoptimized: true}, []string{"forward", "backward", "update"}},
		{"clipped", sgd + "clip_gradients = 1\n", "train", compiler.Options{Unoptimized: true}, []string{"forward", "backward", "update"}},
		{"accumulated", sgd + "iter_size = 2\n", "train", compiler.Options{}, []string{"forward", "forward + backward", "backward", "backward + update"}},
		{"accumulated, its update", sgd + "iter_size = 2\n", "update", compiler.Options{}, []string{"update"}},
	} {
		counts := map[string]int{}
		for _, l := range launches(t, mlp, c.settings, c.phase, c.options) {
			counts[l.pass]++
			if l.pass == "update" && l.multiplyAdds > 0 {
				t.Errorf("%s: %s has multiply-adds", c.name, l.kernel)
			}
		}
		for _, pass := range c.want {
			if counts[pass] == 0 {
				t.Errorf("%s: no kernel is %q", c.name, pass)
			}
			delete(counts, pass)
		}
		if len(counts) > 0 {
			t.Errorf("%s: also %v", c.name, counts)
		}
	}
}
