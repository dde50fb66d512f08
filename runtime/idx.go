package runtime

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// The element types of an IDX file that hold images and labels.
const (
	idxUint8   = 0x08
	idxInt32   = 0x0c
	idxFloat32 = 0x0d
)

var idxTypeSize = map[byte]int{idxUint8: 1, idxInt32: 4, idxFloat32: 4}

// idxArray is the content of one IDX file, the format in which MNIST is
// distributed: two zero bytes, a type byte, the number of axes, each axis as a
// big-endian 32-bit number, then the values, big-endian too.
type idxArray struct {
	kind  byte
	shape []int
	data  []byte
}

// readIDX reads an IDX file, compressed with gzip or not.
func readIDX(path string) (*idxArray, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	array, err := decodeIDX(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return array, nil
}

func decodeIDX(r io.Reader) (*idxArray, error) {
	const wayOut = "fetch or copy the file again"
	buffered := bufio.NewReaderSize(r, 1<<16)
	r = buffered
	if start, err := buffered.Peek(2); err == nil && start[0] == 0x1f && start[1] == 0x8b {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("damaged gzip file (%v): %s", err, wayOut)
		}
		r = unzipped
	}
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, fmt.Errorf("too short for an IDX file (%v): %s", err, wayOut)
	}
	size, known := idxTypeSize[magic[2]]
	if magic[0] != 0 || magic[1] != 0 || !known {
		return nil, fmt.Errorf("not an IDX file of bytes, int32 or float32 (it begins % x): is it a web page or another format?", magic)
	}
	axes := int(magic[3])
	if axes < 1 || axes > 4 {
		return nil, fmt.Errorf("IDX file with %d axes; labels have 1, images 3 or 4", axes)
	}
	array := &idxArray{kind: magic[2]}
	bytesWanted := size
	for range axes {
		var axis [4]byte
		if _, err := io.ReadFull(r, axis[:]); err != nil {
			return nil, fmt.Errorf("file ends in its header (%v): %s", err, wayOut)
		}
		n := int(int32(binary.BigEndian.Uint32(axis[:])))
		if n <= 0 || bytesWanted > math.MaxInt32/n {
			return nil, fmt.Errorf("impossible size in the header, axis %d is %d", len(array.shape), uint32(n))
		}
		bytesWanted *= n
		array.shape = append(array.shape, n)
	}
	// One byte more than wanted tells a file that is too long. The buffer grows
	// with what arrives: a header may promise what the file does not hold.
	var data bytes.Buffer
	data.Grow(min(bytesWanted, 64<<20) + bytes.MinRead)
	n, err := data.ReadFrom(io.LimitReader(r, int64(bytesWanted)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("damaged after %d of %d bytes (%v): %s", n, bytesWanted, err, wayOut)
	case n < int64(bytesWanted):
		return nil, fmt.Errorf("cut off: %d bytes of values, but its header %s needs %d: %s", n, shapeText(array.shape), bytesWanted, wayOut)
	case n > int64(bytesWanted):
		return nil, fmt.Errorf("more than the %d bytes of values that its header %s needs: %s", bytesWanted, shapeText(array.shape), wayOut)
	}
	array.data = data.Bytes()
	return array, nil
}

// idxFiles are the base names of MNIST's files, images before labels.
var idxFiles = struct{ train, test [2]string }{
	train: [2]string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
	test:  [2]string{"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
}

// hasIDX tells whether a folder holds any of MNIST's files.
func hasIDX(folder string) bool {
	for _, name := range []string{idxFiles.train[0], idxFiles.train[1], idxFiles.test[0], idxFiles.test[1]} {
		if _, err := findIDX(folder, name); err == nil {
			return true
		}
	}
	return false
}

// findIDX gives the path of one of MNIST's files, which is spelt with a dot
// before "idx" too, and may be compressed.
func findIDX(folder, name string) (string, error) {
	dotted := name[:len(name)-len("-idx?-ubyte")] + "." + name[len(name)-len("idx?-ubyte"):]
	for _, candidate := range []string{name, name + ".gz", dotted, dotted + ".gz"} {
		path := filepath.Join(folder, candidate)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s holds no %s or %s.gz, which MNIST's four files need", folder, name, name)
}

// readIDXFolder reads the training and test split of a folder in MNIST's form.
func readIDXFolder(folder string) (train, test *Split, err error) {
	if train, err = readIDXSplit(folder, idxFiles.train); err != nil {
		return nil, nil, err
	}
	if test, err = readIDXSplit(folder, idxFiles.test); err != nil {
		return nil, nil, err
	}
	return train, test, nil
}

func readIDXSplit(folder string, names [2]string) (*Split, error) {
	imagePath, err := findIDX(folder, names[0])
	if err != nil {
		return nil, err
	}
	labelPath, err := findIDX(folder, names[1])
	if err != nil {
		return nil, err
	}
	images, err := readIDX(imagePath)
	if err != nil {
		return nil, err
	}
	labels, err := readIDX(labelPath)
	if err != nil {
		return nil, err
	}
	split := &Split{N: images.shape[0]}
	switch {
	case len(images.shape) == 3:
		split.Shape = []int{1, images.shape[1], images.shape[2]}
	case len(images.shape) == 4:
		split.Shape = images.shape[1:]
	default:
		return nil, fmt.Errorf("%s: images have 3 or 4 axes, this file has %s: is it a label file?", imagePath, shapeText(images.shape))
	}
	if len(labels.shape) != 1 {
		return nil, fmt.Errorf("%s: labels have one axis, this file has %s: is it an image file?", labelPath, shapeText(labels.shape))
	}
	if labels.shape[0] != split.N {
		return nil, fmt.Errorf("%s has %d images but %s has %d labels: take both files from the same data set",
			imagePath, split.N, labelPath, labels.shape[0])
	}
	switch images.kind {
	case idxUint8:
		split.Bytes = images.data
	case idxFloat32:
		split.Floats = make([]float32, len(images.data)/4)
		for i := range split.Floats {
			split.Floats[i] = math.Float32frombits(binary.BigEndian.Uint32(images.data[4*i:]))
		}
	default:
		return nil, fmt.Errorf("%s: images are bytes or float32, not int32", imagePath)
	}
	split.Labels = make([]int32, split.N)
	for i := range split.Labels {
		switch labels.kind {
		case idxUint8:
			split.Labels[i] = int32(labels.data[i])
		case idxInt32:
			split.Labels[i] = int32(binary.BigEndian.Uint32(labels.data[4*i:]))
		default:
			return nil, fmt.Errorf("%s: labels are bytes or int32, not float32", labelPath)
		}
	}
	return split, nil
}
