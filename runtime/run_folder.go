package runtime

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// runFile describes a run in its folder.
const runFile = "run.json"

// RunDescription is the content of a run folder's run.json: what the run was
// started with, so that resuming needs nothing but the folder.
type RunDescription struct {
	Name    string `json:"name"`
	ISA     string `json:"isa"`
	Threads int    `json:"threads"`
	Seed    int32  `json:"seed"`
	Batch   int    `json:"batch"`
	Weights string `json:"weights,omitempty"`
	Config  Config `json:"config"`
}

// ReadRun reads a run folder's description.
func ReadRun(folder string) (RunDescription, error) {
	var run RunDescription
	path := filepath.Join(folder, runFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return run, fmt.Errorf("%s is no run folder, it has no %s: --resume wants the folder that a training run printed", folder, runFile)
	}
	if err != nil {
		return run, err
	}
	if err := json.Unmarshal(text, &run); err != nil {
		return run, fmt.Errorf("%s is damaged (%v): the run cannot be resumed, but its weights can start a new one with --weights", path, err)
	}
	return run, nil
}

func writeRun(folder string, run RunDescription) error {
	text, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomically(filepath.Join(folder, runFile), func(w *bufio.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// NewRunFolder makes the folder of a new run. It refuses one that holds a run
// already, which training would overwrite.
func NewRunFolder(folder string) error {
	for _, name := range []string{runFile, stateFile, weightsFile} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return fmt.Errorf("%s already holds a run (%s): continue it with --resume %s, or name another folder with --out", folder, name, folder)
		}
	}
	return os.MkdirAll(folder, 0o777)
}

// NewDatedRunFolder makes runs/NAME-DATE-TIME below the working folder, with a
// number after it where two runs start in one second.
func NewDatedRunFolder(name string, now time.Time) (string, error) {
	if err := os.MkdirAll("runs", 0o777); err != nil {
		return "", err
	}
	base := filepath.Join("runs", name+"-"+now.Format("20060102-150405"))
	folder := base
	for n := 2; ; n++ {
		err := os.Mkdir(folder, 0o777)
		if !errors.Is(err, fs.ErrExist) {
			return folder, err
		}
		folder = fmt.Sprintf("%s-%d", base, n)
	}
}
