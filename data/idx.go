package data

import (
	"compress/gzip"
	"encoding/binary"
	"os"
)

// writeIDX writes bytes of a shape as a gzip-compressed IDX file, the format of
// MNIST's files.
func writeIDX(path string, values []byte, shape ...int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	header := []byte{0, 0, 8, byte(len(shape))} // 8: unsigned bytes
	for _, n := range shape {
		header = binary.BigEndian.AppendUint32(header, uint32(n))
	}
	zipped := gzip.NewWriter(file)
	for _, part := range [][]byte{header, values} {
		if _, err := zipped.Write(part); err != nil {
			return err
		}
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	return file.Close()
}
