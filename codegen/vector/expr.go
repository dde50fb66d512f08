package vector

import (
	"math"
	"slices"

	"netc/codegen/asm"
	"netc/ir"
	"netc/ir/loop"
)

// constant is a float in all lanes.
func (e *emitter) constant(x float64) asm.Reg {
	c := float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
	if math.IsInf(x, 0) {
		c = float32(x)
	}
	return e.bits(math.Float32bits(c), func() asm.Reg { return e.f.Const(c) })
}

// bits is a constant of 32 bits in all lanes, which is made where no scope has it.
func (e *emitter) bits(b uint32, made func() asm.Reg) asm.Reg {
	for i := len(e.scopes) - 1; i >= 0; i-- {
		if r, ok := e.scopes[i].consts[b]; ok {
			return r
		}
	}
	r := made()
	e.top().consts[b] = r
	return r
}

// float evaluates a float expression in all lanes.
func (e *emitter) float(x *loop.Expr) asm.Reg {
	if v, ok := e.hoistedValue(x); ok {
		return v.vec
	}
	switch x.Op {
	case loop.Const:
		return e.constant(x.Num)
	case loop.Ref:
		v, ok := e.vals[x.Var]
		if !ok {
			e.fail("%s is not set", x.Var.Name)
		}
		return v.vec
	case loop.Get:
		return e.load(x).vec
	case loop.Add:
		for i, product := range x.Args {
			if product.Op == loop.Mul {
				sum := e.copied(e.float(x.Args[1-i]))
				e.f.FMA(sum, e.float(product.Args[0]), e.float(product.Args[1]))
				return sum
			}
		}
		return e.f.Op(asm.Add, e.float(x.Args[0]), e.float(x.Args[1]))
	case loop.Sub:
		if product := x.Args[1]; product.Op == loop.Mul {
			sum := e.copied(e.float(x.Args[0]))
			e.f.FNMA(sum, e.float(product.Args[0]), e.float(product.Args[1]))
			return sum
		}
		return e.f.Op(asm.Sub, e.float(x.Args[0]), e.float(x.Args[1]))
	case loop.Mul:
		return e.f.Op(asm.Mul, e.float(x.Args[0]), e.float(x.Args[1]))
	case loop.Div:
		if y := e.withoutQuotient(x); y != x {
			return e.float(y)
		}
		return e.f.Op(asm.Div, e.float(x.Args[0]), e.float(x.Args[1]))
	case loop.Neg:
		return e.f.Op(asm.Xor, e.float(x.Args[0]), e.constant(math.Copysign(0, -1)))
	case loop.Min, loop.Max:
		op := map[loop.Op]asm.VecOp{loop.Min: asm.Min, loop.Max: asm.Max}[x.Op]
		return e.f.Op(op, e.float(x.Args[0]), e.float(x.Args[1]))
	case loop.Select:
		return e.choose(x, func(y *loop.Expr) asm.Reg { return e.float(y) })
	case loop.ToFloat:
		v := e.int(x.Args[0])
		if v.aff != nil && v.aff.isConst() {
			return e.constant(float64(v.aff.konst))
		}
		return e.f.Un(asm.ToFloat, e.vectorInt(v))
	case loop.Call:
		return e.call(x)
	}
	e.fail("no instructions for %s", loop.Format(x))
	return 0
}

// withoutQuotient makes a quotient by a whole number that is known here, such as
// the area of a window, a product.
func (e *emitter) withoutQuotient(x *loop.Expr) *loop.Expr {
	if x.Op != loop.Div || x.Kind != loop.Float || x.Args[1].Op != loop.ToFloat {
		return x
	}
	n := e.int(x.Args[1].Args[0])
	if n.aff == nil || !n.aff.isConst() {
		return x
	}
	return loop.Times(x.Args[0], loop.N(1/float64(n.aff.konst)))
}

func (e *emitter) copied(r asm.Reg) asm.Reg {
	c := e.f.NewVec()
	e.f.Move(c, r)
	return c
}

