package runtime

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// rawSafetensors puts a header before data.
func rawSafetensors(header string, data ...byte) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), data...)
}

func TestSafetensorsRoundTrip(t *testing.T) {
	tensors := []Tensor{
		{Name: "conv1.weight", Shape: []int{2, 3}, F32: []float32{1, -2, 3.5, float32(math.Inf(1)), 1e-45, -0}},
		{Name: "odd \"name\" ü", Shape: []int{1}, I32: []int32{math.MinInt32}},
		{Name: "scalar", F32: []float32{7}, Shape: []int{}},
		{Name: "empty", F32: []float32{}, Shape: []int{0, 4}},
	}
	metadata := map[string]string{"b": "2", "a": "1"}
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := WriteSafetensors(w, tensors, metadata); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("writing twice gives different bytes")
	}
	if header := binary.LittleEndian.Uint64(first.Bytes()); header%8 != 0 {
		t.Errorf("values start at byte %d", 8+header)
	}
	file, err := DecodeSafetensors(first.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(file.Tensors, tensors) || !reflect.DeepEqual(file.Metadata, metadata) {
		t.Errorf("read %+v %v, wrote %+v", file.Tensors, file.Metadata, tensors)
	}
	if err := WriteSafetensors(&second, []Tensor{{Name: "x", Shape: []int{2}, F32: []float32{1}}}, nil); err == nil {
		t.Error("a tensor with too few values is written")
	}
}

func TestSafetensorsTypes(t *testing.T) {
	for _, c := range []struct {
		dtype string
		data  []byte
		want  Tensor
	}{
		{"F64", []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, Tensor{F32: []float32{1.5}}},
		{"F16", []byte{0, 0x3c}, Tensor{F32: []float32{1}}},
		{"F16", []byte{1, 0x80}, Tensor{F32: []float32{-0x1p-24}}},
		{"F16", []byte{0xff, 0x7b}, Tensor{F32: []float32{65504}}},
		{"F16", []byte{0, 0xfc}, Tensor{F32: []float32{float32(math.Inf(-1))}}},
		{"BF16", []byte{0x80, 0xbf}, Tensor{F32: []float32{-1}}},
		{"I64", []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Tensor{I32: []int32{-2}}},
		{"I16", []byte{0, 0x80}, Tensor{I32: []int32{-32768}}},
		{"I8", []byte{0xff}, Tensor{I32: []int32{-1}}},
		{"U8", []byte{0xff}, Tensor{I32: []int32{255}}},
	} {
		got, err := decodeValues(c.dtype, c.data)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s % x: %v, %v; want %v", c.dtype, c.data, got, err, c.want)
		}
	}
	if _, err := decodeValues("I64", []byte{0, 0, 0, 0, 1, 0, 0, 0}); err == nil || !strings.Contains(err.Error(), "does not fit int32") {
		t.Errorf("2^32 as int32: %v", err)
	}
}

