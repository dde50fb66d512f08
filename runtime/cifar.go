package runtime

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// CIFAR-10's binary form: a label byte, then the red, green and blue plane of a
// 32x32 image, record after record.
const (
	cifarPixels = 3 * 32 * 32
	cifarRecord = 1 + cifarPixels
)

func hasCIFAR(folder string) bool {
	train, test := findCIFAR(folder)
	return len(train) > 0 || len(test) > 0
}

// findCIFAR gives the training and test batches of a folder: *.bin or *.bin.gz,
// those that begin with "test" for test.
func findCIFAR(folder string) (train, test []string) {
	entries, _ := os.ReadDir(folder) // sorted by name
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case entry.IsDir() || !strings.HasSuffix(strings.TrimSuffix(name, ".gz"), ".bin"):
		case strings.HasPrefix(name, "test"):
			test = append(test, filepath.Join(folder, name))
		case strings.HasPrefix(name, "train"), strings.HasPrefix(name, "data_batch"):
			train = append(train, filepath.Join(folder, name))
		}
	}
	return train, test
}

func readCIFARFolder(folder string) (train, test *Split, err error) {
	trainFiles, testFiles := findCIFAR(folder)
	if len(trainFiles) == 0 || len(testFiles) == 0 {
		return nil, nil, fmt.Errorf("%s: CIFAR-10 needs training batches (data_batch_*.bin or train*.bin) and a test batch (test*.bin); here are %d and %d", folder, len(trainFiles), len(testFiles))
	}
	if train, err = readCIFAR(trainFiles); err != nil {
		return nil, nil, err
	}
	test, err = readCIFAR(testFiles)
	return train, test, err
}

func readCIFAR(paths []string) (*Split, error) {
	split := &Split{Shape: []int{3, 32, 32}}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(path, ".gz") {
			unzipped, err := gzip.NewReader(bytes.NewReader(content))
			if err == nil {
				content, err = io.ReadAll(unzipped)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: damaged gzip file (%v): fetch or copy the file again", path, err)
			}
		}
		if len(content) == 0 || len(content)%cifarRecord != 0 {
			return nil, fmt.Errorf("%s: %d bytes are not a whole number of CIFAR-10 records of %d bytes: fetch or copy the file again", path, len(content), cifarRecord)
		}
		for ; len(content) > 0; content = content[cifarRecord:] {
			split.Labels = append(split.Labels, int32(content[0]))
			split.Bytes = append(split.Bytes, content[1:cifarRecord]...)
			split.N++
		}
	}
	return split, nil
}
