package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOpenFolder(t *testing.T) {
	set, err := Open(tinyFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	if set.Name != "tiny" || !set.Generated || set.Note != "for tests" {
		t.Errorf("description %+v", set)
	}
	want := tinyDataset()
	if !slices.Equal(set.Train.Bytes, want.Train.Bytes) || !slices.Equal(set.Test.Labels, want.Test.Labels) ||
		!slices.Equal(set.Train.Shape, []int{1, 2, 2}) || set.Train.N != 50 || set.Test.N != 21 || set.Train.MaxLabel() != 1 {
		t.Errorf("read %+v", set.Train)
	}
}

func TestIDXErrors(t *testing.T) {
	good := map[string][]byte{
		"train-images-idx3-ubyte": idxFile(make([]byte, 8), 2, 2, 2), "train-labels-idx1-ubyte": idxFile([]byte{0, 1}, 2),
		"t10k-images-idx3-ubyte": idxFile(make([]byte, 4), 1, 2, 2), "t10k-labels-idx1-ubyte": idxFile([]byte{1}, 1),
	}
	images := good["train-images-idx3-ubyte"]
	for name, c := range map[string]struct {
		file    string
		content []byte // nil removes the file
		want    string
	}{
		"missing":        {"t10k-labels-idx1-ubyte", nil, "holds no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz"},
		"empty":          {"train-images-idx3-ubyte", []byte{}, "too short"},
		"web page":       {"train-images-idx3-ubyte", []byte("<!DOCTYPE html>"), "is it a web page"},
		"header":         {"train-images-idx3-ubyte", images[:9], "ends in its header"},
		"values":         {"train-images-idx3-ubyte", images[:len(images)-1], "cut off: 7 bytes of values, but its header 2x2x2 needs 8"},
		"too long":       {"train-images-idx3-ubyte", append(slices.Clone(images), 0), "more than the 8 bytes"},
		"huge":           {"train-images-idx3-ubyte", idxFile(nil, 1<<30, 1<<30, 1<<30), "impossible size"},
		"promises much":  {"train-images-idx3-ubyte", idxFile(nil, 1<<15, 1<<8, 1<<7), "cut off: 0 bytes"},
		"no samples":     {"train-images-idx3-ubyte", idxFile(nil, 0, 2, 2), "impossible size"},
		"counts":         {"train-labels-idx1-ubyte", idxFile([]byte{1, 2, 3}, 3), "has 2 images but"},
		"labels are not": {"train-labels-idx1-ubyte", images, "is it an image file?"},
		"images are not": {"train-images-idx3-ubyte", idxFile([]byte{1, 2}, 2), "is it a label file?"},
		"cut gzip":       {"train-images-idx3-ubyte", gzipped(t, images)[:20], "damaged"},
		"bad gzip":       {"train-images-idx3-ubyte", []byte{0x1f, 0x8b, 1, 2, 3}, "damaged gzip"},
		"shapes differ":  {"t10k-images-idx3-ubyte", idxFile(make([]byte, 3), 1, 1, 3), "training images are 1x2x2, test images 1x1x3"},
		"description":    {"dataset.json", []byte("{"), "dataset.json"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for file, content := range good {
				writeFile(t, folder, file, content)
			}
			if c.content != nil {
				writeFile(t, folder, c.file, c.content)
			} else if err := os.Remove(filepath.Join(folder, c.file)); err != nil {
				t.Fatal(err)
			}
			_, err := Open(folder)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), folder) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestIDXFloatsAndDottedNames(t *testing.T) {
	folder := t.TempDir()
	for _, prefix := range []string{"train", "t10k"} {
		images := idxFile([]byte{0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0}, 1, 1, 1, 2) // 1 and -2
		images[2] = idxFloat32
		labels := idxFile([]byte{0, 0, 1, 4}, 1)
		labels[2] = idxInt32
		writeFile(t, folder, prefix+"-images.idx3-ubyte", images)
		writeFile(t, folder, prefix+"-labels.idx1-ubyte.gz", gzipped(t, labels))
	}
	set, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(set.Train.Floats, []float32{1, -2}) || set.Test.Labels[0] != 260 {
		t.Errorf("read %v and %v", set.Train.Floats, set.Test.Labels)
	}
}

func TestOpenSources(t *testing.T) {
	root, cache := t.TempDir(), t.TempDir()
	t.Setenv("NETC_DATA", root)
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	t.Chdir(t.TempDir())

	for _, c := range []struct{ source, want string }{
		{"mnist", `"netc data get mnist"`}, {"mnist", `"netc data gen digits"`}, {"mnist", "--data DIR"}, {"mnist", root},
		{"mnsit", `did you mean "mnist"?`}, {"no/such/folder", "no such folder"}, {t.TempDir(), "holds no data set"},
	} {
		if _, err := Open(c.source); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%q): error %v, want one with %q", c.source, err, c.want)
		}
	}
	var missing *MissingError
	if _, err := Open("digits"); !errors.As(err, &missing) {
		t.Errorf("a known name gives %v", err)
	}

	if err := os.Rename(tinyFolder(t), filepath.Join(root, "digits")); err != nil {
		t.Fatal(err)
	}
	var notices strings.Builder
	set, err := OpenConfigured(DataConfig{Source: "mnist", Otherwise: "digits"}, &notices)
	if err != nil || set.Name != "tiny" {
		t.Fatalf("the stand-in: %v", err)
	}
	if !strings.Contains(notices.String(), "mnist is not on this machine, taking digits instead") {
		t.Errorf("notices: %q", notices.String())
	}
	if _, err := OpenConfigured(DataConfig{Source: "mnist", Otherwise: "fashion-mnist"}, &notices); err == nil {
		t.Error("two missing sets open")
	}
	if _, err := OpenConfigured(DataConfig{}, &notices); err == nil {
		t.Error("no source opens")
	}
	// A set that is there but damaged is not replaced in silence.
	os.Mkdir(filepath.Join(root, "mnist"), 0o777)
	if _, err := OpenConfigured(DataConfig{Source: "mnist", Otherwise: "digits"}, &notices); err == nil {
		t.Error("a damaged set is replaced")
	}
}

