package vector

import (
	"slices"
	"strconv"

	"netc/codegen/asm"
)

// symbol is an integer of the running kernel: the number of an iteration of a
// loop, or a value in a register. It is in [from, extent).
type symbol struct {
	id     int
	from   int // above 0 for tasks, whose register counts through all parts of an axis
	extent int
	reg    asm.Reg // the register of a value; unset for a loop's iteration number
	isLane bool
	level  int // of a value that was computed along the way: the scope it was computed in, from 1
}

// affine is an integer: konst + sum of coefficient * symbol.
type affine struct {
	terms []term // by symbol id, no zero coefficients; sums share them, so none is changed
	konst int
}

type term struct {
	sym  *symbol
	coef int
}

func number(n int) affine { return affine{konst: n} }

func (s *symbol) affine() affine { return affine{terms: []term{{s, 1}}} }

// plus adds factor*b to a.
func (a affine) plus(b affine, factor int) affine {
	out := affine{konst: a.konst + factor*b.konst}
	if len(b.terms) == 0 {
		out.terms = a.terms
		return out
	}
	out.terms = make([]term, 0, len(a.terms)+len(b.terms))
	i, j := 0, 0
	for i < len(a.terms) || j < len(b.terms) {
		var t term
		switch {
		case j == len(b.terms) || i < len(a.terms) && a.terms[i].sym.id < b.terms[j].sym.id:
			t = a.terms[i]
			i++
		case i == len(a.terms) || b.terms[j].sym.id < a.terms[i].sym.id:
			t = term{b.terms[j].sym, factor * b.terms[j].coef}
			j++
		default:
			t = term{a.terms[i].sym, a.terms[i].coef + factor*b.terms[j].coef}
			i++
			j++
		}
		if t.coef != 0 {
			out.terms = append(out.terms, t)
		}
	}
	return out
}

func (a affine) times(n int) affine { return number(0).plus(a, n) }

func (a affine) isConst() bool { return len(a.terms) == 0 }

// lane is the coefficient of the lane number.
func (a affine) lane() int {
	for _, t := range a.terms {
		if t.sym.isLane {
			return t.coef
		}
	}
	return 0
}

// withoutLane leaves out the lane number.
func (a affine) withoutLane() affine {
	if a.lane() == 0 {
		return a
	}
	a.terms = slices.DeleteFunc(slices.Clone(a.terms), func(t term) bool { return t.sym.isLane })
	return a
}

// bounds gives the least and greatest value.
func (a affine) bounds() (least, most int) {
	least, most = a.konst, a.konst
	for _, t := range a.terms {
		low, high := t.coef*t.sym.from, t.coef*(t.sym.extent-1)
		if t.sym.level > 0 {
			low = -high // nothing is known of it, not even its sign
		}
		least += min(low, high)
		most += max(low, high)
	}
	return least, most
}

// split writes a as n*quotient + rest with the rest in [0, n). It is not ok
// where the rest may leave that range.
func (a affine) split(n int) (quotient, rest affine, ok bool) {
	floor := a.konst / n
	if a.konst < 0 && floor*n != a.konst {
		floor--
	}
	quotient, rest = number(floor), number(a.konst-floor*n)
	for _, t := range a.terms {
		if t.coef%n == 0 {
			quotient.terms = append(quotient.terms, term{t.sym, t.coef / n})
		} else {
			rest.terms = append(rest.terms, t)
		}
	}
	least, most := rest.bounds()
	return quotient, rest, least >= 0 && most < n
}

// key tells sums of symbols with numbers beside them apart; constants do not
// enter.
func key(terms []term, beside ...int) string {
	b := make([]byte, 0, 64)
	for _, n := range beside {
		b = append(strconv.AppendInt(b, int64(n), 10), ' ')
	}
	for _, t := range terms {
		b = append(strconv.AppendInt(b, int64(t.sym.id), 10), '*')
		b = append(strconv.AppendInt(b, int64(t.coef), 10), ' ')
	}
	return string(b)
}
