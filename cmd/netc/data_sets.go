package main

import (
	"fmt"
	"slices"
	"strings"

	"netc/data"
	"netc/spec/diag"
)

// dataCommand is "netc data VERB".
type dataCommand struct {
	Info    dataInfoCommand    `cmd:"" help:"Describe a data set."`
	Get     dataGetCommand     `cmd:"" help:"Download a data set."`
	Gen     dataGenCommand     `cmd:"" help:"Generate a data set."`
	Preview dataPreviewCommand `cmd:"" help:"Draw the first samples."`
}

// dataInfoCommand is "netc data info SOURCE".
type dataInfoCommand struct {
	Output outputFlags `embed:""`
	Source string      `arg:"" help:"Known name or folder."`
}

// Run describes a data set.
func (d *dataInfoCommand) Run(c *console) error {
	info, err := data.Info(d.Source)
	if err != nil {
		return err
	}
	if d.Output.JSON {
		return c.printJSON(info)
	}
	_, err = fmt.Fprint(c.out, info)
	return err
}

// dataFolder is what "netc data get" and "gen" print with --json.
type dataFolder struct {
	Name   string `json:"name"`
	Folder string `json:"folder"`
}

func (c *console) printFolder(o outputFlags, name, folder string) error {
	if o.JSON {
		return c.printJSON(dataFolder{name, folder})
	}
	_, err := fmt.Fprintln(c.out, folder)
	return err
}

// dataGetCommand is "netc data get NAME".
type dataGetCommand struct {
	Output outputFlags `embed:""`
	Name   string      `arg:"" help:"Name of the data set: mnist, fashion-mnist."`
	Out    string      `placeholder:"DIR" help:"Folder to write (default in the user's cache, where the name finds it)."`
}

// Run downloads a data set and prints its folder.
func (d *dataGetCommand) Run(c *console) error {
	if err := known(d.Name, data.Downloadable(), "download"); err != nil {
		return err
	}
	folder, err := data.Get(c.ctx, d.Name, d.Out, c.progress())
	if err != nil {
		return err
	}
	return c.printFolder(d.Output, d.Name, folder)
}

// dataGenCommand is "netc data gen NAME".
type dataGenCommand struct {
	Output outputFlags `embed:""`
	Name   string      `arg:"" help:"Name of the data set: digits."`
	Out    string      `placeholder:"DIR" help:"Folder to write (default in the user's cache, where the name finds it)."`
	Train  int         `placeholder:"N" default:"${trainDigits}" help:"Training samples (default ${trainDigits})."`
	Test   int         `placeholder:"N" default:"${testDigits}" help:"Test samples (default ${testDigits})."`
	Seed   uint64      `placeholder:"N" default:"${digitsSeed}" help:"Number that the set is drawn from (default ${digitsSeed})."`
}

// Run generates a data set and prints its folder.
func (d *dataGenCommand) Run(c *console) error {
	if err := known(d.Name, []string{data.DigitsName}, "generate"); err != nil {
		return err
	}
	folder, err := data.GenerateDigits(c.ctx, d.Out, d.Train, d.Test, d.Seed, c.progress())
	if err != nil {
		return err
	}
	return c.printFolder(d.Output, d.Name, folder)
}

// known checks a data set's name.
func known(name string, names []string, verb string) error {
	if slices.Contains(names, name) {
		return nil
	}
	help := fmt.Sprintf("netc can %s %s", verb, strings.Join(names, ", "))
	if near := diag.Nearest(name, names); near != "" {
		help = fmt.Sprintf("did you mean %q?", near)
	}
	return &usageError{fmt.Sprintf("there is no data set %q to %s", name, verb), help}
}

// dataPreviewCommand is "netc data preview SOURCE".
type dataPreviewCommand struct {
	Output outputFlags `embed:""`
	Source string      `arg:"" help:"Known name or folder."`
	Number int         `short:"n" placeholder:"N" default:"4" help:"How many samples (default 4)."`
	PNG    string      `name:"png" placeholder:"FILE" help:"Draw into a PNG file instead of the terminal."`
}

// Run draws the first samples of a data set.
func (d *dataPreviewCommand) Run(c *console) error {
	if d.Number < 1 {
		return &usageError{fmt.Sprintf("-n %d: give at least 1", d.Number), ""}
	}
	if d.PNG == "" {
		return data.Preview(d.Source, d.Number, c.out)
	}
	if err := data.PreviewPNG(d.Source, d.Number, d.PNG); err != nil {
		return err
	}
	c.say("drew %d samples into %s", d.Number, d.PNG)
	return nil
}
