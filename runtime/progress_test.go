package runtime

import (
	"strings"
	"testing"
	"time"
)

func TestProgressKinds(t *testing.T) {
	at := standing{iteration: 20, iterations: 100, epoch: 0.5, loss: 0.25, rate: 0.01, samplesPerSecond: 1234.4, left: 61500 * time.Millisecond}
	const line = "iteration 20 of 100  epoch 0.50  loss 0.25  lr 0.01  1234 samples/s  1m2s left"
	for _, c := range []struct {
		name            string
		terminal, quiet bool
		want            string
	}{
		{"plain", false, false, line + "\niteration 20  test accuracy 0.9  loss 0.5\nnote\n"},
		{"terminal", true, false, clearLine + line + clearLine + "iteration 20  test accuracy 0.9  loss 0.5\nnote\n"},
		{"quiet", true, true, "note\n"},
	} {
		var out strings.Builder
		p := NewProgress(&out, c.quiet)
		p.terminal = c.terminal
		if p.wantsStep() {
			p.step(at)
			if p.wantsStep() {
				t.Errorf("%s: redraws at once", c.name)
			}
		}
		p.report(at)
		p.test(20, map[string]Number{"loss": 0.5, "accuracy": 0.9})
		p.Write([]byte("note\n"))
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, out.String(), c.want)
		}
	}
	var none *Progress
	none.report(at)
	none.test(1, nil)
	none.clear()
	if n, err := none.Write([]byte("x")); n != 1 || err != nil || none.wantsStep() {
		t.Error("a nil Progress does something")
	}
}