// choose evaluates a Select of which the sides are vectors.
func (e *emitter) choose(x *loop.Expr, side func(*loop.Expr) asm.Reg) asm.Reg {
	cond := e.bool(x.Args[0])
	if cond.truth != nil {
		if *cond.truth {
			return side(x.Args[1])
		}
		return side(x.Args[2])
	}
	mask := e.maskOf(cond)
	e.masks = append(e.masks, mask)
	a := side(x.Args[1])
	var b asm.Reg
	if x.Args[2].Op == loop.Const && x.Args[2].Num == 0 && x.Args[2].Kind == loop.Float {
		e.masks = e.masks[:len(e.masks)-1]
		return e.f.Keep(mask, a)
	}
	e.masks[len(e.masks)-1] = 0
	if loads(x.Args[2]) {
		e.masks[len(e.masks)-1] = e.f.MaskNot(mask)
	} else {
		e.masks = e.masks[:len(e.masks)-1]
	}
	b = side(x.Args[2])
	if loads(x.Args[2]) {
		e.masks = e.masks[:len(e.masks)-1]
	}
	return e.f.Select(mask, a, b)
}

func loads(x *loop.Expr) bool {
	found := false
	x.Walk(func(y *loop.Expr) { found = found || y.Op == loop.Get })
	return found
}

func (e *emitter) call(x *loop.Expr) asm.Reg {
	switch x.Name {
	case "uniform":
		s := e.streamOf(x)
		return uniform(e.f, s.whiten, s.offset, e.vectorInt(e.int(x.Args[3])))
	case "pow":
		if y := x.Args[1]; y.Op == loop.Const {
			return powConst(e.f, e.float(x.Args[0]), y.Num)
		}
		return pow(e.f, e.float(x.Args[0]), e.float(x.Args[1]))
	case "sqrt":
		return e.f.Un(asm.Sqrt, e.float(x.Args[0]))
	}
	function := map[string]func(*asm.Func, asm.Reg) asm.Reg{"exp": exp, "log": log, "log1p": log1p, "tanh": tanh, "abs": abs}[x.Name]
	if function == nil {
		e.fail("no instructions for %s", x.Name)
	}
	return function(e.f, e.float(x.Args[0]))
}

// affine evaluates an integer expression of symbols.
func (e *emitter) affine(x *loop.Expr) affine {
	v := e.int(x)
	if v.gp != 0 {
		return e.computed(v.gp).affine()
	}
	if v.aff == nil {
		e.fail("%s is no sum of loop variables", loop.Format(x))
	}
	return *v.aff
}

func whole(a affine) value { return value{aff: &a} }

// int evaluates an integer expression.
func (e *emitter) int(x *loop.Expr) value {
	switch x.Op {
	case loop.Const:
		return whole(number(x.Int))
	case loop.Ref:
		if v, ok := e.vals[x.Var]; ok {
			return v
		}
		if a, ok := e.at[x.Var]; ok {
			return whole(a)
		}
		if x.Var.Extent == 1 {
			return whole(number(0))
		}
		e.fail("%s is not set", x.Var.Name)
	case loop.Get:
		return e.load(x)
	case loop.Neg:
		if v := e.int(x.Args[0]); v.aff != nil {
			return whole(v.aff.times(-1))
		}
	case loop.Add, loop.Sub, loop.Mul, loop.Div, loop.Mod:
		a, b := e.symbolic(e.int(x.Args[0])), e.symbolic(e.int(x.Args[1]))
		if v, ok := e.affineOf(x.Op, a, b); ok {
			return v
		}
		return e.integerOf(x.Op, a, b)
	case loop.Min, loop.Max:
		a, b := e.int(x.Args[0]), e.int(x.Args[1])
		if d, ok := e.affineOf(loop.Sub, a, b); ok {
			switch least, most := d.aff.bounds(); {
			case most <= 0:
				return map[loop.Op]value{loop.Min: a, loop.Max: b}[x.Op]
			case least >= 0:
				return map[loop.Op]value{loop.Min: b, loop.Max: a}[x.Op]
			}
		}
		r := e.f.NewGP()
		e.f.Move(r, e.generalInt(a))
		if x.Op == loop.Min {
			e.f.MinGP(r, e.generalInt(b))
		} else {
			e.f.MaxGP(r, e.generalInt(b))
		}
		return value{gp: r}
	case loop.Select:
		if cond := e.bool(x.Args[0]); cond.truth != nil {
			if *cond.truth {
				return e.int(x.Args[1])
			}
			return e.int(x.Args[2])
		}
		return value{isInt: true, vec: e.choose(x, func(y *loop.Expr) asm.Reg { return e.vectorInt(e.int(y)) })}
	}
	e.fail("no integer instructions for %s", loop.Format(x))
	return value{}
}

