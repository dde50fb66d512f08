package oracle

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"netc/runtime"
)

// TestReadsNPY writes arrays with gorgonia and reads them with the runtime.
func TestReadsNPY(t *testing.T) {
	for _, c := range []struct {
		name  string
		array *tensor.Dense
		want  runtime.Tensor
	}{
		{"float32 vector", tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{1, -2.5, float32(math.Inf(1))})),
			runtime.Tensor{Shape: []int{3}, F32: []float32{1, -2.5, float32(math.Inf(1))}}},
		{"float32 image", tensor.New(tensor.WithShape(1, 2, 1, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6})),
			runtime.Tensor{Shape: []int{1, 2, 1, 3}, F32: []float32{1, 2, 3, 4, 5, 6}}},
		{"float64", tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{0.1, 2, 3, 4})),
			runtime.Tensor{Shape: []int{2, 2}, F32: []float32{0.1, 2, 3, 4}}},
		{"int32", tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]int32{-1, 2, math.MaxInt32, math.MinInt32})),
			runtime.Tensor{Shape: []int{2, 2}, I32: []int32{-1, 2, math.MaxInt32, math.MinInt32}}},
		{"int64", tensor.New(tensor.WithShape(3), tensor.WithBacking([]int64{-1, 2, 9})),
			runtime.Tensor{Shape: []int{3}, I32: []int32{-1, 2, 9}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var file bytes.Buffer
			must(0, c.array.WriteNpy(&file))
			path := filepath.Join(t.TempDir(), "array.npy")
			must(0, os.WriteFile(path, file.Bytes(), 0o666))
			got, err := runtime.ReadNPY(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Shape, c.want.Shape) || !slices.Equal(got.F32, c.want.F32) || !slices.Equal(got.I32, c.want.I32) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestWritesNPY writes arrays with the runtime and reads them with gorgonia.
func TestWritesNPY(t *testing.T) {
	for _, c := range []struct {
		array runtime.Tensor
		want  any
	}{
		{runtime.Tensor{Shape: []int{3}, F32: []float32{1, -2.5, 1e-38}}, []float32{1, -2.5, 1e-38}},
		{runtime.Tensor{Shape: []int{2, 1, 1, 3}, F32: []float32{1, 2, 3, 4, 5, 6}}, []float32{1, 2, 3, 4, 5, 6}},
		{runtime.Tensor{Shape: []int{2, 2}, I32: []int32{-1, 2, 3, math.MinInt32}}, []int32{-1, 2, 3, math.MinInt32}},
	} {
		t.Run(fmt.Sprint(c.array.Shape), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "array.npy")
			must(0, runtime.WriteNPY(path, c.array))
			file := must(os.Open(path))
			defer file.Close()
			var got tensor.Dense
			if err := got.ReadNpy(file); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Shape(), c.array.Shape) || fmt.Sprint(got.Data()) != fmt.Sprint(c.want) {
				t.Errorf("got %v of shape %v, want %v", got.Data(), got.Shape(), c.want)
			}
		})
	}
}
