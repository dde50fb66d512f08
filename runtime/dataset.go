package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Dataset is a set of labelled images in memory, split for training and test.
type Dataset struct {
	Name      string
	Folder    string // where it was read from
	Generated bool   // drawn by a program, not collected
	Note      string // what a reader of results should know about it
	Train     *Split
	Test      *Split
}

// Split is one part of a Dataset. Exactly one of Bytes and Floats is set; both
// are [N, C, H, W], row-major.
type Split struct {
	N      int
	Shape  []int // of one sample: channels, height, width
	Bytes  []byte
	Floats []float32
	Labels []int32 // one a sample
}

// MaxLabel is the largest label, -1 in an empty split.
func (s *Split) MaxLabel() int32 {
	return slices.Max(append([]int32{-1}, s.Labels...))
}

// knownDatasets are the names that work without a folder, and how each gets on
// to a machine.
var knownDatasets = []struct{ name, obtain string }{
	{"digits", `"netc data gen digits" draws it`},
	{"fashion-mnist", `"netc data get fashion-mnist" downloads it`},
	{"mnist", `"netc data get mnist" downloads it, "netc data gen digits" draws a stand-in named digits`},
}

// folderReaders read the kinds of folder that hold a data set, in the order in
// which they are tried.
var folderReaders = []struct {
	format string
	isHere func(folder string) bool
	read   func(folder string) (train, test *Split, err error)
}{
	{"MNIST's four IDX files (train-images-idx3-ubyte.gz, …)", hasIDX, readIDXFolder},
	{"CIFAR-10's binary batches (data_batch_1.bin, test_batch.bin, …)", hasCIFAR, readCIFARFolder},
}

// MissingError says that a known data set is not on this machine.
type MissingError struct {
	Source string
	Looked []string // the folders that do not hold it
}

// Error names the folders and how to obtain the set.
func (e *MissingError) Error() string {
	obtain := ""
	for _, known := range knownDatasets {
		if known.name == e.Source {
			obtain = known.obtain + ", "
		}
	}
	return fmt.Sprintf("data set %s is not on this machine (not in %s): %sand --data DIR names a folder that holds one",
		e.Source, strings.Join(e.Looked, ", "), obtain)
}

// DataFolders are where a data set of a name is looked for: $NETC_DATA/NAME,
// then the user's cache. The last one is where netc puts what it downloads.
func DataFolders(name string) []string {
	var folders []string
	if root := os.Getenv("NETC_DATA"); root != "" {
		folders = append(folders, filepath.Join(root, name))
	}
	if cache, err := os.UserCacheDir(); err == nil {
		folders = append(folders, filepath.Join(cache, "netc", "data", name))
	}
	return folders
}

// OpenConfigured opens the run file's data set. When that is a known name that
// is not on this machine and the run file names another in its place, that one
// is opened, and notices says so.
func OpenConfigured(config DataConfig, notices io.Writer) (*Dataset, error) {
	if config.Source == "" {
		return nil, errors.New("the run file names no data set: set data.source there, or give --data NAME or --data DIR")
	}
	set, err := Open(config.Source)
	var missing *MissingError
	if err == nil || config.Otherwise == "" || !errors.As(err, &missing) {
		return set, err
	}
	set, otherwiseErr := Open(config.Otherwise)
	if otherwiseErr != nil {
		return nil, fmt.Errorf("%w\nthe stand-in that the run file names does not open either: %v", err, otherwiseErr)
	}
	fmt.Fprintf(notices, "note: data set %s is not on this machine, taking %s instead: results are not those of %s\n", config.Source, config.Otherwise, config.Source)
	return set, nil
}

// Open reads a data set: a known name, a name below $NETC_DATA, or a folder. A
// known name that is found nowhere gives a MissingError; noise, which belongs to
// a network, an error.
func Open(source string) (*Dataset, error) {
	if source == NoiseName {
		return nil, errNoise
	}
	isName := source == filepath.Base(source) && source != "." && source != ".."
	if isName {
		for _, folder := range DataFolders(source) {
			if isFolder(folder) {
				return openFolder(folder)
			}
		}
	}
	info, err := os.Stat(source)
	switch {
	case err == nil && info.IsDir():
		return openFolder(source)
	case err == nil:
		return nil, fmt.Errorf("data source %s is a file: name the folder that holds %s", source, formats())
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("data source: %w", err)
	}
	var names []string
	for _, known := range knownDatasets {
		if known.name == source {
			return nil, &MissingError{Source: source, Looked: DataFolders(source)}
		}
		names = append(names, known.name)
	}
	return nil, fmt.Errorf("data source %s: no such folder, and not one of the known names %s%s: --data DIR names a folder with %s", source, strings.Join(names, ", "), didYouMean(source, append(names, NoiseName)), formats())
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// formats lists what a folder may hold, for messages.
func formats() string {
	var names []string
	for _, reader := range folderReaders {
		names = append(names, reader.format)
	}
	return strings.Join(names, " or ")
}

// openFolder reads a folder with the first reader that knows its files, and the
// description in its dataset.json where it has one.
func openFolder(folder string) (*Dataset, error) {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	set := &Dataset{Name: filepath.Base(absolute), Folder: folder}
	if err := readDescription(folder, set); err != nil {
		return nil, err
	}
	for _, reader := range folderReaders {
		if !reader.isHere(folder) {
			continue
		}
		if set.Train, set.Test, err = reader.read(folder); err != nil {
			return nil, err
		}
		if !slices.Equal(set.Train.Shape, set.Test.Shape) {
			return nil, fmt.Errorf("%s: training images are %s, test images %s", folder, shapeText(set.Train.Shape), shapeText(set.Test.Shape))
		}
		return set, nil
	}
	return nil, fmt.Errorf("%s holds no data set that netc reads: it wants %s", folder, formats())
}

// Description is the content of a folder's dataset.json.
type Description struct {
	Name      string `json:"name"`
	Generated bool   `json:"generated"`
	Note      string `json:"note"`
}

func readDescription(folder string, set *Dataset) error {
	path := filepath.Join(folder, "dataset.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var description Description
	if err := json.Unmarshal(text, &description); err != nil {
		return fmt.Errorf("%s: %v", path, err)
	}
	if description.Name != "" {
		set.Name = description.Name
	}
	set.Generated, set.Note = description.Generated, description.Note
	return nil
}
