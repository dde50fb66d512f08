package runtime

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestSetup: a phase's setup is computed before its first step, and again when
// another phase has run or Changed or Push said that parameters have changed.
func TestSetup(t *testing.T) {
	for _, threads := range []int{1, 2} {
		pool := NewPool(threads)
		defer pool.Close()
		n := newTinyNetwork(6, 2)
		for _, c := range []struct {
			when string
			do   func()
			want int
		}{
			{"at first", func() {}, 1},
			{"again", func() {}, 0},
			{"after training", func() { n.Train.Run(pool) }, 1},
			{"after an update", func() { n.Update.Run(pool) }, 1},
			{"after a change", n.Arena.Changed, 1},
			{"after a push", func() {
				if err := NewExecutor(&n.Program, pool).Push(nil); err != nil {
					t.Fatal(err)
				}
			}, 1},
			{"with other threads", func() {
				other := NewPool(3)
				defer other.Close()
				n.Test.Run(other)
			}, 0},
		} {
			c.do()
			n.setups = 0
			n.Test.Run(pool)
			n.Test.Run(pool)
			if n.setups != c.want {
				t.Errorf("%s the setup was computed %d times, want %d", c.when, n.setups, c.want)
			}
		}
	}
}

// TestSetupAfterAPanic: what was computed in part is computed again, and so is
// the setup that lay there before.
func TestSetupAfterAPanic(t *testing.T) {
	pool := NewPool(1)
	defer pool.Close()
	n := newTinyNetwork(6, 1)
	other := Phase{Arena: n.Arena, Setup: []Launch{{Tasks: 1, Run: func(lo, hi int) { panic("no") }}}, Schedule: []Launch{{Tasks: 1, Run: func(lo, hi int) {}}}}
	run := func() (failed bool) {
		defer func() { failed = recover() != nil }()
		other.Run(pool)
		return false
	}
	n.Test.Run(pool)
	for range 2 {
		if !run() {
			t.Error("a setup that failed was taken for done")
		}
	}
	if n.Test.Run(pool); n.setups != 2 {
		t.Errorf("the setup was computed %d times", n.setups)
	}
}

// TestTestsSeeTheNewestParameters: tests in the course of training give what a
// test of the weights of that moment gives.
func TestTestsSeeTheNewestParameters(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	_, err := trainTiny(t, folder, 1, 2, -1, func(p *Program, _ *Options) { p.Config.Train.Iterations, p.Config.Test.Interval = 40, 15 })
	if err != nil {
		t.Fatal(err)
	}
	tests := map[int]map[string]Number{}
	for line := range strings.Lines(logWithoutTimes(t, folder)) {
		var l testLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Test != nil {
			tests[l.Iteration] = l.Test
		}
	}
	for _, iterations := range []int{15, 30, 40} {
		result, err := trainTiny(t, "", 1, 2, -1, func(p *Program, o *Options) {
			p.Config.Train.Iterations, p.Config.Test.Interval = iterations, 0
			o.NewFolder = nil
			o.Log = false
		})
		if err != nil {
			t.Fatal(err)
		}
		got, want := tests[iterations], result.Test
		if len(want) == 0 || got["loss"] != want["loss"] || got["accuracy"] != want["accuracy"] {
			t.Errorf("after %d iterations the test in between gave %v, one at the end gives %v", iterations, got, want)
		}
	}
}

// TestTimeLeavesTheSetupOut: the time verb says what the setup costs, and does
// not count it in the step.
func TestTimeLeavesTheSetupOut(t *testing.T) {
	for _, device := range []string{"cpu", "cuda"} {
		n := newTinyNetwork(6, 1)
		code, stdout, stderr := invokeChoice(t, withAccelerator(n, &clockedExecutor{}), t.Context(), "time", "--device", device, "--phase", "test", "--iterations", "10", "--json")
		var o TimeOutcome
		if err := json.Unmarshal([]byte(stdout), &o); code != exitDone || err != nil {
			t.Fatalf("exit %d, %v: %s", code, err, stderr)
		}
		if o.SetupKernels != 1 || o.SetupMS <= 0 || len(o.Kernels) != 1 || o.Kernels[0].Name != "test" {
			t.Errorf("%s: %s", device, stdout)
		}
		const want = "ms once after the parameters have changed, kernels: 1"
		if !strings.Contains(timeText(&o), want) {
			t.Errorf("the text lacks %q:\n%s", want, timeText(&o))
		}
	}
	_, stdout, _ := invoke(t, newTinyNetwork(6, 1), t.Context(), "time", "--iterations", "3", "--quiet")
	if strings.Contains(stdout, "setup") {
		t.Errorf("a phase without a setup speaks of one:\n%s", stdout)
	}
}
