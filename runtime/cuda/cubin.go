package cuda

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// keptImages is how many images stay in the cache; the ones not used for
// longest go first.
const keptImages = 50

// splitCompile is the first version of NVRTC, 12.1, that compiles one source on
// several cores.
const splitCompile = 12010

// module compiles a source for the GPU, unless the cache holds its machine
// code, and loads it.
func (g *gpu) module(source, name string, options []string) (Module, error) {
	compiler, err := g.libraries.Compiler(g.version)
	if err != nil {
		return 0, err
	}
	target, err := targetOf(compiler, g.capability, g.name)
	if err != nil {
		return 0, err
	}
	options = append([]string{target}, options...)
	major, minor, err := compiler.Version()
	if err != nil {
		return 0, err
	}
	if 1000*major+10*minor >= splitCompile {
		options = append(options, "--split-compile=0") // on all cores
	}
	cache := imagePath(source, fmt.Sprintf("NVRTC %d.%d %s", major, minor, strings.Join(options, " ")))
	if image := readImage(cache); image != nil {
		m, err := g.LoadModule(image)
		if !isCode(err, CodeInvalidImage, CodeNoBinary, CodeUnsupportedPTX) {
			return m, err
		}
	}
	image, err := compiler.Compile(source, name, options)
	if err != nil {
		return 0, err
	}
	m, err := g.LoadModule(image)
	if isCode(err, CodeNoBinary, CodeUnsupportedPTX, CodeInvalidImage) {
		return 0, &MissingError{What: "the CUDA compiler and the driver do not fit", Reason: fmt.Sprintf("the driver, for CUDA %s, does not load what NVRTC %d.%d makes (%v)", versionText(g.version), major, minor, err),
			Help: fmt.Sprintf("install NVRTC %d or older, or a newer driver", g.version/1000)}
	}
	if err == nil {
		writeImage(cache, image)
	}
	return m, err
}

// targetOf is the compiler's option for a GPU: its own machine code where the
// compiler knows it, that of an older one of the same generation, which it runs
// too, or else PTX, which the driver compiles.
func targetOf(compiler Compiler, capability int, gpu string) (string, error) {
	known, err := compiler.Architectures()
	if err != nil {
		return "", err
	}
	best := 0
	for _, a := range known {
		if a <= capability {
			best = max(best, a)
		}
	}
	switch {
	case best == 0:
		oldest := "nothing"
		if len(known) > 0 {
			oldest = capabilityText(slices.Min(known)) + " and newer"
		}
		return "", &MissingError{What: "the GPU is too old", Reason: fmt.Sprintf("%s has compute capability %s, and this NVRTC compiles for %s", gpu, capabilityText(capability), oldest),
			Help: "install an older NVRTC, or use another GPU"}
	case best/10 == capability/10:
		return fmt.Sprintf("--gpu-architecture=sm_%d", best), nil
	}
	return fmt.Sprintf("--gpu-architecture=compute_%d", best), nil
}

// imagePath is the place of a source's image in the user's cache; "" where
// there is no cache.
func imagePath(source, made string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%d %s\n%s", len(made), made, source)
	return filepath.Join(cache, "netc", "cubin", hex.EncodeToString(sum.Sum(nil))[:32])
}

// readImage reads an image from the cache; nil where it is not there or not
// whole. A file is the image's digest and the image.
func readImage(path string) []byte {
	file, err := os.ReadFile(path)
	if path == "" || err != nil || len(file) < sha256.Size {
		return nil
	}
	image := file[sha256.Size:]
	if digest := sha256.Sum256(image); !bytes.Equal(digest[:], file[:sha256.Size]) {
		return nil
	}
	// Its age decides what pruning removes; where it cannot be set, only that
	// order suffers.
	_ = os.Chtimes(path, time.Now(), time.Now())
	return image
}

// writeImage puts an image into the cache, whole or not at all, and removes
// what is old there. Where that fails, the next start compiles again, and
// nothing else is lost.
func writeImage(path string, image []byte) {
	if path == "" {
		return
	}
	folder := filepath.Dir(path)
	if os.MkdirAll(folder, 0o777) != nil {
		return
	}
	partial, err := os.CreateTemp(folder, partialPrefix)
	if err != nil {
		return
	}
	digest := sha256.Sum256(image)
	_, err = partial.Write(append(digest[:], image...))
	if closeErr := partial.Close(); err != nil || closeErr != nil || os.Rename(partial.Name(), path) != nil {
		_ = os.Remove(partial.Name())
	}
	pruneImages(folder)
}

// partialPrefix opens the names of files that are being written.
const partialPrefix = ".partial-"

func pruneImages(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	var images []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil: // removed meanwhile
		case !strings.HasPrefix(e.Name(), partialPrefix):
			images = append(images, info)
		case time.Since(info.ModTime()) > time.Hour: // its writer was killed
			_ = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
	slices.SortFunc(images, func(a, b fs.FileInfo) int { return cmp.Compare(b.ModTime().UnixNano(), a.ModTime().UnixNano()) })
	for _, old := range images[min(keptImages, len(images)):] {
		_ = os.Remove(filepath.Join(folder, old.Name()))
	}
}
