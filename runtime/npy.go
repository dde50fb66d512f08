package runtime

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// npyMagic begins every .npy file; two version bytes and the header follow.
const npyMagic = "\x93NUMPY"

// npyTypes are the element types that are read, by NumPy's name, and the
// safetensors type of the same bytes.
var npyTypes = map[string]string{
	"<f4": "F32", "<f8": "F64", "<f2": "F16",
	"<i4": "I32", "<i8": "I64", "<i2": "I16",
	"|i1": "I8", "|u1": "U8", "<i1": "I8", "<u1": "U8",
}

// ReadNPY reads a .npy file of version 1, 2 or 3 in C order. Floats become
// float32; integers become int32, an error where a value does not fit.
func ReadNPY(path string) (Tensor, error) {
	file, err := os.Open(path)
	if err != nil {
		return Tensor{}, err
	}
	defer file.Close()
	t, err := DecodeNPY(bufio.NewReader(file))
	if err != nil {
		return Tensor{}, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// DecodeNPY reads an array and checks that nothing follows it.
func DecodeNPY(r io.Reader) (Tensor, error) {
	var start [8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil || string(start[:6]) != npyMagic {
		return Tensor{}, errors.New("not a .npy file")
	}
	var length uint32
	switch version := start[6]; version {
	case 1:
		var short uint16
		if err := binary.Read(r, binary.LittleEndian, &short); err != nil {
			return Tensor{}, errors.New("cut off in the header")
		}
		length = uint32(short)
	case 2, 3:
		if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
			return Tensor{}, errors.New("cut off in the header")
		}
	default:
		return Tensor{}, fmt.Errorf(".npy version %d is not supported; versions 1 to 3 are", version)
	}
	if length > 1<<20 {
		return Tensor{}, fmt.Errorf("header of %d bytes: the file is damaged", length)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(r, header); err != nil {
		return Tensor{}, errors.New("cut off in the header")
	}
	description, err := parseNPYHeader(string(header))
	if err != nil {
		return Tensor{}, fmt.Errorf("damaged .npy header: %w", err)
	}
	dtype, known := npyTypes[description.descr]
	switch {
	case strings.HasPrefix(description.descr, ">"):
		return Tensor{}, fmt.Errorf("big-endian values (%s): save them little-endian, with array.astype('<f4')", description.descr)
	case !known:
		return Tensor{}, fmt.Errorf("values of type %s are not supported: save them as float32, int32 or int64", description.descr)
	case description.fortran:
		return Tensor{}, errors.New("the array is in Fortran order: save numpy.ascontiguousarray(array)")
	}
	size := safetensorsTypeSize[dtype]
	for _, n := range description.shape {
		if n > 0 && size > math.MaxInt/2/n {
			return Tensor{}, fmt.Errorf("impossible shape %v", description.shape)
		}
		size *= n
	}
	var data bytes.Buffer
	n, err := data.ReadFrom(io.LimitReader(r, int64(size)+1))
	switch {
	case err != nil:
		return Tensor{}, err
	case n < int64(size):
		return Tensor{}, fmt.Errorf("cut off: %s values of %s need %d bytes, %d are there", shapeText(description.shape), description.descr, size, n)
	case n > int64(size):
		return Tensor{}, fmt.Errorf("more than the %d bytes that %s values of %s need", size, shapeText(description.shape), description.descr)
	}
	t, err := decodeValues(dtype, data.Bytes())
	t.Shape = description.shape
	return t, err
}

type npyHeader struct {
	descr   string
	fortran bool
	shape   []int
}

// parseNPYHeader reads the Python dictionary of a header, such as
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
func parseNPYHeader(text string) (npyHeader, error) {
	var header npyHeader
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "{")
	if !ok {
		return header, errors.New("no dictionary")
	}
	seen := map[string]bool{}
	for {
		rest = strings.TrimLeft(rest, ", \t\n")
		if rest == "}" {
			break
		}
		var key string
		var err error
		if key, rest, err = npyString(rest); err != nil {
			return header, err
		}
		if rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), ":"); !ok {
			return header, fmt.Errorf("no value for %s", key)
		}
		rest = strings.TrimLeft(rest, " ")
		switch key {
		case "descr":
			if header.descr, rest, err = npyString(rest); err != nil {
				return header, errors.New("records are not supported, only plain arrays")
			}
		case "fortran_order":
			if after, isTrue := strings.CutPrefix(rest, "True"); isTrue {
				header.fortran, rest = true, after
			} else if rest, ok = strings.CutPrefix(rest, "False"); !ok {
				return header, errors.New("fortran_order is neither True nor False")
			}
		case "shape":
			if header.shape, rest, err = npyShape(rest); err != nil {
				return header, err
			}
		default:
			return header, fmt.Errorf("unknown key %s", key)
		}
		seen[key] = true
	}
	if len(seen) != 3 {
		return header, errors.New("descr, fortran_order or shape is missing")
	}
	return header, nil
}

// npyString takes a quoted string off the front.
func npyString(text string) (value, rest string, err error) {
	if text == "" || (text[0] != '\'' && text[0] != '"') {
		return "", text, errors.New("a quoted string is missing")
	}
	end := strings.IndexByte(text[1:], text[0])
	if end < 0 {
		return "", text, errors.New("a quote is not closed")
	}
	return text[1 : 1+end], text[end+2:], nil
}

// npyShape takes a tuple of axis lengths off the front.
func npyShape(text string) (shape []int, rest string, err error) {
	end := strings.IndexByte(text, ')')
	if !strings.HasPrefix(text, "(") || end < 0 {
		return nil, text, errors.New("shape is no tuple")
	}
	shape = []int{}
	for axis := range strings.SplitSeq(text[1:end], ",") {
		axis = strings.TrimSuffix(strings.TrimSpace(axis), "L") // Python 2 wrote 3L
		if axis == "" {
			continue
		}
		n, err := strconv.ParseInt(axis, 10, 32)
		if err != nil || n < 0 {
			return nil, text, fmt.Errorf("axis %q is no length", axis)
		}
		shape = append(shape, int(n))
	}
	if len(shape) > 32 {
		return nil, text, fmt.Errorf("%d axes", len(shape))
	}
	return shape, text[end+1:], nil
}

// WriteNPY writes a tensor as a .npy file of version 1: float32 or int32,
// little-endian, in C order.
func WriteNPY(path string, t Tensor) error {
	return writeAtomically(path, func(w *bufio.Writer) error { return EncodeNPY(w, t) })
}

// EncodeNPY writes a tensor in the .npy format.
func EncodeNPY(w io.Writer, t Tensor) error {
	if count := len(t.F32) + len(t.I32); count != elements(t.Shape) {
		return fmt.Errorf("tensor %s: %d values for a shape of %s", t.Name, count, shapeText(t.Shape))
	}
	descr := "<f4"
	if t.I32 != nil {
		descr = "<i4"
	}
	var shape strings.Builder
	for _, n := range t.Shape {
		fmt.Fprintf(&shape, "%d,", n) // a tuple of one needs its comma
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape.String())
	// The values start at a multiple of 64 bytes, and the header ends a line.
	const before = len(npyMagic) + 4
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	start := binary.LittleEndian.AppendUint16([]byte(npyMagic+"\x01\x00"), uint16(len(header)))
	if _, err := w.Write(append(start, header...)); err != nil {
		return err
	}
	return writeValues(w, t)
}
