package runtime

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// logFile has one JSON object a line for each report and test of a run.
const logFile = "log.jsonl"

// trainLine is the report of the iterations since the one before it.
type trainLine struct {
	Iteration        int    `json:"iteration"`
	Epoch            Number `json:"epoch"`
	Loss             Number `json:"loss"`
	Rate             Number `json:"lr"`
	StepMS           Number `json:"step_ms"`
	SamplesPerSecond Number `json:"samples_per_second"`
}

// testLine is a test's results.
type testLine struct {
	Iteration int               `json:"iteration"`
	Test      map[string]Number `json:"test"`
}

// runLog appends to a run's log, each line written at once so that a kill
// loses none. A nil runLog writes nothing.
type runLog struct {
	file *os.File
}

// openLog opens a run folder's log for appending. Reports after the iteration
// that the run continues from and tests after the last one it knows of are
// dropped first, and so is a line that a kill cut short: what they say will be
// said again.
func openLog(folder string, iteration, tested int) (*runLog, error) {
	path := filepath.Join(folder, logFile)
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var kept []byte
	for line := range bytes.Lines(content) {
		var head struct {
			Iteration *int
			Test      json.RawMessage
		}
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &head) != nil || head.Iteration == nil {
			continue
		}
		known := iteration
		if head.Test != nil {
			known = tested
		}
		if *head.Iteration <= known {
			kept = append(kept, line...)
		}
	}
	if !bytes.Equal(kept, content) {
		err := writeAtomically(path, func(w *bufio.Writer) error {
			_, err := w.Write(kept)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	return &runLog{file: file}, nil
}

func (l *runLog) write(line any) error {
	if l == nil {
		return nil
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = l.file.Write(append(text, '\n'))
	return err
}

func (l *runLog) close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
