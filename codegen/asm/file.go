package asm

import (
	"fmt"
	"strings"
)

// File is a Go assembly file: functions of one instruction set and the
// constants they share.
type File struct {
	funcs []*Func
}

// Add adds a finished function.
func (w *File) Add(f *Func) { w.funcs = append(w.funcs, f) }

// Text is the file, which begins with the header. Its name must end in
// _amd64.s, or the header hold the build constraint.
func (w *File) Text(header string) string {
	var constants, bodies strings.Builder
	seen := map[string]bool{}
	framed := false
	for _, f := range w.funcs {
		bodies.WriteString("\n" + f.body())
		framed = framed || f.hasFrame()
		for i, s := range f.symbols {
			if !seen[s.name] && f.reads(i) {
				seen[s.name] = true
				constants.WriteString("\n" + s.text())
			}
		}
	}
	b := strings.TrimRight(header, "\n")
	if b != "" {
		b += "\n\n"
	}
	b += "#include \"textflag.h\"\n"
	if framed {
		b += "#include \"funcdata.h\"\n"
	}
	return b + constants.String() + bodies.String()
}

// reads reports whether an instruction reads a constant.
func (f *Func) reads(symbol int) bool {
	for i := range f.code {
		for _, o := range f.code[i].args {
			if o.kind == isSymbol && o.n == int64(symbol) {
				return true
			}
		}
	}
	return false
}

// text defines the constant.
func (s symbol) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "// %s\n", s.note)
	if len(s.data) == 1 {
		fmt.Fprintf(&b, "DATA %s<>+0(SB)/4, $0x%08x\n", s.name, s.data[0])
	} else {
		for i := 0; i < len(s.data); i += 2 {
			fmt.Fprintf(&b, "DATA %s<>+%d(SB)/8, $0x%08x%08x\n", s.name, 4*i, s.data[i+1], s.data[i])
		}
	}
	fmt.Fprintf(&b, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", s.name, 4*len(s.data))
	return b.String()
}
