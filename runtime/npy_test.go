package runtime

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// rawNPY is a version 1 file with a header as given.
func rawNPY(header string, data ...byte) []byte {
	file := binary.LittleEndian.AppendUint16([]byte(npyMagic+"\x01\x00"), uint16(len(header)))
	return append(append(file, header...), data...)
}

func TestNPYRoundTrip(t *testing.T) {
	for _, tensor := range []Tensor{
		{Shape: []int{2, 3}, F32: []float32{1, 2, 3, 4, 5, 6}},
		{Shape: []int{3}, I32: []int32{-1, 0, 1}},
		{Shape: []int{}, F32: []float32{4}},
		{Shape: []int{0, 7}, I32: []int32{}},
	} {
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := WriteNPY(path, tensor); err != nil {
			t.Fatal(err)
		}
		got, err := ReadNPY(path)
		if err != nil || !reflect.DeepEqual(got, tensor) {
			t.Errorf("read %+v, %v; wrote %+v", got, err, tensor)
		}
		var encoded bytes.Buffer
		EncodeNPY(&encoded, tensor)
		if start := encoded.Len() - 4*elements(tensor.Shape); start%64 != 0 || encoded.Bytes()[start-1] != '\n' {
			t.Errorf("values start at %d", start)
		}
	}
}

func TestNPYForms(t *testing.T) {
	version2 := append([]byte(npyMagic+"\x02\x00"), binary.LittleEndian.AppendUint32(nil, 58)...)
	version2 = append(version2, fmt.Sprintf("%-58s", "{'shape':(2,), \"descr\": '|u1','fortran_order':False}")...)
	for name, c := range map[string]struct {
		content []byte
		want    Tensor
	}{
		"numpy's own": {rawNPY("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }      \n", 0, 0, 0, 0, 0, 0, 0, 0x40), Tensor{Shape: []int{1, 1}, F32: []float32{2}}},
		"int64":       {rawNPY("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", 3, 0, 0, 0, 0, 0, 0, 0), Tensor{Shape: []int{1}, I32: []int32{3}}},
		"python 2":    {rawNPY("{'descr': '<i4', 'fortran_order': False, 'shape': (1L,), }", 3, 0, 0, 0), Tensor{Shape: []int{1}, I32: []int32{3}}},
		"version 2":   {append(version2, 7, 8), Tensor{Shape: []int{2}, I32: []int32{7, 8}}},
	} {
		got, err := DecodeNPY(bytes.NewReader(c.content))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestNPYErrors(t *testing.T) {
	header := func(descr, order, shape string) string {
		return fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":         {nil, "not a .npy file"},
		"magic":         {[]byte("PK\x03\x04........"), "not a .npy file"},
		"version":       {[]byte(npyMagic + "\x09\x00\x00\x00"), "version 9"},
		"cut header":    {rawNPY("{'descr'")[:12], "cut off in the header"},
		"huge header":   {append([]byte(npyMagic+"\x02\x00"), 0xff, 0xff, 0xff, 0xff), "damaged"},
		"no dictionary": {rawNPY("[1]"), "no dictionary"},
		"open":          {rawNPY("{'descr': '<f4'"), "damaged .npy header"},
		"missing key":   {rawNPY("{'descr': '<f4', 'shape': (1,), }"), "is missing"},
		"unknown key":   {rawNPY("{'order': 1}"), "unknown key order"},
		"fortran":       {rawNPY(header("'<f4'", "True", "(1,)")), "ascontiguousarray"},
		"neither":       {rawNPY(header("'<f4'", "None", "(1,)")), "neither True nor False"},
		"big-endian":    {rawNPY(header("'>f4'", "False", "(1,)")), "little-endian"},
		"complex":       {rawNPY(header("'<c8'", "False", "(1,)")), "not supported"},
		"records":       {rawNPY(header("[('a', '<f4')]", "False", "(1,)")), "records"},
		"shape":         {rawNPY(header("'<f4'", "False", "[1]")), "no tuple"},
		"negative":      {rawNPY(header("'<f4'", "False", "(-1,)")), "no length"},
		"overflow":      {rawNPY(header("'<f4'", "False", "(2147483647, 2147483647, 2147483647)")), "impossible shape"},
		"cut":           {rawNPY(header("'<f4'", "False", "(2,)"), 1, 2, 3), "need 8 bytes, 3 are there"},
		"more":          {rawNPY(header("'<i4'", "False", "()"), 1, 2, 3, 4, 5), "more than the 4 bytes"},
		"quote":         {rawNPY("{'descr: 1}"), "quote is not closed"},
	} {
		if _, err := DecodeNPY(bytes.NewReader(c.content)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func FuzzDecodeNPY(f *testing.F) {
	f.Add(rawNPY("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", 1, 2, 3, 4, 5, 6, 7, 8))
	f.Add(rawNPY("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", 1))
	f.Fuzz(func(t *testing.T, content []byte) {
		tensor, err := DecodeNPY(bytes.NewReader(content))
		if err != nil {
			return
		}
		if len(tensor.F32)+len(tensor.I32) != elements(tensor.Shape) {
			t.Fatalf("%d values for shape %v", len(tensor.F32)+len(tensor.I32), tensor.Shape)
		}
	})
}
