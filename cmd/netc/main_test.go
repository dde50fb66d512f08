package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// netc is the binary under test, built once.
var netc string

// TestMain builds netc and gives the programs that it builds a cache of their
// own. Go's cache stays the user's, which has the standard library.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "netc-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
		netc = filepath.Join(folder, "netc")
		if out, err := exec.Command("go", "build", "-o", netc, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
		goCache, err := exec.Command("go", "env", "GOCACHE").Output()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		os.Setenv("GOCACHE", strings.TrimSpace(string(goCache)))
		os.Setenv("XDG_CACHE_HOME", filepath.Join(folder, "cache"))
		os.Setenv("NETC_DATA", filepath.Join(folder, "data"))
		os.Setenv("TMPDIR", folder)
		return m.Run()
	}())
}

// outcome is what one command did.
type outcome struct {
	stdout, stderr string
	code           int
}

// command runs netc in a folder.
func command(t *testing.T, folder, stdin string, args ...string) outcome {
	t.Helper()
	cmd := exec.Command(netc, args...)
	cmd.Dir, cmd.Stdin = folder, strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(stderr.String(), "goroutine ") {
		t.Errorf("netc %s shows a stack trace:\n%s", strings.Join(args, " "), &stderr)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// done is command for one that must succeed.
func done(t *testing.T, folder string, args ...string) outcome {
	t.Helper()
	o := command(t, folder, "", args...)
	if o.code != 0 {
		t.Fatalf("netc %s: exit code %d\n%s", strings.Join(args, " "), o.code, o.stderr)
	}
	return o
}

// object reads the one JSON object on stdout.
func object(t *testing.T, stdout string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(stdout))
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if decoder.More() {
		t.Fatalf("more than one object: %s", stdout)
	}
	return object
}

// write puts a file into a folder.
func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// tinyNet learns the generated digits a little, quickly.
const tinyNet = `net Tiny

data  = input [1, 28, 28]
label = input [] i32

pool  = Pooling(data)  { pool: ave  kernel_size: 4  stride: 4 }
conv  = Convolution(pool) { num_output: 6  kernel_size: 3  weight_filler: xavier }
relu  = ReLU(conv)
ip    = InnerProduct(relu) { num_output: 10  weight_filler: xavier }
loss  = SoftmaxWithLoss(ip, label)
accuracy = Accuracy(ip, label) @test
`

// tinyRun fails one of its two expectations.
const tinyRun = `[data]
source = "digits"
scale = 0.00390625

[train]
batch = 8
iterations = 600
display = 20

[test]
batch = 10
interval = 200

[solver]
lr = 0.01
momentum = 0.9

[expect]
test.accuracy = ">= 0"
test.loss = "<= 0.000001"
`

// badNet has three mistakes in three places.
const badNet = `net Bad

data = input [1, 28, 28]
conv = Convolution(data) { num_ouput: 4  kernel_size: 3 }
pool = Pooling(data) { pool: max  kernel_size: 2  stride: 0 }
relu = Relu(data)
`

// unformatted is a net whose layout fmt changes.
const unformatted = "net Odd\nx=input[4]\n\n\n\ny = ReLU( x )\n"