// symbolic is an integer as a sum of symbols where all lanes share it.
func (e *emitter) symbolic(v value) value {
	if v.gp != 0 {
		return whole(e.computed(v.gp).affine())
	}
	return v
}

// affineOf combines sums of symbols where the result is one.
func (e *emitter) affineOf(op loop.Op, a, b value) (value, bool) {
	if a.aff == nil || b.aff == nil {
		return value{}, false
	}
	switch op {
	case loop.Add:
		return whole(a.aff.plus(*b.aff, 1)), true
	case loop.Sub:
		return whole(a.aff.plus(*b.aff, -1)), true
	case loop.Mul:
		if a.aff.isConst() {
			return whole(b.aff.times(a.aff.konst)), true
		}
		if b.aff.isConst() {
			return whole(a.aff.times(b.aff.konst)), true
		}
	case loop.Div, loop.Mod:
		if b.aff.isConst() {
			q, r, ok := a.aff.split(b.aff.konst)
			if op == loop.Div && ok {
				return whole(q), true
			}
			if ok {
				return whole(r), true
			}
		}
	}
	return value{}, false
}

// integerOf computes in registers.
func (e *emitter) integerOf(op loop.Op, a, b value) value {
	if a.vec == 0 && b.vec == 0 && (a.aff == nil || a.aff.lane() == 0) && (b.aff == nil || b.aff.lane() == 0) {
		x := e.generalInt(a)
		r := e.f.NewGP()
		e.f.Move(r, x)
		switch op {
		case loop.Add:
			e.f.AddGP(r, e.generalInt(b))
			return value{gp: r}
		case loop.Sub:
			e.f.SubGP(r, e.generalInt(b))
			return value{gp: r}
		case loop.Mul:
			if b.aff != nil && b.aff.isConst() {
				return value{gp: e.f.MulInt(x, b.aff.konst)}
			}
			if a.aff != nil && a.aff.isConst() {
				return value{gp: e.f.MulInt(e.generalInt(b), a.aff.konst)}
			}
			return value{isInt: true, vec: e.f.Op(asm.MulInt32, e.vectorInt(a), e.vectorInt(b))}
		case loop.Div:
			if b.aff != nil && b.aff.isConst() {
				return value{gp: e.f.DivInt(x, b.aff.konst)}
			}
		case loop.Mod:
			if b.aff != nil && b.aff.isConst() {
				return value{gp: e.f.ModInt(x, b.aff.konst)}
			}
		}
		e.fail("no integer instructions for a product of variables")
	}
	vec := map[loop.Op]asm.VecOp{loop.Add: asm.AddInt32, loop.Sub: asm.SubInt32, loop.Mul: asm.MulInt32}
	o, ok := vec[op]
	if !ok {
		e.fail("no division of integers that differ by lane")
	}
	return value{isInt: true, vec: e.f.Op(o, e.vectorInt(a), e.vectorInt(b))}
}

// generalInt gives an integer that all lanes share as a register.
func (e *emitter) generalInt(v value) asm.Reg {
	switch {
	case v.gp != 0:
		return v.gp
	case v.aff != nil && v.aff.lane() == 0:
		return e.integer(*v.aff)
	}
	e.fail("an integer differs by lane")
	return 0
}

