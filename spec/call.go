package spec

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"netc/spec/diag"
)

// assign expands "targets = …".
func (e *expander) assign(in *scope, s *Statement, node *Assign) {
	if guard := e.sel.remover(node.Guards); guard != nil {
		e.checkRemoved(in, node)
		for _, name := range node.Targets {
			e.define(in, name, meaning{kind: isRemoved, guard: *guard})
		}
		return
	}
	switch {
	case node.Input != nil:
		e.input(in, node)
	case node.Alias != nil:
		e.alias(in, node)
	default:
		e.call(in, s, node)
	}
}

// checkRemoved finds the mistakes of a statement that its guard removes. It may
// use names that are removed as well.
func (e *expander) checkRemoved(in *scope, node *Assign) {
	e.lenient++
	defer func() { e.lenient-- }()
	switch {
	case node.Alias != nil:
		e.lookup(in, node.Alias.Text, node.Alias.Span)
	case node.Call != nil:
		for _, arg := range node.Call.Args.Items {
			e.argument(in, arg.Value)
		}
		if node.Call.Fields != nil {
			e.fields(in, node.Call.Fields.Items)
		}
	}
}

// defineUnknown gives the targets of a mistaken statement a meaning, so that
// their uses are not reported too.
func (e *expander) defineUnknown(in *scope, targets []Name) {
	for _, name := range targets {
		e.define(in, name, unknown)
	}
}

func (e *expander) input(in *scope, node *Assign) {
	target := node.Targets[0]
	if len(node.Targets) > 1 {
		e.errorf(codeResults, node.Targets[1].Span, "an input is one tensor").Helpf("write one input a line")
	}
	input := &Input{Name: in.fullName(target.Text), Span: target.Span, DType: "f32"}
	if dtype := node.Input.DType; dtype != nil {
		input.DType = dtype.Text
		if types := []string{"f32", "i32"}; !slices.Contains(types, dtype.Text) {
			d := e.errorf(codeDType, dtype.Span, "unknown type %q", dtype.Text)
			if near := diag.Nearest(dtype.Text, types); near != "" {
				d.Helpf("did you mean %q?", near)
			} else {
				d.Helpf("an input is f32 or i32")
			}
		}
	}
	size := 1
	for _, element := range node.Input.Shape.Items {
		n, ok := e.dimension(in, element.Value)
		if !ok {
			e.defineUnknown(in, node.Targets)
			return
		}
		if n > math.MaxInt32/size {
			e.errorf(codeShape, element.Value.Span, "the input has more than %d elements", math.MaxInt32)
			e.defineUnknown(in, node.Targets)
			return
		}
		size *= n
		input.Shape = append(input.Shape, n)
	}
	if e.bind(in, target, input.Name) && !e.dry {
		e.net.Inputs = append(e.net.Inputs, input)
	}
}

// dimension evaluates one number of a shape: at least 1, at most 2^31-1.
func (e *expander) dimension(in *scope, v *ValueExpr) (int, bool) {
	if !e.step(v.Span) {
		return 0, false
	}
	if v.Expr == nil || v.Fields != nil {
		e.errorf(codeShape, v.Span, "a shape is a list of integers")
		return 0, false
	}
	n, ok := e.integer(in, v.Expr)
	if ok && (n < 1 || n > math.MaxInt32) {
		e.errorf(codeShape, v.Span, "%d cannot be a size: sizes go from 1 to %d", n, math.MaxInt32)
		return 0, false
	}
	return int(n), ok
}

// bind makes a new tensor under the target's full name.
func (e *expander) bind(in *scope, target Name, full string) bool {
	if !e.dry {
		if !e.isFree(in, target, full) {
			return false
		}
		e.tensors[full] = target.Span
	}
	e.define(in, target, meaning{kind: isTensor, tensor: full})
	return true
}

// isFree claims a full name. A name that its own scope has already is left to
// define, which words it better.
func (e *expander) isFree(in *scope, target Name, full string) bool {
	m, isOwn := in.names[target.Text]
	_, isCarried := in.carried[target.Text]
	if isOwn && m.kind == isTensor || isCarried {
		e.define(in, target, meaning{kind: isTensor, tensor: full})
		return false
	}
	if e.claim(full, target.Span) {
		return true
	}
	e.define(in, target, unknown)
	return false
}

func (e *expander) alias(in *scope, node *Assign) {
	if len(node.Targets) > 1 {
		e.errorf(codeResults, node.Targets[1].Span, "%q is one tensor, but %d names are given for it",
			node.Alias.Text, len(node.Targets))
		e.defineUnknown(in, node.Targets)
		return
	}
	m := e.lookup(in, node.Alias.Text, node.Alias.Span)
	if m.kind == isInteger {
		e.errorf(codeKind, node.Alias.Span, "%q is an integer, but a tensor is needed here", node.Alias.Text).
			Helpf("write const %s = %s", node.Targets[0].Text, node.Alias.Text)
		m = unknown
	}
	e.name(in, node.Targets[0], m)
}