// sharedData finds the folder of real data sets, or skips.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	for _, root := range []string{os.Getenv("NETC_DATA"), "../../shared/data"} {
		if folder := filepath.Join(root, name); root != "" && isFolder(folder) {
			return folder
		}
	}
	t.Skipf("%s is not here: set NETC_DATA to the folder that holds it", name)
	return ""
}

func TestMNIST(t *testing.T) {
	set, err := Open(sharedData(t, "mnist"))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, pixel := range set.Train.Bytes {
		sum += int(pixel)
	}
	// The published mean of MNIST's training pixels is 33.318.
	if mean := float64(sum) / float64(len(set.Train.Bytes)); mean < 33.31 || mean > 33.33 {
		t.Errorf("mean pixel %g", mean)
	}
	if set.Train.N != 60000 || set.Test.N != 10000 || set.Test.MaxLabel() != 9 || set.Train.Labels[0] != 5 || set.Test.Labels[0] != 7 {
		t.Errorf("%d and %d samples, first labels %d and %d", set.Train.N, set.Test.N, set.Train.Labels[0], set.Test.Labels[0])
	}
}

func TestCIFAR(t *testing.T) {
	folder := t.TempDir()
	record := make([]byte, cifarRecord)
	record[0], record[1], record[cifarPixels] = 9, 11, 22
	writeFile(t, folder, "data_batch_1.bin", append(slices.Clone(record), record...))
	writeFile(t, folder, "data_batch_2.bin.gz", gzipped(t, record))
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "needs training batches") {
		t.Errorf("without a test batch: %v", err)
	}
	writeFile(t, folder, "test_batch.bin", record)
	set, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if set.Train.N != 3 || set.Test.N != 1 || set.Train.Labels[2] != 9 || set.Train.Bytes[2*cifarPixels] != 11 || set.Train.Bytes[3*cifarPixels-1] != 22 {
		t.Errorf("read %d and %d samples", set.Train.N, set.Test.N)
	}
	writeFile(t, folder, "test_batch.bin", record[1:])
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "whole number of CIFAR-10 records") {
		t.Errorf("a short batch: %v", err)
	}
}