// vectorInt gives an integer in all lanes.
func (e *emitter) vectorInt(v value) asm.Reg {
	switch {
	case v.vec != 0:
		return v.vec
	case v.gp != 0:
		return e.f.BroadcastGP(v.gp)
	}
	rest := v.aff.withoutLane()
	var base asm.Reg
	if rest.isConst() {
		base = e.bits(uint32(int32(rest.konst)), func() asm.Reg { return e.f.ConstInt(int32(rest.konst)) })
	} else {
		base = e.f.BroadcastGP(e.integer(rest))
	}
	c := v.aff.lane()
	if c == 0 {
		return base
	}
	lanes := e.f.LaneNumbers()
	if c != 1 {
		lanes = e.f.Op(asm.MulInt32, lanes, e.f.ConstInt(int32(c)))
	}
	return e.f.Op(asm.AddInt32, lanes, base)
}

func known(b bool) value { return value{truth: &b} }

// bool evaluates a condition.
func (e *emitter) bool(x *loop.Expr) value {
	switch x.Op {
	case loop.Const:
		return known(x.Int != 0)
	case loop.Ref:
		return e.vals[x.Var]
	case loop.Not:
		v := e.bool(x.Args[0])
		if v.truth != nil {
			return known(!*v.truth)
		}
		return value{mask: e.f.MaskNot(e.maskOf(v))}
	case loop.And, loop.Or:
		a := e.bool(x.Args[0])
		if a.truth != nil {
			if *a.truth == (x.Op == loop.And) {
				return e.bool(x.Args[1])
			}
			return a
		}
		if x.Op == loop.And && (a.mask != 0 || loads(x.Args[1])) {
			e.masks = append(e.masks, e.maskOf(a))
			defer func() { e.masks = e.masks[:len(e.masks)-1] }()
		}
		b := e.bool(x.Args[1])
		switch {
		case b.truth != nil && *b.truth == (x.Op == loop.And):
			return a
		case b.truth != nil:
			return b
		case x.Op == loop.And && a.mask == 0 && b.mask == 0:
			return value{uniform: append(append([]test{}, a.uniform...), b.uniform...)}
		case x.Op == loop.And:
			return value{mask: e.f.MaskAnd(e.maskOf(a), e.maskOf(b))}
		}
		return value{mask: e.f.MaskOr(e.maskOf(a), e.maskOf(b))}
	case loop.Less, loop.LessEq, loop.Eq, loop.NotEq:
		pred := map[loop.Op]asm.Pred{loop.Less: asm.LtP, loop.LessEq: asm.LeP, loop.Eq: asm.EqP, loop.NotEq: asm.NeP}[x.Op]
		if x.Args[0].Kind == loop.Float {
			return value{mask: e.f.Cmp(pred, e.float(x.Args[0]), e.float(x.Args[1]))}
		}
		a, b := e.int(x.Args[0]), e.int(x.Args[1])
		if d, ok := e.affineOf(loop.Sub, a, b); ok && d.aff.lane() == 0 {
			cond := map[loop.Op]asm.Cond{loop.Less: asm.Lt, loop.LessEq: asm.Le, loop.Eq: asm.Eq, loop.NotEq: asm.Ne}[x.Op]
			if t, ok := decide(*d.aff, cond); ok {
				return known(t)
			}
			return value{uniform: []test{{*d.aff, cond}}}
		}
		return value{mask: e.f.CmpInt(pred, e.vectorInt(a), e.vectorInt(b))}
	}
	e.fail("no condition %s", loop.Format(x))
	return value{}
}

// decide answers a test whose answer does not depend on the symbols.
func decide(a affine, c asm.Cond) (truth, ok bool) {
	least, most := a.bounds()
	switch c {
	case asm.Lt:
		return most < 0, most < 0 || least >= 0
	case asm.Le:
		return most <= 0, most <= 0 || least > 0
	case asm.Eq, asm.Ne:
		if least > 0 || most < 0 {
			return c == asm.Ne, true
		}
		return c == asm.Eq, least == 0 && most == 0
	}
	return false, false
}

