package runtime

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// The safetensors format: a little-endian 64-bit length, that much JSON naming
// each tensor's type, shape and byte range, then the values, little-endian.
const (
	safetensorsHeaderCap = 100_000_000 // bytes, the format's own limit
	metadataKey          = "__metadata__"
)

var safetensorsTypeSize = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}

// TensorFile is the content of a safetensors or .npz file.
type TensorFile struct {
	Path     string
	Tensors  []Tensor // in the file's order
	Metadata map[string]string
}

// Find gives the tensor of a name.
func (f *TensorFile) Find(name string) (Tensor, bool) {
	for _, t := range f.Tensors {
		if t.Name == name {
			return t, true
		}
	}
	return Tensor{}, false
}

// Names lists the tensors in the file's order.
func (f *TensorFile) Names() []string {
	names := make([]string, len(f.Tensors))
	for i, t := range f.Tensors {
		names[i] = t.Name
	}
	return names
}

type safetensorsEntry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// WriteSafetensors writes tensors in the order given. The same tensors and
// metadata always give the same bytes.
func WriteSafetensors(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	var header bytes.Buffer
	header.WriteByte('{')
	if len(metadata) > 0 {
		text, err := json.Marshal(metadata) // sorts the keys
		if err != nil {
			return err
		}
		fmt.Fprintf(&header, "%q:%s,", metadataKey, text)
	}
	offset := 0
	for _, t := range tensors {
		if count := len(t.F32) + len(t.I32); count != elements(t.Shape) {
			return fmt.Errorf("tensor %s: %d values for a shape of %s", t.Name, count, shapeText(t.Shape))
		}
		entry := safetensorsEntry{DType: "F32", Shape: t.Shape}
		if t.I32 != nil {
			entry.DType = "I32"
		}
		if entry.Shape == nil {
			entry.Shape = []int{}
		}
		entry.Offsets = [2]int{offset, offset + 4*elements(t.Shape)}
		offset = entry.Offsets[1]
		name, err := json.Marshal(t.Name)
		if err != nil {
			return err
		}
		text, err := json.Marshal(entry)
		if err != nil {
			return err
		}
		fmt.Fprintf(&header, "%s:%s,", name, text)
	}
	if header.Len() > 1 {
		header.Truncate(header.Len() - 1) // the last comma
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 { // values start aligned, as the format advises
		header.WriteByte(' ')
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(header.Len())); err != nil {
		return err
	}
	if _, err := w.Write(header.Bytes()); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := writeValues(w, t); err != nil {
			return err
		}
	}
	return nil
}

