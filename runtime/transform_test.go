package runtime

import (
	"slices"
	"testing"
)

// twoChannels is one 2x3x3 image, 0 to 17, and the same negated as floats.
func twoChannels() (bytes, floats *Split) {
	bytes = &Split{N: 1, Shape: []int{2, 3, 3}, Labels: []int32{4}}
	floats = &Split{N: 1, Shape: []int{2, 3, 3}, Labels: []int32{5}}
	for i := range 18 {
		bytes.Bytes = append(bytes.Bytes, byte(i))
		floats.Floats = append(floats.Floats, -float32(i))
	}
	return bytes, floats
}

func loaded(t *testing.T, split *Split, config DataConfig, training bool, places int) []float32 {
	t.Helper()
	size := 3
	if config.CropSize > 0 {
		size = config.CropSize
	}
	phase := &Phase{Batch: places, Inputs: []Tensor{
		{Name: "label", Shape: []int{places}, I32: make([]int32, places)},
		{Name: "data", Shape: []int{places, 2, size, size}, F32: make([]float32, places*2*size*size)},
	}}
	l, err := newLoader(phase, split, config, training, 1)
	if err != nil {
		t.Fatal(err)
	}
	pool := NewPool(2)
	defer pool.Close()
	chosen := make([]int32, places)
	l.load(pool, phase.Inputs, chosen, 0)
	if n := testing.AllocsPerRun(20, func() { l.load(pool, phase.Inputs, chosen, 0) }); n != 0 {
		t.Errorf("loading a batch allocates %v times", n)
	}
	if phase.Inputs[0].I32[places-1] != split.Labels[0] {
		t.Errorf("label %d", phase.Inputs[0].I32[places-1])
	}
	return phase.Inputs[1].F32
}

func TestTransformOrder(t *testing.T) {
	bytes, floats := twoChannels()
	for _, c := range []struct {
		name   string
		split  *Split
		config DataConfig
		want   []float32 // of the first row of each channel
	}{
		{"as it is", bytes, DataConfig{}, []float32{0, 1, 2, 9, 10, 11}},
		{"scale", bytes, DataConfig{Scale: 0.5}, []float32{0, 0.5, 1, 4.5, 5, 5.5}},
		{"one mean, then scale", bytes, DataConfig{Scale: 2, MeanValue: []float64{1}}, []float32{-2, 0, 2, 16, 18, 20}},
		{"two means", bytes, DataConfig{MeanValue: []float64{1, 10}}, []float32{-1, 0, 1, -1, 0, 1}},
		{"floats", floats, DataConfig{Scale: 2, MeanValue: []float64{1, 2}}, []float32{-2, -4, -6, -22, -24, -26}},
		{"no mirror in tests", bytes, DataConfig{Mirror: true}, []float32{0, 1, 2, 9, 10, 11}},
	} {
		got := loaded(t, c.split, c.config, false, 1)
		if rows := slices.Concat(got[0:3], got[9:12]); !slices.Equal(rows, c.want) {
			t.Errorf("%s: %v, want %v", c.name, rows, c.want)
		}
	}
}

func TestCropAndMirror(t *testing.T) {
	split, _ := twoChannels()
	if got := loaded(t, split, DataConfig{CropSize: 1}, false, 1); got[0] != 4 || got[1] != 13 {
		t.Errorf("middle crop %v", got)
	}
	// Every corner and both directions come up in training, and channels move together.
	seen := map[[2]float32]int{}
	got := loaded(t, split, DataConfig{CropSize: 2, Mirror: true}, true, 400)
	for place := range 400 {
		image := got[place*8 : place*8+8]
		if image[4] != image[0]+9 || image[2] != image[0]+3 {
			t.Fatalf("image %v is not cut from one place", image)
		}
		seen[[2]float32{image[0], image[1]}]++
	}
	if len(seen) != 8 {
		t.Errorf("%d of 4 corners in 2 directions: %v", len(seen), seen)
	}
	for start, count := range seen {
		if count < 20 {
			t.Errorf("rows %v came %d times in 400", start, count)
		}
	}
}

func TestInputsThatFit(t *testing.T) {
	split, _ := twoChannels()
	for _, c := range []struct {
		inputs []Tensor
		fits   bool
	}{
		{[]Tensor{{Name: "data", Shape: []int{1, 18}, F32: make([]float32, 18)}}, true},
		{[]Tensor{{Name: "data", Shape: []int{1, 2, 1, 3, 3}, F32: make([]float32, 18)}}, true},
		{[]Tensor{{Name: "data", Shape: []int{1, 3, 3, 2}, F32: make([]float32, 18)}}, false},
		{[]Tensor{{Name: "data", Shape: []int{1, 9}, F32: make([]float32, 9)}}, false},
		{[]Tensor{{Name: "label", Shape: []int{1, 2}, I32: make([]int32, 2)}}, false},
		{[]Tensor{{Name: "label", Shape: []int{1, 1}, I32: make([]int32, 1)}, {Name: "second", Shape: []int{1}, I32: make([]int32, 1)}}, false},
	} {
		_, err := newLoader(&Phase{Batch: 1, Inputs: c.inputs}, split, DataConfig{}, false, 1)
		if (err == nil) != c.fits {
			t.Errorf("inputs %v: %v", c.inputs, err)
		}
	}
}

// TestCuts: what a loader tells a device to cut out is what it would load.
func TestCuts(t *testing.T) {
	const batch = 50
	split, _ := twoChannels()
	phase := &Phase{Batch: batch, Inputs: []Tensor{
		{Name: "data", Shape: []int{batch, 2, 2, 2}, F32: make([]float32, batch*2*2*2)},
		{Name: "label", Shape: []int{batch}, I32: make([]int32, batch)},
	}}
	l, err := newLoader(phase, split, DataConfig{CropSize: 2, Mirror: true, Scale: 0.3, MeanValue: []float64{7}}, true, 1)
	if err != nil {
		t.Fatal(err)
	}
	pool := NewPool(1)
	defer pool.Close()
	chosen := make([]int32, batch)
	l.load(pool, phase.Inputs, chosen, 3)
	keeper := &keeperOf{Executor: NewExecutor(&Program{}, pool)}
	if err := l.keep(phase, keeper, nil); err != nil || keeper.input != 0 || keeper.images != &l.Images {
		t.Fatalf("kept input %d, %v", keeper.input, err)
	}
	cuts := make([]int32, CutNumbers*batch)
	labels := make([]int32, batch)
	l.load(pool, []Tensor{{I32: cuts}, {I32: labels}}, chosen, 3)
	if !slices.Equal(labels, phase.Inputs[1].I32) {
		t.Errorf("labels %v", labels)
	}
	for i, got := range phase.Inputs[0].F32 {
		x, y, c, n := i%2, i/2%2, i/4%2, i/8
		cut := cuts[CutNumbers*n:]
		if cut[3] != 0 {
			x = 1 - x
		}
		pixel := split.Bytes[((int(cut[0])*2+c)*3+int(cut[1])+y)*3+int(cut[2])+x]
		if want := l.Lookup[c][pixel]; got != want {
			t.Fatalf("element %d is %v, and by its cut %v", i, got, want)
		}
	}
	l.kept, keeper.why = false, "no room"
	if err := l.keep(phase, keeper, nil); err != nil || l.kept {
		t.Errorf("kept without room: %v", err)
	}
}

// keeperOf notes what it is to keep.
type keeperOf struct {
	Executor
	why    string
	input  int
	images *Images
}

func (k *keeperOf) Keep(_ *Phase, input int, images *Images) (string, error) {
	k.input, k.images = input, images
	return k.why, nil
}