// maskOf gives a condition by lane.
func (e *emitter) maskOf(v value) asm.Reg {
	if v.mask != 0 {
		return v.mask
	}
	if v.truth != nil {
		n := int32(0)
		if *v.truth {
			n = 1
		}
		return e.f.CmpInt(asm.NeP, e.f.ConstInt(n), e.f.Zero())
	}
	var mask asm.Reg
	for _, t := range v.uniform {
		pred := map[asm.Cond]asm.Pred{asm.Lt: asm.LtP, asm.Le: asm.LeP, asm.Eq: asm.EqP, asm.Ne: asm.NeP, asm.Ge: asm.GeP, asm.Gt: asm.GtP}[t.cond]
		m := e.f.CmpInt(pred, e.f.BroadcastGP(e.integer(t.of)), e.f.Zero())
		if mask != 0 {
			m = e.f.MaskAnd(mask, m)
		}
		mask = m
	}
	return mask
}

// load reads an element for every lane.
func (e *emitter) load(x *loop.Expr) value {
	v := x.Value
	isInt := x.Kind == loop.Int
	at := e.int(x.Args[0])
	if at.aff == nil || !e.isStep(at.aff.lane()) && !e.isEvens(v, *at.aff) {
		return e.gather(v, at, isInt)
	}
	lane := at.aff.lane()
	memo := ""
	if !e.written[v] {
		memo = key(at.aff.terms, e.argument(v), lane*e.valid, lane*int(e.inRange), at.aff.konst)
		for i := len(e.scopes) - 1; i >= 0; i-- {
			if r, ok := e.scopes[i].loads[memo]; ok {
				if isInt && lane == 0 {
					return value{gp: r}
				}
				return value{vec: r, isInt: isInt}
			}
		}
	}
	if e.isConditional() && !staysInside(v, *at.aff) {
		return e.loadGuarded(v, *at.aff, isInt)
	}
	m := e.memory(v, *at.aff)
	var out value
	switch {
	case lane == 0 && isInt:
		out = value{gp: e.loadInt(v, m)}
	case lane == 0:
		out = value{vec: e.f.Broadcast(m)}
	case lane == 2:
		_, last := at.aff.bounds()
		out = value{vec: e.f.LoadEvens(m, last+1 >= v.Type.Stored()), isInt: isInt}
	case isByte(v) && (e.inRange != 0 || e.valid != 0 && v.Type.Lanes == 0):
		out = value{vec: e.gatherBytes(v, e.vectorInt(at)), isInt: true}
	case isByte(v):
		out = value{vec: e.f.LoadBytes(m), isInt: true}
	case e.inRange != 0:
		out = value{vec: e.f.LoadWhere(m, e.inRange), isInt: isInt}
	case e.valid != 0 && v.Type.Lanes == 0:
		out = value{vec: e.f.LoadFirst(m, e.valid), isInt: isInt}
	default:
		out = value{vec: e.f.Load(m), isInt: isInt}
	}
	if memo != "" {
		if r := out.vec; r != 0 {
			e.top().loads[memo] = r
		} else {
			e.top().loads[memo] = out.gp
		}
	}
	return out
}

// isEvens reports whether a whole vector takes every second element.
func (e *emitter) isEvens(v *ir.Value, at affine) bool {
	return at.lane() == 2 && !isByte(v) && e.valid == 0 && e.inRange == 0 && v.Type.Lanes == 0 && len(e.masks) == 0
}

func isByte(v *ir.Value) bool { return v.Type.DType == ir.U8 }

// loadInt reads a whole number that all lanes share.
func (e *emitter) loadInt(v *ir.Value, m asm.Mem) asm.Reg {
	if isByte(v) {
		return e.f.LoadByte(m)
	}
	return e.f.LoadInt32(m)
}

