package vector

import (
	"slices"

	"netc/codegen/asm"
	"netc/ir/loop"
)

// hoist computes, before the loops over the given axes, what is expensive and
// does not depend on them: roots, quotients and functions.
func (e *emitter) hoist(loops []*loop.Var) {
	if len(loops) == 0 || e.prepared.lane == nil && len(e.axes) == 0 {
		return
	}
	bound := func(x *loop.Expr) bool {
		ok := true
		x.Walk(func(y *loop.Expr) {
			switch y.Op {
			case loop.Ref:
				_, isAxis := e.at[y.Var]
				_, isScalar := e.hoistedVar(y.Var)
				ok = ok && (isAxis && e.size[y.Var] <= 1 || isScalar) // the points of a tile differ
			case loop.Get:
				ok = ok && !e.written[y.Value]
			}
		})
		return ok
	}
	for _, s := range e.body {
		let, ok := s.(*loop.Let)
		if !ok || let.Of.Kind != loop.Float || !costly(let.Of) || !bound(let.Of) {
			continue
		}
		if _, done := e.hoistedLet(let); done {
			continue
		}
		v := e.scalar(let.Of)
		e.vals[let.Var] = v
		e.top().hoisted[let.Of] = v
	}
	visit := func(x *loop.Expr) {
		e.hoistParts(x, bound)
	}
	for _, s := range e.body {
		switch s := s.(type) {
		case *loop.Let:
			if _, done := e.hoistedLet(s); !done {
				visit(s.Of)
			}
		case *loop.Put:
			visit(s.Of)
		}
	}
}

// hoistParts computes the largest costly parts of an expression that are bound.
func (e *emitter) hoistParts(x *loop.Expr, bound func(*loop.Expr) bool) {
	if x.Op == loop.Select || x.Op == loop.And || x.Op == loop.Or { // its sides are evaluated under a condition
		return
	}
	if _, done := e.hoistedValue(x); done {
		return
	}
	if x.Kind == loop.Float && costly(x) && bound(x) {
		e.top().hoisted[x] = e.scalar(x)
		return
	}
	for _, a := range x.Args {
		e.hoistParts(a, bound)
	}
}

// costly reports whether an expression takes more than a few instructions.
func costly(x *loop.Expr) bool {
	found := false
	x.Walk(func(y *loop.Expr) {
		found = found || y.Kind == loop.Float && (y.Op == loop.Div || y.Op == loop.Call && y.Name != "abs")
	})
	return found
}

func (e *emitter) hoistedValue(x *loop.Expr) (value, bool) {
	for i := len(e.scopes) - 1; i >= 0; i-- {
		if v, ok := e.scopes[i].hoisted[x]; ok {
			return v, true
		}
	}
	return value{}, false
}

func (e *emitter) hoistedLet(s *loop.Let) (value, bool) { return e.hoistedValue(s.Of) }

// hoistedVar tells whether a scalar was computed before the loops.
func (e *emitter) hoistedVar(v *loop.Var) (value, bool) {
	for _, s := range e.body {
		if let, ok := s.(*loop.Let); ok && let.Var == v {
			return e.hoistedLet(let)
		}
	}
	return value{}, false
}

// stream is the part of the random numbers of one layer that is the same for
// the whole tensor; see runtime.RandomStream.
type stream struct {
	seed, iteration *loop.Expr
	layer           int
	whiten, offset  asm.Reg
}

// openStreams computes the random streams that the nest draws from.
func (e *emitter) openStreams() {
	e.streams = nil
	loop.WalkExprs(e.body, func(x *loop.Expr) {
		if x.Op != loop.Call || x.Name != "uniform" || slices.ContainsFunc(e.streams, func(s stream) bool { return s.is(x) }) {
			return
		}
		s := stream{seed: x.Args[0], iteration: x.Args[1], layer: e.affine(x.Args[2]).konst}
		key := mix32(e.f, e.f.Op(asm.AddInt32, e.vectorInt(e.int(s.seed)), e.f.ConstInt(-0x61c88647)))
		key = mix32(e.f, e.f.Op(asm.Xor, key, e.f.ConstInt(int32(uint32(s.layer)))))
		s.whiten = mix32(e.f, e.f.Op(asm.Xor, key, e.vectorInt(e.int(s.iteration))))
		s.offset = mix32(e.f, e.f.Op(asm.AddInt32, s.whiten, key))
		e.streams = append(e.streams, s)
	})
}

func (s stream) is(x *loop.Expr) bool {
	return x.Args[0].Equal(s.seed) && x.Args[1].Equal(s.iteration) && x.Args[2].Int == s.layer
}

func (e *emitter) streamOf(x *loop.Expr) stream {
	for _, s := range e.streams {
		if s.is(x) {
			return s
		}
	}
	e.fail("a random stream was not opened")
	return stream{}
}
