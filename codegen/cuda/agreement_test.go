package cuda_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"netc/codegen/cuda"
	"netc/codegen/cuda/conformance"
	"netc/codegen/cuda/emulate"
	"netc/compiler"
	"netc/ir"
	"netc/ir/loop"
)

// unitOf plans and schedules a graph by itself, as the phase "test".
func unitOf(t *testing.T, g *ir.Graph) *compiler.Unit {
	t.Helper()
	u, err := conformance.UnitOf(g)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// gpu is an emulated device with a program's memory.
type gpu struct {
	t       *testing.T
	unit    *compiler.Unit
	program *cuda.Program
	device  *emulate.Device
	memory  []byte
}

// newGPU emits and compiles the program of a unit.
func newGPU(t *testing.T, u *compiler.Unit) *gpu {
	t.Helper()
	program, err := cuda.Emit(u, u.Name+".net")
	if err != nil {
		t.Fatal(err)
	}
	return newGPUOf(t, u, program)
}

// newGPUOf compiles a program of a unit.
func newGPUOf(t *testing.T, u *compiler.Unit, program *cuda.Program) *gpu {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles C++; not run with -short")
	}
	var launches []cuda.Launch
	for _, p := range program.Phases {
		launches = append(launches, p.Launches...)
	}
	device, err := emulate.Compile(t.TempDir(), program.Source, launches)
	if errors.Is(err, emulate.ErrNoCompiler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &gpu{t, u, program, device, make([]byte, program.Bytes)}
}

// place is where a value of a phase lies in the memory.
func (g *gpu) place(phase string, v *ir.Value) []byte {
	offset := g.unit.Phase(phase).Plan.Offsets[v]
	return g.memory[offset : offset+v.Type.Bytes()]
}

// set writes a value's elements.
func (g *gpu) set(phase string, v *ir.Value, data []float64) {
	memory := g.place(phase, v)
	for i, x := range inStorage(v.Type, data) {
		switch v.Type.DType {
		case ir.U8:
			memory[i] = byte(x)
		case ir.I32:
			binary.LittleEndian.PutUint32(memory[4*i:], uint32(int32(x)))
		default:
			binary.LittleEndian.PutUint32(memory[4*i:], math.Float32bits(float32(x)))
		}
	}
}

// get reads a value's elements.
func (g *gpu) get(phase string, v *ir.Value) []float64 {
	memory := g.place(phase, v)
	stored := make([]float64, v.Type.Stored())
	for i := range stored {
		switch v.Type.DType {
		case ir.U8:
			stored[i] = float64(memory[i])
		case ir.I32:
			stored[i] = float64(int32(binary.LittleEndian.Uint32(memory[4*i:])))
		default:
			stored[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(memory[4*i:])))
		}
	}
	return fromStorage(v.Type, stored)
}

// run runs a phase once.
func (g *gpu) run(phase string, orders int) {
	g.t.Helper()
	if err := g.device.Run(g.memory, g.program.Phase(phase).Launches, orders); err != nil {
		g.t.Fatal(err)
	}
}

// TestConformance runs the kernels of every operator's examples, in three orders
// of threads, and those on tensor cores, and compares with the reference.
func TestConformance(t *testing.T) {
	suites := map[string]func() (*conformance.Suite, error){"float32": conformance.Operators}
	for _, precision := range conformance.Precisions {
		suites[precision] = func() (*conformance.Suite, error) { return conformance.TensorCores(precision) }
	}
	for name, suite := range suites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := suite()
			if err != nil {
				t.Fatal(err)
			}
			device := newGPU(t, s.Unit)
			for v, data := range s.Feeds {
				device.set("test", v, data)
			}
			device.run("test", 3)
			for i := range s.Cases {
				c := &s.Cases[i]
				if _, err := s.Check(c, device.get("test", c.Value)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// inStorage arranges row-major elements as a type stores them, padding as 0.
func inStorage(typ ir.Type, data []float64) []float64 {
	stored := make([]float64, typ.Stored())
	for i, x := range data {
		stored[storedAt(typ, i)] = x
	}
	return stored
}

// fromStorage is the inverse of inStorage.
func fromStorage(typ ir.Type, stored []float64) []float64 {
	data := make([]float64, typ.Shape.Count())
	for i := range data {
		data[i] = stored[storedAt(typ, i)]
	}
	return data
}

// storedAt is where element i, counted in row-major order, lies.
func storedAt(typ ir.Type, i int) int {
	if typ.IsRowMajor() {
		return i
	}
	index := make([]*loop.Expr, len(typ.Shape))
	for axis := len(typ.Shape) - 1; axis >= 0; axis-- {
		index[axis] = loop.I(i % typ.Shape[axis])
		i /= typ.Shape[axis]
	}
	return loop.Position(typ, index).Int
}