// writeValues writes a tensor's values, little-endian, by blocks.
func writeValues(w io.Writer, t Tensor) error {
	const block = 1 << 14 // values
	buffer := make([]byte, 0, 4*block)
	for values := t.F32; len(values) > 0; {
		n := min(block, len(values))
		buffer = buffer[:0]
		for _, v := range values[:n] {
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(v))
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
		values = values[n:]
	}
	for values := t.I32; len(values) > 0; {
		n := min(block, len(values))
		buffer = buffer[:0]
		for _, v := range values[:n] {
			buffer = binary.LittleEndian.AppendUint32(buffer, uint32(v))
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// ReadSafetensors reads a whole file. F64, F16 and BF16 become float32; I64,
// I16, I8 and U8 become int32, an error where a value does not fit.
func ReadSafetensors(path string) (*TensorFile, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := DecodeSafetensors(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file.Path = path
	return file, nil
}

// DecodeSafetensors reads a file's content.
func DecodeSafetensors(content []byte) (*TensorFile, error) {
	if len(content) < 8 {
		return nil, fmt.Errorf("not a safetensors file: %d bytes are too few", len(content))
	}
	length := binary.LittleEndian.Uint64(content)
	if length > safetensorsHeaderCap {
		return nil, fmt.Errorf("not a safetensors file: it announces a header of %d bytes", length)
	}
	if length > uint64(len(content)-8) {
		return nil, fmt.Errorf("cut off in the header: %d bytes announced, %d there", length, len(content)-8)
	}
	entries, names, metadata, err := decodeSafetensorsHeader(content[8 : 8+length])
	if err != nil {
		return nil, fmt.Errorf("damaged safetensors header: %w", err)
	}
	data := content[8+length:]
	if err := checkLayout(entries, names, len(data)); err != nil {
		return nil, err
	}
	file := &TensorFile{Metadata: metadata}
	for i, entry := range entries {
		t, err := decodeValues(entry.DType, data[entry.Offsets[0]:entry.Offsets[1]])
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", names[i], err)
		}
		t.Name, t.Shape = names[i], entry.Shape
		file.Tensors = append(file.Tensors, t)
	}
	return file, nil
}

// decodeSafetensorsHeader keeps the order of the file and rejects a name that
// comes twice, which decoding into a map would hide.
func decodeSafetensorsHeader(text []byte) (entries []safetensorsEntry, names []string, metadata map[string]string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, nil, nil, errors.New("it is no JSON object")
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, nil, nil, err
		}
		name, isName := token.(string)
		if !isName {
			return nil, nil, nil, fmt.Errorf("%v is no tensor name", token)
		}
		if seen[name] {
			return nil, nil, nil, fmt.Errorf("tensor %s comes twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := decoder.Decode(&metadata); err != nil {
				return nil, nil, nil, err
			}
			continue
		}
		var entry safetensorsEntry
		if err := decoder.Decode(&entry); err != nil {
			return nil, nil, nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		entries, names = append(entries, entry), append(names, name)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, nil, nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, nil, nil, errors.New("more follows the JSON object")
	}
	return entries, names, metadata, nil
}

// checkLayout accepts tensors that fill the data without gap or overlap.
func checkLayout(entries []safetensorsEntry, names []string, available int) error {
	order := make([]int, len(entries))
	for i, entry := range entries {
		order[i] = i
		size, known := safetensorsTypeSize[entry.DType]
		if !known {
			return fmt.Errorf("tensor %s: values of type %q are not supported", names[i], entry.DType)
		}
		for _, n := range entry.Shape {
			if n < 0 || n > math.MaxInt32 || (n > 0 && size > math.MaxInt/n) {
				return fmt.Errorf("tensor %s: impossible shape %v", names[i], entry.Shape)
			}
			size *= n
		}
		lo, hi := entry.Offsets[0], entry.Offsets[1]
		switch {
		case lo < 0 || hi < lo || hi-lo != size:
			return fmt.Errorf("tensor %s: bytes %d to %d do not hold %s values of %s", names[i], lo, hi, shapeText(entry.Shape), entry.DType)
		case hi > available:
			return fmt.Errorf("cut off: tensor %s needs %d bytes of values, %d are there", names[i], hi, available)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return entries[a].Offsets[0] - entries[b].Offsets[0] })
	end := 0
	for _, i := range order {
		switch lo, hi := entries[i].Offsets[0], entries[i].Offsets[1]; {
		case lo == hi: // an empty tensor lies anywhere
		case lo < end:
			return fmt.Errorf("tensor %s overlaps another", names[i])
		case lo > end:
			return fmt.Errorf("%d bytes before tensor %s belong to no tensor", lo-end, names[i])
		default:
			end = hi
		}
	}
	if end != available {
		return fmt.Errorf("%d bytes after the last tensor belong to no tensor", available-end)
	}
	return nil
}

// decodeValues turns little-endian values of a type into float32 or int32.
func decodeValues(dtype string, data []byte) (Tensor, error) {
	var t Tensor
	count := len(data) / safetensorsTypeSize[dtype]
	little := binary.LittleEndian
	switch dtype {
	case "F64", "F32", "F16", "BF16":
		t.F32 = make([]float32, count)
	default:
		t.I32 = make([]int32, count)
	}
	for i := range count {
		switch dtype {
		case "F64":
			t.F32[i] = float32(math.Float64frombits(little.Uint64(data[8*i:])))
		case "F32":
			t.F32[i] = math.Float32frombits(little.Uint32(data[4*i:]))
		case "F16":
			t.F32[i] = halfToFloat(little.Uint16(data[2*i:]))
		case "BF16":
			t.F32[i] = math.Float32frombits(uint32(little.Uint16(data[2*i:])) << 16)
		case "I64":
			v := int64(little.Uint64(data[8*i:]))
			if v != int64(int32(v)) {
				return t, fmt.Errorf("value %d at index %d does not fit int32", v, i)
			}
			t.I32[i] = int32(v)
		case "I32":
			t.I32[i] = int32(little.Uint32(data[4*i:]))
		case "I16":
			t.I32[i] = int32(int16(little.Uint16(data[2*i:])))
		case "I8":
			t.I32[i] = int32(int8(data[i]))
		case "U8":
			t.I32[i] = int32(data[i])
		}
	}
	return t, nil
}

// halfToFloat widens an IEEE 754 binary16.
func halfToFloat(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent, fraction := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero or subnormal: fraction * 2^-24
		v := float32(fraction) * 0x1p-24
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// saveSafetensors writes a file atomically.
func saveSafetensors(path string, tensors []Tensor, metadata map[string]string) error {
	return writeAtomically(path, func(w *bufio.Writer) error { return WriteSafetensors(w, tensors, metadata) })
}
