//go:build linux && !nocuda

package dl

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// PathVariable names the environment variable that holds folders, or files, in
// which NVIDIA's libraries are looked for first.
const PathVariable = "NETC_CUDA_PATH"

// library is a shared library that was opened. It stays open until the process
// ends: the driver does not bear being closed.
type library struct {
	path   string
	handle uintptr
}

// openLibrary opens the first of the named libraries that can be: each in the
// folders of NETC_CUDA_PATH, then where the system's loader looks, then in the
// usual places of a CUDA toolkit.
func openLibrary(names []string) (*library, error) {
	var failures []string
	for _, name := range names {
		for _, path := range candidates(name) {
			handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
			if err == nil {
				return &library{path, handle}, nil
			}
			if !strings.Contains(path, "/") || isThere(path) {
				failures = append(failures, strings.TrimSpace(err.Error()))
			}
		}
	}
	return nil, errors.New(strings.Join(slices.Compact(failures), "; "))
}

// candidates lists where a library may be.
func candidates(name string) []string {
	var list []string
	for _, place := range filepath.SplitList(os.Getenv(PathVariable)) {
		if filepath.Base(place) == name {
			list = append(list, place)
		} else if info, err := os.Stat(place); err == nil && info.IsDir() {
			list = append(list, filepath.Join(place, name), filepath.Join(place, "lib64", name), filepath.Join(place, "lib", name))
		}
	}
	list = append(list, name)
	toolkits, _ := filepath.Glob("/usr/local/cuda*/lib64") // the pattern is well-formed
	slices.Reverse(toolkits)                               // the newest first
	for _, folder := range toolkits {
		list = append(list, filepath.Join(folder, name))
	}
	return list
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// bind sets every function of a table to the library's.
func (l *library) bind(table any) error {
	for _, e := range entries(table) {
		address, err := purego.Dlsym(l.handle, e.symbol)
		switch {
		case err == nil:
			purego.RegisterFunc(e.target.Addr().Interface(), address)
		case e.since == "":
			return &missingSymbol{filepath.Base(l.path), e.symbol}
		}
	}
	return nil
}

// text reads C's text at an address; "" at nil.
func text(p *byte) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}
