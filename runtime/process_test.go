package runtime

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"
)

// asProgram makes the test binary behave as the tiny network's program.
const asProgram = "NETC_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		network := newTinyNetwork(6, 1)
		network.onStep = func(int) { time.Sleep(2 * time.Millisecond) }
		Main(choiceOf(network))
	}
	os.Exit(m.Run())
}

// program prepares a process of the tiny network's program.
func program(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	return cmd, &output
}

// Killed at any moment and resumed, a run gives the weights and the log of one
// that was left alone.
func TestProcessKilledAndInterrupted(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("Windows has no signals to send to a process")
	}
	data := tinyFolder(t)
	straight := filepath.Join(t.TempDir(), "straight")
	start := []string{"train", "--data", data, "--quiet", "--log", "jsonl", "--save-every", "1ns", "--out"}
	cmd, output := program(t, append(start, straight)...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	folder := filepath.Join(t.TempDir(), "run")
	cmd, output = program(t, append(start, folder)...)
	interruptions := 0
	for attempt := 0; ; attempt++ {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		signal := os.Kill
		if attempt%2 == 1 {
			signal = os.Interrupt
		}
		var err error
		select {
		case err = <-ended:
		case <-time.After(time.Duration(30+13*attempt) * time.Millisecond):
			cmd.Process.Signal(signal)
			err = <-ended
		}
		if err == nil {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || (exit.ExitCode() != -1 && exit.ExitCode() != exitInterrupted) {
			t.Fatalf("attempt %d: %v: %s", attempt, err, output)
		}
		if exit.ExitCode() == exitInterrupted && !strings.Contains(output.String(), "--resume "+folder) {
			t.Errorf("interrupted: %s", output)
		}
		interruptions++
		cmd, output = program(t, "train", "--quiet", "--save-every", "1ns", "--resume", folder)
		if _, err := os.Stat(filepath.Join(folder, runFile)); err != nil { // killed before the folder was there
			os.RemoveAll(folder)
			cmd, output = program(t, append(start, folder)...)
		}
	}
	t.Logf("stopped %d times", interruptions)
	same := func(name string) bool {
		a, errA := os.ReadFile(filepath.Join(straight, name))
		b, errB := os.ReadFile(filepath.Join(folder, name))
		return errA == nil && errB == nil && bytes.Equal(a, b)
	}
	if !same(weightsFile) || !same(stateFile) {
		t.Error("other weights or state than without interruptions")
	}
	if log, want := logWithoutTimes(t, folder), logWithoutTimes(t, straight); log != want {
		t.Errorf("log\n%swant\n%s", log, want)
	}
}