func TestDamagedSafetensors(t *testing.T) {
	four := make([]byte, 4)
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":         {nil, "too few"},
		"long header":   {binary.LittleEndian.AppendUint64(nil, 1<<40), "not a safetensors file"},
		"cut header":    {rawSafetensors(`{"a":1}`)[:10], "cut off in the header"},
		"no object":     {rawSafetensors(`[1]`), "no JSON object"},
		"open object":   {rawSafetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`, four...), "damaged"},
		"two objects":   {rawSafetensors(`{}{}`), "more follows"},
		"twice":         {rawSafetensors(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, four...), "comes twice"},
		"type":          {rawSafetensors(`{"a":{"dtype":"F8","shape":[1],"data_offsets":[0,4]}}`, four...), `"F8" are not supported`},
		"size":          {rawSafetensors(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, four...), "do not hold 2 values"},
		"negative":      {rawSafetensors(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, four...), "impossible shape"},
		"overflow":      {rawSafetensors(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,4]}}`, four...), "impossible shape"},
		"reversed":      {rawSafetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, four...), "do not hold"},
		"before":        {rawSafetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, four...), "do not hold"},
		"truncated":     {rawSafetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 1, 2, 3), "cut off: tensor a needs 4 bytes"},
		"trailing":      {rawSafetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 1, 2, 3, 4, 5), "belong to no tensor"},
		"gap":           {rawSafetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 1, 2), "belong to no tensor"},
		"overlap":       {rawSafetensors(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 1, 2, 3), "overlaps"},
		"bad metadata":  {rawSafetensors(`{"__metadata__":{"a":1}}`), "damaged"},
		"offsets shape": {rawSafetensors(`{"a":{"dtype":"U8","shape":[2],"data_offsets":"x"}}`, 1, 2), "tensor a"},
	} {
		if _, err := DecodeSafetensors(c.content); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func FuzzDecodeSafetensors(f *testing.F) {
	var good bytes.Buffer
	WriteSafetensors(&good, []Tensor{{Name: "a", Shape: []int{2}, F32: []float32{1, 2}}, {Name: "b", Shape: []int{1}, I32: []int32{3}}}, map[string]string{"k": "v"})
	f.Add(good.Bytes())
	f.Add(rawSafetensors(`{"a":{"dtype":"BF16","shape":[2,0],"data_offsets":[0,0]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := DecodeSafetensors(content)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := WriteSafetensors(&again, file.Tensors, file.Metadata); err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeSafetensors(again.Bytes()); err != nil {
			t.Fatalf("what was read and written does not read: %v", err)
		}
	})
}

func TestWeightsFiles(t *testing.T) {
	folder := t.TempDir()
	network := newTinyNetwork(6, 1)
	parameters := network.Parameters
	copy(parameters[0].F32, []float32{1, 2, 3, 4})
	parameters[1].F32[0] = 5
	sum := WeightsSHA256(parameters)
	if err := saveWeights(filepath.Join(folder, weightsFile), &network.Program); err != nil {
		t.Fatal(err)
	}
	npz := filepath.Join(folder, "w.npz")
	archive, err := os.Create(npz)
	if err != nil {
		t.Fatal(err)
	}
	zipped := zip.NewWriter(archive)
	for _, p := range parameters {
		w, _ := zipped.Create(p.Name + ".npy")
		EncodeNPY(w, p.Tensor)
	}
	zipped.Close()
	archive.Close()
	for _, path := range []string{folder, filepath.Join(folder, weightsFile), npz} {
		other := newTinyNetwork(6, 1).Parameters
		file, err := ReadTensorFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if missing, err := LoadWeights(other, file); err != nil || len(missing) > 0 || WeightsSHA256(other) != sum {
			t.Errorf("%s: missing %v, %v, sum %s", path, missing, err, WeightsSHA256(other))
		}
		other[1].Name = "ip2.bias"
		if missing, err := LoadWeights(other, file); err != nil || len(missing) != 1 || missing[0] != "ip2.bias" {
			t.Errorf("%s: missing %v, %v", path, missing, err)
		}
		other[1].F32[0] = 9
		other[1].Name, other[1].Shape = "ip.bias", []int{1, 1}
		if _, err := LoadWeights(other, file); err == nil || !strings.Contains(err.Error(), "tensor ip.bias is 1, but the network's parameter is 1x1") {
			t.Errorf("another shape: %v", err)
		}
		other[0].Name, other[1].Name = "x", "y"
		if _, err := LoadWeights(other, file); err == nil || !strings.Contains(err.Error(), "another network's weights") {
			t.Errorf("other names: %v", err)
		}
	}
	// The sum covers names and shapes too.
	parameters[0].Name = "ip.w"
	if WeightsSHA256(parameters) == sum {
		t.Error("a renamed parameter has the same sum")
	}
	for path, want := range map[string]string{"w.caffemodel": "netc itself", "w.txt": ".safetensors or .npz", "gone.npz": "no such file", "gone.safetensors": "no such file"} {
		if _, err := ReadTensorFile(filepath.Join(folder, path)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	writeFile(t, folder, "bad.npz", []byte("zip?"))
	if _, err := ReadTensorFile(filepath.Join(folder, "bad.npz")); err == nil || !strings.Contains(err.Error(), "not an .npz file") {
		t.Errorf("a damaged archive: %v", err)
	}
}

func TestWriteAtomically(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f.npy")
	writeFile(t, folder, "f.npy", []byte("old"))
	if err := WriteNPY(path, Tensor{Name: "x", Shape: []int{2}, F32: []float32{1}}); err == nil {
		t.Fatal("a bad tensor is written")
	}
	if content, _ := os.ReadFile(path); string(content) != "old" {
		t.Errorf("a failed write leaves %q", content)
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("a failed write leaves %d files", len(entries))
	}
}
