//go:build linux && !nocuda

package cuda_test

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	emitted "netc/codegen/cuda"
	"netc/codegen/cuda/emulate"
	"netc/runtime"
	"netc/runtime/cuda"
	"netc/runtime/cuda/cudatest"
	"netc/runtime/cuda/dl"
)

// pictures are three images of two channels, 4 x 5, of which 3 x 2 are cut out.
func pictures(floats bool) *runtime.Images {
	split := &runtime.Split{N: 3, Shape: []int{2, 4, 5}, Labels: []int32{0, 1, 2}}
	images := &runtime.Images{Split: split, CropHeight: 3, CropWidth: 2, Mean: []float32{0.3, -7}, Scale: 1.0 / 3}
	for i := range 3 * 2 * 4 * 5 {
		if floats {
			split.Floats = append(split.Floats, float32(i)*0.7)
		} else {
			split.Bytes = append(split.Bytes, byte(2*i))
		}
	}
	for c := range 2 {
		var table [256]float32
		for pixel := range table {
			table[pixel] = (float32(pixel) - images.Mean[c]) * images.Scale
		}
		images.Lookup = append(images.Lookup, table)
	}
	return images
}

// TestGather runs the kernel that makes batches, emulated, and compares with the
// loader's arithmetic bit by bit.
func TestGather(t *testing.T) {
	cuts := []int32{2, 0, 0, 0 /**/, 0, 1, 3, 1 /**/, 1, 0, 2, 1 /**/, 2, 1, 1, 0}
	const batch = 4
	for _, floats := range []bool{false, true} {
		images := pictures(floats)
		source := cuda.GatherSource("gather", batch, images)
		const out, set, values, where, end = 0, 1024, 4096, 8192, 9216
		stored := make([]byte, end)
		put := func(at int, numbers ...float32) {
			for i, x := range numbers {
				binary.LittleEndian.PutUint32(stored[at+4*i:], math.Float32bits(x))
			}
		}
		setBytes := copy(stored[set:], images.Bytes) + 4*len(images.Floats)
		put(set, images.Floats...)
		valueList := cuda.TransformValues(images)
		put(values, valueList...)
		for i, x := range cuts {
			binary.LittleEndian.PutUint32(stored[where+4*i:], uint32(x))
		}
		total := batch * 2 * 3 * 2
		launch := emitted.Launch{Kernel: "gather", Grid: [3]int{1, 1, 1}, Block: [3]int{256, 1, 1}, Args: []emitted.Arg{
			{Tensor: "out", Offset: out, Bytes: 4 * total, Written: true}, {Tensor: "images", Offset: set, Bytes: setBytes},
			{Tensor: "values", Offset: values, Bytes: 4 * len(valueList)}, {Tensor: "cuts", Offset: where, Bytes: 4 * len(cuts)},
		}}
		device, err := emulate.Compile(t.TempDir(), source, []emitted.Launch{launch})
		if errors.Is(err, emulate.ErrNoCompiler) {
			t.Skip(err)
		}
		check(t, err)
		check(t, device.Run(stored, []emitted.Launch{launch}, 3))
		for i := range total {
			x, y, c, n := i%2, i/2%3, i/6%2, i/12
			cut := cuts[4*n:]
			if cut[3] != 0 {
				x = 1 - x
			}
			at := ((int(cut[0])*2+c)*4+int(cut[1])+y)*5 + int(cut[2]) + x
			want := float32(0)
			if floats {
				want = (images.Floats[at] - images.Mean[c]) * images.Scale
			} else {
				want = images.Lookup[c][images.Bytes[at]]
			}
			if got := math.Float32frombits(binary.LittleEndian.Uint32(stored[out+4*i:])); got != want {
				t.Fatalf("floats %v: element %d is %v, want %v", floats, i, got, want)
			}
		}
	}
}

// single are the images of newTiny's network: one pixel each.
func single() *runtime.Images {
	return &runtime.Images{Split: &runtime.Split{N: 6, Shape: []int{1, 1, 1}, Bytes: []byte{1, 2, 3, 4, 5, 6}}, CropHeight: 1, CropWidth: 1,
		Lookup: make([][256]float32, 1), Mean: []float32{0}, Scale: 1}
}

