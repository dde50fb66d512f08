package runtime

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// tinyNetwork is a program written by hand as netc would emit it: logistic
// regression on 2x2 images with dropout on the input, trained by SGD with
// momentum. The setup of its test phase copies w and b over the gradients of
// training.
//
//	z[n] = b + sum over i of w[i] * x[n,i] * mask[n,i] / keep
//	loss = mean over n of log(1 + exp(-(2 label - 1) z))
type tinyNetwork struct {
	Program
	onStep func(batch int) // called before each training batch
	setups int             // how often the setup of the test phase was computed
}

func newTinyNetwork(batch, accumulate int) *tinyNetwork {
	const pixels, keep = 4, 0.75
	testBatch := 8
	arena := NewArena(1 << 14)
	offset := 0
	f32 := func(name string, shape ...int) Tensor {
		t := Tensor{Name: name, Shape: shape, F32: arena.F32(offset, elements(shape))}
		offset += 64 * ((4*elements(shape) + 63) / 64)
		return t
	}
	i32 := func(name string, shape ...int) Tensor {
		t := Tensor{Name: name, Shape: shape, I32: arena.I32(offset, elements(shape))}
		offset += 64 * ((4*elements(shape) + 63) / 64)
		return t
	}
	w, b := f32("ip.weight", 1, pixels), f32("ip.bias", 1)
	h, gradient := f32("history", pixels+1), f32("gradient", pixels+1)
	x, label := f32("data", batch, 1, 2, 2), i32("label", batch)
	z, losses, loss := f32("ip", batch), f32("losses", batch), f32("loss")
	wGrad := f32("ip.weight.grad", 1, pixels)
	testX, testLabel := f32("data", testBatch, 1, 2, 2), i32("label", testBatch)
	keptW, keptB := wGrad.F32, f32("kept", 1).F32
	testZ, testLoss, accuracy := f32("ip", testBatch), f32("loss"), f32("accuracy")
	rate, iteration, seed := f32("rate", 1), i32("iteration", 1), i32("seed", 1)

	sign := func(label int32) float64 { return float64(2*label - 1) }
	n := &tinyNetwork{}
	n.Program = Program{
		Name: "tiny", ISA: "portable", ArenaBytes: arena.Bytes(), Arena: arena,
		Parameters: []Parameter{
			{Tensor: w, Fill: Filler{Kind: "gaussian", Std: 0.1}},
			{Tensor: b, Fill: Filler{Kind: "constant"}},
		},
		State: []Tensor{h, gradient},
		Rate:  rate.F32, Iteration: iteration.I32, Seed: seed.I32,
		Config: Config{
			Data:   DataConfig{Source: "digits", Scale: 1. / 256, Shuffle: true},
			Train:  TrainConfig{Batch: batch, Iterations: 40, Display: 7},
			Test:   TestConfig{Batch: testBatch, Interval: 15},
			Solver: SolverConfig{Type: "SGD", Rate: 0.5, Policy: "inv", Gamma: 0.01, Power: 0.75, Momentum: 0.9, Accumulate: accumulate},
			Expect: []Expect{{Key: "test.accuracy", Want: ">= 0.9"}, {Key: "train.loss", Want: "< 9"}},
		},
	}
	mask := func(sample, i int) float64 {
		if Uniform(seed.I32[0], iteration.I32[0], 3, sample*pixels+i) < keep {
			return 1. / keep
		}
		return 0
	}
	n.Train = Phase{
		Arena: arena, Batch: batch, Inputs: []Tensor{x, label}, Classes: []int{0, 2}, Outputs: []Tensor{loss}, Loss: loss.F32, Tensors: []Tensor{z, losses, wGrad},
		Schedule: []Launch{
			{Kernel: "forward", Layers: "ip + loss", Pass: "forward", MultiplyAdds: batch * pixels, Bytes: 4 * (batch*(pixels+3) + pixels + 1), Tasks: batch, Run: func(lo, hi int) {
				if n.onStep != nil && lo == 0 {
					n.onStep(int(iteration.I32[0]))
				}
				for s := lo; s < hi; s++ {
					sum := float64(b.F32[0])
					for i := range pixels {
						sum += float64(w.F32[i]) * float64(x.F32[s*pixels+i]) * mask(s, i)
					}
					z.F32[s] = float32(sum)
					losses.F32[s] = float32(math.Log1p(math.Exp(-sign(label.I32[s]) * sum)))
				}
			}},
			{Kernel: "meanLoss", Layers: "loss", Pass: "forward", Operations: batch + 1, Bytes: 4 * (batch + 1), Tasks: 1, Run: func(lo, hi int) {
				sum := 0.0
				for _, v := range losses.F32 {
					sum += float64(v)
				}
				loss.F32[0] = float32(sum / float64(batch))
			}},
			{Kernel: "backward", Layers: "ip", Pass: "backward", MultiplyAdds: batch * pixels, Bytes: 4 * (batch*(pixels+2) + 3*pixels + 2), Tasks: pixels + 1, Run: func(lo, hi int) {
				for i := lo; i < hi; i++ {
					sum := 0.0
					for s := range batch {
						y := sign(label.I32[s])
						slope := -y / (1 + math.Exp(y*float64(z.F32[s]))) / float64(batch)
						if i < pixels {
							slope *= float64(x.F32[s*pixels+i]) * mask(s, i)
						}
						sum += slope
					}
					gradient.F32[i] += float32(sum)
					if i < pixels {
						wGrad.F32[i] = float32(sum)
					}
				}
			}},
		},
	}
	n.Update = Phase{Arena: arena, Schedule: []Launch{{Kernel: "update", Pass: "update", Operations: 4 * (pixels + 1), Bytes: 4 * 6 * (pixels + 1), Tasks: pixels + 1, Run: func(lo, hi int) {
		for i := lo; i < hi; i++ {
			h.F32[i] = 0.9*h.F32[i] + rate.F32[0]*gradient.F32[i]/float32(accumulate)
			gradient.F32[i] = 0
			if i < pixels {
				w.F32[i] -= h.F32[i]
			} else {
				b.F32[0] -= h.F32[i]
			}
		}
	}}}}
	n.Test = Phase{
		Arena: arena, Batch: testBatch, Inputs: []Tensor{testX, testLabel}, Classes: []int{0, 2}, Outputs: []Tensor{testLoss, accuracy}, Loss: testLoss.F32, Tensors: []Tensor{testZ},
		Setup: []Launch{{Kernel: "keep", Layers: "ip", Pass: "forward", Bytes: 4 * 2 * (pixels + 1), Tasks: 1, Run: func(lo, hi int) {
			n.setups++
			copy(keptW, w.F32)
			copy(keptB, b.F32)
		}}},
		Schedule: []Launch{{Kernel: "test", Layers: "ip + loss + accuracy", Pass: "forward", MultiplyAdds: testBatch * pixels, Bytes: 4 * (testBatch*(pixels+2) + pixels + 3), Tasks: 1, Run: func(lo, hi int) {
			sum, right := 0.0, 0
			for s := range testBatch {
				v := float64(keptB[0])
				for i := range pixels {
					v += float64(keptW[i]) * float64(testX.F32[s*pixels+i])
				}
				testZ.F32[s] = float32(v)
				sum += math.Log1p(math.Exp(-sign(testLabel.I32[s]) * v))
				if v*sign(testLabel.I32[s]) > 0 {
					right++
				}
			}
			testLoss.F32[0] = float32(sum / float64(testBatch))
			accuracy.F32[0] = float32(right) / float32(testBatch)
		}}},
	}
	return n
}

