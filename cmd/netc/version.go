package main

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"
)

// versionCommand is "netc version".
type versionCommand struct {
	Output outputFlags `embed:""`
}

// versionResult is what "netc version --json" prints.
type versionResult struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source, empty where the build does not say
	Modified bool   `json:"modified"` // the source had changes that the revision lacks
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Run prints what the Go linker knows of this netc.
func (v *versionCommand) Run(c *console) error {
	r := versionResult{Version: "(devel)", Go: goruntime.Version(), Platform: goruntime.GOOS + "/" + goruntime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			r.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				r.Revision = s.Value
			case "vcs.modified":
				r.Modified = s.Value == "true"
			}
		}
	}
	if v.Output.JSON {
		return c.printJSON(r)
	}
	text := "netc " + r.Version
	if r.Revision != "" {
		text += " " + r.Revision[:min(12, len(r.Revision))]
	}
	if r.Modified {
		text += " (modified)"
	}
	_, err := fmt.Fprintln(c.out, text, r.Go, r.Platform)
	return err
}
