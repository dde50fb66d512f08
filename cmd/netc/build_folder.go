package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"netc/codegen/gopkg"
)

// manifestName is the file of a build folder that lists what netc wrote. Its
// presence is what allows netc to write there again.
const manifestName = ".netc-manifest"

const manifestHeader = "# The files that netc wrote here, which the next build replaces. Other files stay."

// writeBuild writes a module into a folder, all or nothing: the new folder is
// complete before it takes the old one's place. Files that netc did not write
// move over; a folder that netc did not write at all is refused.
func (c *console) writeBuild(folder string, m *gopkg.Module) error {
	folder = filepath.Clean(folder)
	old, err := readManifest(folder)
	if err != nil {
		return err
	}
	kept, err := foreignFiles(folder, old)
	if err != nil {
		return err
	}
	for _, path := range kept {
		if _, clash := m.Files[path]; clash {
			return fmt.Errorf("%s is not netc's, and the build would overwrite it: move it away", filepath.Join(folder, path))
		}
	}
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	partial := filepath.Join(parent, "."+filepath.Base(folder)+".partial")
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	defer os.RemoveAll(partial) // nothing is there after a success
	if err := writeModule(partial, m); err != nil {
		return err
	}
	manifest := manifestHeader + "\n" + strings.Join(m.Paths(), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(partial, manifestName), []byte(manifest), 0o666); err != nil {
		return err
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return replaceFolder(folder, partial, kept)
}

// replaceFolder puts a finished folder in the place of another, and moves the
// kept files of the old one into it.
func replaceFolder(folder, finished string, kept []string) error {
	previous := filepath.Join(filepath.Dir(folder), "."+filepath.Base(folder)+".previous")
	if _, err := os.Lstat(previous); err == nil {
		return fmt.Errorf("%s is left from a build that was cut off: move what you need out of it, and remove it", previous)
	}
	err := os.Rename(folder, previous)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Rename(finished, folder)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(finished, folder); err != nil {
		return errors.Join(err, os.Rename(previous, folder))
	}
	for _, path := range kept {
		to := filepath.Join(folder, path)
		err := os.MkdirAll(filepath.Dir(to), 0o777)
		if err == nil {
			err = os.Rename(filepath.Join(previous, path), to)
		}
		if err != nil {
			return fmt.Errorf("the build is complete, but files that are not netc's stay in %s: %w", previous, err)
		}
	}
	return os.RemoveAll(previous)
}

// readManifest gives the files that netc wrote into a folder. A folder that is
// empty or not there has none; one with other content is refused.
func readManifest(folder string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(folder, manifestName))
	if err == nil {
		var files []string
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
				files = append(files, line)
			}
		}
		return files, nil
	}
	if info, statErr := os.Stat(folder); statErr == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is a file: name a folder with -o", folder)
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s is not empty and netc did not write it: name another folder with -o", folder)
}

// foreignFiles lists the files below a folder, slash-separated, that are not in
// the list of netc's own.
func foreignFiles(folder string, own []string) ([]string, error) {
	var list []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		name := filepath.ToSlash(relative)
		if name != manifestName && !slices.Contains(own, name) {
			list = append(list, name)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return list, err
}