// storeInt stores a whole number.
func (e *emitter) storeInt(v *ir.Value, m asm.Mem, r asm.Reg) {
	if isByte(v) {
		e.f.StoreByte(m, r)
	} else {
		e.f.StoreInt32(m, r)
	}
}

// gatherBytes reads a byte for each lane, one after the other through the
// scratch memory: no instruction reads some of the lanes' bytes only. In place
// of what lies outside the tensor it reads the first or last byte.
func (e *emitter) gatherBytes(v *ir.Value, index asm.Reg) asm.Reg {
	index = e.f.Op(asm.MaxInt32, index, e.f.Zero())
	index = e.f.Op(asm.MinInt32, index, e.f.ConstInt(int32(v.Type.Stored()-1)))
	base := e.pointer(pointer{e.argument(v), nil})
	buffer := e.lanesInMemory(index)
	for i := range e.width {
		r := e.f.LoadInt32(asm.Mem{Base: buffer, Disp: 4 * i})
		e.f.StoreInt32(asm.Mem{Base: buffer, Disp: 4 * i}, e.f.LoadByte(asm.Mem{Base: base, Index: r, Scale: 1}))
	}
	return e.f.Load(asm.Mem{Base: buffer})
}

// lanesInMemory stores a vector in the scratch memory and gives its address.
func (e *emitter) lanesInMemory(vec asm.Reg) asm.Reg {
	e.scratch = max(e.scratch, 64)
	buffer := e.f.Scratch()
	e.f.Store(asm.Mem{Base: buffer}, vec)
	return buffer
}

func (e *emitter) isStep(lane int) bool { return lane == 0 || lane == 1 }

// gather reads an element from another place for each lane.
func (e *emitter) gather(v *ir.Value, at value, isInt bool) value {
	base := asm.Mem{Base: e.pointer(pointer{e.argument(v), nil})}
	var index asm.Reg
	switch {
	case at.gp != 0 && e.isConditional():
		return e.loadClamped(v, at.gp, isInt)
	case at.gp != 0:
		m := asm.Mem{Base: base.Base, Index: at.gp, Scale: v.Type.DType.Size()}
		if isInt {
			return value{gp: e.loadInt(v, m)}
		}
		return value{vec: e.f.Broadcast(m)}
	case isByte(v):
		return value{vec: e.gatherBytes(v, e.vectorInt(at)), isInt: true}
	case at.aff != nil:
		base = e.memory(v, *at.aff)
		lanes := e.f.LaneNumbers()
		index = e.f.Op(asm.MulInt32, lanes, e.f.ConstInt(int32(at.aff.lane())))
	default:
		index = at.vec
	}
	mask := e.readers()
	if mask == 0 {
		mask = e.maskOf(known(true))
	}
	return value{vec: e.f.Gather(base, index, mask), isInt: isInt}
}

// readers is the mask of the lanes that read what is loaded, 0 for all.
func (e *emitter) readers() asm.Reg {
	n := e.width
	if e.valid != 0 {
		n = e.valid
	}
	if e.lane == nil {
		n = 1
	}
	var mask asm.Reg
	if n < e.width {
		mask = e.f.FirstLanes(n)
	}
	for _, m := range e.masks {
		if m == 0 {
			continue
		}
		if mask == 0 {
			mask = m
		} else {
			mask = e.f.MaskAnd(mask, m)
		}
	}
	if e.inRange != 0 {
		if mask == 0 {
			mask = e.inRange
		} else {
			mask = e.f.MaskAnd(mask, e.inRange)
		}
	}
	return mask
}

// isConditional reports whether what is evaluated counts for some lanes only.
func (e *emitter) isConditional() bool {
	return slices.ContainsFunc(e.masks, func(m asm.Reg) bool { return m != 0 })
}

// staysInside reports whether a position is one of the tensor's for any value
// of its symbols.
func staysInside(v *ir.Value, at affine) bool {
	least, most := at.bounds()
	return least >= 0 && most < v.Type.Stored()
}

