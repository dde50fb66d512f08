package asm

// Cond compares signed 64-bit integers.
type Cond uint8

const (
	Lt Cond = iota
	Le
	Eq
	Ne
	Ge
	Gt
)

// unless is the jump taken where a condition does not hold.
var unless = [...]string{Lt: "JGE", Le: "JGT", Eq: "JNE", Ne: "JEQ", Ge: "JLT", Gt: "JLE"}

// If runs body when a c n holds.
func (f *Func) If(a Reg, c Cond, n int, body func()) {
	f.want(GP, "If", a)
	if int(int32(n)) != n {
		f.IfGP(a, c, f.Int(n), body)
		return
	}
	f.emit("CMPQ", fold(a), imm(n))
	f.skip(c, body)
}

// IfGP runs body when a c b holds.
func (f *Func) IfGP(a Reg, c Cond, b Reg, body func()) {
	f.want(GP, "IfGP", a, b)
	f.emit("CMPQ", use(a), use(b))
	f.skip(c, body)
}

func (f *Func) skip(c Cond, body func()) {
	end := f.newLabel("end")
	f.emit(unless[c], label(end))
	f.ifs++
	body()
	f.ifs--
	f.place(end, false)
}

// Repeat runs body n times, n >= 1.
func (f *Func) Repeat(n int, body func()) {
	switch {
	case n < 1:
		f.fail("Repeat %d times", n)
	case n == 1:
		body()
	default:
		f.loop(f.Int(n), body)
	}
}

// RepeatGP runs body count times, not at all where count <= 0. The count is
// read once and kept.
func (f *Func) RepeatGP(count Reg, body func()) {
	f.want(GP, "RepeatGP", count)
	n, end := f.NewGP(), f.newLabel("done")
	f.Move(n, count)
	f.emit("TESTQ", use(n), use(n))
	f.emit("JLE", label(end))
	f.loop(n, body)
	f.place(end, false)
}

// loop runs body until n, at least 1, has counted down to 0. Only a loop
// without loops inside is aligned: there the fetch of its first instructions
// recurs often enough to matter.
func (f *Func) loop(n Reg, body func()) {
	head := f.newLabel("loop")
	f.loops++
	f.place(head, true)
	at := len(f.code)
	body()
	for i := at; i < len(f.code); i++ {
		if f.code[i].isLabel() && f.code[i].align {
			f.code[at-1].align = false
			break
		}
	}
	f.emit("DECQ", modFold(n))
	f.emit("JNE", label(head))
	f.loops--
}