// tinySplit makes 2x2 images whose label says whether the left column is
// brighter than the right.
func tinySplit(samples int, key uint64) *Split {
	s := &Split{N: samples, Shape: []int{1, 2, 2}}
	for i := range samples {
		label := int32(i % 2)
		for p := range 4 {
			pixel := byte(below(random64(key, uint64(4*i+p)), 100))
			if (p%2 == 0) == (label == 1) {
				pixel += 100
			}
			s.Bytes = append(s.Bytes, pixel)
		}
		s.Labels = append(s.Labels, label)
	}
	return s
}

func tinyDataset() *Dataset {
	return &Dataset{Name: "tiny", Train: tinySplit(50, 1), Test: tinySplit(21, 2)}
}

// idxFile encodes an IDX file of bytes.
func idxFile(data []byte, shape ...int) []byte {
	file := []byte{0, 0, idxUint8, byte(len(shape))}
	for _, n := range shape {
		file = binary.BigEndian.AppendUint32(file, uint32(n))
	}
	return append(file, data...)
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return zipped.Bytes()
}

func writeFile(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o666); err != nil {
		t.Fatal(err)
	}
}

// tinyFolder writes the tiny data set in MNIST's form.
func tinyFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	set := tinyDataset()
	for prefix, split := range map[string]*Split{"train": set.Train, "t10k": set.Test} {
		labels := make([]byte, split.N)
		for i, label := range split.Labels {
			labels[i] = byte(label)
		}
		writeFile(t, folder, prefix+"-images-idx3-ubyte.gz", gzipped(t, idxFile(split.Bytes, split.N, 2, 2)))
		writeFile(t, folder, prefix+"-labels-idx1-ubyte", idxFile(labels, split.N))
	}
	writeFile(t, folder, "dataset.json", []byte(`{"name": "tiny", "generated": true, "note": "for tests"}`))
	return folder
}

// choiceOf is a network that is there already, in plain Go.
func choiceOf(n *tinyNetwork) Choice {
	return Choice{Name: n.Name, ISAs: []string{isaPortable}, Build: func(string) *Program { return &n.Program }}
}