// loadGuarded reads under a condition that may keep the position inside the
// tensor, such as that a label is a class. All lanes run through it whatever the
// condition says, so it reads some element of the tensor in place of one outside,
// or only the lanes for which the condition holds.
func (e *emitter) loadGuarded(v *ir.Value, at affine, isInt bool) value {
	switch {
	case at.lane() == 1 && isByte(v) && v.Type.Lanes != 0: // all lanes are of one block, which is in the tensor or not
		first := e.clamped(e.integer(at.withoutLane()), v.Type.Stored()-e.width)
		return value{vec: e.f.LoadBytes(asm.Mem{Base: e.pointer(pointer{e.argument(v), nil}), Index: first, Scale: 1}), isInt: true}
	case at.lane() != 0 && isByte(v):
		return value{vec: e.gatherBytes(v, e.vectorInt(whole(at))), isInt: true}
	case at.lane() != 0:
		return value{vec: e.f.LoadWhere(e.memory(v, at), e.readers()), isInt: isInt}
	}
	return e.loadClamped(v, e.integer(at), isInt)
}

// loadClamped reads the element at a position that all lanes share, or the
// first or last element where there is none.
func (e *emitter) loadClamped(v *ir.Value, at asm.Reg, isInt bool) value {
	r := e.clamped(at, v.Type.Stored()-1)
	m := asm.Mem{Base: e.pointer(pointer{e.argument(v), nil}), Index: r, Scale: v.Type.DType.Size()}
	if isInt {
		return value{gp: e.loadInt(v, m)}
	}
	return value{vec: e.f.Broadcast(m)}
}

// clamped is an integer, or the nearer of 0 and most where it is outside of them.
func (e *emitter) clamped(n asm.Reg, most int) asm.Reg {
	r := e.f.NewGP()
	e.f.Move(r, n)
	e.f.MaxGP(r, e.f.Int(0))
	e.f.MinGP(r, e.f.Int(most))
	return r
}

// put stores a value.
func (e *emitter) put(s *loop.Put) {
	v := s.Value
	var of value
	if v.Type.DType.IsInt() {
		of = e.int(s.Of)
	} else {
		of = value{vec: e.float(s.Of)}
	}
	at := e.int(s.At)
	if at.aff == nil {
		e.fail("%s is stored at a place that depends on data", v.Name)
	}
	if e.lane == nil {
		m := e.memory(v, *at.aff)
		switch {
		case of.vec == 0:
			e.storeInt(v, m, e.generalInt(of))
		case isByte(v):
			e.storeInt(v, m, e.f.LoadInt32(asm.Mem{Base: e.lanesInMemory(of.vec)}))
		default:
			e.f.StoreLane(m, of.vec)
		}
		return
	}
	vec := of.vec
	if vec == 0 {
		vec = e.vectorInt(of)
	}
	isWhole := e.valid == 0 || v.Type.Lanes != 0
	switch lane := at.aff.lane(); {
	case lane == 1 && isWhole && isByte(v):
		e.f.StoreBytes(e.memory(v, *at.aff), vec)
	case lane == 1 && isWhole:
		e.f.Store(e.memory(v, *at.aff), vec)
	case lane == 1 && !isByte(v):
		e.f.StoreFirst(e.memory(v, *at.aff), vec, e.valid)
	case lane == 0:
		e.fail("%s is stored by all lanes at once", v.Name)
	default:
		e.scatter(v, *at.aff, lane, vec)
	}
}

// scatter stores each lane by itself, through the scratch memory.
func (e *emitter) scatter(v *ir.Value, at affine, lane int, vec asm.Reg) {
	buffer := e.lanesInMemory(vec)
	m := e.memory(v, at)
	n := e.width
	if e.valid != 0 {
		n = e.valid
	}
	for i := range n {
		r := e.f.LoadInt32(asm.Mem{Base: buffer, Disp: 4 * i})
		e.storeInt(v, asm.Mem{Base: m.Base, Disp: m.Disp + v.Type.DType.Size()*lane*i}, r)
	}
}