// name gives a tensor that exists another name.
func (e *expander) name(in *scope, target Name, m meaning) {
	full := in.fullName(target.Text)
	if m.kind == isTensor && !e.dry {
		if !e.isFree(in, target, full) {
			return
		}
		e.net.Aliases[full] = m.tensor
		e.aliases[full] = target.Span
	}
	e.define(in, target, m)
}

// argument evaluates an argument: a tensor's name or an integer expression.
func (e *expander) argument(in *scope, x *Expr) meaning {
	switch x.Kind {
	case NameExpr, StringExpr:
		m := e.lookup(in, x.Text, x.Span)
		m.at = x.Span
		return m
	case BoolExpr:
		return unknown // reported by the parser
	}
	n, ok := e.integer(in, x)
	if !ok {
		return unknown
	}
	return meaning{kind: isInteger, value: n, at: x.Span}
}

func (e *expander) call(in *scope, s *Statement, node *Assign) {
	callee := node.Call.Callee
	if b := in.file.blocks[callee.Text]; b != nil {
		e.callBlock(in, node, b)
		return
	}
	if !isCapitalised(callee.Text) {
		if !in.file.incomplete {
			d := e.errorf(codeNoBlock, callee.Span, "no block is named %q", callee.Text)
			if near := diag.Nearest(callee.Text, slices.Sorted(maps.Keys(in.file.blocks))); near != "" {
				d.Helpf("did you mean %q?", near)
			} else {
				d.Helpf(`the layers' names start with a capital letter; "netc doc" lists them`)
			}
		}
		for _, arg := range node.Call.Args.Items {
			e.argument(in, arg.Value)
		}
		e.defineUnknown(in, node.Targets)
		return
	}
	e.layer(in, s, node)
}

func (e *expander) layer(in *scope, s *Statement, node *Assign) {
	layer := &Layer{
		Name: in.fullName(node.Targets[0].Text), Type: node.Call.Callee.Text, TypeSpan: node.Call.Callee.Span,
		Span: s.Span, Calls: e.calls,
	}
	for _, arg := range node.Call.Args.Items {
		if arg.Label != nil {
			e.errorf(codeLayerCall, arg.Label.Span, "a layer's inputs have no names").
				Helpf("fields stand in braces: %s(…) { %s: … }", layer.Type, arg.Label.Text)
			continue
		}
		// An argument with a mistake stays an input, so that the layer's other
		// mistakes can be found; no tensor has the empty name.
		m := e.argument(in, arg.Value)
		layer.Bottoms = append(layer.Bottoms, Ref{Name: m.tensor, Span: arg.Span})
		if m.kind == isInteger {
			e.errorf(codeLayerCall, arg.Span, "the inputs of a layer are tensors, but this is the integer %d", m.value).
				Helpf("fields stand in braces: %s(…) { name: value }", layer.Type)
		}
	}
	if node.Call.Fields != nil {
		layer.Fields = e.fields(in, node.Call.Fields.Items)
	}
	for _, target := range node.Targets {
		full := in.fullName(target.Text)
		if !e.bind(in, target, full) {
			full = "" // stays a result, as an argument with a mistake stays an input
		}
		layer.Tops = append(layer.Tops, Ref{Name: full, Span: target.Span})
	}
	if e.dry || e.stopped {
		return
	}
	if len(e.net.Layers) == e.most.layers {
		e.stop(s.Span)
		return
	}
	e.net.Layers = append(e.net.Layers, layer)
}

