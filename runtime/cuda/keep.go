package cuda

import (
	"fmt"
	"strings"
	"unsafe"

	"netc/runtime"
)

// kept is a part of a data set on the device, and the kernel that takes a
// phase's batches out of it. Labels are not there: they go with the choice of
// the images, which has to be sent for every batch anyway.
type kept struct {
	input  int    // of the phase's Inputs
	images Memory // as the set has them
	values Memory // of the transform
	out    Memory // the input's place in the arena
	module Module
	kernel Function
	launch Launch
}

// spareShare is the part of the free memory that kept images leave: others on
// the GPU and the driver itself allocate too.
const spareShare = 0.1

// Keep copies images to the device, where they fit beside the arena, and makes
// the phase's batches from them.
func (e *Executor) Keep(which *runtime.Phase, input int, images *runtime.Images) (why string, err error) {
	p, err := e.phaseOf(which)
	if err != nil {
		return "", err
	}
	free, _, err := e.gpu.MemoryInfo()
	if err != nil {
		return "", err
	}
	const mebi = 1 << 20
	bytes := len(images.Bytes) + 4*len(images.Floats)
	if room := uint64(float64(free) * (1 - spareShare)); uint64(bytes) > room {
		return fmt.Sprintf("they take %d MiB, and there is room for %d on %s", bytes/mebi, room/mebi, e.gpu.name), nil
	}
	offset := e.program.Arena.Offset(addressOf(&p.Inputs[input]))
	if offset < 0 {
		return "", fmt.Errorf("input %s lies outside of the arena", p.Inputs[input].Name)
	}
	k := &kept{input: input, out: e.arena + Memory(offset)}
	if err := e.store(k, p, images); err != nil {
		_ = e.drop(k) // the first error says more
		if isCode(err, CodeOutOfMemory) {
			return err.Error(), nil
		}
		return "", err
	}
	if p.kept != nil {
		if err := e.drop(p.kept); err != nil {
			return "", err
		}
	}
	p.kept = k
	for i := range p.slots { // their graphs bring in what is fed
		s := &p.slots[i]
		if err := e.release(p, s); err != nil {
			return "", err
		}
		if err := e.closeSlot(s); err != nil {
			return "", err
		}
		if err := e.prepareSlot(p, s); err != nil {
			return "", err
		}
	}
	return "", nil
}

// store compiles the kernel and copies what it reads.
func (e *Executor) store(k *kept, p *phase, images *runtime.Images) (err error) {
	name := GatherName(p.name)
	source := GatherSource(name, p.Batch, images)
	if k.module, err = e.gpu.module(source, name+".cu", e.network.Options); err != nil {
		return err
	}
	threads := p.Batch * images.Shape[0] * images.CropHeight * images.CropWidth
	k.launch = Launch{Kernel: name, Layers: p.Inputs[k.input].Name, Grid: [3]int{(threads + gatherBlock - 1) / gatherBlock, 1, 1}, Block: [3]int{gatherBlock, 1, 1}}
	if k.kernel, err = e.gpu.Function(k.module, name); err != nil {
		return of(err, &k.launch)
	}
	values := transformValues(images)
	from, bytes := unsafe.Pointer(unsafe.SliceData(images.Floats)), 4*len(images.Floats)
	if images.Bytes != nil {
		from, bytes = unsafe.Pointer(unsafe.SliceData(images.Bytes)), len(images.Bytes)
	}
	for _, array := range []struct {
		to    *Memory
		from  unsafe.Pointer
		bytes int
	}{{&k.images, from, bytes}, {&k.values, unsafe.Pointer(&values[0]), 4 * len(values)}} {
		if *array.to, err = e.gpu.Alloc(array.bytes); err != nil {
			return err
		}
		if err := e.gpu.Upload(*array.to, array.from, array.bytes, e.compute); err != nil {
			return err
		}
	}
	return e.gpu.SynchronizeStream(e.compute)
}

// drop gives back what a kept set holds. It gives the first error.
func (e *Executor) drop(k *kept) error {
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	for _, m := range []Memory{k.images, k.values} {
		if m != 0 {
			note(e.gpu.Free(m))
		}
	}
	if k.module != 0 {
		note(e.gpu.UnloadModule(k.module))
	}
	return first
}

// gather queues the kernel that makes a batch as a slot's cuts say.
func (e *Executor) gather(k *kept, s *slot) error {
	return of(e.gpu.Launch(k.kernel, k.launch.config(), e.compute, []Memory{k.out, k.images, k.values, s.cuts}), &k.launch)
}

// transformValues are the numbers that the kernel needs besides the images: of
// bytes, the value of each in each channel, which package runtime has computed;
// of floats, each channel's mean, then the scale.
func transformValues(images *runtime.Images) []float32 {
	if images.Bytes == nil {
		return append(append([]float32{}, images.Mean...), images.Scale)
	}
	var values []float32
	for i := range images.Lookup {
		values = append(values, images.Lookup[i][:]...)
	}
	return values
}

// gatherBlock is the number of threads in a block of the kernel.
const gatherBlock = 256

// GatherName is the name of the kernel that makes a phase's batches of kept
// images.
func GatherName(phase string) string { return "netc_gather_" + phase }

// GatherSource is that kernel. It gives the same bits as package runtime's own
// loading: bytes are looked up, and a float's mean and scale are a subtraction
// and a multiplication, which no compiler merges.
func GatherSource(name string, batch int, images *runtime.Images) string {
	channels, height, width := images.Shape[0], images.Shape[1], images.Shape[2]
	element, value := "float", fmt.Sprintf("(pixel - values[c]) * values[%d]", channels)
	if images.Bytes != nil {
		element, value = "unsigned char", "values[256*c + pixel]"
	}
	return strings.NewReplacer("NAME", name, "ELEMENT", element, "VALUE", value,
		"BATCH", fmt.Sprint(batch), "COUNT", fmt.Sprint(images.N), "THREADS", fmt.Sprint(gatherBlock),
		"TOTAL", fmt.Sprint(batch*channels*images.CropHeight*images.CropWidth), "CHANNELS", fmt.Sprint(channels),
		"CROPHEIGHT", fmt.Sprint(images.CropHeight), "CROPWIDTH", fmt.Sprint(images.CropWidth),
		"HEIGHT", fmt.Sprint(height), "WIDTH", fmt.Sprint(width), "LAST", fmt.Sprint(images.CropWidth-1)).Replace(gatherText)
}

const gatherText = `// A batch of BATCH images, CHANNELS x CROPHEIGHT x CROPWIDTH, cut out of COUNT of CHANNELS x HEIGHT x WIDTH.
// cuts has for each: its number in the set, the first row, the first column, and 1 where rows run backwards.
extern "C" __global__ void __launch_bounds__(THREADS)
NAME(float* __restrict__ out, const ELEMENT* __restrict__ images, const float* __restrict__ values, const int* __restrict__ cuts)
{
    const int i = blockIdx.x*THREADS + threadIdx.x;
    if (i >= TOTAL) return;
    const int x = i % CROPWIDTH, y = i / CROPWIDTH % CROPHEIGHT, c = i / (CROPWIDTH*CROPHEIGHT) % CHANNELS, n = i / (CROPWIDTH*CROPHEIGHT*CHANNELS);
    const int sample = cuts[4*n], row = cuts[4*n + 1] + y, column = cuts[4*n + 2] + (cuts[4*n + 3] ? LAST - x : x);
    const ELEMENT pixel = images[(((long long)sample*CHANNELS + c)*HEIGHT + row)*WIDTH + column];
    out[i] = VALUE;
}
`
