// Package asm writes vector functions for amd64.
//
// What comes in: calls of a Func's methods, each an operation on virtual
// registers, for AVX2 with FMA or for AVX-512 (F, BW, DQ and VL). What goes
// out: registers allocated, values that do not fit kept in the frame, and the
// text of a Go assembly file; or the effect of the function on buffers, by an
// interpreter that checks every access and needs none of the instructions.
//
// Virtual registers are variables, not values: accumulators and pointers are
// changed in place. Where the two instruction sets differ (masks, gathers,
// broadcasts) one method stands for both.
package asm

import (
	"fmt"
	"strings"
	"unicode"
)

// ISA is an instruction set.
type ISA uint8

const (
	AVX2   ISA = iota // 256-bit vectors, with FMA: any x86 since 2013-2015
	AVX512            // 512-bit vectors: the F, BW, DQ and VL parts
)

// Lanes is the number of 32-bit lanes of a vector.
func (s ISA) Lanes() int {
	if s == AVX512 {
		return 16
	}
	return 8
}

func (s ISA) String() string {
	if s == AVX512 {
		return "avx512"
	}
	return "avx2"
}

// Class is a kind of register.
type Class uint8

const (
	GP   Class = iota + 1 // a 64-bit integer or address
	Vec                   // a vector of float32 or int32 lanes
	Mask                  // a truth value for each lane
)

func (c Class) String() string {
	return [...]string{"none", "GP", "Vec", "Mask"}[c]
}

// Reg is a virtual register. The zero Reg is none.
type Reg uint32

const classShift = 30

// Class is the register's kind, 0 for none.
func (r Reg) Class() Class { return Class(r >> classShift) }

func (r Reg) number() int { return int(r & (1<<classShift - 1)) }

func (r Reg) String() string { return fmt.Sprintf("%v%d", r.Class(), r.number()) }

// Mem is the address Base + Index*Scale + Disp, in bytes. Without an Index,
// Scale is 0; with one it is 1, 2, 4 or 8.
type Mem struct {
	Base, Index Reg
	Scale, Disp int
}

// Func is a function under construction, of the form
//
//	func name(args *unsafe.Pointer, scratch unsafe.Pointer, task int)
//
// where args points to the addresses of the tensors.
type Func struct {
	name string
	isa  ISA
	doc  []string // lines of comment above the function

	code    []inst
	comment []string // lines that wait for the next instruction
	regs    int      // virtual registers made so far
	made    []Reg    // by number; numbers start at 1
	labels  []string // names, by number
	loops   int
	ifs     int
	symbols []symbol // constants in use
	known   map[string]int

	streams  bool // has non-temporal stores
	fault    error
	finished bool

	phys  []uint8 // physical register of each virtual one, by number
	frame int     // bytes of spill slots
	saved bool    // BP is in use, which the assembler saves in a frame
}

// New starts a function.
func New(name string, isa ISA) *Func {
	return &Func{name: name, isa: isa, known: map[string]int{}, made: []Reg{0}, labels: []string{""}}
}

// ISA is the instruction set the function is for.
func (f *Func) ISA() ISA { return f.isa }

// Name is the function's name.
func (f *Func) Name() string { return f.name }

// SetDoc sets the lines of comment that stand above the function.
func (f *Func) SetDoc(lines []string) {
	f.doc = nil
	for _, line := range lines {
		f.doc = append(f.doc, strings.ReplaceAll(oneLine(strings.ReplaceAll(line, "\t", "    ")), "    ", "\t"))
	}
}

// Declaration is the Go declaration of the function.
func (f *Func) Declaration() string {
	return "//go:noescape\nfunc " + f.name + "(args *unsafe.Pointer, scratch unsafe.Pointer, task int)\n"
}

// Size is the number of instructions.
func (f *Func) Size() int {
	n := 0
	for i := range f.code {
		if !f.code[i].isLabel() {
			n++
		}
	}
	return n
}

// Frame is the number of bytes of the stack that hold values for which there
// were no registers.
func (f *Func) Frame() int { return f.frame }

// Comment prints a line of comment before the next instruction.
func (f *Func) Comment(format string, args ...any) {
	f.comment = append(f.comment, oneLine(fmt.Sprintf(format, args...)))
}

// oneLine keeps text, such as a tensor's name, from ending the comment that it
// is in.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\\' { // a backslash at the end continues a line
			return '?'
		}
		return r
	}, text)
}

// fail records the first fault; Finish returns it.
func (f *Func) fail(format string, args ...any) {
	if f.fault == nil {
		f.fault = fmt.Errorf("asm: %s: %s", f.name, fmt.Sprintf(format, args...))
	}
}

func (f *Func) newReg(c Class) Reg {
	f.regs++
	r := Reg(c)<<classShift | Reg(f.regs)
	f.made = append(f.made, r)
	return r
}
