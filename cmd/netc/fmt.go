package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"netc/spec"
	"netc/spec/diag"
)

// fmtCommand is "netc fmt FILE…".
type fmtCommand struct {
	Output outputFlags `embed:""`
	Files  []string    `arg:"" name:"file" help:"Net files (.net); - formats stdin to stdout."`
	Diff   bool        `short:"d" xor:"mode" help:"Print what would change, and change nothing."`
	List   bool        `short:"l" xor:"mode" help:"List the files that would change, and change nothing."`
}

// formatted is one file as "netc fmt --json" reports it.
type formatted struct {
	File    string `json:"file"`
	Changed bool   `json:"changed"` // it was, or with -d and -l would be
}

// Run formats the files. A file with mistakes stays as it is, and the others
// are formatted.
func (f *fmtCommand) Run(c *console) error {
	failed := false
	results := []formatted{}
	for _, path := range f.Files {
		name, source, err := f.read(c, path)
		if err != nil {
			return err
		}
		text, found := spec.Format(name, source)
		if found.Errors() > 0 {
			if failed {
				c.separate()
			}
			c.diagnose(found, diag.Sources{name: source})
			failed = true
			continue
		}
		changed := !bytes.Equal(text, source)
		results = append(results, formatted{name, changed})
		if err := f.write(c, path, name, source, text, changed); err != nil {
			return err
		}
	}
	if f.Output.JSON {
		if err := c.printJSON(results); err != nil {
			return err
		}
	}
	if failed {
		return ended(exitFailed)
	}
	return nil
}

// read gives a file's text and its name in messages.
func (f *fmtCommand) read(c *console, path string) (string, []byte, error) {
	if path == "-" {
		source, err := io.ReadAll(c.in)
		return "stdin", source, err
	}
	source, err := os.ReadFile(path)
	return path, source, err
}

// write does with a formatted file what the flags ask for.
func (f *fmtCommand) write(c *console, path, name string, source, text []byte, changed bool) error {
	switch {
	case path == "-" && !f.List && !f.Diff && !f.Output.JSON:
		_, err := c.out.Write(text)
		return err
	case !changed || f.Output.JSON && (f.List || f.Diff || path == "-"):
		return nil
	case f.List:
		fmt.Fprintln(c.out, name)
		return nil
	case f.Diff:
		_, err := io.WriteString(c.out, unifiedDiff(name, string(source), string(text)))
		return err
	}
	return writeFile(path, text)
}