// callBlock expands a block under the name of the first result.
func (e *expander) callBlock(in *scope, node *Assign, b *block) {
	callee := node.Call.Callee
	if node.Call.Fields != nil {
		e.errorf(codeArguments, node.Call.Fields.span(callee.Span), "a block has no fields").
			Helpf("give the values as arguments: %s(…, name: value)", callee.Text)
	}
	if b.node == nil { // its head was reported
		e.defineUnknown(in, node.Targets)
		return
	}
	if i := slices.Index(e.active, b); i >= 0 {
		e.reportRecursion(b, i, callee.Span)
		e.defineUnknown(in, node.Targets)
		return
	}
	if len(e.active) >= maxCalls {
		e.errorf(codeTooDeep, callee.Span, "blocks call blocks more than %d deep", maxCalls)
		e.defineUnknown(in, node.Targets)
		return
	}
	names := e.arguments(in, node.Call, b)

	body := &scope{names: names, file: b.scope, body: b.node.Body.Items}
	body.prefix = in.fullName(node.Targets[0].Text) + "."
	e.active = append(e.active, b)
	outer := e.calls
	e.calls = append(slices.Clip(outer), callee.Span.Pos) // the layers inside share it
	e.addDefaults(body, b)
	b.expanded = true
	e.run(body)
	results, ok := e.results(body, b)
	e.finish(body)
	e.calls = outer
	e.active = e.active[:len(e.active)-1]

	if ok && len(results) != len(node.Targets) {
		e.errorf(codeResults, node.Targets[0].Span, "%s has %s for %s", callee.Text,
			plural(len(results), "result"), plural(len(node.Targets), "name")).
			Note(b.at.Pos, "%s is defined here", callee.Text)
		ok = false
	}
	if !ok {
		e.defineUnknown(in, node.Targets)
		return
	}
	for i, target := range node.Targets {
		e.name(in, target, results[i])
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// span underlines the opening bracket of b, which is in the same file as near.
func (b *Bracket[T]) span(near diag.Span) diag.Span {
	near.Line, near.Length = b.at.startLine, 1
	near.Column = b.at.startColumn
	return near
}

func (e *expander) reportRecursion(b *block, from int, at diag.Span) {
	var chain []string
	for _, active := range e.active[from:] {
		chain = append(chain, active.node.Name.Text)
	}
	chain = append(chain, b.node.Name.Text)
	e.errorf(codeRecursion, at, "a block cannot call itself: %s", strings.Join(chain, " calls ")).
		Helpf("use repeat to stack a block on itself")
}

// arguments gives the parameters of a block their values from a call, but for
// the defaults.
func (e *expander) arguments(in *scope, call *Call, b *block) map[string]meaning {
	params := b.node.Params.Items
	given := map[string]meaning{}
	accept := func(p *Param, arg *Arg) {
		m := e.argument(in, arg.Value)
		if m.kind == isTensor && p.Default != nil {
			e.errorf(codeKind, arg.Span, "parameter %q is an integer, but this is a tensor", p.Name.Text).
				Note(p.Name.Span.Pos, "its default makes it an integer")
			m = unknown
		}
		given[p.Name.Text] = m
	}
	labelled, mistaken := false, false
	for i, arg := range call.Args.Items {
		if arg.Label == nil {
			switch {
			case labelled:
				mistaken = true
				e.errorf(codeArguments, arg.Span, "an argument without a name follows one with a name").
					Helpf("write the arguments by position first, then those by name")
			case i >= len(params):
				mistaken = true
				e.errorf(codeArguments, arg.Span, "%s takes %s, but this is number %d", call.Callee.Text,
					plural(len(params), "argument"), i+1).Note(b.at.Pos, "%s is defined here", call.Callee.Text)
			default:
				accept(params[i], arg)
			}
			continue
		}
		labelled = true
		at := slices.IndexFunc(params, func(p *Param) bool { return p.Name.Text == arg.Label.Text })
		if at < 0 {
			mistaken = true
			d := e.errorf(codeArguments, arg.Label.Span, "%s has no parameter %q", call.Callee.Text, arg.Label.Text)
			if near := diag.Nearest(arg.Label.Text, paramNames(params)); near != "" {
				d.Helpf("did you mean %q?", near)
			} else {
				d.Helpf("its parameters are %s", strings.Join(paramNames(params), ", "))
			}
			continue
		}
		if _, twice := given[arg.Label.Text]; twice {
			mistaken = true
			e.errorf(codeArguments, arg.Label.Span, "parameter %q is given twice", arg.Label.Text)
			continue
		}
		accept(params[at], arg)
	}
	var missing []string
	for _, p := range params {
		if _, ok := given[p.Name.Text]; !ok && p.Default == nil {
			missing = append(missing, p.Name.Text)
			given[p.Name.Text] = unknown
		}
	}
	if len(missing) > 0 && !mistaken { // else a wrong argument was meant for it
		e.errorf(codeArguments, call.Callee.Span, "the call of %s lacks %s", call.Callee.Text, strings.Join(missing, ", ")).
			Note(b.at.Pos, "%s is defined here", call.Callee.Text)
	}
	for _, p := range params { // the definition is where messages point to
		if m, ok := given[p.Name.Text]; ok {
			m.at, m.isParam = p.Name.Span, true
			given[p.Name.Text] = m
		}
	}
	return given
}

func paramNames(params []*Param) []string {
	list := make([]string, len(params))
	for i, p := range params {
		list[i] = p.Name.Text
	}
	return list
}

// addDefaults evaluates the parameters that were not given. A default may use
// the parameters before it.
func (e *expander) addDefaults(body *scope, b *block) {
	for _, p := range b.node.Params.Items {
		if _, given := body.names[p.Name.Text]; given {
			continue
		}
		m := unknown
		if n, ok := e.integer(body, p.Default); ok {
			m = meaning{kind: isInteger, value: n}
		}
		m.at = p.Name.Span
		body.names[p.Name.Text] = m
	}
}

// results looks up what a block returns. ok is false after a mistake that was
// reported.
func (e *expander) results(body *scope, b *block) (list []meaning, ok bool) {
	if len(body.body) == 0 {
		return nil, false
	}
	node, ok := body.body[len(body.body)-1].Node.(*Return)
	if !ok {
		return nil, false
	}
	for _, name := range node.Results {
		m := e.lookup(body, name.Text, name.Span)
		if m.kind == isInteger {
			e.errorf(codeKind, name.Span, "%q is an integer, but a block returns tensors", name.Text)
			m = unknown
		}
		list = append(list, m)
	}
	return list, true
}
