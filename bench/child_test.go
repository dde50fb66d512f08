package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's own executable play a child: "fast" and "slow" answer
// at once with made-up times, "failing" refuses to open, "silent" never answers
// a request, and "gone" ends after it was opened.
func TestMain(m *testing.M) {
	role := os.Getenv("BENCH_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	say := func(a answer) {
		text, _ := json.Marshal(a)
		fmt.Println(string(text))
	}
	say(answer{Name: role, Version: "1"})
	step := map[string]float64{"fast": 0.1, "slow": 0.2}[role]
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			fmt.Println("what?")
			continue
		}
		switch {
		case role == "silent":
			time.Sleep(time.Minute)
		case role == "failing":
			say(answer{Error: "no such net"})
		case r.Do == "open":
			say(answer{Parameters: r.Batch, FirstSeconds: 3})
		case role == "gone":
			fmt.Fprintln(os.Stderr, "first\nout of memory")
			os.Exit(1)
		default:
			say(answer{Seconds: step * float64(r.Steps)})
		}
	}
	os.Exit(0)
}

func startRole(t *testing.T, role string) *child {
	t.Helper()
	c, err := startChild(context.Background(), []string{"BENCH_ROLE=" + role}, os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	if c.hello.Name != role {
		t.Fatalf("%s is %q", role, c.hello.Name)
	}
	return c
}

// TestMeasure lets processes take turns: what fails is noted and does not hold
// up the others, and a variant that is clearly slower drops out.
func TestMeasure(t *testing.T) {
	var sides []*side
	for _, s := range [][2]string{{"netc", "slow"}, {"PyTorch", "fast"}, {"PyTorch", "slow"}, {"PyTorch", "failing"}, {"PyTorch", "silent"}, {"PyTorch", "gone"}} {
		sides = append(sides, &side{peer: s[0], variant: s[1], child: startRole(t, s[1])})
	}
	results, err := measure(context.Background(), sides, request{Do: "open", Batch: 7}, timing{rounds: 4, seconds: 0.4, openLimit: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		rounds, steps int
		failed        string
	}{{4, 2, ""}, {4, 4, ""}, {trialRounds, 2, ""}, {0, 0, "no such net"}, {0, 0, "no answer within 1s"}, {0, 1, "out of memory"}} {
		r := results[i]
		if len(r.Seconds) != want.rounds || r.Steps != want.steps || !strings.Contains(r.Failed, want.failed) || (want.failed == "") != (r.Failed == "") {
			t.Errorf("%s %s: %d rounds of %d steps, failed %q; want %+v", r.Peer, r.Variant, len(r.Seconds), r.Steps, r.Failed, want)
		}
		if want.failed == "" && (r.Parameters != 7 || r.FirstSeconds != 3) {
			t.Errorf("%+v", r)
		}
	}
	if got := ratioOf(results[1].Seconds, results[0].Seconds).Median; got < 0.499 || got > 0.501 {
		t.Errorf("a ratio of %v", got)
	}
	if _, err := sides[4].child.ask(context.Background(), request{Do: "run"}, time.Second); err == nil {
		t.Error("a child that was ended answers")
	}
}

// TestInterrupt checks that an interrupt ends a measurement.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &side{peer: "netc", child: startRole(t, "silent")}
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := measure(ctx, []*side{s}, request{Do: "open"}, timing{rounds: 1, seconds: 1, openLimit: time.Minute}); err != context.Canceled {
		t.Errorf("%v", err)
	}
}

// TestStartFails checks the messages of programs that do not start.
func TestStartFails(t *testing.T) {
	if _, err := startChild(context.Background(), nil, "/nonexistent/program"); err == nil {
		t.Error("no error")
	}
}
