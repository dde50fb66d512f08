package cuda

import (
	"fmt"
	"slices"
)

// Program is a compiled network's CUDA code: one source, and for each phase
// what to launch, over an arena of the same offsets as the host's.
type Program struct {
	Name    string   // of the source, as messages call it: "lenet.cu"
	Source  string   // CUDA C++; kernels are extern "C"
	Options []string // of NVRTC, besides the architecture: "--std=c++17"
	Arena   int      // bytes
	// Precision is that of products and convolutions: "float32", "tf32" or "bf16".
	Precision string
	Phases    map[string][]Launch // by name: "train", "test", "update"
	Setup     map[string]int      // so many of a phase's launches, the first, are its setup: see runtime.Phase
}

// Launch starts one kernel. Its parameters are pointers only, each the address
// of a tensor in the arena; every other number is a constant in the source.
type Launch struct {
	Kernel  string // the function's name
	Layers  string // the layers it computes, as in "conv1 + relu1"
	Grid    [3]int // blocks along x, y and z
	Block   [3]int // threads along x, y and z
	Cluster [3]int // blocks that share their shared memory; zeros for none
	Shared  int    // bytes of dynamic shared memory
	Args    []int  // byte offsets in the arena, one for each parameter
	After   []int  // the launches of the phase that must be over before, by number; what those wait for is not listed

	// Copy, where it is not 0, makes this a copy of so many bytes from Args[1]
	// to Args[0] instead of a kernel's launch; Kernel is then only a name.
	Copy int

	// What it does and costs, as in runtime.Launch.

	Pass         string
	MultiplyAdds int
	Operations   int
	Bytes        int
}

// The limits that every device of compute capability 7.5 or more has.
const (
	maxGridX  = 1<<31 - 1
	maxGridYZ = 65535
	maxBlock  = 1024
	maxBlockZ = 64
)

// Check finds launches that no device could run, so that a fault of the emitter
// shows without one.
func (p *Program) Check() error {
	for phase, count := range p.Setup {
		if count < 0 || count > len(p.Phases[phase]) {
			return fmt.Errorf("%s, phase %s: a setup of %d of %d launches", p.Name, phase, count, len(p.Phases[phase]))
		}
	}
	for phase, launches := range p.Phases {
		for i := range launches {
			l := &launches[i]
			for _, before := range l.After {
				if before < 0 || before >= i {
					return fmt.Errorf("%s, phase %s, kernel %s: it waits for launch %d and is number %d", p.Name, phase, l.Kernel, before, i)
				}
			}
			if err := p.checkLaunch(l); err != nil {
				return fmt.Errorf("%s, phase %s, kernel %s: %w", p.Name, phase, l.Kernel, err)
			}
		}
	}
	return nil
}

func (p *Program) checkLaunch(l *Launch) error {
	for _, offset := range l.Args {
		if offset < 0 || offset >= max(p.Arena, 1) || offset%4 != 0 {
			return fmt.Errorf("argument at byte %d of an arena of %d", offset, p.Arena)
		}
	}
	if l.Copy != 0 {
		if len(l.Args) != 2 || l.Copy < 0 || max(l.Args[0], l.Args[1])+l.Copy > p.Arena {
			return fmt.Errorf("a copy of %d bytes with arguments %v in an arena of %d", l.Copy, l.Args, p.Arena)
		}
		return nil
	}
	switch {
	case l.Kernel == "":
		return fmt.Errorf("it has no name")
	case slices.Min(l.Grid[:]) < 1 || l.Grid[0] > maxGridX || max(l.Grid[1], l.Grid[2]) > maxGridYZ:
		return fmt.Errorf("a grid of %v blocks", l.Grid)
	case slices.Min(l.Block[:]) < 1 || l.Block[0]*l.Block[1]*l.Block[2] > maxBlock || l.Block[2] > maxBlockZ:
		return fmt.Errorf("a block of %v threads", l.Block)
	case l.Shared < 0:
		return fmt.Errorf("%d bytes of shared memory", l.Shared)
	case l.Cluster != [3]int{}:
		for axis, blocks := range l.Cluster {
			if blocks < 1 || l.Grid[axis]%blocks != 0 {
				return fmt.Errorf("clusters of %v do not divide a grid of %v", l.Cluster, l.Grid)
			}
		}
	}
	return nil
}

// mostShared is the most dynamic shared memory that any launch of a kernel asks
// for, in bytes.
func (p *Program) mostShared(kernel string) int {
	most := 0
	for _, launches := range p.Phases {
		for i := range launches {
			if launches[i].Kernel == kernel {
				most = max(most, launches[i].Shared)
			}
		}
	}
	return most
}

// config is a launch's start as the driver takes it.
func (l *Launch) config() Config {
	narrow := func(v [3]int) [3]uint32 { return [3]uint32{uint32(v[0]), uint32(v[1]), uint32(v[2])} }
	return Config{Grid: narrow(l.Grid), Block: narrow(l.Block), Cluster: narrow(l.Cluster), Shared: uint32(l.Shared)}
}
