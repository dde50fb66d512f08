package main

import (
	"errors"
	"io"
	"os"
	"slices"

	"netc/data"
	"netc/runtime"
	"netc/spec"
)

// The sizes and the seed of the digits that netc generates when nobody says,
// those of MNIST.
const (
	trainDigits = 60000
	testDigits  = 10000
	digitsSeed  = 1
)

// dataFlag chooses the data set.
type dataFlag struct {
	Data string `placeholder:"SOURCE" help:"Data set: a known name, a folder, or noise (random images, for timing and smoke tests), instead of the run file's."`
}

// prepare finds the data set that a program will open, and generates digits
// where they are wanted and not here. What it gives is for the program's
// --data flag, empty where the program's own choice is right.
func (f dataFlag) prepare(c *console, run *spec.Run) (string, error) {
	source, otherwise := run.Data.Source, run.Data.Otherwise
	if f.Data != "" {
		source, otherwise = f.Data, ""
	}
	switch {
	case source == data.DigitsName:
		return f.Data, c.needDigits()
	case otherwise == data.DigitsName && isMissing(source):
		c.note("%s is not on this machine; generated digits stand in, so results are not those of %s", source, source)
		if slices.Contains(data.Downloadable(), source) {
			c.note("\"netc data get %s\" downloads it, --data DIR names a folder that holds it", source)
		}
		return otherwise, c.needDigits()
	}
	return f.Data, nil
}

// isMissing reports whether a source is a known name that no folder holds, as
// the program itself will find.
func isMissing(source string) bool {
	if isHere(source) {
		return false
	}
	_, err := runtime.Open(source)
	var missing *runtime.MissingError
	return errors.As(err, &missing)
}

// isHere reports whether a folder for a data set of that name exists.
func isHere(name string) bool {
	return slices.ContainsFunc(runtime.DataFolders(name), func(folder string) bool {
		info, err := os.Stat(folder)
		return err == nil && info.IsDir()
	})
}

// needDigits generates the digits into the user's cache unless they are here.
func (c *console) needDigits() error {
	if isHere(data.DigitsName) {
		return nil
	}
	c.say("generating %d + %d digits, once …", trainDigits, testDigits)
	_, err := data.GenerateDigits(c.ctx, "", trainDigits, testDigits, digitsSeed, c.progress())
	return err
}

// progress is where long work reports how far it is.
func (c *console) progress() io.Writer {
	if c.quiet {
		return io.Discard
	}
	return c.err
}
