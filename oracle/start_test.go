package oracle

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gorgonia.org/tensor"
)

// startVariable makes the test binary print a product and end: a program that
// links gorgonia.org/tensor.
const startVariable = "NETC_ORACLE_START"

func TestMain(m *testing.M) {
	if os.Getenv(startVariable) != "" {
		a := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float64{3, 4}))
		b := tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float64{30, 40}))
		product, err := a.MatMul(b)
		fmt.Println(product, err)
		return
	}
	os.Exit(m.Run())
}

// TestStarts runs such a program in a process of its own. With the version of
// assume-no-moving-gc that gorgonia.org/tensor asks for, instead of the one in
// go.mod, a program ends before main with a message about the Go version.
func TestStarts(t *testing.T) {
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), startVariable+"=1")
	output, err := program.CombinedOutput()
	if err != nil || strings.TrimSpace(string(output)) != "[[250]] <nil>" {
		t.Errorf("%v: %s", err, output)
	}
}
