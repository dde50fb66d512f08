package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// request is what a child is asked, as one line of JSON.
type request struct {
	Do    string  `json:"do"` // "open" or "run"
	Mode  string  `json:"mode,omitempty"`
	Batch int     `json:"batch,omitempty"`
	Rate  float64 `json:"rate,omitempty"`
	Steps int     `json:"steps,omitempty"`
}

// answer is what it answers, as one line of JSON. A child's first line says who
// it is; every other line answers a request.
type answer struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Details string `json:"details"`

	Parameters   int     `json:"parameters"`
	MultiplyAdds int     `json:"multiply_adds"` // of a forward pass in the test phase
	ArenaBytes   int64   `json:"arena_bytes"`
	FirstSeconds float64 `json:"first_seconds"` // of opening, with the first step

	Seconds   float64 `json:"seconds"`
	PeakBytes int64   `json:"peak_bytes"` // of the device's memory so far, where the device has its own
	Error     string  `json:"error"`
}

// child is a process that computes steps of one network on request and times
// them itself.
type child struct {
	command *exec.Cmd
	in      io.WriteCloser
	answers chan answer // closed when the process has no more to say
	said    *tail
	hello   answer
	failed  error // why it can be asked no more
	closed  bool
}

// startTimeout is how long a process may take to say who it is.
const startTimeout = 2 * time.Minute

// startChild starts a process and waits for its first line.
func startChild(ctx context.Context, environment []string, program string, args ...string) (*child, error) {
	c := &child{command: exec.CommandContext(ctx, program, args...), answers: make(chan answer), said: &tail{}}
	c.command.Env = append(os.Environ(), environment...)
	c.command.Stderr = c.said
	inGroup(c.command)
	c.command.WaitDelay = time.Second
	var err error
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	go c.read(out)
	if c.hello, err = c.next(ctx, startTimeout); err != nil {
		c.close()
		return nil, fmt.Errorf("%s does not start: %w", program, err)
	}
	return c, nil
}

func (c *child) read(out io.Reader) {
	defer close(c.answers)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			a.Error = fmt.Sprintf("answered %q", lines.Text())
		}
		c.answers <- a
	}
}

// ask sends a request and waits for the answer. After an answer that did not
// come in time the child is ended.
func (c *child) ask(ctx context.Context, r request, timeout time.Duration) (answer, error) {
	if c.failed != nil {
		return answer{}, c.failed
	}
	line, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.failed = c.ended()
		return answer{}, c.failed
	}
	a, err := c.next(ctx, timeout)
	if err != nil {
		c.failed = err
		c.close()
	} else if a.Error != "" {
		err = errors.New(a.Error)
	}
	return a, err
}

func (c *child) next(ctx context.Context, timeout time.Duration) (answer, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case a, ok := <-c.answers:
		if !ok {
			return answer{}, c.ended()
		}
		return a, nil
	case <-timer.C:
		return answer{}, fmt.Errorf("no answer within %v", timeout)
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// ended says with its last words that the process has ended; they are all there
// once it has been waited for.
func (c *child) ended() error {
	c.close()
	return fmt.Errorf("the process ended: %s", c.said)
}

// close ends the process and what it started.
func (c *child) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.in.Close()
	endGroup(c.command)
	go func() {
		for range c.answers { // lets the reader end
		}
	}()
	_ = c.command.Wait() // how a process ends that was told to end does not matter
}

// resetPeak makes the system count the process's most memory from now on. Where
// it cannot, the peak is that of the whole process.
func (c *child) resetPeak() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", c.command.Process.Pid), []byte("5"), 0)
}

// peak is the most memory, in bytes, that the process has had resident; 0 where
// the system does not say.
func (c *child) peak() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.command.Process.Pid))
	if err != nil {
		return 0
	}
	return parsePeak(string(status))
}

// parsePeak reads VmHWM, which is in KiB, from a process's status.
func parsePeak(status string) int64 {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				n, _ := strconv.ParseInt(fields[0], 10, 64) // 0 for what is no number
				return n << 10
			}
		}
	}
	return 0
}

// tail keeps the end of what is written to it.
type tail struct {
	mutex sync.Mutex
	text  []byte
}

const tailBytes = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

// String is the last line.
func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	text := bytes.TrimSpace(t.text)
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return string(text)
}
