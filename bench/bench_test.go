package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{5, 1, 3}, spread{3, 1, 5}},
		{[]float64{4, 1, 3, 10}, spread{3.5, 1, 10}},
	} {
		before := slices.Clone(c.values)
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("the spread of %v is %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(before, c.values) {
			t.Errorf("the rounds %v became %v", before, c.values)
		}
	}
}

// TestRatio checks that ratios are taken within rounds: here every round has the
// ratio 2, while the medians of the sides do not.
func TestRatio(t *testing.T) {
	netc := []float64{1, 4, 2, 3}
	peer := []float64{2, 8, 4}
	if got := ratioOf(peer, netc); got != (spread{2, 2, 2}) {
		t.Errorf("the ratio is %v", got)
	}
	if got := ratioOf(nil, netc); got != (spread{}) {
		t.Errorf("the ratio to nothing is %v", got)
	}
}

func TestStepsFor(t *testing.T) {
	for _, c := range []struct {
		step float64
		want int
	}{{0.1, 3}, {5, 1}, {0, 1e6}, {0.000025, 10000}} {
		if got := stepsFor(0.25, c.step); got != c.want {
			t.Errorf("%d steps of %v s, want %d", got, c.step, c.want)
		}
	}
}

// TestBest checks which variant counts, and which take no more part.
func TestBest(t *testing.T) {
	sides := []sideResult{
		{Peer: "netc", Seconds: []float64{1, 1}},
		{Peer: "PyTorch", Variant: "eager", Seconds: []float64{3, 2.6}},
		{Peer: "PyTorch", Variant: "channels_last", Seconds: []float64{2, 2}},
		{Peer: "PyTorch", Variant: "near", Seconds: []float64{2.4, 9}},
		{Peer: "PyTorch", Variant: "compile", Failed: "no compiler"},
		{Peer: "Other", Variant: "default", Seconds: []float64{50, 50}},
	}
	c := caseResult{Sides: sides}
	if best := c.best("PyTorch"); best == nil || best.Variant != "channels_last" {
		t.Errorf("the best is %v", best)
	}
	if c.best("Caffe") != nil {
		t.Error("a peer that was not measured has a best variant")
	}
	for i, want := range []bool{false, true, false, false, false, false} {
		if got := isBeaten(sides, i); got != want {
			t.Errorf("%s %s is beaten: %v", sides[i].Peer, sides[i].Variant, got)
		}
	}
}

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"--nets", "lenet, mlp,lenet", "--modes", "infer8,train", "--peers", "pytorch", "--variants", "eager", "--threads", "3"})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.nets) != 2 || o.nets[0].name != "lenet" || o.nets[1].name != "mlp" || !slices.Equal(o.modes, []mode{{batch: 8}, {train: true}}) ||
		len(o.peers) != 1 || o.threads != 3 || !slices.Equal(o.variants, []string{"eager"}) {
		t.Errorf("%+v", o)
	}
	o, err = parseOptions(nil)
	if err != nil || len(o.nets) != len(nets) || len(o.modes) != 3 || len(o.peers) != len(peers) {
		t.Errorf("%+v, %v", o, err)
	}
	for args, want := range map[string]string{
		"--nets vgg":                        `no net "vgg"`,
		"--modes infer":                     `"infer" is not`,
		"--modes infer0":                    `"infer0" is not`,
		"--peers caffe":                     `no peer "caffe"`,
		"--threads 0":                       "at least 1",
		"--rounds -1":                       "at least 1",
		"--seconds 0":                       "positive",
		"lenet":                             "unexpected",
		"--variants compiled":               `no variant "compiled" on cpu, only eager, channels_last, compile, compile_plain, default`,
		"--variants graphs":                 `no variant "graphs" on cpu`,
		"--device tpu":                      "cpu and cuda",
		"--precision tf32":                  "the processor computes in float32",
		"--device cuda --precision fp16":    "float32, tf32, bf16",
		"--device cuda --isa avx2":          "leave it out",
		"--device cuda --peers onnxruntime": "ONNX Runtime",
		"--build-only":                      "--programs",
		"--convolutions lent":               `no net "lent"`,
	} {
		if _, err := parseOptions(strings.Fields(args)); err == nil || err == flag.ErrHelp || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// TestVariants: a peer is given those of the named variants that it has.
func TestVariants(t *testing.T) {
	for _, c := range []struct{ device, named, pytorch, onnx string }{
		{cpu, "", "eager,channels_last,compile", "default"},
		{cpu, "default", "", "default"},
		{cpu, "compile_plain,default,eager", "compile_plain,eager", "default"},
		{cuda, "graphs", "graphs", ""},
	} {
		for i, want := range []string{c.pytorch, c.onnx} {
			if got := strings.Join(peers[i].variantsOn(c.device, splitList(c.named)), ","); got != want {
				t.Errorf("of %q on %s, %s measures %q, want %q", c.named, c.device, peers[i].name, got, want)
			}
		}
	}
}

// TestNetsExist checks that every network is in the peers' list, under its name.
func TestNetsExist(t *testing.T) {
	text, err := scripts.ReadFile("peers/nets.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nets {
		if !strings.Contains(string(text), `"`+n.name+`": Net(`) {
			t.Errorf("peers/nets.py has no %s", n.name)
		}
	}
	for _, p := range peers {
		script, err := scripts.ReadFile("peers/" + p.script)
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		for _, v := range p.variants {
			for _, name := range append(v.usual, v.more...) {
				if !strings.Contains(string(script), `"`+name+`"`) {
					t.Errorf("%s knows no variant %s", p.script, name)
				}
			}
		}
	}
}

func TestParseSystem(t *testing.T) {
	if got := parsePeak("Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t     512 kB\nVmRSS:\t 10 kB\n"); got != 512<<10 {
		t.Errorf("a peak of %d bytes", got)
	}
	if got := parsePeak("Name:\tx\n"); got != 0 {
		t.Errorf("a peak of %d bytes", got)
	}
	if got := parseMemory("MemTotal:       24000000 kB\nMemFree: 1 kB\n"); got != 24000000<<10 {
		t.Errorf("%d bytes of memory", got)
	}
	before := parseStat("cpu  10 0 10 70 5 0 0 5 99 99\ncpu0 1 2 3\n")
	if before != (processorTime{100, 5}) {
		t.Errorf("%v", before)
	}
	if got := parseStat("cpu  60 0 10 100 5 0 0 25 0 0\n").stealSince(before); got != 0.2 {
		t.Errorf("a steal of %v", got)
	}
	if got := before.stealSince(before); got != 0 {
		t.Errorf("a steal of %v in no time", got)
	}
	var m machine
	m.readCPU("processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 hypervisor fma\n\nprocessor\t: 1\nmodel name\t: AMD EPYC\n")
	if m.CPU != "AMD EPYC (family 25, model 1)" || !slices.Equal(m.Flags, []string{"avx2", "fma"}) || !m.Virtual {
		t.Errorf("%+v", m)
	}
}

func TestParseSummary(t *testing.T) {
	f, err := parseSummary([]byte(`{"name":"X","parameters":7,"flops_forward":10,"layers":[{"name":"a.conv","type":"Convolution","flops":8},{"name":"fc","type":"InnerProduct","flops":2}]}`))
	if err != nil || f.Parameters != 7 || f.MultiplyAdds != 5 || f.layers["a.conv"] != (layerFacts{"Convolution", 4}) {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := parseSummary([]byte("no")); err == nil {
		t.Error("no error")
	}
	for _, c := range []struct {
		r    sideResult
		want string
	}{
		{sideResult{Peer: "P", Parameters: 7, MultiplyAdds: 5}, ""},
		{sideResult{Peer: "P"}, ""},
		{sideResult{Peer: "P", Parameters: 8, MultiplyAdds: 5}, "8 parameters"},
		{sideResult{Peer: "P", Parameters: 7, MultiplyAdds: 6}, "6 multiply-adds"},
	} {
		if got := disagreement(c.r, f); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q", c.r, got)
		}
	}
	file := filepath.Join(t.TempDir(), "go.mod")
	if err := os.WriteFile(file, []byte("// comment\nmodule lenet\n\ngo 1.24\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if name, err := moduleName(file); err != nil || name != "lenet" {
		t.Errorf("module %q, %v", name, err)
	}
}

// TestSumConvolutions checks the sorting by pass on kernels as netc names them.
func TestSumConvolutions(t *testing.T) {
	facts := netFacts{layers: map[string]layerFacts{"conv1": {"Convolution", 500}, "conv2": {"Convolution", 1000}, "relu1": {"ReLU", 0}, "fc": {"InnerProduct", 9000}}}
	step := timedStep{PeakGFlops: 2e-3, Kernels: []timedKernel{ // the peak is 2000 operations a ms
		{Name: "trainConv1", Layers: "conv1 + relu1", Pass: "forward", Launches: 1, MS: 1, Flops: 1000, GFlops: 1e-3},
		{Name: "trainConv2", Layers: "conv2", Pass: "forward", Launches: 1, MS: 1, Flops: 2000, GFlops: 2e-3},
		{Name: "trainRelu1D", Layers: "conv2 + relu1", Pass: "backward", Launches: 1, MS: 2, Flops: 500, GFlops: 0.25e-3},
		{Name: "trainRelu1DPart2", Layers: "conv2 + relu1", Pass: "backward", Launches: 1, MS: 1, Flops: 1500, GFlops: 1.5e-3},
		{Name: "trainConv2WeightNext", Layers: "conv2", Pass: "backward + update", Launches: 1, MS: 4, Flops: 2000, GFlops: 0.5e-3},
		{Name: "trainConv2BiasNext", Layers: "conv2", Pass: "backward + update", Launches: 1, MS: 9, Flops: 300, GFlops: 1e-6},
		{Name: "trainRelu1Mask", Layers: "conv2 + relu1", Pass: "backward", Launches: 1, MS: 9, Flops: 40, GFlops: 1e-6},
		{Name: "trainFc", Layers: "fc", Pass: "forward", Launches: 1, MS: 9, Flops: 18000, GFlops: 1},
	}}
	step.StepMS.Median = 10
	r := sumConvolutions("resnet50", step, facts)
	want := []convolutionPass{
		{Pass: "forward", Kernels: 2, Flops: 3000, MS: 2, GFlops: 1.5e-3, Fraction: 0.75, Costly: "trainConv1 (conv1 + relu1)", CostlyOf: 0.5, StepsShare: 0.2},
		{Pass: "by data", Kernels: 2, Flops: 2000, MS: 3, GFlops: 2000.0 / 3 / 1e6, Fraction: 1.0 / 3, Costly: "trainRelu1D (conv2 + relu1)", CostlyOf: 0.125, StepsShare: 0.3},
		{Pass: "by weights", Kernels: 1, Flops: 2000, MS: 4, GFlops: 0.5e-3, Fraction: 0.25, Costly: "trainConv2WeightNext (conv2)", CostlyOf: 0.25, StepsShare: 0.4},
	}
	if len(r.Passes) != len(want) {
		t.Fatalf("%+v", r.Passes)
	}
	for i, p := range r.Passes {
		if p.Fraction-want[i].Fraction > 1e-12 || want[i].Fraction-p.Fraction > 1e-12 {
			t.Errorf("%+v", p)
		}
		p.Fraction, p.GFlops = want[i].Fraction, want[i].GFlops
		if p != want[i] {
			t.Errorf("%+v, want %+v", p, want[i])
		}
	}
}

// TestMarkdown checks the report's tables: which ratio, goal and best variant
// they show, and that rows and heads have the same columns.
func TestMarkdown(t *testing.T) {
	r := &report{Device: cpu, Threads: 2, ISA: "avx2", Missing: []string{"GoogLeNet: there is no models/googlenet.net"}, Cases: []caseResult{
		{Net: "lenet", Mode: "train", Batch: 64, CompileSeconds: 0.1, GoSeconds: 2, Notes: []string{"not the same"}, Sides: []sideResult{
			{Peer: "netc", Variant: "avx2", Seconds: []float64{0.01, 0.01, 0.02}, PeakBytes: 10 << 20, ArenaBytes: 8 << 20},
			{Peer: "PyTorch", Variant: "eager", Seconds: []float64{0.05, 0.05}, PeakBytes: 300 << 20},
			{Peer: "PyTorch", Variant: "compile", Seconds: []float64{0.021, 0.025, 0.03}, FirstSeconds: 20.025, PeakBytes: 400 << 20},
			{Peer: "PyTorch", Variant: "channels_last", Failed: "broken | pipe"},
		}},
		{Net: "lenet", Mode: "infer1", Batch: 1, Sides: []sideResult{
			{Peer: "netc", Variant: "avx2", Seconds: []float64{0.01}},
			{Peer: "PyTorch", Variant: "eager", Seconds: []float64{0.012}},
			{Peer: "ONNX Runtime", Variant: "default", Seconds: []float64{0.005}},
		}},
		{Net: "mlp", Mode: "infer1", Batch: 1, Sides: []sideResult{{Peer: "netc", Failed: "gone"}, {Peer: "PyTorch", Variant: "eager", Seconds: []float64{1}}}},
	}, Convolutions: []*convolutionResult{{Net: "resnet50", Batch: 16, PeakGFlops: 100, Passes: []convolutionPass{{Pass: "by weights", Kernels: 1, Fraction: 0.66}}}}}
	page := r.markdown()
	for _, want := range []string{
		"## Training step", "| LeNet | 64    | 10.0 (10.0–20.0) | 25.0 (21.0–30.0) | compile  | **2.10** (1.50–2.50) | ≥ 2.0 met |",
		"## Inference at batch 1", "**1.20** (1.20–1.20)", "≥ 1.5 **missed**", "**0.50** (0.50–0.50)",
		"- LeNet: not the same", "failed: broken / pipe", "| LeNet | 0.100 s    | 2.00 s      | 20.0 s               | –                     |",
		"| LeNet | 64    | 8 MiB      | 10 MiB       | eager 300 MiB, compile 400 MiB | 30.00 |", "≥ 65.0 % met", "## Not measured\n\n- GoogLeNet",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the report lacks %q:\n%s", want, page)
		}
	}
	r.Device, r.Precision, r.GPU = cuda, "tf32", "Some GPU"
	for _, want := range []string{"# Benchmarks on a GPU", "- GPU: Some GPU", "**2.10** (1.50–2.50) | ≥ 3.0 **missed**", "--device cuda --precision tf32`", "netc on the GPU"} {
		if page := r.markdown(); !strings.Contains(page, want) {
			t.Errorf("the report lacks %q:\n%s", want, page)
		}
	}
	columns := 0
	for line := range strings.Lines(page) {
		switch n := strings.Count(line, "|"); {
		case n == 0:
			columns = 0
		case columns == 0:
			columns = n
		case n != columns:
			t.Errorf("%d columns under a head of %d: %s", n, columns, line)
		}
	}
}
