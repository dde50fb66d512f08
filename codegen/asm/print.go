package asm

import (
	"fmt"
	"strings"
)

// physical is the number of the register that a virtual one got.
func (f *Func) physical(r Reg) uint8 { return f.phys[r.number()] }

var gpNames = [...]string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

// regName is the assembler's name of a register operand.
func (f *Func) regName(o operand) string {
	n := f.physical(o.reg)
	switch f.bank(o.reg) {
	case bankGP:
		return gpNames[n]
	case bankMask:
		return fmt.Sprintf("K%d", n)
	}
	width := o.width
	if width == 0 {
		width = f.full()
	}
	return fmt.Sprintf("%c%d", width, n)
}

// text is an instruction as the assembler reads it.
func (f *Func) text(in *inst) string {
	if in.isLabel() {
		return f.labels[in.args[0].n] + ":"
	}
	list := make([]string, len(in.args))
	for i, o := range in.args {
		list[i] = f.operandText(o)
	}
	return strings.TrimSpace(in.op + " " + strings.Join(list, ", "))
}

func (f *Func) operandText(o operand) string {
	switch o.kind {
	case isReg:
		return f.regName(o)
	case isImmediate:
		return fmt.Sprintf("$%d", o.n)
	case isSymbol:
		return fmt.Sprintf("%s<>+%d(SB)", f.symbols[o.n].name, o.mem.Disp)
	case isParameter:
		return fmt.Sprintf("%s+%d(FP)", map[int64]string{argsOffset: "args", scratchOffset: "scratch", taskOffset: "task"}[o.n], o.n)
	case isSlot:
		return fmt.Sprintf("%d(SP)", o.n)
	case isLabelRef:
		return f.labels[o.n]
	}
	m := o.mem
	s := "(" + f.regName(use(m.Base)) + ")"
	if m.Disp != 0 {
		s = fmt.Sprint(m.Disp) + s
	}
	if m.Index != 0 {
		s += fmt.Sprintf("(%s*%d)", f.regName(use(m.Index)), m.Scale)
	}
	return s
}

// noSplit is the largest frame, in bytes, of a function that does not check
// the stack; the linker grants a chain of such functions about 800.
const noSplit = 512

// hasFrame reports that the function keeps something on the stack. It says
// that no pointers into Go's heap are there, which a stack that grows or a
// fault in the function needs to know.
func (f *Func) hasFrame() bool { return f.frame > 0 || f.saved }

// body is the function's text.
func (f *Func) body() string {
	var b strings.Builder
	frame := (f.frame + 7) / 8 * 8
	if f.saved {
		frame = max(frame, 8) // a frame in which the assembler keeps the caller's BP
	}
	flags, locals := "NOSPLIT", ""
	if frame > noSplit {
		flags = "0"
	}
	if f.hasFrame() {
		locals = "\tNO_LOCAL_POINTERS\n"
	}
	for _, line := range f.doc {
		b.WriteString(strings.TrimRight("// "+line, " ") + "\n")
	}
	if len(f.doc) > 0 {
		b.WriteString("//\n")
	}
	fmt.Fprintf(&b, "// func %s(args *unsafe.Pointer, scratch unsafe.Pointer, task int)\n", f.name)
	fmt.Fprintf(&b, "TEXT ·%s(SB), %s, $%d-%d\n%s", f.name, flags, frame, argumentBytes, locals)
	for i := range f.code {
		in := &f.code[i]
		for _, c := range in.comment {
			fmt.Fprintf(&b, "\t// %s\n", c)
		}
		if in.isLabel() {
			if in.align {
				b.WriteString("\tPCALIGN $32\n")
			}
			fmt.Fprintf(&b, "%s:\n", f.labels[in.args[0].n])
			continue
		}
		b.WriteString("\t" + f.text(in) + "\n")
	}
	for _, c := range f.comment {
		fmt.Fprintf(&b, "\t// %s\n", c)
	}
	if f.streams {
		b.WriteString("\tSFENCE\n") // before another worker is told that the task is done
	}
	b.WriteString("\tVZEROUPPER\n\tRET\n")
	return b.String()
}