// TestKeep: a phase whose images are kept is fed with cuts, uploads nothing else,
// and gathers its batch in its graph; where there is no room, it stays as it is.
func TestKeep(t *testing.T) {
	n := newTiny()
	e, fake := open(t, n)
	keeper := e.(runtime.Keeper)
	fake.Memory(6)
	fake.Calls()
	why, err := keeper.Keep(&n.Train, 0, single())
	if err != nil || !strings.Contains(why, "room for 0 on Fake GPU 0") {
		t.Errorf("without memory: %q, %v", why, err)
	}
	if calls := fake.Calls(); calls != "cuMemGetInfo_v2\n" {
		t.Errorf("without memory there are calls\n%s", calls)
	}
	fake.Memory(1 << 30)
	fake.Fail("cuMemAlloc_v2", 2, 0)
	if why, err = keeper.Keep(&n.Train, 0, single()); err != nil || !strings.Contains(why, "cuMemAlloc") {
		t.Errorf("with memory that is not to be had: %q, %v", why, err)
	}
	fake.Calls()
	why, err = keeper.Keep(&n.Train, 0, single())
	if err != nil || why != "" {
		t.Fatalf("%q, %v", why, err)
	}
	calls := fake.Calls()
	for _, want := range []string{" 6 stream 1\n", "cuModuleGetFunction 3 netc_gather_train\n",
		"cuLaunchKernel netc_gather_train grid 1 1 1 block 256 1 1 shared 0 stream 1 extra 0 (dev1+256 dev"} {
		if strings.Count(calls, want) == 0 {
			t.Errorf("keeping calls\n%swant in it %q", calls, want)
		}
	}
	inputs, err := e.Feed(&n.Train)
	check(t, err)
	if len(inputs) != 1 || inputs[0].F32 != nil || len(inputs[0].I32) != runtime.CutNumbers*n.Train.Batch {
		t.Errorf("it is fed %+v", inputs)
	}
	if inputs, err = e.Feed(&n.Test); err != nil || len(inputs[0].F32) != 4 {
		t.Errorf("the other phase is fed %+v, %v", inputs, err)
	}
	check(t, e.Start(&n.Train))
	_, err = e.Losses(nil, true)
	check(t, err)
	check(t, e.Close())
	if live := fake.Live(); live != 0 {
		t.Errorf("%d allocations were not freed", live)
	}
}

// TestKeepFailures lets each call that keeping makes fail in turn.
func TestKeepFailures(t *testing.T) {
	for _, symbol := range cudatest.Symbols() {
		n := newTiny()
		e, fake := open(t, n)
		fake.Calls()
		_, err := e.(runtime.Keeper).Keep(&n.Train, 0, single())
		check(t, err)
		used := strings.Contains(fake.Calls(), symbol)
		check(t, e.Close())
		n = newTiny()
		e, err = cuda.Open(&n.Program, n.network, libraries)
		check(t, err)
		fake.Fail(symbol, 77, 0)
		_, err = e.(runtime.Keeper).Keep(&n.Train, 0, single())
		if used != (err != nil) || used && !strings.Contains(err.Error(), "FAKE_ERROR_77") {
			t.Errorf("%s failing gives %v", symbol, err)
		}
		fake.Calls()
		_ = e.Close() // a capture that could not be ended stays
		if live := fake.Live(); live != 0 && !strings.HasPrefix(symbol, "cuMemFree") {
			t.Errorf("%s failing leaves %d allocations", symbol, live)
		}
	}
}

// TestGatherCompiles holds the kernel against NVIDIA's compiler.
func TestGatherCompiles(t *testing.T) {
	t.Setenv(dl.PathVariable, cudatest.NVIDIAFolder(t, "lib*/libnvrtc.so.*"))
	c, err := dl.OpenCompiler(13000)
	check(t, err)
	for _, floats := range []bool{false, true} {
		_, err := c.Compile(cuda.GatherSource("gather", 128, pictures(floats)), "gather.cu", []string{"--gpu-architecture=sm_80"})
		check(t, err)
	}
}
